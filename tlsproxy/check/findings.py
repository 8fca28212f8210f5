"""Findings: the place, severity and message of a mistake, and its fix."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from postconf import Place


class Severity(enum.IntEnum):
    """Severity of a finding."""

    INFO = 1
    """Worth knowing."""
    WARNING = 2
    """Another effect than was meant, most likely."""
    ERROR = 3
    """A service dies, TLS is off, or security is lost."""

    @property
    def word(self) -> str:
        """As it is written on command lines and in reports."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of one line of a file. Lines and columns count from 1, line 0 is the whole file."""

    path: str
    line: int = 0
    column: int = 0
    end_column: int = 0

    @classmethod
    def at(cls, place: Place, length: int = 1) -> Span:
        """So many characters from a place on."""
        return cls(place.path, place.line, place.column, place.column + max(1, length) if place.column else 0)

    def __str__(self) -> str:
        return ":".join([self.path, *(str(number) for number in (self.line, self.column) if number)])


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text from one place to another; a column behind the last line's end is its newline."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together. `safe`: True if the result is certainly the one that was meant."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has found."""

    rule: str
    name: str
    severity: Severity
    span: Span
    message: str
    help: str = ""
    related: tuple[tuple[Span, str], ...] = ()
    fix: Fix | None = None
    suppressed: str | None = None
    """The reason in a comment that suppresses it; empty without a reason, None without such a comment."""

    @property
    def message_with_help(self) -> str:
        """The message and the remedy, for formats with one text for both."""
        return f"{self.message}; {self.help}" if self.help else self.message

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sorts findings as a reader meets them."""
        return self.span.path, self.span.line, self.span.column, self.rule, self.message
