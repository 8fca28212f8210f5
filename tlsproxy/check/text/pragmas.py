"""Comments that suppress findings: `# tlsproxy-check: ignore=N001,S011 -- reason`.

main.cf and master.cf have whole-line comments only, so such a comment speaks of the next logical line.
`ignore-file=` applies to the whole file, and must precede its first content.
"""

from __future__ import annotations

from bisect import bisect_right

from postconf.syntax.lines import SPACE

from ..findings import Finding, Span
from .sources import Source

_MARK = "tlsproxy-check:"


class Pragma:
    """One comment, and the rules whose findings it has suppressed."""

    def __init__(self, span: Span, rules: frozenset[str], lines: range | None, reason: str) -> None:
        """`lines` are those that it speaks of; None for the whole file."""
        self.span = span
        self.rules = rules
        self.lines = lines
        self.reason = reason
        self.used: set[str] = set()


class Suppressions:
    """Pragma comments of a configuration, indexed by the rules that they suppress."""

    def __init__(self, pragmas: list[Pragma]) -> None:
        """`pragmas` are in the order of the text."""
        self._of_files: dict[tuple[str, str], Pragma] = {}
        self._of_lines: dict[tuple[str, str], list[Pragma]] = {}
        for pragma in pragmas:
            for rule in pragma.rules:
                key = pragma.span.path, rule
                if pragma.lines is None:
                    self._of_files.setdefault(key, pragma)
                    continue
                others = self._of_lines.setdefault(key, [])
                if pragma.lines and not (others and others[-1].lines == pragma.lines):
                    others.append(pragma)

    def find(self, finding: Finding) -> Pragma | None:
        """Return the first pragma that suppresses a finding, and count it as used."""
        key = finding.span.path, finding.rule
        found = self._of_files.get(key)
        of_lines = self._of_lines.get(key, [])
        at = bisect_right(of_lines, finding.span.line, key=lambda pragma: pragma.lines.start if pragma.lines else 0) - 1
        if at >= 0 and finding.span.line in (of_lines[at].lines or ()):
            nearer = of_lines[at]
            found = nearer if found is None or nearer.span.line < found.span.line else found
        if found is not None:
            found.used.add(finding.rule)
        return found


def read_pragmas(source: Source) -> list[Pragma]:
    """Return the pragma comments of a file."""
    if _MARK not in source.text:
        return []
    pragmas = []
    ends = [each.last_number for each in source.logical]
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
            at = bisect_right(ends, number)
            after = source.logical[at : at + 1]
            lines = range(after[0].number, after[0].last_number + 1) if after else range(0)
        if kind in ("ignore", "ignore-file"):
            pragmas.append(Pragma(source.span(number), rules, lines, reason.strip()))
    return pragmas
