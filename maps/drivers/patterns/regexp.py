"""regexp: POSIX regular expressions of the C library (regexp_table(5), regex(7)).

Keys are bytes: the thread uses the C locale while it is in the library.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from postconf.syntax.lines import decode

from ...native.regex_abi import ffi
from ...text.patterns import Engine, MatchError, PatternError, PatternTable, Syntax, examine_patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...table import Access, Table

if "CS_GNU_LIBC_VERSION" not in os.confstr_names or not os.confstr("CS_GNU_LIBC_VERSION"):
    raise ImportError("the layout of regex_t is that of the GNU C library")

_libc: Any = ffi.dlopen(None)
uselocale, _regexec = _libc.uselocale, _libc.regexec
C_LOCALE = _libc.newlocale(0b101011, b"C", ffi.NULL)
_EXTENDED, _ICASE, _NEWLINE, _NOSUB = 1, 2, 4, 8
_NOMATCH = 1
_MESSAGE_SIZE = 256
_OPERATORS = 10000
"""Maximum number of parentheses and repetitions in a pattern, because the library recurses for each."""


def open_table(name: str, access: Access) -> Table:
    """Read a file, or the rules in the name."""
    before = uselocale(C_LOCALE)
    try:
        return RegexpTable(ENGINE, name, access)
    finally:
        uselocale(before)


def examine(name: str, access: Access) -> None:
    """Read it once, with the warnings of opening it, without storing it."""
    before = uselocale(C_LOCALE)
    try:
        examine_patterns(ENGINE, name, access)
    finally:
        uselocale(before)


class RegexpTable(PatternTable):
    """Table of POSIX patterns."""

    def lookup(self, key: bytes) -> bytes | None:
        before = uselocale(C_LOCALE)
        try:
            return super().lookup(key)
        finally:
            uselocale(before)


class PosixPattern:
    """Compiled pattern; the calling thread uses the C locale."""

    __slots__ = ("_regex", "groups")

    def __init__(self, pattern: bytes, options: int, groups: bool) -> None:
        if sum(map(pattern.count, b"(*+?{")) > _OPERATORS:
            raise PatternError("Memory exhausted")
        regex: Any = ffi.new("regex_t *")
        error = _libc.regcomp(regex, pattern, options if groups else options | _NOSUB)
        if error:
            raise PatternError(_message(error, regex))
        self._regex = ffi.gc(regex, _libc.regfree)
        self.groups = int(regex.re_nsub)

    def match(self, key: bytes, groups: int) -> Sequence[bytes] | None:
        found = ffi.new("regmatch_t[]", groups + 1) if groups else ffi.NULL
        error = _regexec(self._regex, key, groups + 1 if groups else 0, found, 0)
        if error == _NOMATCH:
            return None
        if error:
            raise MatchError(_message(error, self._regex))
        return [key[found[n].rm_so : found[n].rm_eo] if found[n].rm_so >= 0 else b"" for n in range(1, groups + 1)]


def _message(error: int, regex: object) -> str:
    text = ffi.new("char[]", _MESSAGE_SIZE)
    _libc.regerror(error, regex, text, _MESSAGE_SIZE)
    return decode(bytes(ffi.buffer(text)).partition(b"\0")[0])


@cache
def _syntax(options: int) -> Syntax | None:
    if not options & _EXTENDED:
        return None
    return Syntax(perl=False, ignore_case=bool(options & _ICASE), multiline=bool(options & _NEWLINE))


ENGINE = Engine(
    kind="regexp",
    compile=PosixPattern,
    default=_EXTENDED | _ICASE,
    flags={ord("i"): _ICASE, ord("m"): _NEWLINE, ord("x"): _EXTENDED},
    syntax=_syntax,
    negations_follow=True,
    backslash_closes=True,
    zero="out-of-range",
)
