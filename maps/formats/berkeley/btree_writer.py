"""Writer of Berkeley DB btree files: leaves side by side, then each level of branches, and the root on page 1."""

from __future__ import annotations

import struct

from .btree_file import INLINE, LEAF_LEVEL, OFF_PAGE
from .layout import ORDER, Sequel, filled, header, meta
from .pages import BTREE_INTERNAL, BTREE_LEAF, BTREE_MAGIC, BTREE_META, HEADER_SIZE, NO_PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

ROOT = 1
MIN_KEYS = 2
"""A page has room for this many entries at least; longer keys and values are stored apart from it."""
LONG_SIZE = 12
PAD = 0x20


def write_btree(entries: dict[bytes, bytes], out: BinaryIO, size: int) -> None:
    """Write a file with pages of `size` bytes that holds `entries`, as they are to be stored."""
    out.write(bytes(size * (ROOT + 1)))
    sequel = Sequel(size, ROOT + 1, out.write)
    root = _Writer(size, sequel).write(sorted(entries.items()))
    out.seek(0)
    rest = struct.pack(f"{ORDER}5I", 0, MIN_KEYS, 0, PAD, ROOT)
    out.write(meta(BTREE_MAGIC, BTREE_META, size, sequel.next_page - 1, rest))
    out.write(root)


class _Writer:
    """Makes the pages of a tree from the leaves up, each level when the one below it has its page numbers."""

    def __init__(self, size: int, sequel: Sequel) -> None:
        self._size = size
        self._room = size - HEADER_SIZE
        self._sequel = sequel
        self._longest = self._room // (2 * MIN_KEYS) - LONG_SIZE

    def write(self, entries: list[tuple[bytes, bytes]]) -> bytes:
        """Write all pages but the root, and return that."""
        kind, level = BTREE_LEAF, LEAF_LEVEL
        groups = self._group((key, [self._item(key), self._item(value)]) for key, value in entries)
        while len(groups) > 1:
            first = self._sequel.next_page
            last = first + len(groups) - 1
            for number, (_, items) in enumerate(groups, first):
                links = (number - 1 if number > first else NO_PAGE, number + 1 if number < last else NO_PAGE)
                if kind == BTREE_INTERNAL:
                    links = (NO_PAGE, NO_PAGE)
                self._sequel.add(self._page(number, kind, level, items, links))
            keys = [key for key, _ in groups]
            groups = self._group((key, [self._branch(key, number)]) for number, key in enumerate(keys, first))
            kind, level = BTREE_INTERNAL, level + 1
        items = groups[0][1] if groups else []
        return self._page(ROOT, kind, level, items, (NO_PAGE, NO_PAGE))

    def _group(self, entries: Iterable[tuple[bytes, list[bytes]]]) -> list[tuple[bytes, list[bytes]]]:
        """Divide entries among pages: for each page the first key, and the items."""
        groups: list[tuple[bytes, list[bytes]]] = []
        room = -1
        for key, items in entries:
            need = sum(map(len, items)) + 2 * len(items)
            if need > room:
                groups.append((key, []))
                room = self._room
            groups[-1][1].extend(items)
            room -= need
        return groups

    def _item(self, data: bytes) -> bytes:
        """Return a leaf's item, whose length is a multiple of 4."""
        if len(data) > self._longest:
            return self._long(data)
        return struct.pack(f"{ORDER}HB{len(data)}s{-(len(data) + 3) % 4}x", len(data), INLINE, data)

    def _branch(self, key: bytes, child: int) -> bytes:
        """Return a branch's item; a long key has a copy for each branch that needs it."""
        kind = INLINE
        if len(key) > self._longest:
            kind, key = OFF_PAGE, self._long(key)
        return struct.pack(f"{ORDER}HBxII{len(key)}s{-len(key) % 4}x", len(key), kind, child, 0, key)

    def _long(self, data: bytes) -> bytes:
        return struct.pack(f"{ORDER}HBxII", 0, OFF_PAGE, self._sequel.add_long_item(data), len(data))

    def _page(self, number: int, kind: int, level: int, items: list[bytes], links: tuple[int, int]) -> bytes:
        head = header(number, kind, len(items), self._size - sum(map(len, items)), level=level, links=links)
        return filled(head, self._size, items)
