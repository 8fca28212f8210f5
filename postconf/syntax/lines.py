"""Logical lines, joined from physical lines like readlline(3), with the place of each character.

Works on text that was decoded as UTF-8 with surrogateescape: any bytes survive, and only ASCII counts as space.
"""

from __future__ import annotations

from bisect import bisect_right

from ..errors import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLANK = " \t\r\n"
"""Separators of words in values and in output."""
SPACE = " \t\n\v\f\r"
"""Spaces of isspace(3), which begin continuation lines and are trimmed around names and values."""
_BESIDE = frozenset(f"{SPACE}#")
"""First characters of lines that begin nothing: continuation lines, blank ones, and comments."""


class LogicalLine:
    """Logical line: its text without newlines, and the origin of each physical line."""

    __slots__ = ("_pieces", "path", "text")

    def __init__(self, path: str, pieces: list[tuple[int, int]], text: str) -> None:
        """`pieces`: (offset in `text`, line number) of each physical line."""
        self.path = path
        self.text = text
        self._pieces = pieces

    @property
    def number(self) -> int:
        """Number of the first physical line, as in diagnostics of Postfix."""
        return self._pieces[0][1]

    @property
    def last_number(self) -> int:
        """Number of the last physical line."""
        return self._pieces[-1][1]

    def place(self, offset: int) -> Place:
        """Return the file, line and column of the character at `offset` in the text."""
        start, number = self._pieces[0]
        if len(self._pieces) > 1:
            start, number = self._pieces[bisect_right(self._pieces, offset, key=_offset_of) - 1]
        return Place(self.path, number, offset - start + 1)


def _offset_of(piece: tuple[int, int]) -> int:
    return piece[0]


def logical_lines(
    text: str, path: str, warn: Callable[[str], None], *, warn_of_nul: bool = False
) -> Iterator[LogicalLine]:
    """Yield the logical lines of a file; without comments, blank lines and stray white space.

    A line that begins with white space continues the line before, even after comments and blank lines. A logical line
    ends at a NUL, including its continuation lines (docs/compatibility.md); Postfix warns of it since 3.9.
    """
    parts: list[str] = []
    pieces: list[tuple[int, int]] = []
    length = 0
    has_nul = False

    def finish(last: int) -> LogicalLine | None:
        if has_nul and warn_of_nul:
            first = pieces[0][1]
            shown = str(first) if first == last else f"{first}-{last}"
            warn(f"{path}, line {shown}: text after null byte may be ignored")
        text = "".join(parts) if len(parts) > 1 else parts[0]
        if has_nul:
            text = text.partition("\0")[0]
        if parts[0][0] in SPACE:
            start, more = cut(text, 30)
            warn(f'{path}: logical line must not start with whitespace: "{start}{more and "..."}"')
            return None
        return LogicalLine(path, pieces, text)

    number = 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if not line:
            continue
        begins = line[0] not in _BESIDE
        if begins and parts:
            if logical := finish(number - 1):
                yield logical
            parts, pieces, length, has_nul = [], [], 0, False
        has_nul = has_nul or "\0" in line
        if not begins and line.lstrip(SPACE)[:1] in ("", "#"):
            continue
        parts.append(line)
        pieces.append((length, number))
        length += len(line)
    if parts and (logical := finish(number)):
        yield logical


def cut(text: str, size: int) -> tuple[str, str]:
    """Split text after `size` bytes (not characters), as printf(3) with a precision does."""
    data = text.encode("utf-8", "surrogateescape")
    return decode(data[:size]), decode(data[size:])


def decode(data: bytes) -> str:
    """Decode the bytes of a file or an argument; `encode` returns the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Encode text to its original bytes."""
    return text.encode("utf-8", "surrogateescape")
