"""SARIF 2.1.0, for code scanning. Findings that comments ignore are in it, as suppressed."""

from __future__ import annotations

from urllib.parse import quote

from ... import __version__, json_text
from ..findings import Edit, Finding, Severity, Span
from ..rule import Rule
from . import Run
from .gitlab import fingerprint

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return a SARIF log with one run."""
    positions = {rule.id: position for position, rule in enumerate(run.rules)}
    seen: dict[str, int] = {}
    results = [_result(finding, positions[finding.rule], seen) for result in run.results for finding in result.findings]
    driver = {"name": "tlsproxy-check", "version": __version__, "rules": [_rule(rule) for rule in run.rules]}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json_text.dumps(log, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, object]:
    described: dict[str, object] = {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.title()},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "help": {"text": rule.page(), "markdown": rule.page()},
    }
    if rule.why():
        described["fullDescription"] = {"text": rule.why()}
    return described


def _result(finding: Finding, position: int, seen: dict[str, int]) -> dict[str, object]:
    text = f"{finding.message}. {finding.help}." if finding.help else finding.message
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": position,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [_location(finding.span)],
        "partialFingerprints": {"finding/v1": fingerprint(finding, seen)},
    }
    if finding.related:
        result["relatedLocations"] = [{**_location(span), "message": {"text": note}} for span, note in finding.related]
    if finding.fix:
        result["fixes"] = [_fix(finding.fix.title, finding.fix.edits)]
    if finding.suppressed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.suppressed}]
    return result


def _location(span: Span) -> dict[str, object]:
    physical: dict[str, object] = {"artifactLocation": {"uri": _uri(span.path)}}
    if span.line:
        region = {"startLine": span.line}
        if span.column:
            region |= {"startColumn": span.column, "endColumn": span.end_column}
        physical["region"] = region
    return {"physicalLocation": physical}


def _fix(title: str, edits: tuple[Edit, ...]) -> dict[str, object]:
    changes: dict[str, list[dict[str, object]]] = {}
    for edit in edits:
        changes.setdefault(edit.path, []).append(
            {
                "deletedRegion": {
                    "startLine": edit.line,
                    "startColumn": edit.column,
                    "endLine": edit.end_line,
                    "endColumn": edit.end_column,
                },
                "insertedContent": {"text": edit.text},
            }
        )
    return {
        "description": {"text": title},
        "artifactChanges": [
            {"artifactLocation": {"uri": _uri(path)}, "replacements": each} for path, each in changes.items()
        ],
    }


def _uri(path: str) -> str:
    return quote(path, safe="/", errors="surrogateescape")
