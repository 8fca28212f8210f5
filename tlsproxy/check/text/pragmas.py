"""Comments that say what to ignore: `# tlsproxy-check: ignore=N001,S011 -- reason`.

main.cf and master.cf have whole-line comments only, so such a comment speaks of the next logical line.
`ignore-file=` applies to the whole file, and must precede its first content.
"""

from __future__ import annotations

from postconf.syntax.lines import SPACE

from ..findings import Finding, Span
from .sources import Source

_MARK = "tlsproxy-check:"


class Pragma:
    """One comment, and whether it was good for anything."""

    def __init__(self, span: Span, rules: frozenset[str], lines: range | None, reason: str) -> None:
        """`lines` are those that it speaks of; None for the whole file."""
        self.span = span
        self.rules = rules
        self.lines = lines
        self.reason = reason
        self.used: set[str] = set()

    def covers(self, finding: Finding) -> bool:
        """Return True if the pragma suppresses this finding; then count it as used."""
        is_covered = (
            finding.span.path == self.span.path
            and finding.rule in self.rules
            and (self.lines is None or finding.span.line in self.lines)
        )
        if is_covered:
            self.used.add(finding.rule)
        return is_covered


def read_pragmas(source: Source) -> list[Pragma]:
    """Return the pragma comments of a file."""
    if _MARK not in source.text:
        return []
    pragmas = []
    for number, text in enumerate(source.lines, 1):
        comment = text.strip(SPACE)
        if not comment.startswith("#") or not comment.lstrip("# \t").startswith(_MARK):
            continue
        order, _, reason = comment.partition(_MARK)[2].partition("--")
        kind, _, names = order.strip().partition("=")
        rules = frozenset(name for name in names.replace(",", " ").split())
        if kind == "ignore-file" or not rules:
            lines = None
        else:
            lines = next(
                (range(each.number, each.last_number + 1) for each in source.logical if each.last_number > number),
                range(0),
            )
        if kind in ("ignore", "ignore-file"):
            pragmas.append(Pragma(source.span(number), rules, lines, reason.strip()))
    return pragmas
