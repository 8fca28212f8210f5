"""Common parts of Berkeley DB files: the meta page, page headers, and overflow chains.

Nothing here trusts the file: a contradiction in it raises `DamagedFileError`, and no loop is longer than the file.
"""

from __future__ import annotations

import os
import struct

from ..damage import DamagedFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HASH_MAGIC = 0x00061561
BTREE_MAGIC = 0x00053162

HEADER_SIZE = 26
META_SIZE = 512
PAGE_SIZES = [1 << power for power in range(9, 17)]
NO_PAGE = 0
"""Page 0 is the meta page: as a link it means "no page"."""
CACHED_PAGES = 64
KEYS_PER_PAGE = 10
"""Looking for that many keys takes as long as reading all that is on a page."""

# Page types.
HASH_UNSORTED = 2
BTREE_INTERNAL = 3
BTREE_LEAF = 5
OVERFLOW = 7
HASH_META = 8
BTREE_META = 9
HASH_SORTED = 13


class Meta:
    """The first page: the kind of file, and its layout."""

    def __init__(self, page: bytes, file_size: int) -> None:
        """Read it; raises `DamagedFileError` for anything but a whole hash or btree file."""
        if len(page) < META_SIZE:
            raise DamagedFileError("no meta page")
        for order in "<>":
            number, magic, version, size, encryption, kind, checksums, last, parts, flags = struct.unpack_from(
                f"{order}8xIIIIBBBx4xII8xI", page
            )
            if magic in (HASH_MAGIC, BTREE_MAGIC):
                break
        else:
            raise DamagedFileError("unknown magic number")
        versions, meta_type = ((7, 8, 9), HASH_META) if magic == HASH_MAGIC else ((8, 9), BTREE_META)
        if number or version not in versions or kind != meta_type or encryption or checksums or parts or flags:
            raise DamagedFileError("unknown version or feature")
        if size not in PAGE_SIZES or file_size % size or (last + 1) * size > file_size:
            raise DamagedFileError("not a whole number of pages")
        self.order = order
        self.magic = magic
        self.page_size = size
        self.last_page = last
        self.page = page


class Page:
    """A page with its header read."""

    __slots__ = ("data", "free", "items", "kind", "level", "next", "number")

    def __init__(self, number: int, data: bytes, header: tuple[int, int, int, int, int, int]) -> None:
        self.number = number
        self.data = data
        # `free` is where free space ends; on overflow pages the number of bytes on this one.
        own, self.next, self.items, self.free, self.level, self.kind = header
        if own != number and (own or self.kind or self.items):  # a page that was never written is all zeros
            raise DamagedFileError(f"page {number} is a copy of page {own}")
        if self.kind != OVERFLOW and HEADER_SIZE + 2 * self.items > len(data):
            raise DamagedFileError("more items than a page holds")


class Pages:
    """The pages of an open file, each read when it is asked for."""

    def __init__(self, descriptor: int, meta: Meta) -> None:
        self.meta = meta
        self.page_size = meta.page_size
        self._descriptor = descriptor
        self._cache: dict[int, Page] = {}
        self.checked: set[int] = set()
        """Pages whose items were all checked."""
        self._header = struct.Struct(f"{meta.order}8xI4xIHHBB")
        self._short = struct.Struct(f"{meta.order}H")

    def read(self, number: int) -> Page:
        """Return page `number`."""
        page = self._cache.get(number)
        if page is not None:
            return page
        if not 0 < number <= self.meta.last_page:
            raise DamagedFileError(f"page {number} is outside of the file")
        data = os.pread(self._descriptor, self.page_size, number * self.page_size)
        if len(data) != self.page_size:
            raise DamagedFileError(f"page {number} is cut off")
        page = Page(number, data, self._header.unpack_from(data))
        if len(self._cache) == CACHED_PAGES:
            self._cache.clear()
        self._cache[number] = page
        return page

    def offsets(self, page: Page) -> tuple[int, ...]:
        """Return the offsets of the page's items."""
        return struct.unpack_from(f"{self.meta.order}{page.items}H", page.data, HEADER_SIZE)

    def offset(self, page: Page, index: int) -> int:
        """Return the offset of item `index`."""
        if index >= page.items:
            raise DamagedFileError("a key without a value")
        (at,) = self._short.unpack_from(page.data, HEADER_SIZE + 2 * index)
        return int(at)

    def end(self, page: Page, index: int) -> int:
        """Return the end of item `index`, if it lies below the one before it."""
        return self.offset(page, index - 1) if index else self.page_size

    def index_of(self, page: Page, at: int) -> int:
        """Return the index of the item at offset `at`; -1 if no item begins there."""
        wanted = self._short.pack(at)
        end = HEADER_SIZE + 2 * page.items
        place = page.data.find(wanted, HEADER_SIZE, end)
        while place % 2 and place > 0:
            place = page.data.find(wanted, place + 1, end)
        return place - HEADER_SIZE >> 1 if place > 0 else -1

    def is_single(self, page: Page, index: int) -> bool:
        """Return True if item `index` certainly overlaps no other item; False if that is unknown."""
        place = HEADER_SIZE + 2 * index
        return page.data.count(page.data[place : place + 2], HEADER_SIZE, HEADER_SIZE + 2 * page.items) == 1

    def overflow(self, number: int, length: int) -> bytes:
        """Return the item of `length` bytes whose chain begins at page `number`."""
        if length > self.meta.last_page * self.page_size:
            raise DamagedFileError("an item is longer than the file")
        parts = []
        missing = length
        while missing > 0:
            page = self.read(number)
            if page.kind != OVERFLOW or not 0 < page.free <= min(missing, self.page_size - HEADER_SIZE):
                raise DamagedFileError(f"page {number} does not belong to a long item")
            parts.append(page.data[HEADER_SIZE : HEADER_SIZE + page.free])
            missing -= page.free
            number = page.next
        if number != NO_PAGE:
            raise DamagedFileError("a long item is longer than it says")
        return b"".join(parts)


def whole_file(pages: Iterable[list[tuple[bytes, bytes]]]) -> dict[bytes, bytes] | None:
    """Return the entries of all pages; None if the file is damaged, even in a page that no lookup reads."""
    whole: dict[bytes, bytes] = {}
    count = 0
    try:
        for page in pages:
            whole.update(page)
            count += len(page)
    except DamagedFileError:
        return None
    return whole if len(whole) == count else None  # no key is there twice
