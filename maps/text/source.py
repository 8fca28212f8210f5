"""The text that tables are made from: one entry per logical line, key and value (postmap(1), "INPUT FILE FORMAT").

Works on bytes, which may be anything; only ASCII blanks are white space. Opens nothing: callers supply the lines.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from itertools import groupby, islice
from typing import NamedTuple

from postconf.syntax.lines import cut, decode

from ..table import TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SPACE = b" \t\n\v\f\r"
_SPACES = frozenset(SPACE[at : at + 1] for at in range(len(SPACE)))
_NO_STARTS = _SPACES | {b"#", b""}
"""With these no logical line begins."""
_QUOTE, _ESCAPE = b'"\\'
_SHOWN = 30
_PART = 5000
"""Lines that are joined at once."""
_MOST_RUNS = 8
"""A part in which one entry of so many needs a closer look is read one by one: short runs take longer."""


class Record:
    """One entry as it was written: quotes and backslashes stay in the key. `line` is the number of its first line."""

    __slots__ = ("key", "line", "value")

    def __init__(self, key: bytes, value: bytes, line: int) -> None:
        self.key = key
        self.value = value
        self.line = line


class Plain(NamedTuple):
    """Entries that need no closer look: keys without quotes, valid UTF-8 where that is wanted."""

    entries: list[tuple[bytes, bytes]]
    numbers: Sequence[int]
    """The numbers of their lines."""


def blocks(
    pieces: Iterable[bytes],
    path: str,
    warn: Callable[[str], None],
    *,
    utf8: bool,
    ignoring: str = "",
    longest: int = sys.maxsize,
) -> Iterator[Plain | Iterator[Record]]:
    """Yield the entries of a table's source in runs, as `records` does one by one.

    `pieces` and `longest` are those of `file_lines`.
    """
    for lines, numbers in file_lines(pieces, path, warn, longest):
        fields = [line.split(None, 1) for line in lines]
        odd = _odd(lines, fields, utf8=utf8)
        if not odd:
            yield Plain([(key, value.rstrip()) for key, value in fields], numbers)
        elif odd.count(True) * _MOST_RUNS > len(lines):
            yield _entries(zip(numbers, lines, strict=True), path, warn, utf8=utf8, ignoring=ignoring)
        else:
            for is_odd, run in groupby(range(len(lines)), odd.__getitem__):
                positions = list(run)
                part = slice(positions[0], positions[-1] + 1)
                if is_odd:
                    numbered = zip(numbers[part], lines[part], strict=True)
                    yield _entries(numbered, path, warn, utf8=utf8, ignoring=ignoring)
                else:
                    yield Plain([(key, value.rstrip()) for key, value in fields[part]], numbers[part])


def _odd(lines: list[bytes], fields: list[list[bytes]], *, utf8: bool) -> list[bool]:
    """Return True for each line that needs a closer look; an empty list if none does."""
    is_complete = set(map(len, fields)) == {2}
    keys = b"\n".join([*[field[0] for field in fields if field], b""])
    is_invalid = utf8 and not _is_valid(b"\n".join(lines))
    if is_complete and not is_invalid and b'"' not in keys and b"\\" not in keys and b":\n" not in keys:
        return []
    return [
        len(field) != 2
        or b'"' in field[0]
        or b"\\" in field[0]
        or field[0].endswith(b":")
        or (is_invalid and not _is_valid(line))
        for line, field in zip(lines, fields, strict=True)
    ]


def file_lines(
    pieces: Iterable[bytes], path: str, warn: Callable[[str], None], longest: int = sys.maxsize
) -> Iterator[tuple[list[bytes], list[int]]]:
    """Yield the logical lines of a file in parts, with their numbers; `pieces` are those of the file, in any sizes.

    Raises `TableError` for a line that is not a comment, and has more than `longest` bytes, to which memory is limited.
    """
    return _joined(_split(pieces, longest), path, warn, longest)


def _split(pieces: Iterable[bytes], longest: int) -> Iterator[list[bytes]]:
    """Yield the physical lines of a file in parts, and no more of a line than shows that it is too long."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        lines = piece.split(b"\n")
        if size <= longest:
            held.append(lines[0])
            size += len(lines[0])
        if len(lines) > 1:
            lines[0] = b"".join(held)
            held = [lines.pop()]
            size = len(held[0])
            yield lines
    yield [b"".join(held)]


