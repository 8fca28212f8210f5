"""regexp: POSIX regular expressions, which are the C library's own (regexp_table(5), regex(7)).

Keys are bytes: the calling thread is in the C locale while it is in the library.
"""

from __future__ import annotations

import locale
import os
from contextlib import contextmanager
from typing import Any

from cffi import FFI

from postconf.syntax.lines import decode

from ..text.patterns import BadPattern, Engine, MatchFailure, PatternTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..table import Access, Table

if "CS_GNU_LIBC_VERSION" not in os.confstr_names or not os.confstr("CS_GNU_LIBC_VERSION"):
    raise ImportError("the layout of regex_t is that of the GNU C library")

_ffi = FFI()
_ffi.cdef("""
    typedef struct {
        void *buffer; unsigned long allocated, used, syntax; char *fastmap; unsigned char *translate; size_t re_nsub;
        unsigned long bits[4];
    } regex_t;
    typedef struct { int rm_so, rm_eo; } regmatch_t;
    int regcomp(regex_t *, const char *, int);
    int regexec(const regex_t *, const char *, size_t, regmatch_t *, int);
    size_t regerror(int, const regex_t *, char *, size_t);
    void regfree(regex_t *);
    void *newlocale(int, const char *, void *);
    void *uselocale(void *);
""")
_libc: Any = _ffi.dlopen(None)
_C = _libc.newlocale(1 << locale.LC_CTYPE | 1 << locale.LC_COLLATE | 1 << locale.LC_MESSAGES, b"C", _ffi.NULL)

_EXTENDED, _ICASE, _NEWLINE, _NOSUB = 1, 2, 4, 8
_NOMATCH = 1
_MESSAGE_SIZE = 256
_OPERATORS = 10000
"""How many parentheses and repetitions a pattern may have; the library recurses for each, until its stack is full."""


def open_table(name: str, access: Access) -> Table:
    """Read a file, or the rules in the name."""
    return PatternTable(_ENGINE, name, access)


class PosixPattern:
    """A compiled pattern."""

    def __init__(self, pattern: bytes, options: int, groups: bool) -> None:
        if sum(map(pattern.count, b"(*+?{")) > _OPERATORS:
            raise BadPattern("Memory exhausted")
        self._regex: Any = _ffi.new("regex_t *")
        with _c_locale():
            error = _libc.regcomp(self._regex, pattern, options if groups else options | _NOSUB)
            if error:
                raise BadPattern(_message(error, self._regex))
        self._regex = _ffi.gc(self._regex, _libc.regfree)
        self.groups = int(self._regex.re_nsub)

    def match(self, key: bytes, groups: int) -> Sequence[bytes] | None:
        found = _ffi.new("regmatch_t[]", groups + 1) if groups else _ffi.NULL
        with _c_locale():
            error = _libc.regexec(self._regex, key, groups + 1 if groups else 0, found, 0)
            if error not in (0, _NOMATCH):
                raise MatchFailure(_message(error, self._regex))
        if error:
            return None
        return [key[found[n].rm_so : found[n].rm_eo] if found[n].rm_so >= 0 else b"" for n in range(1, groups + 1)]


@contextmanager
def _c_locale() -> Iterator[None]:
    before = _libc.uselocale(_C)
    try:
        yield
    finally:
        _libc.uselocale(before)


def _message(error: int, regex: object) -> str:
    text = _ffi.new("char[]", _MESSAGE_SIZE)
    _libc.regerror(error, regex, text, _MESSAGE_SIZE)
    return decode(bytes(_ffi.buffer(text)).partition(b"\0")[0])


_ENGINE = Engine(
    kind="regexp",
    compile=PosixPattern,
    default=_EXTENDED | _ICASE,
    flags={ord("i"): _ICASE, ord("m"): _NEWLINE, ord("x"): _EXTENDED},
    negations_follow=True,
    backslash_closes=True,
    zero="out-of-range",
)
