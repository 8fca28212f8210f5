"""texthash: source text of postmap(1), read when the table is opened."""

from __future__ import annotations

import time

from postconf.syntax.lines import decode

from ... import file_values
from ...formats.indexed import reason
from ...memory import MemoryTable, stored_key
from ...table import Flags, OpenError, TableError, require_reading
from ...text.reading import TextFile
from ...text.source import Plain, Record, blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...table import Access, Table

PAUSE = 0.3
"""Delay in seconds before a file that may be changing is reread."""


def open_table(name: str, access: Access) -> Table:
    """Read a file; retry while its last change is less than two seconds old."""
    require_reading("texthash", name, access)
    before = int(time.time())
    while True:
        table = MemoryTable("texthash", name, access)
        changed = _load(name, table, access)
        after = int(time.time())
        if not before - 1 <= changed <= after:
            return table
        time.sleep(PAUSE)
        before = after


def examine(name: str, access: Access) -> None:
    """Read a file once, with the warnings of opening it, without storing it."""
    _load(name, _Seen(), access)


class _Seen:
    """Set of keys, as 64-bit hashes, in a third of a table's memory."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add_new(self, entries: list[tuple[bytes, bytes]]) -> bool:
        new = {hash(key) for key, _ in entries}
        if len(new) != len(entries) or not self._hashes.isdisjoint(new):
            return False
        self._hashes |= new
        return True

    def lookup(self, key: bytes) -> bytes | None:
        return b"" if hash(key) in self._hashes else None

    def update(self, key: bytes, value: bytes) -> bool:  # noqa: ARG002
        self._hashes.add(hash(key))
        return True


def _load(name: str, table: MemoryTable | _Seen, access: Access) -> int:
    """Read a file into a table, and return its modification time in seconds."""
    try:
        file = TextFile(name, for_daemon=access.for_daemon)
    except OSError as error:
        raise OpenError(f"open database {name}: {reason(error)}") from error
    ignoring = " -- ignoring this line"
    for block in blocks(file.pieces(), name, access.warn, utf8=access.utf8, ignoring=ignoring):
        if not isinstance(block, Plain):
            _add(name, table, _observed(block, access), access)
            continue
        if access.observe:
            access.observe(block.entries, block.numbers)
        entries = block.entries
        if access.flags & Flags.FOLD_FIX:
            entries = [(key.lower(), value) for key, value in entries]
        if access.values_are_files or not table.add_new(entries):
            written = zip(block.entries, block.numbers, strict=True)
            _add(name, table, (Record(key, value, line) for (key, value), line in written), access)
    if file.error:
        raise TableError(f"read {name}: {reason(file.error)}") from file.error
    return int(file.status.st_mtime)


def _observed(records: Iterable[Record], access: Access) -> Iterable[Record]:
    if access.observe is None:
        return records
    records = list(records)
    access.observe([(each.key, each.value) for each in records], [each.line for each in records])
    return records


def _add(name: str, table: MemoryTable | _Seen, records: Iterable[Record], access: Access) -> None:
    """Add entries one by one."""
    for record in records:
        place = f"{name}, line {record.line}"
        try:
            value = file_values.resolve(record.value, access)
        except file_values.FileValueError as error:
            access.warn(f"{place}: {error}: skipping this entry")
            continue
        key = stored_key(record.key, access)
        if table.lookup(key) is None or access.flags & Flags.DUP_REPLACE:
            table.update(key, value)
        elif not access.flags & Flags.DUP_IGNORE:
            problem = f'{place}: duplicate entry: "{decode(record.key)}"'
            if not access.flags & Flags.DUP_WARN:
                raise OpenError(problem)
            access.warn(problem)
