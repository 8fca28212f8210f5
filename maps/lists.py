"""Lists of tables, as in parameters, and their lookups (maps(3))."""

from __future__ import annotations

from contextlib import ExitStack

from postconf.syntax.lines import decode

from . import file_values
from .folding import APPLICATION_ERROR
from .naming import split_list
from .registry import open_table
from .table import ConfigurationLookupError, Table, TableError, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .table import Access, Flags


class TableList:
    """Tables that are searched in order, until one has the key or fails."""

    def __init__(self, title: str, tables: Sequence[Table], access: Access) -> None:
        """`title`: name of the list in warnings, that is the parameter."""
        self.title = title
        self.tables = tables
        self._access = access

    def find(self, key: bytes, kind: Flags | None = None) -> bytes | None:
        """Return the first value that a table has for `key`, or None.

        With a `kind`, `Flags.FIXED` or `Flags.PATTERN`, only tables of that kind are searched: patterns are not
        searched for parts of keys. An empty key is absent. Raise `TemporaryLookupError` or `ConfigurationLookupError`;
        later tables are not searched then.
        """
        found = self.search(key, kind)
        return found and found[1]

    def find_file(self, key: bytes, kind: Flags | None = None) -> bytes | None:
        """Return the content of the files, for tables that were opened with `Flags.SRC_RHS_IS_FILE`.

        Raise the errors of `find`, and `ConfigurationLookupError` for a value that is not in base64.
        """
        found = self.search(key, kind)
        if found is None:
            return None
        table, value = found
        try:
            return file_values.decode(value)
        except file_values.FileValueError as error:
            self._access.warn(f"table {table.type}:{table.name}: key {decode(key)}: {error}")
            raise ConfigurationLookupError(str(error)) from error

    def close(self) -> None:
        """Close all tables."""
        for table in self.tables:
            table.close()

    def search(self, key: bytes, kind: Flags | None = None) -> tuple[Table, bytes] | None:
        """Return the value and its table, as `find`; errors have the `table` that failed."""
        if not key:
            return None
        for table in self.tables:
            if kind is not None and not table.flags & kind:
                continue
            value = self._ask(table, key)
            if value == b"":
                self._access.warn(f"{self.title} lookup of {decode(key)} returns an empty string result")
                self._access.warn(f"{self.title} should return NO RESULT in case of NOT FOUND")
                raise _blamed(ConfigurationLookupError("empty string result"), table)
            if value is not None:
                return table, value
        return None

    def _ask(self, table: Table, key: bytes) -> bytes | None:
        try:
            return table.lookup(key)
        except (TemporaryLookupError, ConfigurationLookupError) as error:
            self._warn_of_failure(table, key)
            error.table = table
            raise
        except TableError as error:  # damage, of which a daemon of Postfix dies
            self._access.warn(str(error))
            self._warn_of_failure(table, key)
            raise _blamed(TemporaryLookupError(APPLICATION_ERROR), table) from error

    def _warn_of_failure(self, table: Table, key: bytes) -> None:
        self._access.warn(f'{table.type}:{table.name} lookup error for "{decode(key)}"')


def _blamed(error: TableError, table: Table) -> TableError:
    error.table = table
    return error


def open_list(title: str, text: str, access: Access) -> TableList:
    """Open all tables of the list `text`, the value of parameter `title`: `type:name, type:name`.

    Separators are commas and blanks; a name in braces can contain them. Raise the errors of `open_table`; no table
    stays open then.
    """
    with ExitStack() as opened:
        tables = [opened.enter_context(open_table(name, access)) for name in split_list(text)]
        opened.pop_all()
    return TableList(title, tables, access)
