"""JSON lines: one object for each finding, as in JSON."""

from __future__ import annotations

from ... import json_text
from . import Run
from .as_json import finding_object


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return one line for each finding."""
    return "".join(
        json_text.dumps(finding_object(finding)) + "\n" for result in run.results for finding in result.findings
    )
