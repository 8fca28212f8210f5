"""texthash: source text of postmap(1), read when the table is opened."""

from __future__ import annotations

import os
import time

from postconf.syntax.lines import decode

from ... import file_values
from ...folding import fold
from ...formats.indexed import reason
from ...memory import MemoryTable
from ...table import Flags, OpenError, TableError, require_reading
from ...text.reading import TextFile
from ...text.source import Plain, Record, blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    """Set of keys, as 128-bit hashes, in a third of a table's memory.

    Two of a million keys have the same one with a probability of 10^-27. One half depends on a random number, so that
    such keys can't be computed in advance, even with a fixed PYTHONHASHSEED.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self._salt = os.urandom(16)

    def add_new(self, entries: Sequence[tuple[bytes, bytes]]) -> list[int]:
        salt, seen = self._salt, self._hashes
        hashes = [hash(key) << 64 ^ hash(salt + key) for key, _ in entries]
        new = set(hashes)
        if len(new) == len(entries) and seen.isdisjoint(new):
            seen |= new
            return []
        again = []
        for position, number in enumerate(hashes):
            if number in seen:
                again.append(position)
            else:
                seen.add(number)
        return again

    def update(self, key: bytes, value: bytes) -> bool:
        return not self.add_new([(key, value)])


def _load(name: str, table: MemoryTable | _Seen, access: Access) -> int:
    """Read a file into a table, and return its modification time in seconds."""
    try:
        file = TextFile(name, for_daemon=access.for_daemon)
    except OSError as error:
        raise OpenError(f"open database {name}: {reason(error)}") from error
    loader = _Loader(name, table, access)
    ignoring = " -- ignoring this line"
    longest = access.longest_line
    for block in blocks(file.pieces(), name, access.warn, utf8=access.utf8, ignoring=ignoring, longest=longest):
        if isinstance(block, Plain) and not access.values_are_files:
            if access.observe:
                access.observe(block.entries, block.numbers)
            loader.add(block.entries, block.numbers)
        else:
            loader.add_each(block)
    if file.error:
        raise TableError(f"read {name}: {reason(file.error)}") from file.error
    return int(file.status.st_mtime)


class _Loader:
    """Adds entries of a file to a table; the flags decide about those with the same key."""

    def __init__(self, name: str, table: MemoryTable | _Seen, access: Access) -> None:
        self._name = name
        self._table = table
        self._access = access
        self._folds = bool(access.flags & Flags.FOLD_FIX)

    def add(self, written: Sequence[tuple[bytes, bytes]], numbers: Sequence[int]) -> None:
        """Add entries of lines with these numbers."""
        entries = written
        if self._folds:
            utf8 = self._access.utf8
            entries = [(fold(key, utf8) if utf8 else key.lower(), value) for key, value in written]
        for position in self._table.add_new(entries):
            flags = self._access.flags
            if flags & Flags.DUP_REPLACE:
                self._table.update(*entries[position])
            elif not flags & Flags.DUP_IGNORE:
                key, number = decode(written[position][0]), numbers[position]
                problem = f'{self._name}, line {number}: duplicate entry: "{key}"'
                if not flags & Flags.DUP_WARN:
                    raise OpenError(problem)
                self._access.warn(problem)

    def add_each(self, block: Plain | Iterable[Record]) -> None:
        """Add entries one by one, so that all warnings are in the order of the lines."""
        if isinstance(block, Plain):
            block = [Record(key, value, line) for (key, value), line in zip(*block, strict=True)]
        written, numbers = [], []
        for record in block:
            written.append((record.key, record.value))
            numbers.append(record.line)
            try:
                value = file_values.resolve(record.value, self._access)
            except file_values.FileValueError as error:
                self._access.warn(f"{self._name}, line {record.line}: {error}: skipping this entry")
                continue
            self.add([(record.key, value)], [record.line])
        if self._access.observe:
            self._access.observe(written, numbers)
