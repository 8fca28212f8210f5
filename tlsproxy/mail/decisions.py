"""Decisions: the parameter, table, key and line that decided a step. They explain; nothing depends on them."""

from __future__ import annotations

from postconf import Place, View
from postconf.origins import place_of

from .matching import PatternMatch
from .tables import Found


class Decision:
    """One step: the subject of a decision, its value, and the parameter, table or pattern that decided."""

    __slots__ = ("_source", "_view", "parameter", "subject", "value")

    def __init__(
        self, subject: str, value: str, parameter: str, view: View, source: Found | PatternMatch | None = None
    ) -> None:
        self.subject = subject
        """The subject of the decision: `class`, `transport`, `nexthop`, `recipient`, …"""
        self.value = value
        self.parameter = parameter
        """The parameter that has the value, or names the table or pattern that has it."""
        self._view = view
        self._source = source

    @property
    def table(self) -> str:
        """The table that answered, `type:name`, or the pattern that matched; empty if the parameter itself decided."""
        if isinstance(self._source, Found):
            return self._source.table
        return "" if self._source is None else self._source.pattern

    @property
    def key(self) -> str:
        """The key that was found; empty if no table was asked."""
        return "" if self._source is None else self._source.key

    @property
    def place(self) -> Place | None:
        """The file and line of the entry or pattern, else of the setting; None for a built-in default."""
        if self._source is not None and self._source.place is not None:
            return self._source.place
        return place_of(self._view, self.parameter) if self.parameter in self._view else None

    def __repr__(self) -> str:
        source = f", {self._source!r}" if self._source is not None else ""
        return f"Decision({self.subject!r}, {self.value!r}, {self.parameter!r}{source})"
