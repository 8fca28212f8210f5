"""The text that tables are made from: one entry per logical line, key and value (postmap(1), "INPUT FILE FORMAT").

Works on bytes, which may be anything; only ASCII blanks are white space. Opens nothing: callers supply the lines.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf.syntax.lines import cut, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SPACE = b" \t\n\v\f\r"
_GOES_ON = frozenset(SPACE + b"#")
"""The bytes with which no logical line begins."""
_QUOTE, _ESCAPE, _COMMENT = b'"\\#'
_SHOWN = 30
_MAY_GO_ON = frozenset(SPACE + b"#\0")
_JOINED = (b"\0", b"\n ", b"\n\t", b"\n\v", b"\n\f", b"\n\r")
"""Signs that a logical line may be more or less than a physical one."""
_NO_ENTRIES = (b"\n#", b"\n\n")
_NOT_PLAIN = (*_JOINED, b'"', b"\\", b"\r", b"\v", b"\f", b": ", b":\t")
"""Bytes that exclude a line from the fast path."""


class Record:
    """One entry as it was written: quotes and backslashes stay in the key. `line` is the number of its first line."""

    __slots__ = ("key", "line", "value")

    def __init__(self, key: bytes, value: bytes, line: int) -> None:
        self.key = key
        self.value = value
        self.line = line


class Plain(NamedTuple):
    """Entries that need no closer look: their keys and values are ASCII, without quotes, and each is on one line."""

    entries: list[tuple[bytes, bytes]]
    numbers: Sequence[int]
    """The numbers of their lines."""


def blocks(
    pieces: Iterable[bytes], path: str, warn: Callable[[str], None], *, utf8: bool, ignoring: str = ""
) -> Iterator[Plain | Iterator[Record]]:
    """Yield the entries of a table's source block by block, as `records` does one by one.

    `pieces` are those of the file, in any sizes.
    """
    for number, block in _blocks(pieces):
        yield _plain(block, number) or records(
            block.split(b"\n"), path, warn, utf8=utf8, ignoring=ignoring, first=number
        )


def file_lines(pieces: Iterable[bytes], path: str, warn: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
    """Yield the logical lines of a file with their numbers; `pieces` are those of the file, in any sizes."""
    for number, block in _blocks(pieces):
        if block[0] in _GOES_ON or any(map(block.__contains__, (*_JOINED, *_NO_ENTRIES))):
            yield from logical_lines(block.split(b"\n"), path, warn, number)
        else:
            yield from enumerate(block.removesuffix(b"\n").split(b"\n"), number)


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield parts of a file, none of which ends inside a logical line, and the number of the first line of each."""
    number = 1
    held: list[bytes] = []
    for piece in pieces:
        end = _end_of_lines(piece)
        if not end:
            held.append(piece)
            continue
        block = b"".join([*held, piece[:end]])
        yield number, block
        number += block.count(b"\n")
        held = [piece[end:]]
    if held:
        yield number, b"".join(held)


def _end_of_lines(piece: bytes) -> int:
    """Return the offset of the last logical line that begins in a piece; 0 if no line does."""
    newline = piece.rfind(b"\n", 0, -1)
    while newline >= 0 and piece[newline + 1] in _MAY_GO_ON:
        newline = piece.rfind(b"\n", 0, newline)
    return newline + 1


def _plain(block: bytes, number: int) -> Plain | None:
    """Return the entries of a block; None unless each line is one, of a key, blanks, and a value, or a comment."""
    if not block.isascii() or block[0] in SPACE or any(map(block.__contains__, _NOT_PLAIN)):
        return None
    lines = block.removesuffix(b"\n").split(b"\n")
    numbers: Sequence[int] = range(number, number + len(lines))
    if block[0] == _COMMENT or any(map(block.__contains__, _NO_ENTRIES)):
        numbers = [at for at, line in zip(numbers, lines, strict=True) if line and line[0] != _COMMENT]
        lines = [lines[at - number] for at in numbers]
    fields = [line.rstrip().split(None, 1) for line in lines]
    if any(len(field) != 2 for field in fields):
        return None
    return Plain([(key, value) for key, value in fields], numbers)


def records(
    lines: Iterable[bytes],
    path: str,
    warn: Callable[[str], None],
    *,
    utf8: bool,
    ignoring: str = "",
    first: int = 1,
) -> Iterator[Record]:
    """Yield the entries of a table's source in their order; duplicates are left to the caller.

    `lines` are physical lines, with or without the newline. A line that is no entry is left out and given to `warn`,
    with `ignoring` where texthash warns of more than postmap(1). With `utf8`, lines must be valid UTF-8
    (`Access.utf8`). `first` is the number of the first line.
    """
    for number, line in logical_lines(lines, path, warn, first):
        if utf8 and not line.isascii() and not _is_valid(line):
            warn(f'{path}, line {number}: non-UTF-8 input "{decode(line)}" -- ignoring this line')
            continue
        if b'"' in line or b"\\" in line:
            end = _end_of_key(line)
            if end is None:
                warn(f"{path}, line {number}: unbalanced '\"' in '{decode(line)}' -- ignoring this line")
                continue
            fields = [line[:end], line[end:].lstrip(SPACE)]
        else:
            fields = line.split(None, 1)
        if len(fields) != 2 or not fields[0] or not fields[1]:
            warn(f"{path}, line {number}: expected format: key whitespace value{ignoring}")
            continue
        key, value = fields
        if key.endswith(b":"):
            warn(f'{path}, line {number}: record is in "key: value" format; is this an alias file?')
        yield Record(key, value.rstrip(SPACE), number)


def logical_lines(
    lines: Iterable[bytes], path: str, warn: Callable[[str], None], start: int = 1
) -> Iterator[tuple[int, bytes]]:
    """Yield logical lines with the number of their first physical line, each cut at its first NUL (readlline(3)).

    A line that begins with white space continues the line before, even behind comments and blank lines.
    """
    pieces: list[bytes] = []
    first = 0
    for number, line in enumerate(lines, start):
        if line.endswith(b"\n"):
            line = line[:-1]  # noqa: PLW2901
        if line and line[0] not in _GOES_ON:
            if pieces:
                yield from _finished(pieces, first, path, warn)
            pieces = [line]
            first = number
        elif line.lstrip(SPACE)[:1] not in (b"", b"#"):
            if not pieces:
                first = number
            pieces.append(line)
    if pieces:
        yield from _finished(pieces, first, path, warn)


def _finished(
    pieces: list[bytes], number: int, path: str, warn: Callable[[str], None]
) -> tuple[()] | tuple[tuple[int, bytes]]:
    line = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if b"\0" in line:
        line = line.partition(b"\0")[0]
    if line[:1].isspace():
        start, more = cut(decode(line), _SHOWN)
        warn(f'{path}: logical line must not start with whitespace: "{start}{more and "..."}"')
        return ()
    return ((number, line),)


def _end_of_key(line: bytes) -> int | None:
    """Return the offset of the first white space outside of double quotes; None if they are open at the end."""
    quoted = False
    position = 0
    while position < len(line):
        byte = line[position]
        if byte == _ESCAPE:
            position += 1
        elif byte == _QUOTE:
            quoted = not quoted
        elif not quoted and byte in SPACE:
            break
        position += 1
    return None if quoted else min(position, len(line))


def _is_valid(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
