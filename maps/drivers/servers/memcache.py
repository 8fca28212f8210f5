"""memcache: a cache server, optionally with a backup table (memcache_table(5)); needs pymemcache."""

from __future__ import annotations

import time
from socket import gaierror

from pymemcache.client.base import Client
from pymemcache.exceptions import MemcacheError

from postconf.syntax.lines import decode

from ... import registry
from ...folding import APPLICATION_ERROR
from ...servers.connection import error_text, not_found, split_address
from ...servers.database import Domains, Parameters, QueryTemplates
from ...table import Access, Flags, Mode, OpenError, Table, TableError, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    T = TypeVar("T")


def open_table(name: str, access: Access) -> Table:
    """Return a table that connects at the first lookup; without a file, all parameters have their defaults."""
    if access.flags & Flags.NO_UNAUTH:
        raise OpenError(f"memcache:{name} map is not allowed for security-sensitive data")
    return MemcacheTable(name, access)


class MemcacheTable(Table):
    """Cache. Missing keys are looked up in the backup table, if there is one, and cached."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("memcache", name, access.flags | Flags.FIXED | Flags.MULTI_WRITER)
        self._warn = access.warn
        parameters = Parameters(name, access)
        self._attempts = parameters.number("max_try", 2, 1)
        self._pause = parameters.number("retry_pause", 1, 1)
        self._lifetime = parameters.number("ttl", 3600)
        self._item_flags = parameters.number("flags", 0)
        self._longest = parameters.number("data_size_limit", 10240, 1)
        limit = parameters.number("timeout", 2) or None
        self._templates = QueryTemplates("memcache", name, parameters.text("key_format", "%s"), "%s", access)
        self._domains = Domains(parameters, access)
        server = parameters.text("memcache", "inet:localhost:11211")
        transport, _, address = server.partition(":")
        if transport not in ("inet", "unix"):
            raise TableError(f"invalid transport name: {transport} in service: {server}")
        self._address = address
        self._client = Client(
            address if transport == "unix" else split_address(address), connect_timeout=limit, timeout=limit
        )
        backup = parameters.text("backup")
        self._backup = registry.open_table(backup, access) if backup else None
        self._writable = access.mode is not Mode.READ

    def lookup(self, key: bytes) -> bytes | None:
        stored = self._stored(key)
        if stored is None:
            return None
        try:
            found: bytes | None = self._attempt(lambda: self._client.get(stored))
        except TemporaryLookupError:
            if self._backup is None:
                raise
            found = None
        if self._backup is None:
            return found
        if found is None:
            found = self._backup.lookup(key)
            if found is not None:
                self._remember(key, stored, found)
        return found

    def update(self, key: bytes, value: bytes) -> bool:
        if not self._writable:
            raise self._unsupported("update")
        stored = self._stored(key)
        if stored is None:
            return False
        kept = self._remember(key, stored, value)
        return self._backup.update(key, value) if self._backup else kept

    def delete(self, key: bytes) -> bool:
        if not self._writable:
            raise self._unsupported("delete")
        stored = self._stored(key)
        if stored is None:
            return False
        found = bool(self._attempt(lambda: self._client.delete(stored, noreply=False)))
        return self._backup.delete(key) if self._backup else found

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        if self._backup is None:
            self._warn(f"database memcache:{self.name}: first/next support requires backup database")
            return
        yield from self._backup.entries()

    def close(self) -> None:
        self._client.close()
        if self._backup:
            self._backup.close()

    def _stored(self, key: bytes) -> bytes | None:
        """Return the key in the server; None for an unsuitable key."""
        if not key or not self._domains.allow(key):
            return None
        stored = self._templates.query(key, lambda text: text)
        return None if not stored or len(stored.split()) != 1 or stored != stored.strip() else stored

    def _remember(self, key: bytes, stored: bytes, value: bytes) -> bool:
        if len(value) > self._longest:
            problem = f"data for key {decode(key)} is too long (data_size_limit={self._longest}) -- not stored"
            self._warn(f"database memcache:{self.name}: {problem}")
            return False
        kept = self._attempt(
            lambda: self._client.set(stored, value, self._lifetime, noreply=False, flags=self._item_flags)
        )
        return bool(kept)

    def _attempt(self, request: Callable[[], T]) -> T:
        """Query the server; retry on a new connection after an error."""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(self._pause)
            try:
                return request()
            except (ConnectionRefusedError, gaierror) as error:
                known = not_found(self._address, error, self._warn) if isinstance(error, gaierror) else error
                self._warn(f"connect to {self._address}: {error_text(known)}")
                raise TemporaryLookupError(error_text(known)) from error
            except (OSError, MemcacheError) as error:
                self._client.close()
                if attempt:
                    self._warn(f"database memcache:{self.name}: I/O error: {error}")
        raise TemporaryLookupError(APPLICATION_ERROR)
