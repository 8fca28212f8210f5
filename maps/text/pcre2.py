"""PCRE2, the library of Perl-compatible regular expressions that Postfix uses (pcre2api(3)): compile and match.

Raises ImportError when it is loaded where the library is missing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from postconf.syntax.lines import decode

from ..native.pcre2_abi import ffi
from .patterns import MatchError, PatternError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

try:
    _pcre: Any = ffi.dlopen("libpcre2-8.so.0")
except OSError as error:
    raise ImportError(str(error)) from error

CASELESS, DOLLAR_ENDONLY, DOTALL, EXTENDED = 0x8, 0x10, 0x20, 0x80
MULTILINE, UNGREEDY, ANCHORED = 0x400, 0x40000, 0x80000000
_JIT_COMPLETE = 1
_INFO_CAPTURECOUNT = 4
_NOMATCH = -1
_MESSAGE_SIZE = 256
_PAIRS = 100
"""Groups that the reused match data has room for, with the whole match."""
_STEPS = 2000
"""Match limit of a screen for each of its rules, which is some 5 µs."""
_PATIENCE = 16
"""Number of times that a screen may reach its limit before it is given up."""

_NULL = ffi.NULL
_match = _pcre.pcre2_match_8
_ovector = _pcre.pcre2_get_ovector_pointer_8
_spare: list[Any] = []
"""Match data that is not in use: making it for each match takes longer than the match. Threads take it out."""


class PerlPattern:
    """A compiled pattern; may be used by several threads."""

    __slots__ = ("_code", "_make_data", "groups")

    def __init__(self, pattern: bytes, options: int, groups: bool) -> None:  # noqa: ARG002
        self._code = _compiled(pattern, options)
        count = ffi.new("uint32_t *")
        _pcre.pcre2_pattern_info_8(self._code, _INFO_CAPTURECOUNT, count)
        self.groups = int(count[0])

    def match(self, key: bytes, groups: int) -> Sequence[bytes] | None:
        """Return the first `groups` groups of a match, as `patterns.Compiled` wants it."""
        try:
            data = _spare.pop() if groups < _PAIRS else _new_data(groups + 1)
        except IndexError:
            data = _new_data(_PAIRS)
        result = _match(self._code, key, len(key), 0, 0, data, _NULL)
        if result < _NOMATCH:
            raise MatchError(_message(result))  # and its data is not used again: it has grown
        found: Sequence[bytes] | None = None if result == _NOMATCH else ()
        if groups and result != _NOMATCH:
            ends = _ovector(data)
            found = [key[ends[2 * n] : ends[2 * n + 1]] for n in range(1, groups + 1)]
        if groups < _PAIRS:
            _spare.append(data)
        return found


class Screen:
    """A pattern in machine code that excludes keys without a match; it is compiled at its first use."""

    __slots__ = ("_code", "_limit", "_longest", "_patience", "_pattern")

    def __init__(self, pattern: bytes, longest: int, rules: int) -> None:
        """`longest` is the length of keys, in bytes, that are searched at all; others pass. `rules` limits the time."""
        self._pattern = pattern
        self._longest = longest
        self._limit = _limit(rules.bit_length())
        self._patience = _PATIENCE
        self._code: Any = None

    def passes(self, key: bytes) -> bool:
        """Return False if the pattern does not match; True if it does, or if the search is long."""
        if len(key) > self._longest:
            return True
        code = self._code or self._compile()
        if code is None:
            return True
        try:
            data = _spare.pop()
        except IndexError:
            data = _new_data(_PAIRS)
        result: int = _match(code, key, len(key), 0, 0, data, self._limit)
        _spare.append(data)
        if result < _NOMATCH:
            self._patience -= 1
            if self._patience == 0:
                self._longest = -1
        return result != _NOMATCH

    def _compile(self) -> Any:
        """Return machine code, or None: it is not allowed everywhere, and patterns have limits."""
        try:
            code = _compiled(self._pattern, DOTALL)
        except PatternError:
            code = None
        if code is None or _pcre.pcre2_jit_compile_8(code, _JIT_COMPLETE) != 0:
            self._longest = -1
            return None
        self._code = code
        return code


def _compiled(pattern: bytes, options: int) -> Any:
    error = ffi.new("int *")
    offset = ffi.new("size_t *")
    code = _pcre.pcre2_compile_8(pattern, len(pattern), options, error, offset, _NULL)
    if not code:
        raise PatternError(f"error in regex at offset {offset[0]}: {_message(error[0])}")
    return ffi.gc(code, _pcre.pcre2_code_free_8)


def _new_data(pairs: int) -> Any:
    data = _pcre.pcre2_match_data_create_8(pairs, _NULL)
    if not data:
        raise MemoryError
    return ffi.gc(data, _pcre.pcre2_match_data_free_8)


def _message(error: int) -> str:
    text = ffi.new("char[]", _MESSAGE_SIZE)
    if _pcre.pcre2_get_error_message_8(error, text, _MESSAGE_SIZE) <= 0:
        return f"unexpected pcre2 error code {error}"
    return decode(bytes(ffi.buffer(text)).partition(b"\0")[0])


@lru_cache(32)
def _limit(magnitude: int) -> Any:
    """Return a match context for up to 2 ** magnitude rules."""
    context = _pcre.pcre2_match_context_create_8(_NULL)
    _pcre.pcre2_set_match_limit_8(context, _STEPS << magnitude)
    return context
