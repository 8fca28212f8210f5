"""Queries of postmap(1): -q with a key or with keys from standard input, and -s."""

from __future__ import annotations

from postconf.syntax.lines import encode

from ..folding import APPLICATION_ERROR
from ..table import Table, TableError, TemporaryLookupError
from .tables import batches
from .usage import EVERYTHING_FROM_STDIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..folding import WrappedTable
    from .message import MessageKeys
    from .tables import CommandTables


def answer(tables: CommandTables, query: str | None) -> int:
    """Look up a key, or all keys of standard input; None: list all entries. Return the exit status."""
    if query is None:
        return _list(tables)
    return _query_stdin(tables) if query == EVERYTHING_FROM_STDIN else _query(tables, encode(query))


def _query(tables: CommandTables, key: bytes) -> int:
    for operand in tables.usage.operands:
        with tables.open(operand) as table:
            value = tables.lookup(table, key, "F" in tables.usage)
            if value is not None:
                tables.warn_if_empty(tables.full_name(operand), key, value)
                tables.print(value)
                return 0
    return 1


def _list(tables: CommandTables) -> int:
    if not tables.usage.operands:
        return 1
    name = tables.full_name(tables.usage.operands[0])
    if name.startswith("proxy:"):
        raise TableError("can't sequence maps via the proxy service")
    with tables.open(name) as table:
        try:
            for key, value in table.entries():
                if not key:
                    tables.warn(f"table {name}: empty lookup key value is not allowed")
                else:
                    tables.warn_if_empty(name, key, value)
                _print_entry(tables, table, key, value, "F" in tables.usage)
        except TemporaryLookupError as error:
            raise TableError(f"table {table.type}:{table.name}: sequence error: {error}") from None
    return 0


def _print_entry(tables: CommandTables, table: Table, key: bytes, value: bytes, files: bool) -> None:
    if files:
        try:
            value = tables.decoded(table, key, value)
        except TableError:
            return  # the warning has been logged
    tables.print(key + b"\t" + value)


def _query_stdin(tables: CommandTables) -> int:
    queries = _Queries(tables)
    if tables.usage.letters & {"b", "h"}:
        lines = (line for batch in batches() for line in batch)
        for key in _message_keys(tables).of(lines):
            queries.answer(key)
    else:
        for batch in batches():
            queries.answer_all(batch)
    queries.close()
    return 0 if queries.found else 1


def _message_keys(tables: CommandTables) -> MessageKeys:
    from .message import Limits, MessageKeys

    config = tables.config
    limits = Limits(
        int(config["header_size_limit"]),
        int(config["mime_nesting_limit"]),
        int(config["mime_boundary_length_limit"]),
    )
    return MessageKeys(limits, headers="h" in tables.usage, body="b" in tables.usage, mime="m" in tables.usage)


class _Queries:
    """Lookups for keys from standard input, in the first table that has them; tables are opened when needed."""

    def __init__(self, tables: CommandTables) -> None:
        self.found = False
        self._tables = tables
        from_message = bool(tables.usage.letters & {"b", "h"})
        self._reason = f": {APPLICATION_ERROR}" if from_message else ""
        self._files = "F" in tables.usage and not from_message
        self._opened: list[WrappedTable] = []

    def answer_all(self, keys: Sequence[bytes]) -> None:
        """Look up keys in order; in one batch if a single table can do that without warnings."""
        values = None if self._files or len(self._tables.usage.operands) > 1 else self._values(keys)
        if values is None:
            for key in keys:
                self.answer(key)
            return
        if b"" in values:
            for key, value in zip(keys, values, strict=True):
                if value is not None:
                    self._print(self._opened[0], key, value)
            return
        lines = [b"%b\t%b" % (key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        if lines:
            self.found = True
            self._tables.print(b"\n".join(lines))

    def answer(self, key: bytes) -> None:
        """Look up one key."""
        for index in range(len(self._tables.usage.operands)):
            table = self._table(index)
            value = self._tables.lookup(table, key, self._files, self._reason)
            if value is not None:
                self._print(table, key, value)
                return

    def close(self) -> None:
        """Close the tables."""
        for table in self._opened:
            table.close()

    def _table(self, index: int) -> WrappedTable:
        if index == len(self._opened):
            self._opened.append(self._tables.open(self._tables.usage.operands[index]))
        return self._opened[index]

    def _values(self, keys: Sequence[bytes]) -> list[bytes | None] | None:
        """Return the values of keys in one table; None if they must be looked up one by one, with warnings."""
        table = self._table(0)
        if not table.has_batches:
            return None
        self._tables.diagnostics.hold()
        try:
            values = table.lookup_many(keys)
        except TableError:
            values = None
        return None if self._tables.diagnostics.held() else values

    def _print(self, table: Table, key: bytes, value: bytes) -> None:
        self._tables.warn_if_empty(f"{table.type}:{table.name}", key, value)
        self._tables.print(key + b"\t" + value)
        self.found = True
