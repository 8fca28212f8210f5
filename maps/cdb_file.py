"""The constant database format of D. J. Bernstein: look entries up, and write them.

2048 bytes of table positions, the records in the order they were written, and 256 hash tables. Files made here are the
bytes that tinycdb makes of the same entries.
"""

from __future__ import annotations

import os
import struct
from itertools import accumulate

from .hashing import hash_key, hash_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

START = 5381
MULTIPLIER = 33
TABLES = 256
HEAD = struct.Struct("<512I")
PAIR = struct.Struct("<II")
"""Two numbers: a table's place and size, a slot's hash and record, a record's lengths of key and value."""
LIMIT = 0xFFFFFFFF
SMALL_PIECE = 4096
KEYS_PER_RECORD = 3
"""Looking for one key takes as long as reading some records."""
LARGE_PIECE = 1 << 16
"""Bytes that are read at a time when many records are wanted."""


class Damaged(Exception):
    """The file contradicts itself."""


class CdbFile:
    """The entries of an open file; keys and values are as they are stored."""

    def __init__(self, descriptor: int) -> None:
        """Raises `Damaged` when the file can't be one, and OSError."""
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._tables: list[tuple[int, int]] = list(PAIR.iter_unpack(self._read(HEAD.size, 0)))

    def get(self, key: bytes) -> bytes | None:
        """Return the value of `key`."""
        return self._find(key, hash_key(key, START, MULTIPLIER))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`; the file is read in its own order, and in larger pieces where that helps."""
        if sum(slots for _, slots in self._tables) // 2 <= KEYS_PER_RECORD * len(keys):
            whole = self._whole()
            if whole is not None:
                return list(map(whole.get, keys))
        codes = hash_keys(keys, START, MULTIPLIER)
        values: list[bytes | None] = [None] * len(keys)
        places = sorted(self._places(codes))
        first, last = (places[0][0], places[-1][0]) if places else (0, 0)
        piece = LARGE_PIECE if last - first < len(places) * SMALL_PIECE else SMALL_PIECE
        base = end = 0
        data = b""
        for position, index in places:
            if position + PAIR.size > end:
                data = os.pread(self._descriptor, piece, position)
                base, end = position, position + len(data)
                if len(data) < PAIR.size:
                    raise Damaged("the file was cut off")
            key = keys[index]
            key_length, value_length = PAIR.unpack_from(data, position - base)
            start = position - base + PAIR.size + key_length
            if (
                key_length == len(key)
                and base + start + value_length <= end
                and data.startswith(key, start - key_length)
            ):
                values[index] = data[start : start + value_length]
            else:  # the record is on more than one piece, or it is another key's with the same hash
                values[index] = self._find(key, codes[index])
        return values

    def _whole(self) -> dict[bytes, bytes] | None:
        """Return all records; None if they are not as many as the tables have room for, or keys are there twice."""
        try:
            whole = dict(self.items())
        except Damaged:
            return None
        return whole if 2 * len(whole) == sum(slots for _, slots in self._tables) else None

    def _places(self, codes: list[int]) -> Iterator[tuple[int, int]]:
        """Yield where the first record of each hash is, with the index of the hash; those without any are left out."""
        by_table: list[list[int]] = [[] for _ in range(TABLES)]
        for index, code in enumerate(codes):
            by_table[code % TABLES].append(index)
        for number, indexes in enumerate(by_table):
            slots = self._slots(number)
            if slots == 0 or not indexes:
                continue
            start = self._tables[number][0]
            whole = len(indexes) * SMALL_PIECE > slots * PAIR.size
            table = self._read(slots * PAIR.size, start) if whole else b""
            for index in indexes:
                code = codes[index]
                slot = (code >> 8) % slots
                for _ in range(slots):
                    at = slot * PAIR.size
                    found, position = PAIR.unpack_from(table, at) if whole else PAIR.unpack(self._read(8, start + at))
                    if position == 0:
                        break
                    if found % TABLES != number:
                        raise Damaged("a hash is in another's table")
                    if found == code:
                        yield position, index
                        break
                    slot = slot + 1 if slot + 1 < slots else 0

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all records, in the order of the file."""
        end = min(place for place, _ in self._tables)
        base, at, data = HEAD.size, 0, b""
        while base + at < end:
            if at + PAIR.size > len(data):
                base, at = base + at, 0
                data = self._read(min(LARGE_PIECE, end - base), base)
                if len(data) < PAIR.size:
                    raise Damaged("the last record does not end where the tables begin")
            key_length, value_length = PAIR.unpack_from(data, at)
            start = at + PAIR.size + key_length
            stop = start + value_length
            if stop > len(data):
                base, start, stop, at = base + at, start - at, stop - at, 0
                if base + stop > end:
                    raise Damaged("the last record does not end where the tables begin")
                data = self._read(max(stop, min(LARGE_PIECE, end - base)), base)
            yield data[at + PAIR.size : start], data[start:stop]
            at = stop

    def _find(self, key: bytes, code: int) -> bytes | None:
        start, slots = self._tables[code % TABLES]
        if self._slots(code % TABLES) == 0:
            return None
        first = (code >> 8) % slots
        for index in range(slots):
            slot = (first + index) % slots
            found, position = PAIR.unpack(self._read(PAIR.size, start + slot * PAIR.size))
            if position == 0:
                return None
            if found % TABLES != code % TABLES:
                raise Damaged("a hash is in another's table")
            if found == code:
                value = self._record(key, position)
                if value is not None:
                    return value
        return None

    def _slots(self, number: int) -> int:
        """Return the size of a hash table, after a look at whether it can be."""
        start, slots = self._tables[number]
        if slots and not HEAD.size <= start <= self._size - slots * PAIR.size:
            raise Damaged("a table lies outside of the file")
        return slots

    def _record(self, key: bytes, position: int) -> bytes | None:
        """Return the value of the record at `position` if it is one of `key`."""
        key_length, value_length = PAIR.unpack(self._read(PAIR.size, position))
        if key_length != len(key):
            return None
        record = self._read(key_length + value_length, position + PAIR.size)
        return record[key_length:] if record.startswith(key) else None

    def _read(self, length: int, position: int) -> bytes:
        if position + length > self._size:
            raise Damaged("something lies outside of the file")
        data = os.pread(self._descriptor, length, position)
        if len(data) != length:
            raise Damaged("the file was cut off")
        return data


def write(entries: Sequence[tuple[bytes, bytes]], out: BinaryIO) -> None:
    """Write a file that holds `entries` in their order; raises `OverflowError` when it can't be addressed."""
    out.write(bytes(HEAD.size))
    slots: list[list[tuple[int, int]]] = [[] for _ in range(TABLES)]
    records = [PAIR.pack(len(key), len(value)) + key + value for key, value in entries]
    positions = list(accumulate(map(len, records), initial=HEAD.size))
    position = positions.pop()
    for code, place in zip(hash_keys([key for key, _ in entries], START, MULTIPLIER), positions, strict=True):
        slots[code % TABLES].append((code, place))
    out.writelines(records)
    head = []
    for used in slots:
        head += [position, 2 * len(used)]
        out.write(_table(used))
        position += 2 * len(used) * PAIR.size
    if position > LIMIT:
        raise OverflowError("more than 4 gigabytes")
    out.seek(0)
    out.write(HEAD.pack(*head))


def _table(used: list[tuple[int, int]]) -> bytes:
    size = 2 * len(used)
    numbers = [0] * (2 * size)
    for code, position in used:
        slot = (code >> 8) % size
        while numbers[2 * slot + 1]:
            slot = (slot + 1) % size
        numbers[2 * slot] = code
        numbers[2 * slot + 1] = position
    return struct.pack(f"<{2 * size}I", *numbers)
