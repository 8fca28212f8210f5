"""Common parts of mysql and pgsql: a database on several servers, one of which is queried.

The driver has the protocol of its server: a function that connects, and a `SqlSession`.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod

from postconf.syntax.lines import decode

from ..errors import MapsError
from ..folding import APPLICATION_ERROR
from ..naming import split_list
from ..table import Flags, Table, TemporaryLookupError
from .database import Domains, QueryTemplates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..table import Access
    from .database import Parameters

LIMIT = 30
"""Seconds that a server may take to accept a connection, and for an answer (mysql: for each part of it)."""


class ServerError(MapsError):
    """A server can't be used now; the text is Postfix's warning."""


class SqlSession(ABC):
    """A connection to one server."""

    @abstractmethod
    def quote(self, text: bytes) -> bytes:
        """Return `text` quoted for a query; raise ValueError if it can't be quoted."""

    @abstractmethod
    def run(self, query: bytes) -> list[bytes | None]:
        """Return the columns of all rows; raise `ServerError`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


class SqlServerTable(Table):
    """A table that is a query to one of the servers in `hosts`."""

    def __init__(
        self,
        kind: str,
        name: str,
        access: Access,
        *,
        parameters: Parameters,
        query: str,
        connect: Callable[[str], SqlSession],
    ) -> None:
        """`connect` makes a session with one of the hosts, or raises `ServerError`."""
        super().__init__(kind, name, access.flags | Flags.FIXED)
        self._warn = access.warn
        self._connect_to = connect
        result = parameters.text("result_format", "%s", needed=True)
        self._limit = parameters.number("expansion_limit", 0)
        self._retry_interval = parameters.number("retry_interval", 60, 1)
        self._templates = QueryTemplates(kind, name, query, result, access)
        self._domains = Domains(parameters, access)
        hosts = split_list(parameters.text("hosts")) or ["localhost"]
        if len(hosts) == 1:
            hosts *= 2  # a lost connection is made again at once, where there is no other server
        random.shuffle(hosts)
        self._hosts = sorted(hosts, key=_rank)
        self._retry_at = [0.0] * len(hosts)
        self._connected: tuple[int, SqlSession] | None = None

    def lookup(self, key: bytes) -> bytes | None:
        if not self._domains.allow(key):
            return None
        if self._templates.query(key, lambda text: text) is None:
            return None
        values = self._ask(key)
        try:
            return self._templates.join(values, key, self._limit)
        except OverflowError:
            self._warn(f"dict_{self.type}_lookup: {self.name}: Expansion limit exceeded for key: '{decode(key)}'")
            raise TemporaryLookupError(APPLICATION_ERROR) from None

    def close(self) -> None:
        if self._connected:
            self._connected[1].close()
            self._connected = None

    def _ask(self, key: bytes) -> list[bytes | None]:
        """Ask one server after the other until one answers."""
        while connected := self._connected or self._connect():
            number, session = connected
            try:
                query = self._templates.query(key, session.quote)
            except ValueError as error:
                host = self._hosts[number]
                self._warn(f"dict {self.type}: (host {host}) cannot escape input string: {error}")
                break
            try:
                return session.run(query or b"")
            except ServerError as error:
                self._warn(str(error))
            self.close()
            self._retry_at[number] = time.monotonic() + self._retry_interval
        raise TemporaryLookupError(APPLICATION_ERROR)

    def _connect(self) -> tuple[int, SqlSession] | None:
        for number, host in enumerate(self._hosts):
            if time.monotonic() < self._retry_at[number]:
                continue
            try:
                self._connected = number, self._connect_to(host)
            except ServerError as error:
                self._warn(f"connect to {self.type} server {host.removeprefix('inet:')}: {error}")
                self._retry_at[number] = time.monotonic() + self._retry_interval
            else:
                return self._connected
        return None


def _rank(host: str) -> int:
    """Return the rank of a server: UNIX sockets first, then host names, then URIs."""
    if "://" in host:
        return 2
    return 0 if host.startswith(("unix:", "/")) else 1
