"""Tables in memory, for types that are read as a whole: entries under keys that are folded as lookups will be."""

from __future__ import annotations

from .folding import fold
from .table import Flags, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .table import Access


class MemoryTable(Table):
    """Entries in a dictionary; storing one replaces the one that was there."""

    def __init__(self, kind: str, name: str, access: Access) -> None:
        super().__init__(kind, name, access.flags | Flags.FIXED)
        self._values: dict[bytes, bytes] = {}

    def lookup(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def add_new(self, entries: Sequence[tuple[bytes, bytes]]) -> list[int]:
        """Store entries whose keys are new, and return the positions of the others."""
        values = self._values
        new = dict(entries)
        if len(new) == len(entries) and values.keys().isdisjoint(new):
            values.update(new)
            return []
        again = []
        for position, (key, value) in enumerate(entries):
            if key in values:
                again.append(position)
            else:
                values[key] = value
        return again

    def update(self, key: bytes, value: bytes) -> bool:
        self._values[key] = value
        return True

    def delete(self, key: bytes) -> bool:
        return self._values.pop(key, None) is not None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self._values.items()


def stored_key(key: bytes, access: Access) -> bytes:
    """Return a key as a table keeps it, when its driver reads keys of its own."""
    return fold(key, access.utf8) if access.flags & Flags.FOLD_FIX else key