def records(
    lines: Iterable[bytes],
    path: str,
    warn: Callable[[str], None],
    *,
    utf8: bool,
    ignoring: str = "",
) -> Iterator[Record]:
    """Yield the entries of a table's source in their order; duplicates are left to the caller.

    `lines` are physical lines, with or without the newline. A line that is no entry is left out and given to `warn`,
    with `ignoring` where texthash warns of more than postmap(1). With `utf8`, lines must be valid UTF-8
    (`Access.utf8`).
    """
    return _entries(logical_lines(lines, path, warn), path, warn, utf8=utf8, ignoring=ignoring)


def _entries(
    numbered: Iterable[tuple[int, bytes]], path: str, warn: Callable[[str], None], *, utf8: bool, ignoring: str
) -> Iterator[Record]:
    for number, line in numbered:
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


def logical_lines(lines: Iterable[bytes], path: str, warn: Callable[[str], None]) -> Iterator[tuple[int, bytes]]:
    """Yield logical lines with the number of their first physical line, each cut at its first NUL (readlline(3)).

    A line that begins with white space continues the line before, even behind comments and blank lines.
    """
    given = iter(lines)
    parts = iter(lambda: [line.removesuffix(b"\n") for line in islice(given, _PART)], [])
    for found, numbers in _joined(parts, path, warn):
        yield from zip(numbers, found, strict=True)


def _joined(
    parts: Iterable[list[bytes]], path: str, warn: Callable[[str], None], longest: int = sys.maxsize
) -> Iterator[tuple[list[bytes], list[int]]]:
    """Yield the logical lines of physical ones in parts, and the numbers of their first lines."""
    number, held_number = 1, 0
    held: list[bytes] = []
    held_size = 0
    for lines in parts:
        firsts = {line[:1] for line in lines}
        starts: Sequence[int] = range(len(lines))
        if not firsts.isdisjoint(_NO_STARTS):
            starts = [at for at, line in enumerate(lines) if line[:1] not in _NO_STARTS]
        more = [] if firsts.isdisjoint(_SPACES) else _continuations(lines)
        of_held = bisect_left(more, starts[0]) if starts else len(more)
        if of_held:
            held_number = held_number if held else number + more[0]
            held += [lines[at] for at in more[:of_held]]
            held_size += sum(len(lines[at]) for at in more[:of_held])
            if held_size > longest:
                raise _too_long(path, held_number, longest)
        if starts:
            found = [lines[at] for at in starts]
            numbers = [number + at for at in starts]
            for owner, others in groupby(more[of_held:], lambda at: bisect_right(starts, at) - 1):  # noqa: B023
                found[owner] = b"".join([found[owner], *[lines[at] for at in others]])
            if held:
                found.insert(0, b"".join(held))
                numbers.insert(0, held_number)
            if len(found) > 1:
                yield _finished(found[:-1], numbers[:-1], path, warn, longest)
            held, held_number = found[-1:], numbers[-1]
            held_size = len(held[0])
        number += len(lines)
    if held:
        yield _finished([b"".join(held)], [held_number], path, warn, longest)


def _continuations(lines: list[bytes]) -> list[int]:
    """Return the positions of lines that continue the line before: neither blank nor comments."""
    return [at for at, line in enumerate(lines) if line[:1] in _SPACES and line.lstrip(SPACE)[:1] not in (b"", b"#")]


def _finished(
    lines: list[bytes], numbers: list[int], path: str, warn: Callable[[str], None], longest: int
) -> tuple[list[bytes], list[int]]:
    """Return logical lines up to their first NUL, without one at the start of the file that has no start."""
    if max(map(len, lines)) > longest:
        number = next(number for number, line in zip(numbers, lines, strict=True) if len(line) > longest)
        raise _too_long(path, number, longest)
    if b"\0" in b"".join(lines):
        lines = [line.partition(b"\0")[0] for line in lines]
    if lines and lines[0][:1].isspace():
        start, more = cut(decode(lines[0]), _SHOWN)
        warn(f'{path}: logical line must not start with whitespace: "{start}{more and "..."}"')
        return lines[1:], numbers[1:]
    return lines, numbers


def _too_long(path: str, number: int, longest: int) -> TableError:
    return TableError(f"{path}, line {number}: more than {longest} bytes in one line: the rest is not read")


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
