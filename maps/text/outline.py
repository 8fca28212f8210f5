"""Outlines of regular expressions: a simpler pattern that matches whatever the pattern matches, and perhaps more.

Many outlines can be put together in one pattern, where the patterns themselves could not: they have no groups to
count, no options that reach further, no references. Only what is plain is outlined: a pattern with anything else has
no outline. POSIX and Perl agree on what is plain as far as this goes: whether there is a match, not which.

An outline also knows up to which length of keys the pattern's search is short, however the key was made. PCRE2 gives
up on long searches, and that is reported: such a search must not be left out.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTHS = (4000, 1000, 250, 60)
"""The lengths of keys that are tried, in bytes."""
STEPS = 1_000_000
"""How long a search from one place in the key may be: PCRE2 gives up after 10,000,000 steps."""
_DEPTH = 20
_SIZE = 2000
"""Bytes of an outline, with all copies that the library makes of repeated groups."""
_ALL = (1 << 256) - 1
_NEWLINE = 1 << ord("\n")


class Outline(NamedTuple):
    """The text of an outline, in PCRE2's syntax for its option DOTALL, and the length of keys that it is good for."""

    text: bytes
    longest: int


class Syntax(NamedTuple):
    """How a pattern is written, and with which options."""

    perl: bool
    """Is it for PCRE2, or an extended regular expression of the C library?"""
    ignore_case: bool
    multiline: bool
    """Do `^` and `$` match at lines?"""


def outline(pattern: bytes, syntax: Syntax) -> Outline | None:
    """Return the outline of a pattern that compiles, or None."""
    try:
        tree = _Reader(pattern, syntax).whole()
        if tree.nullable or len(tree.text) * tree.copies > _SIZE:
            return None  # it matches every key, or is large
        text = b"(?%b:%b)" % (b"i" if syntax.ignore_case else b"-i", tree.text)
        for length in LENGTHS:
            if tree.cost(length, _END)[1] <= STEPS:
                return Outline(text, length)
    except (_NotPlain, IndexError):
        pass
    return None


class _NotPlain(Exception):
    """There is something in the pattern that is not outlined."""


class _Follow(NamedTuple):
    """What comes after a part of a pattern."""

    first: int
    """The bytes that it may begin with, as a set of bits."""
    anything: bool
    """May it also match nothing, with anything behind it?"""


_END = _Follow(0, False)
"""The end of the pattern: what comes there has matched, and is not searched again."""


class _Part:
    """A part of a pattern."""

    __slots__ = ("copies", "first", "nullable", "text")

    def __init__(self, text: bytes, first: int, nullable: bool, copies: int = 1) -> None:
        self.text = text
        self.first = first
        """The bytes that it may begin with, as a set of bits."""
        self.nullable = nullable
        self.copies = copies
        """How many copies of a group the library makes at most."""

    def cost(self, length: int, follow: _Follow) -> tuple[int, int]:  # noqa: ARG002
        """Return in how many ways it may match at one place of a key of some length, and how many steps that takes.

        Both are upper bounds. Steps are those that PCRE2 counts: it makes one for each alternative and repetition that
        it may come back to.
        """
        return 1, 0


class _Bytes(_Part):
    """One byte of a set; its `first` is the set."""

    __slots__ = ()


class _Ahead(_Part):
    """An assertion of what follows; an outline is without it."""

    __slots__ = ("_part",)

    def __init__(self, part: _Part) -> None:
        super().__init__(b"", 0, True)
        self._part = part

    def cost(self, length: int, follow: _Follow) -> tuple[int, int]:  # noqa: ARG002
        return 1, self._part.cost(length, _END)[1] + 2


