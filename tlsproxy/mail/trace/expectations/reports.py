"""Reports about expectations: text for people, JUnit's XML, annotations of GitHub Actions."""

from __future__ import annotations

from ....check.reports.github import escape
from ....check.reports.junit import attribute
from ..text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .judging import JudgedExpectation


def render(format_: str, verdicts: Sequence[JudgedExpectation], path: str) -> str:
    """Return a report in one of `arguments.FORMATS`; `path` is the file of the expectations."""
    return {"text": _text, "junit": _junit, "github": _github}[format_](verdicts, path)


def _text(verdicts: Sequence[JudgedExpectation], path: str) -> str:
    failed = [each for each in verdicts if not each.holds]
    lines = [f"{path}:{each.line}: {each.name}: {each.difference}" for each in failed]
    lines.append(f"{path}: {len(verdicts) - len(failed)} of {len(verdicts)} expectations hold")
    return "".join(f"{printable(line)}\n" for line in lines)


def _junit(verdicts: Sequence[JudgedExpectation], path: str) -> str:
    failures = sum(not each.holds for each in verdicts)
    cases = []
    for each in verdicts:
        start = f"    <testcase name={attribute(each.name)} classname={attribute(path)}"
        if each.holds:
            cases.append(f"{start}/>\n")
        else:
            cases.append(f"{start}>\n      <failure message={attribute(each.difference)}/>\n    </testcase>\n")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        f'  <testsuite name={attribute(path)} tests="{len(verdicts)}" failures="{failures}">\n'
        + "".join(cases)
        + "  </testsuite>\n</testsuites>\n"
    )


def _github(verdicts: Sequence[JudgedExpectation], path: str) -> str:
    lines = []
    for each in verdicts:
        if not each.holds:
            place = f"file={escape(path, ':,')},line={max(1, each.line)},title={escape(printable(each.name), ':,')}"
            lines.append(f"::error {place}::{escape(printable(each.difference))}\n")
    return "".join(lines)
