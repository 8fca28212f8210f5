"""Fixes: as text, as a diff, in the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from postconf.files.replacement import LockedFile

from .findings import Edit, Finding
from .text.sources import Assignment, Text


def usable(findings: Iterable[Finding], *, unsafe: bool) -> list[Edit]:
    """Return the edits of all fixes that may be applied; of two that touch the same text the first one counts."""
    chosen: list[Edit] = []
    for finding in findings:
        if finding.fix is None or finding.suppressed is not None or not (finding.fix.safe or unsafe):
            continue
        if not any(_touch(edit, other) for edit in finding.fix.edits for other in chosen):
            chosen += finding.fix.edits
    return chosen


def replace_line(each: Assignment, text: str) -> tuple[Edit, ...]:
    """Return the edits that put another line in the place of a setting of main.cf."""
    first, *others = each.source.content(each.line)
    gone = tuple(Edit(each.source.path, number, 1, number + 1, 1, "") for number in others)
    return (Edit(each.source.path, first, 1, first + 1, 1, f"{text}\n"), *gone)


def apply(source: Text, edits: Iterable[Edit]) -> str:
    """Return the text of a file after edits; those of other files don't count."""
    starts = [0]
    for line in source.lines:
        starts.append(starts[-1] + len(line) + 1)

    def offset(line: int, column: int) -> int:
        return min(starts[min(line, len(starts)) - 1] + column - 1, len(source.text))

    text = source.text
    mine = [edit for edit in edits if edit.path == source.path]
    for edit in sorted(mine, key=lambda edit: (edit.line, edit.column), reverse=True):
        start, end = offset(edit.line, edit.column), offset(edit.end_line, edit.end_column)
        text = text[:start] + edit.text + text[end:]
    return text


def diff(source: Text, text: str) -> str:
    """Return the changes as a unified diff."""
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True), text.splitlines(keepends=True), source.path, source.path
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def write(path: str, before: str, after: str) -> bool:
    """Replace a file atomically, under Postfix's own lock; return False if it no longer has the text `before`."""
    with LockedFile(path) as file:
        if file.read() != before:
            return False
        file.replace(after)
    return True


def _touch(one: Edit, other: Edit) -> bool:
    if one.path != other.path:
        return False
    start, end = (one.line, one.column), (one.end_line, one.end_column)
    other_start, other_end = (other.line, other.column), (other.end_line, other.end_column)
    if start == end and other_start == other_end:
        return False  # two additions
    return start <= other_end and other_start <= end and not (end == other_start or other_end == start)
