"""Lookup tables as the mail daemons use them: each one opened once, each answer with the table and key that it is from.

`Tables` opens the tables that a configuration names; `MapList` is one parameter's list of tables. A table that fails is
a `TableLookupError`, which is for the caller to turn into Postfix's reaction: defer, or answer with a 451 reply.
Tables behind proxymap(8) are opened without it, so that no Postfix has to run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Self

from maps import Access, Flags, Table, TableError, TableList, TemporaryLookupError, open_table
from maps.folding import APPLICATION_ERROR
from maps.naming import split_list
from postconf import ConfigError, Place, View
from postconf.origins import place_of
from postconf.syntax.lines import decode, encode

from ..errors import TlsproxyError
from .places import Places

MAIL_FLAGS = Flags.LOCK | Flags.FOLD_FIX | Flags.UTF8_REQUEST | Flags.NO_PROXY
"""Flags for tables of addresses, domains and users."""
LIST_FLAGS = Flags.LOCK | Flags.UTF8_REQUEST | Flags.NO_PROXY
"""Flags for the tables in match lists: keys are folded before."""
NO_PARTS_FLAGS = MAIL_FLAGS | Flags.NO_REGSUB
"""Flags for tables whose values must not contain parts of the key: transport_maps."""

_PROXY = "proxy:"

Opener = Callable[[str, Access], Table]


class TableLookupError(TlsproxyError):
    """A table can't answer; mail is not lost, but deferred."""

    def __init__(self, parameter: str, table: str, key: str, reason: str) -> None:
        super().__init__(f"{parameter}: {table}: lookup of {key}: {reason}")
        self.parameter = parameter
        """The parameter that names the table."""
        self.table = table
        """The table by its `type:name`, or a pattern that can't be used."""
        self.key = key
        self.reason = reason


class Found:
    """An answer of a table: the value, and its table and key."""

    __slots__ = ("_owner", "_table", "key", "parameter", "value")

    def __init__(self, value: str, key: str, parameter: str, table: Table, owner: Tables) -> None:
        self.value = value
        self.key = key
        """The key that was asked for: a whole address, or a part of one."""
        self.parameter = parameter
        """The parameter that names the table."""
        self._table = table
        self._owner = owner

    @property
    def table(self) -> str:
        """The table as the parameter names it: `type:name`."""
        return self._owner.name(self._table)

    @property
    def place(self) -> Place | None:
        """The file and line of the entry, if they are known: the text that a table is made from is read for it."""
        return self._owner.places.of(self._table, encode(self.key))

    def __repr__(self) -> str:
        return f"Found({self.value!r}, key={self.key!r}, parameter={self.parameter!r}, table={self.table!r})"


class MapList:
    """The tables of a parameter, asked one after the other until one has an answer (maps(3))."""

    __slots__ = ("_owner", "parameter", "tables")

    def __init__(self, parameter: str, tables: TableList, owner: Tables) -> None:
        self.parameter = parameter
        self.tables = tables
        self._owner = owner

    def __bool__(self) -> bool:
        return bool(self.tables.tables)

    def find(self, key: str, *, partial: bool = False) -> Found | None:
        """Return the first answer, or None; raise `TableLookupError`.

        `partial`: True for a part of an address or name, which patterns are not asked for.
        """
        owner = self._owner
        owner.begin()
        try:
            found = self.tables.search(encode(key), Flags.FIXED if partial else None)
        except TableError as error:
            raise TableLookupError(self.parameter, owner.name(error.table), key, owner.reason(error)) from error
        if found is None:
            return None
        return Found(decode(found[1]), key, self.parameter, found[0], owner)


