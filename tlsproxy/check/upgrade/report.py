"""Reports of a comparison: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ... import json_text
from ..engine import Checked
from ..reports import Run
from ..reports.text import render as render_findings
from .change import Change
from .comparison import Compared
from .systems import System


def render(format: str, results: Sequence[Compared], source: System, target: System, *, colour: bool = False) -> str:
    """Return the report as text or json."""
    changes = sorted((change for each in results for change in each.changes), key=lambda change: change.order)
    if format == "json":
        names = {"from": source.name, "to": target.name}
        return json_text.dumps({**names, "changes": [_object(change) for change in changes]}, indent=2) + "\n"
    title = f"Postfix {source.title} to {target.title}"
    if not changes:
        return f"{title}: nothing changes for this configuration\n"
    merged = Checked([source for each in results for source in each.sources], [change.finding for change in changes])
    return f"{title}\n\n" + render_findings(Run([merged], []), colour=colour)


def _object(change: Change) -> dict[str, object]:
    finding = change.finding
    return {
        "id": finding.rule,
        "severity": finding.severity.word,
        "since": change.since,
        "kind": change.kind,
        "parameter": change.parameter,
        "old": change.old,
        "new": change.new,
        "file": finding.span.path,
        "line": finding.span.line,
        "message": finding.message,
        "help": finding.help,
        "fix": None if finding.fix is None else {"title": finding.fix.title, "safe": finding.fix.safe},
    }
