"""Checkstyle's XML, which many tools of continuous integration read."""

from __future__ import annotations

from ..findings import Finding
from . import Run
from .junit import attribute


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return one XML document."""
    found: dict[str, list[Finding]] = {source.path: [] for source in run.sources}
    for finding in run.findings:
        found.setdefault(finding.span.path, []).append(finding)
    files = "".join(
        f"  <file name={attribute(path)}>\n{''.join(map(_error, findings))}  </file>\n"
        for path, findings in found.items()
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<checkstyle version="4.3">\n{files}</checkstyle>\n'


def _error(finding: Finding) -> str:
    place = f'line="{max(1, finding.span.line)}" column="{finding.span.column}"'
    source = attribute(f"tlsproxy-check.{finding.rule}")
    return (
        f"    <error {place} severity={attribute(finding.severity.word)} "
        f"message={attribute(finding.message_with_help)} source={source}/>\n"
    )
