"""The constant database format of D. J. Bernstein: look entries up, and write them.

2048 bytes of table positions, the records in the order they were written, and 256 hash tables. Files made here are the
bytes that tinycdb makes of the same entries.
"""

from __future__ import annotations

import os
import struct
from itertools import accumulate, chain

from .damage import DamagedFileError
from .key_hash import hash_key, hash_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    Read = Callable[[int, int], bytes]

START = 5381
MULTIPLIER = 33
TABLES = 256
HEAD = struct.Struct("<512I")
PAIR = struct.Struct("<II")
"""Two numbers: a table's place and size, a slot's hash and record, a record's lengths of key and value."""
LIMIT = 0xFFFFFFFF
PIECE = 1 << 16
"""Bytes that are read at a time when all records are wanted."""
LARGEST_IMAGE = 1 << 28
IMAGE_PER_KEY = 8192
"""Looking for one key in the file takes as long as reading that many bytes of it."""


class CdbFile:
    """The entries of an open file; keys and values are as they are stored."""

    def __init__(self, descriptor: int) -> None:
        """Raise `DamagedFileError` when the file can't be one, and OSError."""
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._tables: list[tuple[int, int]] = list(PAIR.iter_unpack(self._pread(HEAD.size, 0)))
        used = sorted(table for table in self._tables if table[1])
        ends = [start + slots * PAIR.size for start, slots in used]
        self._records_end = used[0][0] if used else HEAD.size
        self._is_whole = not used or (
            self._records_end >= HEAD.size
            and [start for start, _ in used] == [self._records_end, *ends[:-1]]
            and ends[-1] <= self._size
        )

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`."""
        self._check_tables()
        passed: list[tuple[int, int]] = []
        value = self._find(key, hash_key(key, START, MULTIPLIER), self._pread, passed)
        if value is None:
            self._check(passed, self._pread)
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`; the file is read as a whole, unless that would be too much for so few."""
        self._check_tables()
        if self._size > min(LARGEST_IMAGE, len(keys) * IMAGE_PER_KEY):
            return [self.get(key) for key in keys]
        image = self._pread(self._size, 0)
        codes = hash_keys(keys, START, MULTIPLIER)
        tables = [(start, slots, start + slots * PAIR.size) for start, slots in self._tables]
        unpack, step, records_end = PAIR.unpack_from, PAIR.size, self._records_end
        last = records_end - step
        values: list[bytes | None] = []
        left: list[int] = []
        for key, code in zip(keys, codes, strict=True):
            start, slots, end = tables[code & 0xFF]
            at = start + (code >> 8) % slots * step if slots else end
            while at < end:
                found, position = unpack(image, at)
                if found == code and position <= last:
                    key_length, value_length = unpack(image, position)
                    position += step
                    place = position + key_length
                    stop = place + value_length
                    if key_length == len(key) and stop <= last and image.startswith(key, position):
                        next_key_length, next_value_length = unpack(image, stop)
                        if next_key_length + next_value_length <= last - stop:
                            values.append(image[place:stop])
                            break
                if not position:
                    at = end
                at += step
            else:  # there is no such key, it is the last one, or something is amiss
                left.append(len(values))
                values.append(None)
        passed: list[tuple[int, int]] = []

        def read(length: int, position: int) -> bytes:
            return image[position : position + length]

        for index in left:
            values[index] = self._find(keys[index], codes[index], read, passed)
        self._check(passed, read)
        return values

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all records, in the order of the file."""
        self._check_tables()
        end = self._records_end
        base, at, data = HEAD.size, 0, b""
        while base + at < end:
            if at + PAIR.size > len(data):
                base, at = base + at, 0
                data = self._pread(min(PIECE, end - base), base)
                if len(data) < PAIR.size:
                    raise DamagedFileError("the last record does not end where the tables begin")
            key_length, value_length = PAIR.unpack_from(data, at)
            start = at + PAIR.size + key_length
            stop = start + value_length
            if stop > len(data):
                base, start, stop, at = base + at, start - at, stop - at, 0
                if base + stop > end:
                    raise DamagedFileError("the last record does not end where the tables begin")
                data = self._pread(max(stop, min(PIECE, end - base)), base)
            yield data[at + PAIR.size : start], data[start:stop]
            at = stop

    def _check_tables(self) -> None:
        """Postfix notices that at lookups, too."""
        if not self._is_whole:
            raise DamagedFileError("the tables do not follow each other to the end of the file")

    def _find(self, key: bytes, code: int, read: Read, passed: list[tuple[int, int]]) -> bytes | None:
        """Return the value of a key, and add the slots before it to `passed`: hashes and offsets of records."""
        start, slots = self._tables[code % TABLES]
        first = (code >> 8) % slots if slots else 0
        for slot in chain(range(first, slots), range(first)):
            found, position = PAIR.unpack(read(PAIR.size, start + slot * PAIR.size))
            if position == 0:
                break
            if found == code:
                stored, value = self._record(position, read)
                if stored == key:
                    return value
            passed.append((found, position))
        return None

    def _check(self, passed: list[tuple[int, int]], read: Read) -> None:
        """Compare the records in the probe sequence with their hashes, before a key is reported absent."""
        keys = [self._record(position, read)[0] for _, position in passed]
        if hash_keys(keys, START, MULTIPLIER) != [code for code, _ in passed]:
            raise DamagedFileError("a record has another hash than the table says")

    def _record(self, position: int, read: Read) -> tuple[bytes, bytes]:
        """Return key and value of a record, if there is room for it and the next one begins where it ends."""
        place = position + PAIR.size
        if not HEAD.size < place <= self._records_end:
            raise DamagedFileError("a record lies outside of its part of the file")
        key_length, value_length = PAIR.unpack(read(PAIR.size, position))
        length = key_length + value_length
        behind = self._records_end - place - length
        if behind < 0 or 0 < behind < PAIR.size:
            raise DamagedFileError("a record is longer than its part of the file")
        data = read(length + PAIR.size if behind else length, place)
        if behind and sum(PAIR.unpack_from(data, length)) > behind - PAIR.size:
            raise DamagedFileError("a record ends where no other one begins")
        return data[:key_length], data[key_length:length]

    def _pread(self, length: int, position: int) -> bytes:
        data = os.pread(self._descriptor, length, position) if position + length <= self._size else b""
        if len(data) != length:
            raise DamagedFileError("the file was cut off")
        return data


