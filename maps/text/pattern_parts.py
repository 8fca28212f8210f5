"""Parts of a regular expression as a tree: their outlines, and bounds on the steps of PCRE2."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from ..errors import MapsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class NotPlainError(MapsError):
    """There is something in the pattern that is not outlined."""


class Follow(NamedTuple):
    """The continuation behind a part of a pattern."""

    first: int
    """The bytes that it may begin with, as a set of bits."""
    anything: bool
    """True if it may also match nothing, with anything behind it."""


END = Follow(0, False)
"""The end of the pattern: text that gets there has matched, and is not searched again."""


class Part:
    """A part of a pattern, with its text in an outline."""

    __slots__ = ("copies", "first", "nullable", "text")

    def __init__(self, text: bytes, first: int, nullable: bool, copies: int = 1) -> None:
        self.text = text
        self.first = first
        """The bytes that it may begin with, as a set of bits."""
        self.nullable = nullable
        self.copies = copies
        """Copies of a group that the library makes, at most."""

    def cost(self, length: int, follow: Follow) -> tuple[int, int]:  # noqa: ARG002
        """Return the number of ways to match at one place of a key of some length, and the number of steps for them.

        Both are upper bounds. Steps are those that PCRE2 counts: it makes one for each alternative and repetition that
        it may come back to.
        """
        return 1, 0


class Bytes(Part):
    """One byte of a set; its `first` is the set."""

    __slots__ = ()


class Ahead(Part):
    """An assertion on the text that follows; an outline is without it."""

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        super().__init__(b"", 0, True)
        self._part = part

    def cost(self, length: int, follow: Follow) -> tuple[int, int]:  # noqa: ARG002
        return 1, self._part.cost(length, END)[1] + 2


class Sequence(Part):
    """Parts that follow each other."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[Part]) -> None:
        first, nullable = 0, True
        for part in parts:
            first |= part.first
            if not part.nullable:
                nullable = False
                break
        copies = max([part.copies for part in parts], default=1)
        super().__init__(b"".join([part.text for part in parts]), first, nullable, copies)
        self._parts = parts

    def cost(self, length: int, follow: Follow) -> tuple[int, int]:
        ways, steps = 1, 0
        first, anything = follow
        for part in reversed(self._parts):
            if part.__class__ is not Bytes:
                own_ways, own_steps = part.cost(length, Follow(first, anything))
                ways, steps = own_ways * ways, own_steps + own_ways * steps
            if part.nullable:
                first |= part.first
            else:
                first, anything = part.first, False
        return ways, steps


class Choice(Part):
    """Alternatives in parentheses."""

    __slots__ = ("_disjoint", "_parts")

    def __init__(self, parts: list[Part]) -> None:
        first, nullable, self._disjoint = 0, False, True
        for part in parts:
            self._disjoint &= not (first & part.first or part.nullable)
            first |= part.first
            nullable |= part.nullable
        text = b"(?:%b)" % b"|".join([part.text for part in parts])
        super().__init__(text, first, nullable, max(part.copies for part in parts))
        self._parts = parts

    def cost(self, length: int, follow: Follow) -> tuple[int, int]:
        costs = [part.cost(length, follow) for part in self._parts]
        ways = (max if self._disjoint else sum)(ways for ways, _ in costs)
        return ways, sum(steps for _, steps in costs) + len(costs) + 1


