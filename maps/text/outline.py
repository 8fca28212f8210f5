"""Outlines of regular expressions: a simpler pattern that matches all that the pattern matches, and perhaps more.

Many outlines can be put together in one pattern, where the patterns themselves could not: they have no groups to
count, no options that reach further, no references. Only plain patterns are outlined: a pattern with anything else has
no outline. POSIX and Perl agree on plain patterns as far as this goes: whether there is a match, not which.

An outline also knows up to which length of keys the pattern's search is short, however the key was made. PCRE2 gives
up on long searches, and that is reported: such a search must not be left out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .pattern_parts import (
    ALL,
    CLASSES,
    END,
    LOWER,
    PERL_SETS,
    SETS,
    UPPER,
    Ahead,
    Bytes,
    Choice,
    NotPlainError,
    Part,
    Repeat,
    Sequence,
    any_case,
    byte_set,
    literal,
    literals,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .patterns import Syntax

LENGTHS = (4000, 1000, 250, 60)
"""The lengths of keys that are tried, in bytes."""
STEPS = 1_000_000
"""Longest search from one place in a key, in steps: PCRE2 gives up after 10,000,000."""
_DEPTH = 20
_SIZE = 2000
"""Bytes of an outline, with all copies that the library makes of repeated groups."""
_NEWLINE = 1 << ord("\n")


class Outline(NamedTuple):
    """The text of an outline, in PCRE2's syntax for its option DOTALL, and the length of keys that it is good for."""

    text: bytes
    longest: int
    anchored: bool
    """True if it matches at the beginning of a key only."""


def outline(pattern: bytes, syntax: Syntax) -> Outline | None:
    """Return the outline of a pattern that compiles, or None."""
    try:
        tree = _Reader(pattern, syntax).whole()
        if tree.nullable or len(tree.text) * tree.copies > _SIZE:
            return None  # it matches every key, or is large
        text = b"(?%b:%b)" % (b"i" if syntax.ignore_case else b"-i", tree.text)
        for length in LENGTHS:
            if tree.cost(length, END)[1] <= STEPS:
                return Outline(text, length, tree.text.startswith(rb"\A"))
    except (NotPlainError, IndexError):
        pass
    return None