class _Sequence(_Part):
    """Parts that follow each other."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[_Part]) -> None:
        first, nullable = 0, True
        for part in parts:
            first |= part.first
            if not part.nullable:
                nullable = False
                break
        copies = max([part.copies for part in parts], default=1)
        super().__init__(b"".join([part.text for part in parts]), first, nullable, copies)
        self._parts = parts

    def cost(self, length: int, follow: _Follow) -> tuple[int, int]:
        ways, steps = 1, 0
        first, anything = follow
        for part in reversed(self._parts):
            if part.__class__ is not _Bytes:
                own_ways, own_steps = part.cost(length, _Follow(first, anything))
                ways, steps = own_ways * ways, own_steps + own_ways * steps
            if part.nullable:
                first |= part.first
            else:
                first, anything = part.first, False
        return ways, steps


class _Choice(_Part):
    """Alternatives in parentheses."""

    __slots__ = ("_disjoint", "_parts")

    def __init__(self, parts: list[_Part]) -> None:
        first, nullable, self._disjoint = 0, False, True
        for part in parts:
            self._disjoint &= not (first & part.first or part.nullable)
            first |= part.first
            nullable |= part.nullable
        text = b"(?:%b)" % b"|".join([part.text for part in parts])
        super().__init__(text, first, nullable, max(part.copies for part in parts))
        self._parts = parts

    def cost(self, length: int, follow: _Follow) -> tuple[int, int]:
        costs = [part.cost(length, follow) for part in self._parts]
        ways = (max if self._disjoint else sum)(ways for ways, _ in costs)
        return ways, sum(steps for _, steps in costs) + len(costs) + 1


class _Repeat(_Part):
    """A repetition."""

    __slots__ = ("_least", "_most", "_part")

    def __init__(self, part: _Part, least: int, most: int | None, text: bytes) -> None:
        copies = part.copies if part.__class__ is _Bytes else part.copies * (most or least or 1)
        super().__init__(part.text + text, part.first, least == 0 or part.nullable, copies)
        self._part = part
        self._least = least
        self._most = most

    def cost(self, length: int, follow: _Follow) -> tuple[int, int]:
        part, most = self._part, self._most
        exclusive = not (follow.anything or follow.first & part.first or part.nullable)
        counts = 1 + (length if most is None else max(min(most, length) - self._least, 0))
        if part.__class__ is _Bytes:
            return (1 if exclusive else counts), counts + 1
        if most is None or most > 1:
            follow = _Follow(follow.first | part.first, follow.anything)
        ways, steps = part.cost(length, follow)
        if ways == 1 and not part.nullable:
            rounds = length if most is None else min(most, length)
            return (1 if exclusive else counts), (rounds + 1) * (steps + 3)
        if most is None or most * (ways.bit_length()) > 64:
            raise _NotPlain
        total = ways**most * counts
        return total, total * most * (steps + 3)


_NOTHING = _Part(b"", 0, True)
_LITERALS = re.compile(rb"[A-Za-z0-9 _@:;,=<>\"'%&~!/#-]+")
_REPEATED = frozenset([b"*", b"+", b"?", b"{"])
_COUNT = re.compile(rb"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_CLASS = re.compile(rb"\[:([a-z]+):\]")


def _set(members: str | bytes | range) -> int:
    bits = 0
    for member in members.encode("latin-1") if isinstance(members, str) else members:
        bits |= 1 << member
    return bits


_DIGITS, _UPPER, _LOWER = _set(b"0123456789"), _set(range(65, 91)), _set(range(97, 123))
_LETTERS = _UPPER | _LOWER
_SPACE, _PRINTABLE = _set(b" \t\n\v\f\r"), _set(range(33, 127))
_WORD = _LETTERS | _DIGITS | 1 << ord("_")
_CLASSES = {
    b"alpha": _LETTERS,
    b"digit": _DIGITS,
    b"alnum": _LETTERS | _DIGITS,
    b"upper": _UPPER,
    b"lower": _LOWER,
    b"space": _SPACE,
    b"blank": _set(b" \t"),
    b"punct": _PRINTABLE & ~(_LETTERS | _DIGITS),
    b"print": _PRINTABLE | 1 << ord(" "),
    b"graph": _PRINTABLE,
    b"cntrl": _set(range(32)) | 1 << 127,
    b"xdigit": _DIGITS | _set(b"abcdefABCDEF"),
}
_SETS = {ord("w"): _WORD, ord("W"): _ALL & ~_WORD, ord("s"): _SPACE, ord("S"): _ALL & ~_SPACE}
_PERL_SETS = {**_SETS, ord("d"): _DIGITS, ord("D"): _ALL & ~_DIGITS}


def _any_case(bits: int) -> int:
    """Return a set with the other case of its letters."""
    return bits | (bits & _UPPER) << 32 | (bits & _LOWER) >> 32


@lru_cache(1024)
def _bytes(bits: int, ignore_case: bool) -> _Bytes:
    """Return a part for a set of bytes; one that ignores case has both cases of its letters."""
    if bits == _ALL:
        return _Bytes(b".", bits, False)
    lower = bits & ~_UPPER if ignore_case else bits
    if lower and lower & (lower - 1) == 0:
        return _Bytes(_one(lower.bit_length() - 1), bits, False)
    return _Bytes(b"[%b]" % b"".join(_ranges(bits)), bits, False)


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


class _Reader:
    """Reads a pattern from its beginning to its end."""

    def __init__(self, pattern: bytes, syntax: Syntax) -> None:
        self._pattern = pattern
        self._syntax = syntax
        self._at = 0
        self._depth = 0

    def whole(self) -> _Part:
        part = self._choice()
        if self._at < len(self._pattern):
            raise _NotPlain
        return part

    def _choice(self) -> _Part:
        """Read alternatives up to the end, or to a closing parenthesis."""
        parts = [self._sequence()]
        while self._next() == b"|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Choice(parts)

    def _next(self) -> bytes:
        return self._pattern[self._at : self._at + 1]

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        ignore_case = self._syntax.ignore_case
        while self._at < len(self._pattern):
            found = _LITERALS.match(self._pattern, self._at)
            if found:
                self._at = found.end()
                run = found[0]
                if len(run) > 1 and self._next() in _REPEATED:
                    parts.append(_run(run[:-1], ignore_case))
                    run = run[-1:]
                parts.append(_run(run, ignore_case))
            else:
                char = self._next()
                if char in b"|)":
                    break
                if char in _REPEATED:
                    parts[-1:] = [self._repeat(parts[-1] if parts else _NOTHING)]
                else:
                    parts.append(self._part(char))
        return parts[0] if len(parts) == 1 else _Sequence(parts)

    def _repeat(self, part: _Part) -> _Part:
        if part.__class__ not in (_Bytes, _Choice):
            raise _NotPlain  # of nothing, an anchor, an assertion; or a repetition of one
        found = _COUNT.match(self._pattern, self._at)
        if found:
            self._at = found.end()
            least = int(found[1])
            most = int(found[3]) if found[3] else None if found[2] else least
        elif self._next() == b"{":
            raise _NotPlain
        else:
            least, most = {b"*": (0, None), b"+": (1, None), b"?": (0, 1)}[self._next()]
            self._at += 1
        if self._syntax.perl and self._next() in (b"?", b"+"):
            self._at += 1  # lazy and possessive ones match no more than others do
        if most == 0:
            raise _NotPlain
        return _Repeat(part, least, most, b"{%d,%b}" % (least, b"" if most is None else b"%d" % most))

    def _part(self, char: bytes) -> _Part:
        self._at += 1
        if char == b".":
            return _bytes(_ALL, False)
        if char == b"(":
            return self._group()
        if char == b"[":
            return self._bracket()
        if char == b"\\":
            return self._escaped()
        if char == b"^":
            return _Part(rb"(?<![^\n])" if self._syntax.multiline else rb"\A", 0, True)
        if char == b"$":
            return self._end()
        if char in (b"]", b"}") or char[0] > 126:
            return self._literal(char[0])
        raise _NotPlain

    def _end(self) -> _Part:
        # Nothing but a newline can come next.
        return _Part(rb"(?![^\n])" if self._syntax.multiline else rb"\Z", _NEWLINE, False)

    def _literal(self, byte: int) -> _Part:
        return _literal(byte, self._syntax.ignore_case)

    def _group(self) -> _Part:
        ahead = False
        if self._next() in (b"?", b"*"):
            kind = self._pattern[self._at : self._at + 2]
            ahead = kind in (b"?=", b"?!")
            if not self._syntax.perl or not (ahead or kind == b"?:"):
                raise _NotPlain
            self._at += 2
        self._depth += 1
        if self._depth > _DEPTH:
            raise _NotPlain
        part = self._choice()
        self._depth -= 1
        if self._next() != b")":
            raise _NotPlain
        self._at += 1
        if ahead:
            return _Ahead(part)
        return part if part.__class__ is _Choice else _Choice([part])

    def _escaped(self) -> _Part:
        byte = self._pattern[self._at]
        self._at += 1
        perl = self._syntax.perl
        sets = _PERL_SETS if perl else _SETS
        if byte in sets:
            return _bytes(sets[byte], self._syntax.ignore_case)
        if byte in b"bB" or (not perl and byte in b"<>`'"):
            return _Part(b"", 0, True)
        if perl and byte in b"zZ":
            return _Part(rb"\Z", _NEWLINE, False)
        if perl and byte == ord("A"):
            return _Part(rb"\A", 0, True)
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122:
            raise _NotPlain
        return self._literal(byte)

    def _bracket(self) -> _Part:
        """Read a bracket expression behind its opening bracket."""
        negated = self._next() == b"^"
        self._at += negated
        bits = self._member()
        while self._next() != b"]":
            bits |= self._member()
        self._at += 1
        ignore_case = self._syntax.ignore_case
        if ignore_case:
            bits = _any_case(bits) if self._syntax.perl else bits & ~_LOWER | (bits & _UPPER) << 32
        return _bytes(_ALL & ~bits if negated else bits, ignore_case)

    def _member(self) -> int:
        """Read a member of a bracket expression: a character, a range of them, or a class.

        Where case is ignored PCRE2 adds the other case of what a range has, but the C library makes upper case of its
        ends.
        """
        found = _CLASS.match(self._pattern, self._at)
        if found:
            if found[1] not in _CLASSES:
                raise _NotPlain
            self._at = found.end()
            bits = _CLASSES[found[1]]
            return _any_case(bits) if self._syntax.ignore_case else bits
        start = self._member_byte()
        if start.bit_count() > 1 or self._next() != b"-" or self._pattern[self._at + 1 : self._at + 2] == b"]":
            return start
        self._at += 1
        end = self._member_byte()
        if end.bit_count() > 1 or end < start:
            raise _NotPlain
        return (end << 1) - start

    def _member_byte(self) -> int:
        """Read a character, or in Perl's syntax a set, of a bracket expression."""
        if self._at + 1 >= len(self._pattern):
            raise _NotPlain
        byte = self._pattern[self._at]
        self._at += 1
        if byte == ord("[") and self._next() in (b".", b"=", b":"):
            raise _NotPlain
        if not self._syntax.perl:
            return 1 << (byte & ~32 if self._syntax.ignore_case and 97 <= byte <= 122 else byte)
        if byte != ord("\\"):
            return 1 << byte
        byte = self._pattern[self._at]
        self._at += 1
        if byte in _PERL_SETS:
            return _PERL_SETS[byte]
        if bytes([byte]).isalnum():
            raise _NotPlain
        return 1 << byte


def _run(chars: bytes, ignore_case: bool) -> _Part:
    """Return a part for some characters, each of them as it is."""
    first = _literal(chars[0], ignore_case)
    if len(chars) == 1:
        return first
    if not chars.isalnum():
        chars = b"".join(map(_one, chars))
    return _Part(chars, first.first, False)


@lru_cache(512)
def _literal(byte: int, ignore_case: bool) -> _Bytes:
    return _bytes(_any_case(1 << byte) if ignore_case else 1 << byte, ignore_case)
