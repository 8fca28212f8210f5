"""Layout of the parts of a Berkeley DB file, for both writers.

Files are written in this machine's byte order, as the library does.
"""

from __future__ import annotations

import os
import struct
import sys
from itertools import accumulate

from .pages import HEADER_SIZE, NO_PAGE, OVERFLOW, PAGE_SIZES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = "<" if sys.byteorder == "little" else ">"
VERSION = 9
NO_LOG = (0, 1)
"""The log position of a page in a file that has no log."""

HEADER = struct.Struct(f"{ORDER}IIIIIHHBB")
META = struct.Struct(f"{ORDER}IIIIIIBBBxIIIIII20s")


def page_size(block_size: int) -> int:
    """Return the page size for a file system with this block size, as the library chooses it."""
    wanted = min(max(block_size, PAGE_SIZES[0]), 16384)
    return 1 << (wanted.bit_length() - 1)


def header(number: int, kind: int, items: int, free: int, *, level: int = 0, links: tuple[int, int] = (0, 0)) -> bytes:
    """Return the header of page `number`; `links` are the pages before and after it."""
    return HEADER.pack(*NO_LOG, number, *links, items, free, level, kind)


def meta(magic: int, kind: int, size: int, last_page: int, rest: bytes) -> bytes:
    """Return page 0; `rest`: the part that depends on the kind of file, from byte 72 on."""
    identity = os.urandom(20)  # the library's cache identifies files by it
    head = META.pack(*NO_LOG, 0, magic, VERSION, size, 0, kind, 0, NO_PAGE, last_page, 0, 0, 0, 0, identity)
    return (head + rest).ljust(size, b"\0")


def filled(head: bytes, size: int, items: list[bytes]) -> bytes:
    """Return a page: its header, where the items are, and the items, the first one at the end of the page."""
    body = b"".join(reversed(items))
    offsets = [size - length for length in accumulate(map(len, items))]
    head += struct.pack(f"{ORDER}{len(items)}H", *offsets)
    return head.ljust(size - len(body), b"\0") + body


class Sequel:
    """Pages that get their numbers as they come, behind those that have fixed places."""

    def __init__(self, size: int, first_page: int, write: Callable[[bytes], object]) -> None:
        self.next_page = first_page
        self._size = size
        self._write = write

    def add(self, page: bytes) -> None:
        """Write a page, which knows its number."""
        self._write(page)
        self.next_page += 1

    def add_long_item(self, data: bytes) -> int:
        """Write an item that is too long for the page it belongs to; return the first page of its chain."""
        first = self.next_page
        room = self._size - HEADER_SIZE
        last = first + (len(data) - 1) // room
        for number in range(first, last + 1):
            part = data[(number - first) * room : (number - first + 1) * room]
            links = (number - 1 if number > first else NO_PAGE, number + 1 if number < last else NO_PAGE)
            self.add((header(number, OVERFLOW, 1, len(part), links=links) + part).ljust(self._size, b"\0"))
        return first
