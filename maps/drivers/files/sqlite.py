"""sqlite: a query to a SQLite database file (sqlite_table(5))."""

from __future__ import annotations

import os
import sqlite3
from urllib.parse import quote

from postconf.files.regular import open_regular
from postconf.syntax.lines import decode, encode

from ...folding import APPLICATION_ERROR
from ...formats.indexed import reason
from ...servers.database import Domains, Parameters, QueryTemplates, sql_query
from ...table import Flags, Table, TableError, TemporaryLookupError, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access

LIMIT = 5.0
"""Time limit for a writer's lock in seconds."""


def open_table(name: str, access: Access) -> Table:
    """Open the database of the parameters in `name`."""
    require_reading("sqlite", name, access)
    return SqliteTable(name, access)


class SqliteTable(Table):
    """Database, opened read-only."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("sqlite", name, access.flags | Flags.FIXED)
        parameters = Parameters(name, access)
        self._warn = access.warn
        path = parameters.text("dbpath", needed=True)
        query, result = sql_query(parameters), parameters.text("result_format", "%s", needed=True)
        self._limit = parameters.number("expansion_limit", 0)
        self._templates = QueryTemplates("sqlite", name, query, result, access)
        self._domains = Domains(parameters, access)
        if access.for_daemon:
            _refuse_pipes(name, path)
        try:
            self._database = sqlite3.connect(
                f"file:{quote(encode(path))}?mode=ro", LIMIT, isolation_level=None, check_same_thread=False, uri=True
            )
        except sqlite3.Error as error:
            raise TableError(f"sqlite:{name}: Can't open database: {error}") from error
        self._database.text_factory = bytes

    def lookup(self, key: bytes) -> bytes | None:
        if not _is_valid(key) or not self._domains.allow(key):
            return None
        query = self._templates.query(key, _quoted)
        if query is None:
            return None
        try:
            rows = self._database.execute(decode(query)).fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                self._warn(f"dict_sqlite_lookup: {self.name}: SQL step failed for query '{decode(query)}': {error}")
                raise TemporaryLookupError(APPLICATION_ERROR) from error
            raise TableError(f"dict_sqlite_lookup: {self.name}: SQL prepare failed: {error}?") from error
        values = [_text(row[0]) for row in rows]
        try:
            return self._templates.join(values, key, self._limit)
        except OverflowError:
            self._warn(f"dict_sqlite_lookup: {self.name}: Expansion limit exceeded for key '{decode(key)}'")
            raise TemporaryLookupError(APPLICATION_ERROR) from None

    def close(self) -> None:
        self._database.close()


def _refuse_pipes(name: str, path: str) -> None:
    """Raise `TableError` for a file that would block the library or has no end."""
    try:
        os.close(open_regular(path))
    except OSError as error:
        raise TableError(f"sqlite:{name}: Can't open database: {reason(error)}") from error


def _quoted(text: bytes) -> bytes:
    return text.replace(b"'", b"''")


def _text(value: object) -> bytes | None:
    """Return a column in the library's text form."""
    if value is None or isinstance(value, bytes):
        return value
    return f"{value:.15g}".encode() if isinstance(value, float) and not value.is_integer() else str(value).encode()


def _is_valid(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