class _Impatient(Table):
    """A table whose server is given up when it has failed once, and not quickly: many keys are asked for one answer."""

    _QUICK = 0.5
    """Seconds."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.type, table.name, table.flags)
        self._table = table
        self._failure: TemporaryLookupError | None = None

    def lookup(self, key: bytes) -> bytes | None:
        if self._failure is not None:
            raise self._failure
        start = time.monotonic()
        try:
            return self._table.lookup(key)
        except TemporaryLookupError as failure:
            if time.monotonic() - start > self._QUICK:
                self._failure = failure
            raise

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        return self._table.entries()

    def line(self, key: bytes) -> int | None:
        return self._table.line(key)

    def close(self) -> None:
        self._table.close()


class Tables:
    """All lookup tables of a configuration, opened when they are first asked for.

    `view` is that of one service of master.cf, or main.cf's. Tables stay open until `close`.
    """

    def __init__(self, view: View, *, warn: Callable[[str], None] | None = None, opener: Opener = open_table) -> None:
        """`warn` receives Postfix's warnings. `opener` is `maps.open_table`, or in tests something simpler."""
        self.view = view
        self.places = Places()
        self._warn = warn
        self._opener = opener
        self._open: dict[tuple[str, Flags], Table] = {}
        self._names: dict[Table | None, str] = {None: ""}
        self._lists: dict[tuple[str, str, Flags], MapList] = {}
        self._accesses: dict[Flags, Access] = {}
        self._heard: list[str] = []

    def maps(self, parameter: str, flags: Flags = MAIL_FLAGS, *, text: str | None = None) -> MapList:
        """Return the tables of a parameter, or of a `text` that is part of its value.

        Raises `ConfigError` for a value that stops Postfix's daemons: a name without a type, a file that can't be read.
        """
        value = self.view[parameter] if text is None else text
        key = (parameter, value, flags)
        if key not in self._lists:
            tables = [self.open(parameter, name, flags) for name in split_list(value)]
            self._lists[key] = MapList(parameter, TableList(parameter, tables, self.access(flags)), self)
        return self._lists[key]

    def open(self, parameter: str, name: str, flags: Flags) -> Table:
        """Return the table `name`, a `type:name` in the value of a parameter; raise `ConfigError` as `maps` does."""
        key = (name, flags)
        if key not in self._open:
            self.begin()
            self._require_approval(parameter, name)
            try:
                self._open[key] = table = _Impatient(self._opener(name, self.access(flags)))
                self._names[table] = name
            except TableError as error:
                remedy = f"correct the table in {parameter}"
                raise ConfigError(str(error), place_of_parameter(self.view, parameter), remedy) from None
        return self._open[key]

    def name(self, table: Table | None) -> str:
        """Return the `type:name` that a table was opened by."""
        return self._names[table]

    def access(self, flags: Flags) -> Access:
        """Return the settings for opening tables with these flags."""
        if flags not in self._accesses:
            self._accesses[flags] = Access(flags=flags, config=self.view, warn=self._hear, error=self._hear)
        return self._accesses[flags]

    def begin(self) -> None:
        """Forget the warnings of earlier lookups."""
        if self._heard:
            self._heard.clear()

    def reason(self, error: TableError) -> str:
        """Return the reason of a failed lookup: the error's text, or else the warning before Postfix's general one."""
        said = [each for each in self._heard if " lookup error for " not in each]
        return said[-1] if said and str(error) == APPLICATION_ERROR else str(error)

    def close(self) -> None:
        """Close all tables."""
        for table in self._open.values():
            table.close()
        self._open.clear()
        self._lists.clear()
        self._names = {None: ""}

    def _require_approval(self, parameter: str, name: str) -> None:
        """Raise `ConfigError` for a table that proxymap(8) does not open for others (proxy_read_maps)."""
        if name.startswith(_PROXY) and _without_proxy(name) not in self._approved:
            message = f'proxymap service is not configured for table "{name.removeprefix(_PROXY)}"'
            remedy = f"add {name} to proxy_read_maps"
            raise ConfigError(message, place_of_parameter(self.view, parameter), remedy)

    @cached_property
    def _approved(self) -> frozenset[str]:
        """The tables that proxymap(8) opens for others, by its own settings."""
        config = self.view.config
        try:
            view: View = config.service(config["proxymap_service_name"], "unix")
        except KeyError:
            view = config
        words = split_list(view["proxy_read_maps"])
        return frozenset(_without_proxy(each) for each in words if each.startswith(_PROXY))

    def _hear(self, warning: str) -> None:
        self._heard.append(warning)
        if self._warn is not None:
            self._warn(warning)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _without_proxy(name: str) -> str:
    start = 0
    while name.startswith(_PROXY, start):
        start += len(_PROXY)
    return name[start:]


def place_of_parameter(view: View, parameter: str) -> Place | None:
    """Return the place of a parameter's value; None for a built-in default or an unknown name."""
    return place_of(view, parameter) if parameter in view else None