def write(entries: Sequence[tuple[bytes, bytes]], out: BinaryIO) -> None:
    """Write a file that holds `entries` in their order; raises `OverflowError` when it can't be addressed."""
    out.write(bytes(HEAD.size))
    slots: list[list[int]] = [[] for _ in range(TABLES)]
    records = [PAIR.pack(len(key), len(value)) + key + value for key, value in entries]
    positions = list(accumulate(map(len, records), initial=HEAD.size))
    position = positions.pop()
    if position + 2 * len(entries) * PAIR.size > LIMIT:
        raise OverflowError("more than 4 gigabytes")
    for code, place in zip(hash_keys([key for key, _ in entries], START, MULTIPLIER), positions, strict=True):
        slots[code & 0xFF].append(place << 32 | code)
    out.writelines(records)
    head = []
    for used in slots:
        head += [position, 2 * len(used)]
        out.write(_table(used))
        position += 2 * len(used) * PAIR.size
    out.seek(0)
    out.write(HEAD.pack(*head))


def _table(used: list[int]) -> bytes:
    """Return a hash table of slots, which are numbers of 64 bits: a record's place above its hash."""
    size = 2 * len(used)
    slots = [0] * size
    for entry in used:
        slot = (entry >> 8 & 0xFFFFFF) % size
        while slots[slot]:
            slot += 1
            if slot == size:
                slot = 0
        slots[slot] = entry
    return struct.pack(f"<{size}Q", *slots)
