"""Reader of Berkeley DB btree files: keys in the order of their bytes, the leaves chained."""

from __future__ import annotations

import struct
from bisect import bisect_right
from itertools import repeat
from operator import add, lt

from ..damage import DamagedFileError
from .pages import BTREE_INTERNAL, BTREE_LEAF, HEADER_SIZE, KEYS_PER_PAGE, NO_PAGE, Meta, Page, Pages, whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Item types.
INLINE = 1
OFF_PAGE = 3
DELETED = 0x80
"""Or-ed to the type of an entry that a cursor still points at."""

ALIGNMENT = 4
ITEM_HEAD = 3 + ALIGNMENT - 1
"""Length and type of an item, and the bytes that round up to the next multiple of the alignment."""
CACHED_BRANCHES = 4096
LEAF_LEVEL = 1


class BtreeFile:
    """The entries of a btree file; keys and values are as they are stored, with a trailing NUL or without."""

    def __init__(self, descriptor: int, meta: Meta) -> None:
        self._pages = Pages(descriptor, meta)
        (self._root,) = struct.unpack_from(f"{meta.order}I", meta.page, 88)
        self._item = struct.Struct(f"{meta.order}HB")
        self._long = struct.Struct(f"{meta.order}4xII")
        self._child = struct.Struct(f"{meta.order}HBxI4x")
        self._previous = struct.Struct(f"{meta.order}12xI")
        self._branches: dict[int, tuple[list[bytes], list[int], int]] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`."""
        return self._find(self._descend(key)[0], key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`; they are looked for in order, so that neighbours share the way to their page."""
        if self._pages.meta.last_page * KEYS_PER_PAGE <= len(keys):
            whole = whole_file(self.items())
            if whole is not None:
                return list(map(whole.get, keys))
        values: list[bytes | None] = [None] * len(keys)
        page = None
        limit: bytes | None = None
        for index in sorted(range(len(keys)), key=keys.__getitem__):
            key = keys[index]
            if page is None or (limit is not None and key >= limit):
                page, limit = self._descend(key)
            values[index] = self._find(page, key)
        return values

    def items(self) -> Iterator[list[tuple[bytes, bytes]]]:
        """Yield all entries in order, one list for each page."""
        page = self._descend(b"")[0]
        for _ in range(self._pages.meta.last_page):
            yield self._entries(page)
            if page.next == NO_PAGE:
                return
            before, page = page.number, self._pages.read(page.next)
            if page.kind != BTREE_LEAF or self._previous.unpack_from(page.data) != (before,):
                raise DamagedFileError("a leaf is followed by something else")
        raise DamagedFileError("the leaves form a ring")

    def _descend(self, key: bytes) -> tuple[Page, bytes | None]:
        """Return the leaf where `key` is, if it is there, and the key that is behind all that can be on it."""
        number = self._root
        level = None
        limit = None
        while True:
            branch = self._branches.get(number)
            if branch is None:
                page = self._pages.read(number)
                if page.kind == BTREE_LEAF and page.level == LEAF_LEVEL and level in (None, LEAF_LEVEL):
                    return page, limit
                branch = self._branch(page)
            keys, children, level_here = branch
            if level not in (None, level_here):
                raise DamagedFileError("a branch leads to another level")
            level = level_here - 1
            at = bisect_right(keys, key)
            if at < len(keys):
                limit = keys[at]
            number = children[at]

    def _find(self, page: Page, key: bytes) -> bytes | None:
        item = self._item.pack(len(key), INLINE) + key if len(key) <= self._pages.page_size else b""
        # From the end an item is found by its first byte, which is rare in text.
        at = page.data.rfind(item, page.free) if item else -1
        while at >= 0:
            index = self._pages.index_of(page, at)
            if index >= 0 and index % 2 == 0:
                if page.number not in self._pages.checked and not self._pages.is_single(page, index + 1):
                    self._check(page)  # does its value belong to another key?
                return self._value(page, index + 1)
            at = page.data.rfind(item, page.free, at + len(item) - 1)
        if page.number not in self._pages.checked:  # before a key is called absent
            self._check(page)
        if len(key) > self._pages.page_size // 16:
            for index in range(0, page.items, 2):
                if self._length(page, index) == len(key) and self._value(page, index) == key:
                    return self._value(page, index + 1)
        return None

    def _branch(self, page: Page) -> tuple[list[bytes], list[int], int]:
        """Return the keys between the children of an internal page, the children, and its level."""
        if page.kind != BTREE_INTERNAL or page.items == 0 or page.level <= LEAF_LEVEL:
            raise DamagedFileError("a branch leads to something else")
        keys: list[bytes] = []
        children: list[int] = []
        used = 0
        for at in self._pages.offsets(page):
            if not HEADER_SIZE < at <= self._pages.page_size - self._child.size:
                raise DamagedFileError("an item lies outside of its page")
            length, kind, child = self._child.unpack_from(page.data, at)
            key = page.data[at + self._child.size : at + self._child.size + length]
            if len(key) != length:
                raise DamagedFileError("an item lies outside of its page")
            if kind & ~DELETED == OFF_PAGE and children:
                key = self._pages.overflow(*self._reference(key, 0))
            keys.append(key)
            children.append(child)
            used += (self._child.size + length + ALIGNMENT - 1) & -ALIGNMENT
        del keys[0]  # it stands for all that sorts before the first key
        if used != self._pages.page_size - page.free:
            raise DamagedFileError("items overlap, or leave gaps")
        if keys != sorted(keys):
            raise DamagedFileError("keys are not in order")
        if len(self._branches) == CACHED_BRANCHES:
            self._branches.clear()
        self._branches[page.number] = branch = (keys, children, page.level)
        return branch

    def _reference(self, data: bytes, at: int) -> tuple[int, int]:
        if len(data) < at + self._long.size:
            raise DamagedFileError("an item lies outside of its page")
        number, length = self._long.unpack_from(data, at)
        return number, length

    def _length(self, page: Page, index: int) -> int:
        """Return the length of item `index`."""
        at = self._at(page, index)
        length, kind = self._item.unpack_from(page.data, at)
        return self._reference(page.data, at)[1] if kind == OFF_PAGE else int(length)

    def _check(self, page: Page) -> list[tuple[int, int]]:
        """Return lengths and types of the items of a leaf, if these fill the used part of the page without gaps."""
        offsets = self._pages.offsets(page)
        if offsets and not page.free <= min(offsets) <= max(offsets) <= self._pages.page_size - self._item.size:
            raise DamagedFileError("an item lies outside of its page, or in free space")
        heads: list[tuple[int, int]] = list(map(self._item.unpack_from, repeat(page.data), offsets))
        sizes = [
            (length + ITEM_HEAD) & -ALIGNMENT if kind == INLINE else self._unusual_size(length, kind)
            for length, kind in heads
        ]
        used = self._pages.page_size - page.free
        last = max(map(add, offsets, sizes), default=0)
        if sum(sizes) != used or len(set(offsets)) != page.items or last > self._pages.page_size:
            raise DamagedFileError("items overlap, or leave gaps")
        self._pages.checked.add(page.number)
        return heads

    def _unusual_size(self, length: int, kind: int) -> int:
        if kind & ~DELETED not in (INLINE, OFF_PAGE):
            raise DamagedFileError("an item of an unknown type")
        return (length + ITEM_HEAD) & -ALIGNMENT if kind & ~DELETED == INLINE else self._long.size

    def _at(self, page: Page, index: int) -> int:
        at = self._pages.offset(page, index)
        if not HEADER_SIZE + 2 * page.items <= at <= self._pages.page_size - self._item.size:
            raise DamagedFileError("an item lies outside of its page")
        return at

    def _value(self, page: Page, index: int) -> bytes:
        """Return item `index` of a leaf."""
        at = self._at(page, index)
        length, kind = self._item.unpack_from(page.data, at)
        if kind == INLINE:
            end = (at + length + ITEM_HEAD) & -ALIGNMENT
            size = self._pages.page_size
            if end > size or (end < size and self._pages.index_of(page, end) < 0):
                raise DamagedFileError("items overlap, or leave gaps")
            return page.data[at + self._item.size : at + self._item.size + length]
        if kind == OFF_PAGE:
            return self._pages.overflow(*self._reference(page.data, at))
        raise DamagedFileError("an item of an unknown type")

    def _entries(self, page: Page) -> list[tuple[bytes, bytes]]:
        if page.items % 2:
            raise DamagedFileError("a key without a value")
        heads = self._check(page)
        data, size = page.data, self._item.size
        offsets = self._pages.offsets(page)
        if all(kind == INLINE for _, kind in heads):
            items = [data[at + size : at + size + length] for at, (length, _) in zip(offsets, heads, strict=True)]
            entries = list(zip(items[::2], items[1::2], strict=True))
        else:
            present = [index for index in range(0, page.items, 2) if not heads[index][1] & DELETED]
            entries = [(self._value(page, index), self._value(page, index + 1)) for index in present]
        keys = [key for key, _ in entries]
        if not all(map(lt, keys, keys[1:])):
            raise DamagedFileError("keys are not in order")
        return entries
