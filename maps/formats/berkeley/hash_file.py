"""Reader of Berkeley DB hash files.

A bucket is a chain of pages, keys and values take turns on them. Whether a page's keys are sorted makes no difference
here: bytes.rfind() is faster than a binary search in Python.
"""

from __future__ import annotations

import struct
from itertools import islice
from operator import itemgetter

from ..damage import DamagedFileError
from ..key_hash import hash_key, hash_keys
from .pages import HASH_SORTED, HASH_UNSORTED, HEADER_SIZE, KEYS_PER_PAGE, NO_PAGE, Meta, Page, Pages, whole_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START = 0
MULTIPLIER = 16777619
CHECK_KEY = b"%$sniglet^&\0"
"""The meta page has its hash, which identifies the hash function of the file."""

# The first byte of an item.
INLINE = b"\x01"
OFF_PAGE = 3


class HashFile:
    """The entries of a hash file; keys and values are as they are stored, with a trailing NUL or without."""

    def __init__(self, descriptor: int, meta: Meta) -> None:
        """Raise `DamagedFileError` when the meta page can't be true."""
        self._pages = Pages(descriptor, meta)
        self._offsets = struct.Struct(f"{meta.order}3H")
        self._off_page = struct.Struct(f"{meta.order}II")
        self._last_bucket: int
        self._last_bucket, self._high_mask, self._low_mask, check = struct.unpack_from(
            f"{meta.order}III8xI", meta.page, 72
        )
        self._spares = struct.unpack_from(f"{meta.order}32I", meta.page, 96)
        if check != hash_key(CHECK_KEY, START, MULTIPLIER):
            raise DamagedFileError("unknown hash function")
        masks = (1 << self._last_bucket.bit_length()) - 1
        if self._last_bucket > meta.last_page or self._high_mask < masks or self._low_mask != self._high_mask >> 1:
            raise DamagedFileError("the bucket count can't be")

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`."""
        return self._find(key, self._bucket(hash_key(key, START, MULTIPLIER)))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`; they are looked for in the order of the file, to read each page once."""
        if self._pages.meta.last_page * KEYS_PER_PAGE <= len(keys):
            whole = whole_file(self.items())
            if whole is not None:
                return list(map(whole.get, keys))
        buckets = [self._bucket(code) for code in hash_keys(keys, START, MULTIPLIER)]
        values: list[bytes | None] = [None] * len(keys)
        for index in sorted(range(len(keys)), key=buckets.__getitem__):
            values[index] = self._find(keys[index], buckets[index])
        return values

    def items(self) -> Iterator[list[tuple[bytes, bytes]]]:
        """Yield all entries in the library's order, one list for each page."""
        for bucket in range(self._last_bucket + 1):
            for page in self._chain(bucket):
                yield self._entries(page)

    def _chain(self, bucket: int) -> Iterator[Page]:
        pages = self._pages
        number = bucket + self._spares[bucket.bit_length()]
        for _ in range(pages.meta.last_page):
            page = pages.read(number)
            if page.kind not in (HASH_SORTED, HASH_UNSORTED) and (page.kind or page.items or page.next):
                raise DamagedFileError(f"page {number} does not belong to a bucket")
            yield page
            number = page.next
            if number == NO_PAGE:
                return
        raise DamagedFileError("a bucket's pages form a ring")

    def _bucket(self, code: int) -> int:
        bucket: int = code & self._high_mask
        return bucket if bucket <= self._last_bucket else bucket & self._low_mask

    def _find(self, key: bytes, bucket: int) -> bytes | None:
        # The way of nearly every lookup: the key is on the bucket's only page, or nowhere.
        page = self._pages.read(bucket + self._spares[bucket.bit_length()])
        usual = page.kind == HASH_SORTED
        if usual:
            value = self._find_on(page, key)
            if value is not None or page.next == NO_PAGE:
                return value
        for page in islice(self._chain(bucket), usual, None):
            value = self._find_on(page, key)
            if value is not None:
                return value
        return None

    def _find_on(self, page: Page, key: bytes) -> bytes | None:
        item = INLINE + key
        at = page.data.rfind(item, page.free)  # from the end it is found by its first byte, which is rare in text
        while at >= 0:
            value = self._value_of(page, at, len(item))
            if value is not None:
                return value
            at = page.data.rfind(item, page.free, at + len(item) - 1)
        if page.number not in self._pages.checked:
            self._check(page)
        if len(key) > self._pages.page_size // 4:
            for index in range(0, page.items, 2):
                if self._long_key_is(key, page, index):
                    return self._value(page, index + 1)
        return None

    def _value_of(self, page: Page, at: int, length: int) -> bytes | None:
        """Return the value behind a key that is stored at `at`; None if no key of this length is."""
        index = self._pages.index_of(page, at)
        if index < 0 or index % 2:
            return None
        if index == 0:
            end = self._pages.page_size
            start = self._pages.offset(page, 1)
        elif index + 1 < page.items:
            end, _, start = self._offsets.unpack_from(page.data, HEADER_SIZE + 2 * index - 2)
        else:
            raise DamagedFileError("a key without a value")
        if at + length != end:
            return None
        if page.free <= start < at and page.data[start] == INLINE[0]:
            return page.data[start + 1 : at]
        return self._value(page, index + 1)

    def _check(self, page: Page) -> None:
        """Check that this is a page of keys and values, before a key is reported absent."""
        if page.items == 0:
            self._pages.checked.add(page.number)
            return
        offsets = self._pages.offsets(page)
        if (
            page.items % 2
            or offsets[0] >= self._pages.page_size
            or offsets[-1] != page.free
            or page.free < HEADER_SIZE + 2 * page.items
            or list(offsets) != sorted(offsets, reverse=True)
        ):
            raise DamagedFileError("items overlap, or leave gaps")
        kinds = set(itemgetter(*offsets)(page.data))
        if not kinds <= {INLINE[0], OFF_PAGE}:
            raise DamagedFileError("an item of an unknown type")
        if OFF_PAGE in kinds:
            for index, at in enumerate(offsets):
                if page.data[at] == OFF_PAGE:
                    self._long(page, index)
        self._pages.checked.add(page.number)

    def _long_key_is(self, key: bytes, page: Page, index: int) -> bool:
        if page.data[self._pages.offset(page, index)] != OFF_PAGE:
            return False
        number, length = self._long(page, index)
        return length == len(key) and self._pages.overflow(number, length) == key

    def _long(self, page: Page, index: int) -> tuple[int, int]:
        at = self._pages.offset(page, index)
        if at + 12 != self._pages.end(page, index):
            raise DamagedFileError("the reference to a long item has a wrong length")
        number, length = self._off_page.unpack_from(page.data, at + 4)
        return number, length

    def _value(self, page: Page, index: int) -> bytes:
        """Return item number `index`."""
        at = self._pages.offset(page, index)
        end = self._pages.end(page, index)
        if not HEADER_SIZE + 2 * page.items <= at < end <= self._pages.page_size:
            raise DamagedFileError("items overlap")
        kind = page.data[at]
        if kind == INLINE[0]:
            return page.data[at + 1 : end]
        if kind == OFF_PAGE:
            return self._pages.overflow(*self._long(page, index))
        raise DamagedFileError("an item of an unknown type")

    def _entries(self, page: Page) -> list[tuple[bytes, bytes]]:
        self._check(page)
        data = page.data
        offsets = self._pages.offsets(page)
        if bytes([data[at] for at in offsets]) == INLINE * page.items:
            ends = (self._pages.page_size, *offsets)
            items = [data[at + 1 : end] for at, end in zip(offsets, ends, strict=False)]
        else:
            items = [self._value(page, index) for index in range(page.items)]
        return list(zip(items[::2], items[1::2], strict=True))
