"""Reader of the file of a Lightning Memory-Mapped Database: lookups and listings without mapping it.

The library trusts the file that it maps: a damaged or shortened file is the end of the process that reads it. So the
reading that daemons do is done here, with pread(2) and checks; the library writes. Data format 1, in this machine's
byte order.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from itertools import repeat
from operator import add

from .damage import DamagedFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC = 0xBEEFC0DE
VERSION = 1
HEADER_SIZE = 16
NO_PAGE = 0xFFFFFFFFFFFFFFFF
MAX_DEPTH = 32
CACHED_PAGES = 1024
KEYS_PER_PAGE = 10
"""Looking for that many keys takes as long as reading all that is on a page."""

META = struct.Struct("=16xII16xIHH40x4xHH32xQQQ")
HEADER = struct.Struct("=Q2xHHH")
NODE = struct.Struct("=HHHH")
LONG_HEADER = struct.Struct("=Q2xHI")
SHORT = struct.Struct("=H")
PAGE_NUMBER = struct.Struct("=Q")

BRANCH, LEAF, OVERFLOW, META_PAGE = 1, 2, 4, 8
BIG_DATA = 1
"""The flag of a node whose value is on overflow pages."""

# Texts of the library (mdb_strerror).
INVALID = "MDB_INVALID: File is not an LMDB file"
VERSION_MISMATCH = "MDB_VERSION_MISMATCH: Database environment version mismatch"
NOT_FOUND = "MDB_PAGE_NOTFOUND: Requested page not found"
CORRUPTED = "MDB_CORRUPTED: Located page was wrong type"


class LmdbFile:
    """The entries of an open file as of its last transaction; its user holds a reader's lock."""

    def __init__(self, descriptor: int) -> None:
        """Raise `DamagedFileError` when the file can't be one, and OSError."""
        self._descriptor = descriptor
        self._transaction = -1
        self._leaves: dict[int, bytes] = {}
        self._checked: set[int] = set()
        self._branches: dict[int, tuple[list[bytes], list[int]]] = {}
        self._page_size = 0
        self.refresh()

    def refresh(self) -> None:
        """Go on to the last transaction that was committed."""
        size = os.fstat(self._descriptor).st_size
        head = os.pread(self._descriptor, (self._page_size or 65536) + META.size, 0)
        first = _meta(head, 0)
        self._page_size = first[0]
        if self._page_size < 512 or self._page_size & (self._page_size - 1):
            raise DamagedFileError(INVALID)
        page_size, flags, depth, root, last, transaction = max(
            first, _meta(head, self._page_size), key=lambda meta: meta[-1]
        )
        if page_size != self._page_size or flags or depth > MAX_DEPTH:
            raise DamagedFileError(INVALID)
        if (last + 1) * page_size > size:
            raise DamagedFileError(NOT_FOUND)
        if transaction != self._transaction:
            self._leaves.clear()
            self._checked.clear()
            self._branches.clear()
            self._root, self._depth, self._last, self._transaction = root, depth, last, transaction

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`."""
        if self._root == NO_PAGE:
            return None
        return self._find(self._descend(key)[0], key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`; they are looked for in order, so that neighbours share the way to their page."""
        values: list[bytes | None] = [None] * len(keys)
        if self._root == NO_PAGE:
            return values
        if self._last * KEYS_PER_PAGE <= len(keys):
            whole = self._whole()
            if whole is not None:
                return list(map(whole.get, keys))
        page = b""
        limit: bytes | None = None
        for index in sorted(range(len(keys)), key=keys.__getitem__):
            key = keys[index]
            if not page or (limit is not None and key >= limit):
                page, limit = self._descend(key)
            values[index] = self._find(page, key)
        return values

    def _whole(self) -> dict[bytes, bytes] | None:
        """Return all entries; None if the file is damaged, even in a page that no lookup reads."""
        whole: dict[bytes, bytes] = {}
        count = 0
        try:
            for page in self._walk(self._root, self._depth - 1, None):
                whole.update(page)
                count += len(page)
        except DamagedFileError:
            return None
        return whole if len(whole) == count else None  # no key is there twice

    def _descend(self, key: bytes) -> tuple[bytes, bytes | None]:
        """Return the leaf where `key` is, if it is there, and the key that is behind all that can be on it."""
        number = self._root
        limit = None
        for _ in range(self._depth - 1):
            keys, children = self._branch(number)
            at = bisect_right(keys, key)
            if at < len(keys):
                limit = keys[at]
            number = children[at]
        return self._leaf(number), limit

    def _find(self, page: bytes, key: bytes) -> bytes | None:
        wanted = SHORT.pack(len(key)) + key if len(key) < len(page) else b"\0"
        number, _, lower, upper = HEADER.unpack_from(page)
        at = page.rfind(wanted, upper)  # from the end it is found by its first byte, which is rare in text
        while at >= 0:
            start = at - NODE.size + SHORT.size
            if _points_to(page, start, lower):
                value, end = self._value(page, start)
                if end != len(page) and not _points_to(page, end, lower):
                    raise DamagedFileError(CORRUPTED)  # nodes fill a page without gaps
                return value
            at = page.rfind(wanted, upper, at + len(wanted) - 1)
        if number not in self._checked:  # before a key is called absent
            self._check(page)
            self._checked.add(number)
        return None

    def _check(self, page: bytes) -> list[tuple[int, int, int, int]]:
        """Return the heads of a leaf's nodes, if these fill the used part of the page without gaps."""
        starts = self._nodes(page)
        heads: list[tuple[int, int, int, int]] = list(map(NODE.unpack_from, repeat(page), starts))
        sizes = [
            (NODE.size + key_length + (low if high == 0 == flags else _stored_length(low, high, flags)) + 1) & -2
            for low, high, flags, key_length in heads
        ]
        used = len(page) - HEADER.unpack_from(page)[3]
        if sum(sizes) != used or len(set(starts)) != len(starts) or max(map(add, starts, sizes), default=0) > len(page):
            raise DamagedFileError(CORRUPTED)
        return heads

    def next_entries(self, key: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return some entries that follow `key`, in order (None: the first ones); an empty list at the end."""
        if self._root == NO_PAGE:
            return []
        return next(self._walk(self._root, self._depth - 1, key), [])

    def _walk(self, number: int, levels: int, key: bytes | None) -> Iterator[list[tuple[bytes, bytes]]]:
        if levels > 0:
            keys, children = self._branch(number)
            first = 0 if key is None else bisect_right(keys, key)
            for child in children[first:]:
                yield from self._walk(child, levels - 1, key)
            return
        page = self._leaf(number)
        entries = self._entries(page)
        found = [entry for entry in entries if key is None or entry[0] > key]
        if found:
            yield found

    def _branch(self, number: int) -> tuple[list[bytes], list[int]]:
        """Return the keys between the children of a branch page, and the children."""
        branch = self._branches.get(number)
        if branch is None:
            page = self._read(number, BRANCH)
            keys = []
            children = []
            for start in self._nodes(page):
                low, middle, high, length = NODE.unpack_from(page, start)
                if start + NODE.size + length > len(page):
                    raise DamagedFileError(CORRUPTED)
                keys.append(page[start + NODE.size : start + NODE.size + length])
                children.append(low | middle << 16 | high << 32)
            del keys[:1]  # it stands for all that sorts before the first key
            if not children or keys != sorted(keys):
                raise DamagedFileError(CORRUPTED)
            if len(self._branches) == CACHED_PAGES:
                self._branches.clear()
            self._branches[number] = branch = (keys, children)
        return branch

    def _leaf(self, number: int) -> bytes:
        page = self._leaves.get(number)
        if page is None:
            page = self._read(number, LEAF)
            if len(self._leaves) == CACHED_PAGES:
                self._leaves.clear()
            self._leaves[number] = page
        return page

    def _read(self, number: int, kind: int) -> bytes:
        page = self._bytes(number, self._page_size)
        own, flags, lower, upper = HEADER.unpack_from(page)
        if own != number or flags != kind or not HEADER_SIZE <= lower <= upper <= self._page_size or lower % 2:
            raise DamagedFileError(CORRUPTED)
        return page

    def _bytes(self, number: int, length: int) -> bytes:
        if not 2 <= number <= self._last:
            raise DamagedFileError(NOT_FOUND)
        data = os.pread(self._descriptor, length, number * self._page_size)
        if len(data) != length:
            raise DamagedFileError(NOT_FOUND)
        return data

    def _nodes(self, page: bytes) -> tuple[int, ...]:
        """Return the offsets of a page's nodes."""
        _, _, lower, upper = HEADER.unpack_from(page)
        starts = struct.unpack_from(f"={(lower - HEADER_SIZE) // 2}H", page, HEADER_SIZE)
        if starts and not upper <= min(starts) <= max(starts) <= self._page_size - NODE.size:
            raise DamagedFileError(CORRUPTED)
        return starts

    def _entries(self, page: bytes) -> list[tuple[bytes, bytes]]:
        heads = self._check(page)
        starts = self._nodes(page)
        places = [(start + NODE.size, length, low) for start, (low, _, _, length) in zip(starts, heads, strict=True)]
        if all(high == 0 == flags for _, high, flags, _ in heads):
            return [(page[at : at + length], page[at + length : at + length + low]) for at, length, low in places]
        return [(page[at : at + length], self._value(page, at - NODE.size)[0]) for at, length, _ in places]

    def _value(self, page: bytes, start: int) -> tuple[bytes, int]:
        """Return the value of the node at `start`, and the end of the node."""
        low, high, flags, key_length = NODE.unpack_from(page, start)
        at = start + NODE.size + key_length
        length = low | high << 16
        stop = at + (length if flags == 0 else PAGE_NUMBER.size)
        if stop > len(page) or flags not in (0, BIG_DATA):
            raise DamagedFileError(CORRUPTED)
        value = self._long(PAGE_NUMBER.unpack_from(page, at)[0], length) if flags else page[at:stop]
        return value, stop + stop % 2

    def _long(self, number: int, length: int) -> bytes:
        if number + (HEADER_SIZE + length - 1) // self._page_size > self._last:
            raise DamagedFileError(NOT_FOUND)
        data = self._bytes(number, HEADER_SIZE + length)
        own, flags, pages = LONG_HEADER.unpack_from(data)
        if own != number or flags != OVERFLOW or pages * self._page_size < len(data):
            raise DamagedFileError(CORRUPTED)
        return data[HEADER_SIZE:]


def _stored_length(low: int, high: int, flags: int) -> int:
    """Return the bytes that a value takes in its page."""
    if flags == 0:
        return low | high << 16
    if flags != BIG_DATA:
        raise DamagedFileError(CORRUPTED)
    return PAGE_NUMBER.size


def _points_to(page: bytes, place: int, end: int) -> bool:
    """Return True if the pointers of this page, which end at `end`, include `place`."""
    wanted = SHORT.pack(place)
    pointer = page.find(wanted, HEADER_SIZE, end)
    while pointer % 2 and pointer > 0:
        pointer = page.find(wanted, pointer + 1, end)
    return pointer > 0


def _meta(head: bytes, at: int) -> tuple[int, int, int, int, int, int]:
    """Return a meta page's page size, and of the main database flags, depth, root, last page, and transaction."""
    if len(head) < at + META.size:
        raise DamagedFileError(INVALID)
    magic, version, page_size, _, _, flags, depth, root, last, transaction = META.unpack_from(head, at)
    if magic != MAGIC or not SHORT.unpack_from(head, at + 10)[0] & META_PAGE:
        raise DamagedFileError(INVALID)
    if version != VERSION:
        raise DamagedFileError(VERSION_MISMATCH)
    return page_size, flags, depth, root, last, transaction
