"""Formats in which findings are reported: one module each, with `render(run, colour)`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from postconf.files.ownership import as_owner_of

from ..engine import Checked
from ..findings import Finding, Severity
from ..rule import Rule
from ..text.sources import Text

FORMATS = {
    "text": "text",
    "concise": "concise",
    "json": "as_json",
    "jsonl": "jsonl",
    "sarif": "sarif",
    "github": "github",
    "gitlab": "gitlab",
    "junit": "junit",
    "checkstyle": "checkstyle",
}


@dataclass(frozen=True, slots=True)
class Run:
    """All that one run has to report."""

    results: list[Checked]
    rules: list[Rule]

    @property
    def findings(self) -> list[Finding]:
        """Findings in all configurations, without the suppressed ones."""
        return [finding for result in self.results for finding in result.findings if finding.suppressed is None]

    @property
    def sources(self) -> list[Text]:
        """All files."""
        return [source for result in self.results for source in result.sources]

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(result.count(severity) for result in self.results)


@dataclass(frozen=True, slots=True)
class Target:
    """A format, and the file that the report goes to; standard output without one."""

    format: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read FORMAT or FORMAT:FILE."""
        name, _, path = text.partition(":")
        return cls(name, path)

    def wants_colour(self) -> bool:
        """Return True for a terminal without NO_COLOR (https://no-color.org)."""
        return not self.path and sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def write(self, text: str) -> None:
        """Write the report. Raise OSError."""
        if self.path:
            with as_owner_of(os.path.dirname(self.path)):  # noqa: PTH120
                Path(self.path).write_text(text, encoding="utf-8", errors="surrogateescape")
        else:
            sys.stdout.write(text)
            sys.stdout.flush()


def render(format: str, run: Run, *, colour: bool = False) -> str:
    """Return the report in one of the FORMATS."""
    text: str = import_module(f".{FORMATS[format]}", __name__).render(run, colour=colour)
    return text
