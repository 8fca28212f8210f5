"""Text for people: the place, the problem, the line with a mark under it, and the remedy."""

from __future__ import annotations

from collections.abc import Callable

from ..findings import Finding, Severity, Span
from ..text.sources import Text
from . import Run

_LONGEST = 160
"""Characters of a line that are shown, some of them (`_BEFORE`) in front of the mark."""
_BEFORE = 60
_GAP = "..."
_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


def render(run: Run, *, colour: bool) -> str:
    """Return the report; empty if nothing was found."""
    sources = {source.path: source for source in run.sources}
    blocks = [_block(finding, sources, colour=colour) for finding in run.findings]
    if not blocks:
        return ""
    counts = [(run.count(severity), severity.word) for severity in reversed(Severity)]
    summary = ", ".join(
        f"{number} {word}{'s' if number > 1 and word != 'info' else ''}" for number, word in counts if number
    )
    return "\n".join(blocks) + f"\n{summary}\n"


def _block(finding: Finding, sources: dict[str, Text], *, colour: bool) -> str:
    def paint(text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if colour else text

    severity = paint(finding.severity.word, f"1;{_COLOURS[finding.severity]}")
    place, message = printable(str(finding.span)), printable(finding.message)
    lines = [f"{paint(place, '1')}: {severity} {finding.rule} [{finding.name}] {message}"]
    source = sources.get(finding.span.path)
    if source and finding.span.line:
        lines += [f"  {each}" for each in _excerpt(source, finding.span, lambda mark: paint(mark, "32"))]
    lines += [f"  {printable(f'{span}: {note}')}" for span, note in finding.related]
    if finding.help:
        lines.append(f"  {paint('help', '1')}: {printable(finding.help)}")
    return "\n".join(lines) + "\n"


def _excerpt(source: Text, span: Span, paint: Callable[[str], str]) -> list[str]:
    """Return the line and the mark below it; of a long line, the part around the mark."""
    text = source.line(span.line).rstrip("\r")
    start, marked = max(span.column - 1, 0), max(min(span.end_column - span.column, len(text) - span.column + 1), 1)
    if len(text) > _LONGEST:
        cut = max(min(start - _BEFORE, len(text) - _LONGEST), 0)
        end = cut + _LONGEST
        text = (_GAP if cut else "") + text[cut:end] + (_GAP if end < len(text) else "")
        start, marked = start - cut + (len(_GAP) if cut else 0), min(marked, end - start)
    text = printable(text)
    if not span.column:
        return [text]
    return [text, " " * start + paint("^" + "~" * (marked - 1))]


def printable(text: str) -> str:
    """Text that can't do anything to a terminal."""
    return "".join(each if each.isprintable() else " " if each == "\t" else "?" for each in text)
