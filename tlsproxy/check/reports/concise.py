"""One line for each finding."""

from __future__ import annotations

from . import Run
from .text import printable


def render(run: Run, *, colour: bool) -> str:  # noqa: ARG001
    """Return the report; empty if nothing was found."""
    return "".join(
        f"{printable(f'{each.span}: {each.severity.word} {each.rule} [{each.name}] {each.message}')}\n"
        for each in run.findings
    )
