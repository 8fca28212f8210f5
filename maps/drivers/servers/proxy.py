"""proxy: tables that proxymap(8) opens for its clients (proxymap(8), "SERVER PROTOCOL").

A request is a list of `name NUL value NUL`, with one more NUL at its end; so is a reply. Postfix's own client waits
forever for the service; this one waits for `PATIENCE` seconds.
"""

from __future__ import annotations

import os
import time

from postconf.syntax.lines import decode, encode

from ... import registry
from ...folding import APPLICATION_ERROR
from ...servers.connection import LookupStream, error_text
from ...table import ConfigurationLookupError, Flags, Mode, Table, TableError, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...table import Access

PATIENCE = 100.0
"""Time limit for the service in seconds."""
PAUSE = 1.0
LONGEST = 1 << 20
"""Maximum size of an attribute in a reply, in bytes."""
OK, NO_KEY, RETRY, BAD, DENY, CONFIG = range(6)
FIRST, NEXT = 0, 1
_OF_TABLE = Flags.FIXED | Flags.PATTERN | Flags.MULTI_WRITER
_OF_REQUEST = (
    *(Flags.FOLD_FIX, Flags.FOLD_MUL, Flags.LOCK, Flags.DUP_REPLACE, Flags.DUP_WARN, Flags.DUP_IGNORE),
    *(Flags.SYNC_UPDATE, Flags.NO_REGSUB, Flags.NO_PROXY, Flags.NO_UNAUTH, Flags.UTF8_REQUEST, Flags.UTF8_ACTIVE),
)
_UNSIGNED = 0xFFFFFFFF


def open_table(name: str, access: Access) -> Table:
    """Return a table that the service opens as `name` (`type:name`), or open it directly if that is forbidden."""
    if access.flags & Flags.NO_PROXY:
        return registry.open_table(name, access)
    return ProxyTable(name, access)


class ProxyTable(Table):
    """Table in another process."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("proxy", name, access.flags)
        self._warn = access.warn
        kind = "proxymap" if access.mode is Mode.READ else "proxywrite"
        self._service = kind if access.config is None else access.config[f"{kind}_service_name"]
        queue = "/var/spool/postfix" if access.config is None else access.config["queue_directory"]
        self._socket = self._find_socket(queue)
        self._connection: LookupStream | None = None
        requested = Flags(0)
        for flag in _OF_REQUEST:
            requested |= flag
        self._instance = access.flags & ~(_OF_TABLE | requested)
        self._requested = self._instance | access.flags & requested
        status, (flags,) = self._ask("open", [], ["flags"], self._instance)
        if status != OK:
            raise self._failure(status, "open", b"")
        self.flags = access.flags & ~_OF_TABLE | Flags(int(flags)) & _OF_TABLE

    def lookup(self, key: bytes) -> bytes | None:
        status, (value,) = self._ask("lookup", [("key", key)], ["value"])
        if status == OK:
            return value
        if status == NO_KEY:
            return None
        raise self._failure(status, "lookup", key)

    def update(self, key: bytes, value: bytes) -> bool:
        return self._change("update", key, [("key", key), ("value", value)])

    def delete(self, key: bytes) -> bool:
        return self._change("delete", key, [("key", key)])

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        function = FIRST
        while True:
            status, (key, value) = self._ask("sequence", [("function", b"%d" % function)], ["key", "value"])
            if status == NO_KEY:
                return
            if status != OK:
                raise self._failure(status, "sequence", key)
            yield key, value
            function = NEXT

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _change(self, request: str, key: bytes, attributes: list[tuple[str, bytes]]) -> bool:
        status, _ = self._ask(request, attributes, [])
        if status not in (OK, NO_KEY):
            raise self._failure(status, request, key)
        return status == OK

    def _find_socket(self, queue_directory: str) -> str:
        relative = f"private/{self._service}"
        return relative if os.access(relative, os.F_OK) else f"{queue_directory}/{relative}"

    def _failure(self, status: int, request: str, key: bytes) -> TableError:
        if status == DENY:
            if request in ("update", "delete"):
                return TableError(f'{self._service} update access is not configured for table "{self.name}"')
            return TableError(f'{self._service} service is not configured for table "{self.name}"')
        if status == CONFIG:
            return ConfigurationLookupError(f"{self._service} could not use the answer")
        if status == RETRY:
            return TemporaryLookupError(APPLICATION_ERROR)
        of_key = f' key "{decode(key)}"' if key else ""
        return TableError(f'{self._service} {request} failed for table "{self.name}"{of_key}: invalid request')

    def _ask(
        self, request: str, attributes: list[tuple[str, bytes]], wanted: list[str], flags: Flags | None = None
    ) -> tuple[int, list[bytes]]:
        """Return the status and the other attributes of a reply; retry until there is one."""
        number = int(self._requested if flags is None else flags) & _UNSIGNED
        pairs = [("request", encode(request)), ("table", encode(self.name)), ("flags", b"%d" % number), *attributes]
        data = b"".join(b"%b\0%b\0" % (encode(name), value) for name, value in pairs) + b"\0"
        deadline = time.monotonic() + PATIENCE
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._exchange(data, wanted)
            except (OSError, EOFError, OverflowError, ValueError) as error:
                self.close()
                said = error_text(error) if isinstance(error, OSError | EOFError) else "Application error"
                if attempt > 1:
                    self._warn(f"dict_proxy_{request}: service {self._service}: {said}")
                if time.monotonic() > deadline:
                    raise TemporaryLookupError(said) from error
                time.sleep(PAUSE)

    def _exchange(self, data: bytes, wanted: list[str]) -> tuple[int, list[bytes]]:
        if self._connection is None:
            self._connection = LookupStream(f"unix:{self._socket}", PATIENCE, self._warn)
            if self._receive(["protocol"]) != [b"proxymap_protocol"]:
                raise ValueError("another protocol")
        self._connection.begin()
        self._connection.send(data)
        status, *values = self._receive(["status", *wanted])
        return int(status), values

    def _receive(self, names: list[str]) -> list[bytes]:
        """Receive a list with these attributes, in this order."""
        if self._connection is None:
            raise EOFError
        values = []
        for name in names:
            if self._connection.line(b"\0", LONGEST) != encode(name):
                raise ValueError(name)
            values.append(self._connection.line(b"\0", LONGEST))
        if self._connection.line(b"\0", LONGEST):
            raise ValueError("more attributes than expected")
        return values
