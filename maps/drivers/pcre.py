"""pcre: Perl-compatible regular expressions by PCRE2, the library that Postfix uses (pcre_table(5))."""

from __future__ import annotations

from typing import Any

from cffi import FFI

from postconf.syntax.lines import decode

from ..text.patterns import BadPattern, Engine, MatchFailure, PatternTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import Access, Table

_ffi = FFI()
_ffi.cdef("""
    typedef struct code pcre2_code;
    typedef struct match_data pcre2_match_data;
    pcre2_code *pcre2_compile_8(const char *, size_t, uint32_t, int *, size_t *, void *);
    int pcre2_pattern_info_8(const pcre2_code *, uint32_t, void *);
    pcre2_match_data *pcre2_match_data_create_from_pattern_8(const pcre2_code *, void *);
    int pcre2_match_8(const pcre2_code *, const char *, size_t, size_t, uint32_t, pcre2_match_data *, void *);
    size_t *pcre2_get_ovector_pointer_8(pcre2_match_data *);
    int pcre2_get_error_message_8(int, char *, size_t);
    void pcre2_match_data_free_8(pcre2_match_data *);
    void pcre2_code_free_8(pcre2_code *);
""")
try:
    _pcre: Any = _ffi.dlopen("libpcre2-8.so.0")
except OSError as error:
    raise ImportError(str(error)) from error

_CASELESS, _DOLLAR_ENDONLY, _DOTALL, _EXTENDED = 0x8, 0x10, 0x20, 0x80
_MULTILINE, _UNGREEDY, _ANCHORED = 0x400, 0x40000, 0x80000000
_INFO_CAPTURECOUNT = 4
_NOMATCH = -1
_MESSAGE_SIZE = 256


def open_table(name: str, access: Access) -> Table:
    """Read a file, or the rules in the name."""
    return PatternTable(_ENGINE, name, access)


class PerlPattern:
    """A compiled pattern; may be used by several threads."""

    def __init__(self, pattern: bytes, options: int, groups: bool) -> None:  # noqa: ARG002
        error = _ffi.new("int *")
        offset = _ffi.new("size_t *")
        code = _pcre.pcre2_compile_8(pattern, len(pattern), options, error, offset, _ffi.NULL)
        if not code:
            raise BadPattern(f"error in regex at offset {offset[0]}: {_message(error[0])}")
        self._code = _ffi.gc(code, _pcre.pcre2_code_free_8)
        count = _ffi.new("uint32_t *")
        _pcre.pcre2_pattern_info_8(self._code, _INFO_CAPTURECOUNT, count)
        self.groups = int(count[0])

    def match(self, key: bytes, groups: int) -> Sequence[bytes] | None:
        data = _pcre.pcre2_match_data_create_from_pattern_8(self._code, _ffi.NULL)
        if not data:
            raise MemoryError
        try:
            result = _pcre.pcre2_match_8(self._code, key, len(key), 0, 0, data, _ffi.NULL)
            if result == _NOMATCH:
                return None
            if result < 0:
                raise MatchFailure(_message(result))
            ends: Any = _pcre.pcre2_get_ovector_pointer_8(data)
            return [key[ends[2 * n] : ends[2 * n + 1]] for n in range(1, groups + 1)]
        finally:
            _pcre.pcre2_match_data_free_8(data)


def _message(error: int) -> str:
    text = _ffi.new("char[]", _MESSAGE_SIZE)
    if _pcre.pcre2_get_error_message_8(error, text, _MESSAGE_SIZE) <= 0:
        return f"unexpected pcre2 error code {error}"
    return decode(bytes(_ffi.buffer(text)).partition(b"\0")[0])


_ENGINE = Engine(
    kind="pcre",
    compile=PerlPattern,
    default=_CASELESS | _DOTALL,
    flags={
        ord("i"): _CASELESS,
        ord("m"): _MULTILINE,
        ord("s"): _DOTALL,
        ord("x"): _EXTENDED,
        ord("A"): _ANCHORED,
        ord("E"): _DOLLAR_ENDONLY,
        ord("U"): _UNGREEDY,
    },
    obsolete=b"X",
    unclosed="ignoring this rule",
)
