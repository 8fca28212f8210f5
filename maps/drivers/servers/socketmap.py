"""socketmap: a server with Sendmail's protocol of netstrings (socketmap_table(5))."""

from __future__ import annotations

from postconf.syntax.lines import decode, encode

from ...folding import APPLICATION_ERROR
from ...servers.connection import LookupStream, error_text
from ...table import ConfigurationLookupError, Flags, OpenError, Table, TemporaryLookupError, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access

LIMIT = 100.0
"""Time limit for a reply in seconds."""
LONGEST = 100_000
"""Maximum size of a reply in bytes."""
_LENGTH_DIGITS = 9
_SHOWN = 200
_CLASSES = {b"TEMP": "temporary", b"TIMEOUT": "timeout", b"PERM": "permanent"}


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects to `server:map` at the first lookup."""
    require_reading("socketmap", name, access)
    if access.flags & Flags.NO_UNAUTH:
        raise OpenError(f"socketmap:{name} map is not allowed for security-sensitive data")
    if ":" not in name:
        raise OpenError("socketmap requires server:socketmap argument")
    return SocketmapTable(name, access)


class SocketmapTable(Table):
    """Table on a server; a closed connection is replaced once."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("socketmap", name, access.flags | Flags.PATTERN)
        self._warn = access.warn
        self._server, _, map_name = name.rpartition(":")
        self._map = encode(map_name)
        self._connection: LookupStream | None = None

    def lookup(self, key: bytes) -> bytes | None:
        status, blank, payload = self._ask(self._map + b" " + key).partition(b" ")
        if status == b"OK" and blank:
            return payload
        if status in (b"OK", b"NOTFOUND"):
            return None
        why = bytes(byte if 32 <= byte < 127 else ord("?") for byte in payload.lstrip()[:_SHOWN])
        kind = _CLASSES.get(status, "unknown")
        reason = f": {decode(why)}" if why else ""
        self._warn(f"socketmap:{self.name} socketmap server {kind} error{reason}")
        if status == b"PERM":
            raise ConfigurationLookupError("the server says that this can't succeed")
        raise TemporaryLookupError(APPLICATION_ERROR)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _ask(self, request: bytes) -> bytes:
        try:
            return self._exchange(request)
        except (ConnectionError, EOFError):
            self.close()  # the server has closed the old connection
        try:
            return self._exchange(request)
        except (ConnectionError, EOFError) as error:
            raise self._failure("unexpected disconnect", APPLICATION_ERROR) from error

    def _exchange(self, request: bytes) -> bytes:
        """Raise ConnectionError and EOFError for a broken connection."""
        if self._connection is None:
            try:
                self._connection = LookupStream(self._server, LIMIT, self._warn)
            except OSError as error:
                self._warn(f"connect to {self._server.partition(':')[2]}: {error_text(error)}")
                raise self._failure(error_text(error), error_text(error)) from error
        try:
            return _exchange(self._connection, request)
        except TimeoutError as error:
            raise self._failure("time limit exceeded", APPLICATION_ERROR) from error
        except OverflowError as error:
            raise self._failure("input exceeds size limit", APPLICATION_ERROR) from error
        except ValueError as error:
            raise self._failure("input format error", APPLICATION_ERROR) from error

    def _failure(self, said: str, reason: str) -> TemporaryLookupError:
        self.close()
        self._warn(f"table socketmap:{self.name} lookup error: {said}")
        return TemporaryLookupError(reason)


def _exchange(connection: LookupStream, request: bytes) -> bytes:
    """Send a netstring and receive one; raises ValueError for other data, and the errors of `LookupStream`."""
    connection.begin()
    connection.send(b"%d:%b," % (len(request), request))
    length = connection.line(b":", _LENGTH_DIGITS)
    if not length.isdigit():
        raise ValueError(length)
    if int(length) > LONGEST:
        raise OverflowError
    reply = connection.exactly(int(length) + 1)
    if not reply.endswith(b","):
        raise ValueError(reply)
    return reply[:-1]
