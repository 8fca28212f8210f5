"""Writer of Berkeley DB hash files.

The number of buckets is a power of two: so their pages lie together behind the meta page. If the library adds a group
of buckets later, that has its place behind all others.
"""

from __future__ import annotations

import struct

from ..key_hash import hash_key, hash_keys
from .hash_file import CHECK_KEY, INLINE, MULTIPLIER, OFF_PAGE, START
from .layout import ORDER, Sequel, filled, header, meta
from .pages import HASH_MAGIC, HASH_META, HASH_SORTED, HEADER_SIZE, NO_PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

FILL = 0.7
"""Maximum average fill of the buckets' first pages."""
ITEM_OVERHEAD = 3
"""An item has a type byte, and two bytes for its offset."""


def write_hash(entries: dict[bytes, bytes], out: BinaryIO, size: int) -> None:
    """Write a file with pages of `size` bytes that holds `entries`, as they are to be stored."""
    keys = list(entries)
    buckets = _bucket_count(entries, size)
    contents: list[list[bytes]] = [[] for _ in range(buckets)]
    for key, code in zip(keys, hash_keys(keys, START, MULTIPLIER), strict=True):
        contents[code & buckets - 1].append(key)
    tail: list[bytes] = []
    writer = _Writer(size, Sequel(size, buckets + 1, tail.append))
    in_order = sorted if all(key.endswith(b"\0") for key in keys) else _longer_first
    out.write(bytes(size))
    for number, bucket in enumerate(contents, 1):
        short = in_order(key for key in bucket if len(key) <= size // 4)
        long = sorted(key for key in bucket if len(key) > size // 4)
        out.write(writer.bucket(number, [[(key, entries[key]) for key in part] for part in (short, long)]))
    out.writelines(tail)
    out.seek(0)
    out.write(_meta(buckets, len(keys), writer.sequel.next_page - 1, size))


def _bucket_count(entries: dict[bytes, bytes], size: int) -> int:
    limit = size // 4
    stored = sum(min(len(key), limit) + min(len(value), limit) for key, value in entries.items())
    stored += 2 * ITEM_OVERHEAD * len(entries)
    wanted = stored / (FILL * (size - HEADER_SIZE))
    return max(2, 1 << (int(wanted) - 1).bit_length())


def _longer_first(keys: Iterable[bytes]) -> list[bytes]:
    """Order keys for the library's binary search: when one key begins another, the longer one is first.

    Keys that are stored off the page have another order there, so they never share a page with the rest.
    """
    by_length = sorted(keys, key=len, reverse=True)
    width = len(by_length[0]) + 1 if by_length else 0
    return sorted(by_length, key=lambda key: key.ljust(width, b"\xff"))


def _meta(buckets: int, count: int, last_page: int, size: int) -> bytes:
    highest = buckets - 1
    groups = buckets.bit_length()
    spares = [1] * groups + [0] * (32 - groups)
    check = hash_key(CHECK_KEY, START, MULTIPLIER)
    rest = struct.pack(f"{ORDER}6I32I", highest, highest, highest >> 1, 0, count, check, *spares)
    return meta(HASH_MAGIC, HASH_META, size, last_page, rest)


class _Writer:
    """Makes the pages of buckets; entries that don't fit on a bucket's first page go behind all first pages."""

    def __init__(self, size: int, sequel: Sequel) -> None:
        self._size = size
        self.sequel = sequel

    def bucket(self, number: int, parts: list[list[tuple[bytes, bytes]]]) -> bytes:
        """Return the first page of a bucket, which is page `number`; its parts don't share pages."""
        first, *others = [items for part in parts for items in self._split(part)] or [[]]
        after = self.sequel.next_page if others else NO_PAGE
        page = self._page(number, (NO_PAGE, after), first)
        while others:
            items, *others = others
            before, number = number, self.sequel.next_page
            self.sequel.add(self._page(number, (before, number + 1 if others else NO_PAGE), items))
        return page

    def _split(self, entries: list[tuple[bytes, bytes]]) -> list[list[bytes]]:
        """Divide entries into the items of pages."""
        pages: list[list[bytes]] = []
        room = -1
        for key, value in entries:
            pair = (self._item(key), self._item(value))
            need = len(pair[0]) + len(pair[1]) + 4
            if need > room:
                pages.append([])
                room = self._size - HEADER_SIZE
            pages[-1] += pair
            room -= need
        return pages

    def _item(self, data: bytes) -> bytes:
        if len(data) <= self._size // 4:
            return INLINE + data
        return struct.pack(f"{ORDER}B3xII", OFF_PAGE, self.sequel.add_long_item(data), len(data))

    def _page(self, number: int, links: tuple[int, int], items: list[bytes]) -> bytes:
        head = header(number, HASH_SORTED, len(items), self._size - sum(map(len, items)), links=links)
        return filled(head, self._size, items)
