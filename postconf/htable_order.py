"""Order of entries in Postfix's hash tables, if NORANDOMIZE is set (htable(3)).

Warnings come in that order in releases before 3.11. Later releases have no fixed order, so it is always used. The hash
function is FNV-1a since Postfix 3.7, and before that the one of the "Dragon" book.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalogue import Release

_OFFSET_BASIS = 0xCBF29CE484222325
_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF


def table_order(names: Iterable[str], release: Release, size: int = 0) -> list[str]:
    """Return distinct names in table order, given in the order of insertion; `size`: initial size of the table."""
    number = _fnv if release.since("3.7") else _dragon
    buckets: list[list[str]] = [[] for _ in range(max(13, size) | 1)]
    for used, name in enumerate(dict.fromkeys(names)):
        if used >= len(buckets):
            grown: list[list[str]] = [[] for _ in range(2 * len(buckets) | 1)]
            for chain in buckets:
                for old in chain:
                    grown[number(old) % len(grown)].insert(0, old)
            buckets = grown
        buckets[number(name) % len(buckets)].insert(0, name)
    return [name for chain in buckets for name in chain]


def _fnv(name: str) -> int:
    value = _OFFSET_BASIS
    for byte in name.encode("utf-8", "surrogateescape"):
        value = ((value ^ (byte + 1)) * _PRIME) & _MASK
    return value


def _dragon(name: str) -> int:
    value = 0
    for byte in name.encode("utf-8", "surrogateescape"):
        value = ((value << 4) + byte) & _MASK
        high = value & 0xF0000000
        if high:
            value ^= high >> 24
            value ^= high
    return value
