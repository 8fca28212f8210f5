"""Sources of aliases(5) tables, as postalias(1) reads them: `name: value, value`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from maps.table import TableError
from maps.text.reading import TextFile
from maps.text.source import file_lines
from postconf.syntax.lines import decode

from ...context import Context
from .contents import Content, is_readable
from .named import FILES, LONGEST_LINE, Named

_NAME = re.compile(rb'\s*("(?:[^"\\]|\\.)*"|[^\s:"]+)\s*:\s*(.*)\Z', re.DOTALL)
_UNQUOTED = re.compile(rb'(?:\A|,)\s*(\|[^",]*?[^\s",]\s+[^\s",][^",]*)')
"""A command with arguments; inside of quotes, the bar is behind one."""
_INCLUDE = re.compile(rb"(?:\A|,)\s*include:\s*(/[^\s,]*)")
_MOST_NAMES = 100_000
_SHOWN = 40


def aliases(context: Context, named: Named) -> Iterator[Content]:
    """Yield the aliases of a table that is made from a file; quotes stay in the names."""
    for number, line in _lines(context, named):
        match = _NAME.match(line)
        if match:
            yield Content(match[1].strip(b'"'), match[2].strip(), number)


def alias_faults(context: Context, named: Named) -> Iterator[tuple[int, str, str]]:
    """Yield the line, message and suggestion of each line that is no alias."""
    lines: dict[bytes, int] = {}
    for number, line in _lines(context, named):
        match = _NAME.match(line)
        if match is None:
            shown = decode(line[:_SHOWN]).strip()
            yield number, f'"{shown}" has no colon: postalias(1) leaves it out', "write name: value"
        elif not match[2].strip():
            yield number, f"{decode(match[1])} has no value: postalias(1) leaves it out", "write name: value"
        elif b"@" in match[1] and not match[1].startswith(b'"'):
            name = decode(match[1])
            yield number, f"{name} is no local name: postalias(1) leaves it out", f"write {name.partition('@')[0]}"
        else:
            name = decode(match[1].strip(b'"'))
            if command := _UNQUOTED.search(match[2]):
                text = decode(command[1]).strip()
                yield number, f"{name}: without quotes, {text.split()[0]} gets no arguments", f'write "{text}"'
            if include := _INCLUDE.search(match[2]):
                path = decode(include[1])
                yield number, f"{name}: include:{path} is taken for an address", f"write :include:{path}"
            first = lines.setdefault(match[1].lower(), number) if len(lines) < _MOST_NAMES else number
            if first != number:
                yield number, f"{name} is in line {first} already, and that one counts", "join their values"


def _lines(context: Context, named: Named) -> Iterator[tuple[int, bytes]]:
    if named.kind not in FILES or not is_readable(context, named.name):
        return
    try:
        file = TextFile(context.files.locate(named.name))
        for lines, numbers in file_lines(file.pieces(), named.name, _ignore, LONGEST_LINE):
            yield from zip(numbers, lines, strict=True)
    except (OSError, TableError):
        return


def _ignore(_warning: str) -> None:
    """Take a warning that other rules report."""
