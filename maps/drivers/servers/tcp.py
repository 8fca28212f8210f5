"""tcp: a server with a line-based protocol (tcp_table(5))."""

from __future__ import annotations

import time
from urllib.parse import unquote_to_bytes

from postconf.syntax.lines import decode

from ...folding import APPLICATION_ERROR
from ...servers.connection import LookupStream, error_text
from ...table import Flags, OpenError, Table, TemporaryLookupError, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access

ATTEMPTS = 10
PAUSE = 1.0
LIMIT = 100.0
"""Time limit for a reply in seconds."""
LONGEST = 4096
"""Maximum size of a reply in bytes."""
_SHOWN = 100
_QUOTED = frozenset([*range(33), ord("%"), *range(127, 256)])


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects to `host:port` at the first lookup."""
    if access.flags & Flags.NO_UNAUTH:
        raise OpenError(f"tcp:{name} map is not allowed for security sensitive data")
    require_reading("tcp", name, access)
    return TcpTable(name, access)


class TcpTable(Table):
    """Table on a server; a failed query is retried a few times on new connections."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("tcp", name, access.flags | Flags.PATTERN)
        self._warn = access.warn
        self._connection: LookupStream | None = None

    def lookup(self, key: bytes) -> bytes | None:
        request = b"".join(b"%%%02X" % byte if byte in _QUOTED else bytes((byte,)) for byte in key)
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE)
            reply = self._ask(b"get " + request + b"\n")
            if reply is not None:
                return self._value(reply)
        raise TemporaryLookupError(APPLICATION_ERROR)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _ask(self, request: bytes) -> bytes | None:
        if self._connection is None:
            try:
                self._connection = LookupStream(f"inet:{self.name}", LIMIT, self._warn)
            except OSError as error:
                self._warn(f"connect to TCP map {self.name}: {error_text(error)}")
                return None
        self._connection.begin()
        try:
            self._connection.send(request)
            return self._connection.line(b"\n", LONGEST)
        except (OSError, EOFError) as error:
            self._warn(f"read TCP map reply from {self.name}: unexpected EOF ({error_text(error)})")
        except OverflowError:
            self._warn(f"read TCP map reply from {self.name}: text longer than {LONGEST}")
        self.close()
        return None

    def _value(self, reply: bytes) -> bytes | None:
        code, blank, quoted = reply[:3], reply[3:4], reply[4:]
        problem = ""
        if not (code.isdigit() and len(code) == 3 and blank.isspace()) or not _is_quoted(quoted):
            problem = "malformed reply"
        elif code[:1] not in b"245":
            problem = "bad status code"
        if problem:
            shown = bytes(byte if 32 <= byte < 127 else ord("_") for byte in reply[:_SHOWN])
            self._warn(f"read TCP map reply from {self.name}: {problem}: {decode(shown)}")
        if problem or code.startswith(b"4"):
            self.close()
            raise TemporaryLookupError(APPLICATION_ERROR)
        return unquote_to_bytes(quoted) if code.startswith(b"2") else None


def _is_quoted(text: bytes) -> bool:
    """Return True if two hexadecimal digits follow each percent sign."""
    return all(len(part) > 1 and all(c in b"0123456789abcdefABCDEF" for c in part[:2]) for part in text.split(b"%")[1:])
