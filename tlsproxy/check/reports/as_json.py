"""JSON: all findings, also those that comments ignore, and their number."""

from __future__ import annotations

from ... import json_text
from ..findings import Finding, Severity
from . import Run


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return one JSON object."""
    findings = [finding_object(finding) for result in run.results for finding in result.findings]
    summary = {severity.word: run.count(severity) for severity in reversed(Severity)}
    summary["suppressed"] = sum(1 for each in findings if each["suppressed"])
    summary["files"] = len(run.sources)
    return json_text.dumps({"findings": findings, "summary": summary}, indent=2) + "\n"


def finding_object(finding: Finding) -> dict[str, object]:
    """Return a finding as an object."""
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity.word,
        "file": finding.span.path,
        "line": finding.span.line,
        "column": finding.span.column,
        "end_column": finding.span.end_column,
        "message": finding.message,
        "help": finding.help,
        "related": [{"file": span.path, "line": span.line, "message": note} for span, note in finding.related],
        "fix": None if finding.fix is None else {"title": finding.fix.title, "safe": finding.fix.safe},
        "suppressed": finding.suppressed is not None,
    }
