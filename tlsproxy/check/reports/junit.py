"""JUnit's XML: each rule is a test case of each file, so that rules without findings are visible, too."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from ..findings import Finding
from . import Run
from .text import printable


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return one XML document."""
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in run.findings:
        found.setdefault((finding.span.path, finding.rule), []).append(finding)
    suites = []
    for path in dict.fromkeys([*(source.path for source in run.sources), *(path for path, _ in found)]):
        cases = []
        failures = 0
        for rule in run.rules:
            findings = found.get((path, rule.id), [])
            failures += bool(findings)
            name, place = attribute(f"{rule.id} {rule.name}"), attribute(path)
            if not findings:
                cases.append(f"    <testcase name={name} classname={place}/>\n")
                continue
            lines = "\n".join(f"{each.span}: {each.severity.word}: {each.message_with_help}" for each in findings)
            cases.append(
                f"    <testcase name={name} classname={place}>\n"
                f"      <failure type={attribute(findings[0].severity.word)} "
                f"message={attribute(findings[0].message)}>{_text(lines)}</failure>\n    </testcase>\n"
            )
        suites.append(
            f'  <testsuite name={attribute(path)} tests="{len(cases)}" failures="{failures}">\n'
            + "".join(cases)
            + "  </testsuite>\n"
        )
    return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n' + "".join(suites) + "</testsuites>\n"


def _text(text: str) -> str:
    return escape("\n".join(printable(line) for line in text.split("\n")))


def attribute(text: str) -> str:
    """Return a text as the value of an attribute, with its quotes."""
    return quoteattr(printable(text))
