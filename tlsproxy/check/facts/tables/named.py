"""The lookup tables that a configuration names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from maps.folding import WrappedTable
from maps.table import Access, Flags, TableError
from maps.text.source import records

from ...context import Context
from ...findings import Span
from ...text.sources import Assignment
from ..readings import readings

FILES = {"btree": ".db", "hash": ".db", "cdb": ".cdb", "lmdb": ".lmdb", "dbm": ".pag", "sdbm": ".pag"}
"""The types that postmap(1) makes files of, and the suffixes of these files."""
_NOT_TABLES = "tables-with-references"
"""Kind of lists in which Postfix ignores words that are not tables."""
_IN_FILES = ("cidr", "pcre", "regexp", "texthash")
_ADAPTERS = ("proxy", "debug")
LONGEST_LINE = 1 << 20
"""Bytes of a logical line of a table: no program writes longer ones."""
_LONGEST_WARNING = 2000
_SHOWN = 50
"""Maximum number of warnings that are shown for a table."""
_LINE = re.compile(r"(?:\A| map )/?[^\n]*, line (?P<line>\d+): (?P<problem>.*)", re.DOTALL)
_Result = TypeVar("_Result")
Observer = Callable[[Sequence[tuple[bytes, bytes]], Sequence[int]], None]
"""Receives entries of a table and the numbers of their lines (`maps.Access.observe`)."""


@dataclass(frozen=True)
class Named:
    """A table by its name in a value."""

    assignment: Assignment
    text: str
    """As written, perhaps with an adapter in front."""
    kind: str
    name: str

    @property
    def is_written_by_daemons(self) -> bool:
        """True for a cache, which a daemon creates when it needs it."""
        parameter = self.assignment.name
        return "cache" in parameter or parameter == "address_verify_map"

    def span(self) -> Span:
        """Return the place of the word that names it."""
        return self.assignment.word(self.text)


def named_tables(context: Context) -> list[Named]:
    """Return all tables of a configuration, in the order of their settings."""
    return context.keep(_listed)


def _listed(context: Context) -> list[Named]:
    return list(_named_tables(context))


def _named_tables(context: Context) -> Iterator[Named]:
    for read in readings(context):
        if read.kind.name != _NOT_TABLES:
            for word in read.reading.words:
                if word.role == "table":
                    yield from split_table(read.assignment, word.text)


def split_table(assignment: Assignment, word: str) -> Iterator[Named]:
    """Yield the table that a word of a value names; nothing for other words."""
    kind, colon, name = word.partition(":")
    while kind in _ADAPTERS and colon:
        kind, colon, name = name.partition(":")
    if kind and not word.startswith("{"):
        yield Named(assignment, word, kind, name if colon else "")


class Faults:
    """Warnings about a table: the first ones, and the number of others."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.more = 0

    def add(self, warning: str) -> None:
        """Take a warning."""
        if len(self.first) < _SHOWN:
            self.first.append(warning[:_LONGEST_WARNING])
        else:
            self.more += 1


def examine(context: Context, named: Named, observe: Observer | None = None) -> Faults:
    """Return the warnings of a daemon that opens a table; text tables are read once and not kept."""
    from maps.registry import examine_table

    faults = Faults()
    _use(
        context,
        named,
        Access(flags=Flags.LOCK | Flags.DUP_WARN, warn=faults.add, observe=observe, longest_line=LONGEST_LINE),
        examine_table,
    )
    return faults


def as_text(named: Named) -> Named:
    """Return the source of a table that postmap(1) makes, which reads as a texthash table does; others as they are."""
    if named.kind not in FILES:
        return named
    return Named(named.assignment, named.text, "texthash", named.name)


def open_table(context: Context, named: Named, warnings: list[str], flags: Flags = Flags.LOCK) -> WrappedTable | None:
    """Open a table as a daemon would; None if it can't be, and the reason is added to the warnings.

    Types that can't be opened here are skipped: their servers or libraries may be elsewhere.
    """
    from maps.registry import open_table as open_named

    return _use(context, named, Access(flags=flags, warn=warnings.append), open_named)


def _use(context: Context, named: Named, access: Access, action: Callable[[str, Access], _Result]) -> _Result | None:
    """Open a table, and return the result of `action`; None for a type that can't be opened here."""
    from maps.registry import TYPES as DRIVERS

    if named.kind not in DRIVERS or not named.name:
        return None
    name = named.name
    if name.startswith("/"):
        if not context.files.enabled or not context.files.exists(name):
            return None
        if context.files.is_endless(name):
            access.warn(f"table {named.kind}:{named.name}: not a regular file, so that its reader can wait forever")
            return None
        name = context.files.locate(name)
    elif named.kind in (*_IN_FILES, *FILES) and not name.startswith("{"):
        return None
    try:
        return action(f"{named.kind}:{name}", access)
    except TableError as error:
        if "unsupported dictionary type" not in str(error) and "Permission denied" not in str(error):
            access.warn(str(error).replace(name, named.name))
    except OSError:
        pass
    return None


def source_of(context: Context, named: Named) -> bytes | None:
    """Return the source text of a table, or None."""
    if named.kind not in (*FILES, "texthash") or not named.name.startswith("/") or not context.files.enabled:
        return None
    try:
        return context.files.read(named.name)
    except (OSError, ValueError):
        return None


def place_of_warning(context: Context, named: Named, warning: str) -> tuple[Span, str]:
    """Return the place that a warning names, and its text; for an inline table the place of the setting."""
    found = _LINE.search(warning)
    if found is None or not named.name.startswith("/"):
        return named.span(), found["problem"] if found else warning
    return Span(context.files.outside(named.name), int(found["line"])), found["problem"]


def entries_of(context: Context, table: Named) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Yield key, value, line and column of each entry, from the source if there is one; a line of 0 is unknown."""
    source = source_of(context, table)
    if source is not None:
        lines = source.split(b"\n")
        for record in records(lines, table.name, lambda _: None, utf8=False):
            yield record.key, record.value, record.line, lines[record.line - 1].find(record.value) + 1
        return
    opened = open_table(context, table, []) if table.kind != "texthash" else None  # the source was too large
    if opened is None:
        return
    try:
        if table.kind == "static":
            yield b"*", opened.lookup(b"*") or b"", 0, 0
        else:
            for key, value in opened.entries():
                yield key, value, 0, 0
    except TableError:
        return
    finally:
        opened.close()
