"""Places of table entries: the file and line that an answer comes from, read on demand from the text of the table.

For tables of rules and text tables that is the file itself, for indexed ones the file that postmap(1) made them from,
if it is there.
"""

from __future__ import annotations

from maps import Flags, Table
from maps.folding import fold, is_valid
from maps.text.source import records
from postconf import Place
from postconf.files.regular import open_regular

_SUFFIXES = {"hash": ".db", "btree": ".db", "cdb": ".cdb", "lmdb": ".lmdb", "texthash": ""}


class Places:
    """Finds entries; the texts are read once."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, bool], dict[bytes, int]] = {}

    def of(self, table: Table, key: bytes) -> Place | None:
        """Return the place of the entry for a key; None if the type has no file, or its text is gone."""
        suffix = _SUFFIXES.get(table.type)
        if suffix is None:
            line = table.line(key) if table.name.startswith("/") else None
            return Place(table.name, line) if line else None
        path = table.name.removesuffix(suffix)
        folds = bool(table.flags & Flags.FOLD_FIX)
        line = self._index(path, folds).get(_folded(key) if folds else key)
        return Place(path, line) if line else None

    def _index(self, path: str, folds: bool) -> dict[bytes, int]:
        if (path, folds) not in self._lines:
            index: dict[bytes, int] = {}
            try:
                with open(path, "rb", opener=open_regular) as file:
                    for record in records(file, path, _ignore, utf8=False):
                        index.setdefault(_folded(record.key) if folds else record.key, record.line)
            except OSError:
                pass
            self._lines[path, folds] = index
        return self._lines[path, folds]


def _folded(key: bytes) -> bytes:
    return fold(key, utf8=is_valid(key))


def _ignore(_warning: str) -> None:
    """Take a warning that was given when the table was opened."""
