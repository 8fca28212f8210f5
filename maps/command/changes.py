"""Changes of tables by postmap(1): building, -i and -d."""

from __future__ import annotations

import os
import stat

from postconf.syntax.lines import encode

from ..formats.indexed import reason
from ..registry import open_table, prepare_to_build
from ..table import Access, Mode, Table, TableError, TemporaryLookupError
from .tables import batches
from .usage import EVERYTHING_FROM_STDIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..text.source import Plain, Record
    from .tables import CommandTables

_PIECE = 1 << 18
"""Size of a piece of the source in bytes."""


def delete(tables: CommandTables, key: bytes) -> int:
    """Delete a key, or all keys of standard input, from each table; return the exit status."""
    usage = tables.usage
    if usage.delete != EVERYTHING_FROM_STDIN:
        found = False
        for operand in usage.operands:
            with tables.rights(operand), tables.open(operand, Mode.CHANGE) as table:
                found |= _delete(table, key)
        return 0 if found else 1
    opened = []
    for operand in usage.operands:
        with tables.rights(operand):
            opened.append(tables.open(operand, Mode.CHANGE))
    found = False
    try:
        for batch in batches():
            for line in batch:
                for table in opened:
                    found |= _delete(table, line)
    except BaseException:
        for table in opened:
            table.abandon()
        raise
    for operand, table in zip(usage.operands, opened, strict=True):
        with tables.rights(operand):
            table.close()
    return 0 if found else 1


def make(tables: CommandTables, operand: str) -> None:
    """Build a table from its source, or add entries of standard input."""
    from ..text.source import blocks, records

    usage = tables.usage
    if "F" in usage:
        from .. import file_values  # noqa: F401  now: later it may be beyond this process's reach
    name = tables.full_name(operand)
    kind, _, path = name.partition(":")
    adding = "i" in usage
    if kind == "proxy" and not adding:
        raise TableError("can't create maps via the proxy service")
    descriptor, shown = (0, "stdin") if adding else (_open_source(path), path)
    try:
        access = tables.access(Mode.ADD if adding else Mode.BUILD)
        prepare_to_build(name, access)
        status = os.fstat(descriptor)
        masked = "p" not in usage and stat.S_ISREG(status.st_mode)
        saved = os.umask(0o22 | (~status.st_mode & 0o77)) if masked else None
        if "o" not in usage and os.getuid() == 0:
            _become(status.st_uid, status.st_gid)
        with tables.rights(operand), open_table(name, access) as table:
            if saved is not None:
                os.umask(saved)
            if stat.S_ISDIR(status.st_mode):
                return  # an empty table
            source = os.fdopen(descriptor, "rb", closefd=False)
            if "F" in usage:
                _fill(table, [_resolved(tables, records(source, shown, tables.warn, utf8=access.utf8), access, shown)])
            else:
                pieces = iter(lambda: source.read(_PIECE), b"")
                _fill(table, blocks(pieces, shown, tables.warn, utf8=access.utf8))
    finally:
        if not adding:
            os.close(descriptor)


def _resolved(tables: CommandTables, found: Iterable[Record], access: Access, shown: str) -> Iterator[Record]:
    """Yield entries with the content of the files that their values name."""
    from ..file_values import FileValueError, resolve

    for record in found:
        try:
            record.value = resolve(record.value, access)
            yield record
        except FileValueError as error:
            tables.warn(f"{shown}, line {record.line}: {error}: skipping this entry")


def _fill(table: Table, parts: Iterable[Plain | Iterator[Record]]) -> None:
    from ..text.source import Plain

    try:
        for part in parts:
            if isinstance(part, Plain):
                table.update_many(part.entries)
            else:
                for record in part:
                    table.update(record.key, record.value)
    except TemporaryLookupError as error:
        raise TableError(f"table {table.type}:{table.name}: write error: {error}") from None


def _delete(table: Table, key: bytes) -> bool:
    try:
        return table.delete(key)
    except TemporaryLookupError as error:
        raise TableError(f"table {table.type}:{table.name}: delete error: {error}") from None


def _open_source(path: str) -> int:
    try:
        return os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise TableError(f"open {path}: {reason(error)}") from None


def _become(user: int, group: int) -> None:
    """Switch to the owner of the source, and future owner of the table (set_eugid(3))."""
    if os.geteuid() != 0:
        os.seteuid(0)
    os.setegid(group)
    os.setgroups([group])
    if user != 0:
        os.seteuid(user)
