"""Physical to logical lines, as readlline(3) joins them, each character with its place.

Works on text that was decoded as UTF-8 with surrogateescape: any bytes survive, and only ASCII decides what is a space.
"""

from __future__ import annotations

from ..errors import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLANK = " \t\r\n"
"""What separates words in values and in output."""
SPACE = " \t\n\v\f\r"
"""What isspace(3) says: decides about continuation lines, and is trimmed around names and values."""


class LogicalLine:
    """One logical line: its text without the newlines, and where each physical line in it comes from."""

    __slots__ = ("_pieces", "path", "text")

    def __init__(self, path: str, pieces: list[tuple[int, int]], text: str) -> None:
        """`pieces` are (offset in `text`, line number), one for each physical line."""
        self.path = path
        self.text = text
        self._pieces = pieces

    @property
    def number(self) -> int:
        """The number of the first physical line; diagnostics of Postfix give this one."""
        return self._pieces[0][1]

    @property
    def last_number(self) -> int:
        """The number of the last physical line that is part of it."""
        return self._pieces[-1][1]

    def place(self, offset: int) -> Place:
        """Return the file, line and column of the character at `offset` in the text."""
        start, number = next(piece for piece in reversed(self._pieces) if piece[0] <= offset)
        return Place(self.path, number, offset - start + 1)


def logical_lines(
    text: str, path: str, warn: Callable[[str], None], *, warn_of_nul: bool = False
) -> Iterator[LogicalLine]:
    """Yield the logical lines of a file; comments, blank lines and stray white space are left out.

    A line that begins with white space goes on with what was before, even behind comments and blank lines. A logical
    line is cut at a NUL, with all that is continued behind it (docs/compatibility.md); Postfix warns of it since 3.9.
    """
    parts: list[str] = []
    pieces: list[tuple[int, int]] = []
    length = 0
    has_nul = False

    def finish(last: int) -> Iterator[LogicalLine]:
        if has_nul and warn_of_nul:
            first = pieces[0][1]
            shown = str(first) if first == last else f"{first}-{last}"
            warn(f"{path}, line {shown}: text after null byte may be ignored")
        logical = _finish(parts, pieces, path, warn)
        if logical is not None:
            yield logical

    number = 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        first = line.lstrip(SPACE)[:1]
        if parts and line and line[0] not in SPACE and line[0] != "#":
            yield from finish(number - 1)
            parts, pieces, length, has_nul = [], [], 0, False
        has_nul = has_nul or "\0" in line
        if first and first != "#":
            parts.append(line)
            pieces.append((length, number))
            length += len(line)
    if parts:
        yield from finish(number)


def _finish(
    parts: list[str], pieces: list[tuple[int, int]], path: str, warn: Callable[[str], None]
) -> LogicalLine | None:
    text = "".join(parts)
    if text[0] in SPACE:
        start, more = cut(text.partition("\0")[0], 30)
        warn(f'{path}: logical line must not start with whitespace: "{start}{more and "..."}"')
        return None
    return LogicalLine(path, pieces, text.partition("\0")[0])


def cut(text: str, size: int) -> tuple[str, str]:
    """Split text after `size` bytes (not characters), as printf(3) with a precision does."""
    data = text.encode("utf-8", "surrogateescape")
    return decode(data[:size]), decode(data[size:])


def decode(data: bytes) -> str:
    """Turn the bytes of a file or an argument into text that can be turned back."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Turn text back into its bytes."""
    return text.encode("utf-8", "surrogateescape")