_NOTHING = Part(b"", 0, True)
_ANY = byte_set(ALL, False)
_START, _LINE_START = Part(rb"\A", 0, True), Part(rb"(?<![^\n])", 0, True)
_END, _LINE_END = Part(rb"\Z", _NEWLINE, False), Part(rb"(?![^\n])", _NEWLINE, False)
"""At an end nothing but a newline comes next."""
_LITERALS = re.compile(rb"(?:[A-Za-z0-9 _@:;,=<>\"'%&~!/#-]|\\[./@-])+")
_REPEATED = frozenset([b"*", b"+", b"?", b"{"])
_COUNT = re.compile(rb"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_CLASS = re.compile(rb"\[:([a-z]+):\]")


class _Reader:
    """Reads a pattern from its beginning to its end."""

    def __init__(self, pattern: bytes, syntax: Syntax) -> None:
        self._pattern = pattern
        self._syntax = syntax
        self._at = 0
        self._depth = 0

    def whole(self) -> Part:
        part = self._choice()
        if self._at < len(self._pattern):
            raise NotPlainError
        return part

    def _choice(self) -> Part:
        """Read alternatives up to the end, or to a closing parenthesis."""
        parts = [self._sequence()]
        while self._next() == b"|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(parts)

    def _next(self) -> bytes:
        return self._pattern[self._at : self._at + 1]

    def _sequence(self) -> Part:
        parts: list[Part] = []
        pattern, ignore_case = self._pattern, self._syntax.ignore_case
        while self._at < len(pattern):
            found = _LITERALS.match(pattern, self._at)
            if found:
                self._at = found.end()
                chars = found[0].replace(b"\\", b"")
                if len(chars) > 1 and self._next() in _REPEATED:
                    parts.append(literals(chars[:-1], ignore_case))
                    chars = chars[-1:]
                parts.append(literals(chars, ignore_case))
                continue
            char = self._next()
            if char in b"|)":
                break
            if char in _REPEATED:
                parts[-1:] = [self._repeat(parts[-1] if parts else _NOTHING)]
            else:
                parts.append(self._part(char))
        return parts[0] if len(parts) == 1 else Sequence(parts)

    def _repeat(self, part: Part) -> Part:
        if part.__class__ not in (Bytes, Choice):
            raise NotPlainError  # of nothing, an anchor, an assertion; or a repetition of one
        found = _COUNT.match(self._pattern, self._at)
        if found:
            self._at = found.end()
            least = int(found[1])
            most = int(found[3]) if found[3] else None if found[2] else least
        elif self._next() == b"{":
            raise NotPlainError
        else:
            least, most = {b"*": (0, None), b"+": (1, None), b"?": (0, 1)}[self._next()]
            self._at += 1
        if self._syntax.perl and self._next() in (b"?", b"+"):
            self._at += 1  # lazy and possessive ones match no more than others do
        if most == 0:
            raise NotPlainError
        return Repeat(part, least, most, b"{%d,%b}" % (least, b"" if most is None else b"%d" % most))

    def _part(self, char: bytes) -> Part:
        self._at += 1
        if char == b".":
            return _ANY
        if char == b"(":
            return self._group()
        if char == b"[":
            return self._bracket()
        if char == b"\\":
            return self._escaped()
        if char == b"^":
            return _LINE_START if self._syntax.multiline else _START
        if char == b"$":
            return _LINE_END if self._syntax.multiline else _END
        if char in (b"]", b"}") or char[0] > 126:
            return self._literal(char[0])
        raise NotPlainError

    def _literal(self, byte: int) -> Part:
        return literal(byte, self._syntax.ignore_case)

    def _group(self) -> Part:
        ahead = False
        if self._next() in (b"?", b"*"):
            kind = self._pattern[self._at : self._at + 2]
            ahead = kind in (b"?=", b"?!")
            if not self._syntax.perl or not (ahead or kind == b"?:"):
                raise NotPlainError
            self._at += 2
        self._depth += 1
        if self._depth > _DEPTH:
            raise NotPlainError
        part = self._choice()
        self._depth -= 1
        if self._next() != b")":
            raise NotPlainError
        self._at += 1
        if ahead:
            return Ahead(part)
        return part if part.__class__ is Choice else Choice([part])

    def _escaped(self) -> Part:
        byte = self._pattern[self._at]
        self._at += 1
        perl = self._syntax.perl
        sets = PERL_SETS if perl else SETS
        if byte in sets:
            return byte_set(sets[byte], self._syntax.ignore_case)
        if byte in b"bB" or (not perl and byte in b"<>`'"):
            return _NOTHING
        if perl and byte in b"zZ":
            return _END
        if perl and byte == ord("A"):
            return _START
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122:
            raise NotPlainError
        return self._literal(byte)

    def _bracket(self) -> Part:
        """Read a bracket expression behind its opening bracket."""
        negated = self._next() == b"^"
        self._at += negated
        bits = self._member()
        while self._next() != b"]":
            bits |= self._member()
        self._at += 1
        ignore_case = self._syntax.ignore_case
        if ignore_case:
            bits = any_case(bits) if self._syntax.perl else bits & ~LOWER | (bits & UPPER) << 32
        return byte_set(ALL & ~bits if negated else bits, ignore_case)

    def _member(self) -> int:
        """Read a member of a bracket expression: a character, a range of them, or a class.

        Where case is ignored PCRE2 adds the other case of the characters in a range, but the C library makes upper case
        of its ends.
        """
        found = _CLASS.match(self._pattern, self._at)
        if found:
            if found[1] not in CLASSES:
                raise NotPlainError
            self._at = found.end()
            bits = CLASSES[found[1]]
            return any_case(bits) if self._syntax.ignore_case else bits
        start = self._member_byte()
        if start.bit_count() > 1 or self._next() != b"-" or self._pattern[self._at + 1 : self._at + 2] == b"]":
            return start
        self._at += 1
        end = self._member_byte()
        if end.bit_count() > 1 or end < start:
            raise NotPlainError
        return (end << 1) - start

    def _member_byte(self) -> int:
        """Read a character, or in Perl's syntax a set, of a bracket expression."""
        if self._at + 1 >= len(self._pattern):
            raise NotPlainError
        byte = self._pattern[self._at]
        self._at += 1
        if byte == ord("[") and self._next() in (b".", b"=", b":"):
            raise NotPlainError
        if not self._syntax.perl:
            return 1 << (byte & ~32 if self._syntax.ignore_case and 97 <= byte <= 122 else byte)
        if byte != ord("\\"):
            return 1 << byte
        byte = self._pattern[self._at]
        self._at += 1
        if byte in PERL_SETS:
            return PERL_SETS[byte]
        if bytes([byte]).isalnum():
            raise NotPlainError
        return 1 << byte