class Repeat(Part):
    """A part that is repeated: `*`, `+`, `?` or `{n,m}`."""

    __slots__ = ("_least", "_most", "_part")

    def __init__(self, part: Part, least: int, most: int | None, text: bytes) -> None:
        copies = part.copies if part.__class__ is Bytes else part.copies * (most or least or 1)
        super().__init__(part.text + text, part.first, least == 0 or part.nullable, copies)
        self._part = part
        self._least = least
        self._most = most

    def cost(self, length: int, follow: Follow) -> tuple[int, int]:
        part, most = self._part, self._most
        exclusive = not (follow.anything or follow.first & part.first or part.nullable)
        counts = 1 + (length if most is None else max(min(most, length) - self._least, 0))
        if part.__class__ is Bytes:
            return (1 if exclusive else counts), counts + 1
        if most is None or most > 1:
            follow = Follow(follow.first | part.first, follow.anything)
        ways, steps = part.cost(length, follow)
        if ways == 1 and not part.nullable:
            rounds = length if most is None else min(most, length)
            return (1 if exclusive else counts), (rounds + 1) * (steps + 3)
        if most is None or most * (ways.bit_length()) > 64:
            raise NotPlainError
        total = ways**most * counts
        return total, total * most * (steps + 3)


ALL = (1 << 256) - 1


def _set(members: str | bytes | range) -> int:
    bits = 0
    for member in members.encode("latin-1") if isinstance(members, str) else members:
        bits |= 1 << member
    return bits


_DIGITS, UPPER, LOWER = _set(b"0123456789"), _set(range(65, 91)), _set(range(97, 123))
_LETTERS = UPPER | LOWER
_SPACE, _PRINTABLE = _set(b" \t\n\v\f\r"), _set(range(33, 127))
_WORD = _LETTERS | _DIGITS | 1 << ord("_")
CLASSES = {
    b"alpha": _LETTERS,
    b"digit": _DIGITS,
    b"alnum": _LETTERS | _DIGITS,
    b"upper": UPPER,
    b"lower": LOWER,
    b"space": _SPACE,
    b"blank": _set(b" \t"),
    b"punct": _PRINTABLE & ~(_LETTERS | _DIGITS),
    b"print": _PRINTABLE | 1 << ord(" "),
    b"graph": _PRINTABLE,
    b"cntrl": _set(range(32)) | 1 << 127,
    b"xdigit": _DIGITS | _set(b"abcdefABCDEF"),
}
SETS = {ord("w"): _WORD, ord("W"): ALL & ~_WORD, ord("s"): _SPACE, ord("S"): ALL & ~_SPACE}
PERL_SETS = {**SETS, ord("d"): _DIGITS, ord("D"): ALL & ~_DIGITS}


def any_case(bits: int) -> int:
    """Return a set with the other case of its letters."""
    return bits | (bits & UPPER) << 32 | (bits & LOWER) >> 32


@lru_cache(1024)
def byte_set(bits: int, ignore_case: bool) -> Bytes:
    """Return a part for a set of bytes; one that ignores case has both cases of its letters."""
    if bits == ALL:
        return Bytes(b".", bits, False)
    lower = bits & ~UPPER if ignore_case else bits
    if lower and lower & (lower - 1) == 0:
        return Bytes(_one(lower.bit_length() - 1), bits, False)
    return Bytes(b"[%b]" % b"".join(_ranges(bits)), bits, False)


@cache
def _one(byte: int) -> bytes:
    char = bytes([byte])
    return char if char.isalnum() else b"\\x%02x" % byte


def _ranges(bits: int) -> Iterator[bytes]:
    byte = 0
    while bits:
        skipped = (bits & -bits).bit_length() - 1
        bits >>= skipped
        count = (~bits & (bits + 1)).bit_length() - 1
        byte += skipped
        yield b"\\x%02x-\\x%02x" % (byte, byte + count - 1)
        bits >>= count
        byte += count


def literals(chars: bytes, ignore_case: bool) -> Part:
    """Return a part for some characters, each of them as it is."""
    first = literal(chars[0], ignore_case)
    if len(chars) == 1:
        return first
    if not chars.isalnum():
        chars = b"".join(map(_one, chars))
    return Part(chars, first.first, False)


@lru_cache(512)
def literal(byte: int, ignore_case: bool) -> Bytes:
    return byte_set(any_case(1 << byte) if ignore_case else 1 << byte, ignore_case)
