"""GitLab's code quality report: a JSON list in Code Climate's form."""

from __future__ import annotations

from hashlib import sha256

from ... import json_text
from ..findings import Finding, Severity
from . import Run

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return a JSON list with one object for each finding."""
    seen: dict[str, int] = {}
    issues = [
        {
            "description": each.message_with_help,
            "check_name": f"{each.rule} {each.name}",
            "fingerprint": fingerprint(each, seen),
            "severity": _SEVERITIES[each.severity],
            "location": {"path": each.span.path, "lines": {"begin": max(1, each.span.line)}},
        }
        for each in run.findings
    ]
    return json_text.dumps(issues, indent=2) + "\n"


def fingerprint(finding: Finding, seen: dict[str, int]) -> str:
    """Return a fingerprint that does not depend on line numbers; `seen` counts equal findings of one run."""
    text = f"{finding.rule}\0{finding.span.path}\0{finding.message}"
    seen[text] = seen.get(text, 0) + 1
    return sha256(f"{text}\0{seen[text]}".encode("utf-8", "surrogateescape")).hexdigest()
