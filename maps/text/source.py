"""The text that tables are made from: one entry per logical line, key and value (postmap(1), "INPUT FILE FORMAT").

Works on bytes, which may be anything; only ASCII decides what is white space. Opens nothing: who calls has the lines.
"""

from __future__ import annotations

from postconf.syntax.lines import cut, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    Entry = tuple[bytes, bytes]
    Entries = Iterator[Entry]

SPACE = b" \t\n\v\f\r"
_GOES_ON = frozenset(SPACE + b"#")
"""The bytes with which no logical line begins."""
_QUOTE, _ESCAPE = b'"\\'
_SHOWN = 30
_BLOCK = 1 << 18
"""Bytes of a source that are read at a time."""
_MAY_GO_ON = frozenset(SPACE + b"#\0")
_NOT_PLAIN = (b'"', b"\\", b"\0", b"\r", b"\v", b"\f", b"\n ", b"\n\t", b"\n#", b"\n\n", b": ", b":\t")
"""What makes a line one that needs a closer look."""


class Record:
    """One entry as it was written: quotes and backslashes stay in the key. `line` is the number of its first line."""

    __slots__ = ("key", "line", "value")

    def __init__(self, key: bytes, value: bytes, line: int) -> None:
        self.key = key
        self.value = value
        self.line = line


def blocks(file: BinaryIO, path: str, warn: Callable[[str], None], *, utf8: bool) -> Iterator[list[Entry] | Entries]:
    """Read a source piece by piece, and yield the entries of each; those that need no closer look are a list.

    Raises OSError.
    """
    number = 1
    block = _block(file)
    while block:
        parts = [block]
        following = _block(file)
        while following[:1] and following[0] in _MAY_GO_ON:
            parts.append(following)
            following = _block(file)
        block = parts[0] if len(parts) == 1 else b"".join(parts)
        plain = _plain_entries(block)
        if plain is None:
            found = records(block.split(b"\n"), path, warn, utf8=utf8, first=number)
            yield ((record.key, record.value) for record in found)
        else:
            yield plain
        number += block.count(b"\n")
        block = following


def _block(file: BinaryIO) -> bytes:
    """Read some whole lines."""
    data = file.read(_BLOCK)
    return data if not data or data.endswith(b"\n") else data + file.readline()


def _plain_entries(block: bytes) -> list[Entry] | None:
    """Return the entries of a block of lines; None unless each line is one, of a key, blanks, and a value."""
    if not block.isascii() or any(special in block for special in _NOT_PLAIN) or block[0] in _MAY_GO_ON:
        return None
    fields = [line.rstrip().split(None, 1) for line in block.splitlines()]
    if set(map(len, fields)) != {2}:
        return None
    return [(key, value) for key, value in fields]


def records(
    lines: Iterable[bytes],
    path: str,
    warn: Callable[[str], None],
    *,
    utf8: bool,
    ignoring: str = "",
    first: int = 1,
) -> Iterator[Record]:
    """Yield the entries of a table's source in their order; duplicates are the caller's business.

    `lines` are physical lines, with or without the newline. What is no entry is left out and said to `warn`, with
    `ignoring` where texthash says more than postmap(1). With `utf8`, lines must be valid UTF-8 (`Access.utf8`). `first`
    is the number of the first line.
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

    A line that begins with white space goes on with what was before, even behind comments and blank lines.
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
    """Return where the first white space outside of double quotes is; None when they are open at the end."""
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
