"""Entries of lookup tables that are text: those in their own names, in files, and in the sources of indexed files.

Tables are read in one pass and not kept. Warnings of opening a table are left to `facts.tables.named`.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from maps.naming import BracesError, braced_list, in_braces
from maps.table import Access, TableError
from maps.text.reading import TextFile
from maps.text.rule_tables import read_rules
from maps.text.source import Plain, Record, blocks
from postconf.syntax.lines import decode, encode

from ...context import Context
from ...findings import Span
from .named import FILES, LONGEST_LINE, Named

PATTERNS = ("regexp", "pcre")
WITH_KEYS = ("inline", "texthash", *FILES)
"""Types whose keys are texts, in a file or in the name of the table."""
_FROM_SOURCES = (*FILES, "texthash")
_WITH_RULES = (*PATTERNS, "cidr")
_INLINE_ENTRY = re.compile(r'\s*((?:[^\s="\\]|\\.|"(?:[^"\\]|\\.)*")*)\s*=\s*(.*?)\s*\Z', re.DOTALL)
_BEFORE_CONDITIONS = frozenset((b"i", b"I", b"e", b"E", b" ", b"\t"))
_CONDITION = re.compile(rb"(?i)\s*(?:if|endif)\b")
_PART = 5000
"""Entries of a chunk."""
_LONGEST_INLINE = 50_000
"""Characters of a table in its own name that are looked at."""


class Content(NamedTuple):
    """An entry: its key or pattern and its value, as written, and the line of its file; 0 for a table in a setting."""

    key: bytes
    value: bytes
    line: int


def contents(context: Context, named: Named) -> Iterator[Content]:
    """Yield the entries of a table that can be read as text, in their order; none of another one."""
    name = named.name
    if named.kind == "static":
        text = name[1:-1].strip() if name.startswith("{") and name.endswith("}") else name
        if text:
            yield Content(b"*", encode(text), 0)
    elif named.kind == "inline":
        yield from _inline(name)
    elif named.kind in _WITH_RULES:
        yield from (each for each in rules(context, named) if each.value)
    elif named.kind in _FROM_SOURCES:
        yield from _source(context, name)


def chunks(context: Context, named: Named) -> Iterator[tuple[list[tuple[bytes, bytes]], Sequence[int]]]:
    """Yield the same as `contents` in lists of keys and values, each with the numbers of their lines."""
    if named.kind in _FROM_SOURCES:
        yield from _blocks(context, named.name)
        return
    entries = contents(context, named)
    while part := list(islice(entries, _PART)):
        yield [(each.key, each.value) for each in part], [each.line for each in part]


def span_of(context: Context, named: Named, entry: Content) -> Span:
    """Return the place of an entry: a line of its file, or its value in the setting."""
    if entry.line and name_is_file(named):
        return Span(context.files.outside(named.name), entry.line)
    value, key = decode(entry.value), decode(entry.key)
    return named.assignment.word(value if value and value in named.assignment.value else key)


def name_is_file(named: Named) -> bool:
    """Return True if a table has a file with its entries."""
    return named.name.startswith("/")


def is_readable(context: Context, name: str) -> bool:
    """Return True if files may be looked at, and this is a regular one: others can keep a reader waiting."""
    if not name.startswith("/") or not context.files.enabled:
        return False
    try:
        return stat.S_ISREG(context.files.stat(name).st_mode)
    except (OSError, ValueError):
        return False


def has_known_keys(context: Context, named: Named) -> bool:
    """Return True if the keys of a table are texts, all of which can be read."""
    return named.kind in WITH_KEYS and (named.kind == "inline" or is_readable(context, named.name))


def _inline(name: str) -> Iterator[Content]:
    if len(name) > _LONGEST_INLINE:
        return
    for element in braced_list(name) or ():
        try:
            text = in_braces(element) if element.startswith("{") else element
        except BracesError:
            continue
        match = _INLINE_ENTRY.match(text)
        if match:
            yield Content(encode(match[1]), encode(match[2]), 0)


def rules(context: Context, named: Named) -> Iterator[Content]:
    """Yield the rules of a table in their order; conditions, and rules without a value, have an empty one."""
    for number, line in _rule_lines(context, named):
        key, value = split_rule(named.kind, line)
        yield Content(key, value, number if name_is_file(named) else 0)


def flags(context: Context, named: Named) -> Iterator[tuple[Content, bytes]]:
    """Yield the patterns of a table that have flags, with these; the first thousands of rules are looked at."""
    for number, line in islice(_rule_lines(context, named), _PART):
        key, value = split_rule(named.kind, line)
        rest = line.strip()[len(key) :].split(None, 1) if value and line.strip().startswith(key) else []
        if rest and rest[0].isalpha() and not line.strip()[len(key) : len(key) + 1].isspace():
            yield Content(key, value, number if name_is_file(named) else 0), rest[0]


def _rule_lines(context: Context, named: Named) -> Iterator[tuple[int, bytes]]:
    name = named.name
    if not name.startswith("{"):
        if not is_readable(context, name):
            return
        name = context.files.locate(name)
    elif len(name) > _LONGEST_INLINE:
        return
    try:
        yield from read_rules(named.kind, name, _quiet())
    except (OSError, TableError):
        return


def split_rule(kind: str, line: bytes) -> tuple[bytes, bytes]:
    """Return the pattern or network of a rule, and its value; that of a condition is empty."""
    if line[:1] in _BEFORE_CONDITIONS and _CONDITION.match(line):
        return line, b""
    return _split_pattern(line) if kind in PATTERNS else _split_blank(line)


def split_rules(kind: str, lines: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the same as `split_rule` for each line."""
    found = []
    has_slashes = kind in PATTERNS
    for line in lines:
        if has_slashes and line[:1] == b"/" and b"\\/" not in line:  # most are
            parts = line.split(b"/", 2)
            if len(parts) == 3 and parts[2][:1].isspace():
                found.append((line[: len(parts[1]) + 2], parts[2].strip()))
                continue
        found.append(split_rule(kind, line))
    return found


