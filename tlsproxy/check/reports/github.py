"""Annotations of GitHub Actions: workflow commands on standard output."""

from __future__ import annotations

from ..findings import Severity
from . import Run
from .text import printable

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return one workflow command for each finding."""
    lines = []
    for each in run.findings:
        properties = {
            "file": each.span.path,
            "line": each.span.line,
            "col": each.span.column,
            "endColumn": each.span.end_column,
            "title": f"{each.rule} {each.name}",
        }
        given = ",".join(f"{key}={escape(printable(str(value)), ':,')}" for key, value in properties.items() if value)
        lines.append(f"::{_COMMANDS[each.severity]} {given}::{escape(printable(each.message_with_help))}\n")
    return "".join(lines)


def escape(text: str, more: str = "") -> str:
    """Escape a text for a workflow command; `more` are further characters to escape, in properties `:` and `,`."""
    return "".join(f"%{ord(each):02X}" if each in "%\r\n" + more else each for each in text)