def _split_pattern(line: bytes) -> tuple[bytes, bytes]:
    """Split `/pattern/flags value`; the value may be empty."""
    text = line.strip()
    negated = len(text) - len(text.lstrip(b"!"))
    delimiter = text[negated : negated + 1]
    inside = _inside(delimiter).match(text, negated + 1)
    end = inside.end() if inside else len(text)
    key = text[: end + 1]
    rest = text[end + 1 :].split(None, 1)
    if not rest or text[end + 1 : end + 2].isspace():
        return key, text[end + 1 :].strip()
    return key, rest[1] if len(rest) > 1 else b""


@lru_cache(maxsize=256)
def _inside(delimiter: bytes) -> re.Pattern[bytes]:
    """Return a pattern of the text up to the delimiter, or to a backslash at the end of the line."""
    end = re.escape(delimiter or b"/")
    return re.compile(rb"[^\\]*" if delimiter == b"\\" else rb"(?s:[^\\%b]+|\\.)*" % end)


def _split_blank(line: bytes) -> tuple[bytes, bytes]:
    fields = line.split(None, 1)
    return (fields[0], fields[1].strip()) if len(fields) > 1 else (line, b"")


def _source(context: Context, name: str) -> Iterator[Content]:
    for entries, numbers in _blocks(context, name):
        for (key, value), number in zip(entries, numbers, strict=True):
            yield Content(key, value, number)


def _blocks(context: Context, name: str) -> Iterator[Plain]:
    if not is_readable(context, name):
        return
    try:
        file = TextFile(context.files.locate(name))
        for block in blocks(file.pieces(), name, _ignore, utf8=False, longest=LONGEST_LINE):
            yield block if isinstance(block, Plain) else _plain(block)
    except (OSError, TableError):
        return


def _plain(block: Iterable[Record]) -> Plain:
    records = list(block)
    return Plain([(each.key, each.value) for each in records], [each.line for each in records])


def _quiet() -> Access:
    return Access(warn=_ignore, longest_line=LONGEST_LINE)


def _ignore(_warning: str) -> None:
    """Take a warning that other rules report."""
