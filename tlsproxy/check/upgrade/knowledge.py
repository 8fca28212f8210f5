"""Knowledge of Postfix's release notes, read from `knowledge.toml`: that file explains its fields.

Only the form of the data is known here. `conditions` interprets `when`, `settings` interprets `at` and `fix`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from postconf.catalogue import Release

from ..findings import Severity
from .conditions import Condition

_DATA = Path(__file__).with_name("knowledge.toml")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A change that is not one of a default."""

    id: str
    since: tuple[str, ...]
    kind: str
    severity: Severity
    message: str
    help: str
    parameter: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """The values that are concerned, in lower case; empty for all."""
    at: Mapping[str, Any]
    when: Condition
    fix: Mapping[str, Any]
    instead: Mapping[str, str]
    old: str | None = None
    new: str | None = None
    absent: str | None = None
    until: str = ""

    def is_between(self, old: Release, new: Release) -> bool:
        """Return True if an upgrade brings it, and no later change that replaces it."""
        replaced = bool(self.until) and new.since(self.until)
        return new.since(*self.since) and not old.since(*self.since) and not replaced

    def text(self, template: str, word: str) -> str:
        """Return a message or help; `word` is the text that was found."""
        return template.replace("{word}", word).replace("{instead}", self.instead.get(word, ""))

    def first(self, new: Release) -> str:
        """Return the release that has it first: in the branch of `new`, else in the newest branch."""
        same = [each for each in self.since if branch(each) == branch(new.name)]
        return (same or self.since)[0]


@dataclass(frozen=True, kw_only=True)
class Default:
    """Reason of a changed default, and the condition under which it applies."""

    severity: Severity
    why: str
    help: str
    when: Condition
    absent: str | None = None
    compare: str = "text"


@dataclass(frozen=True)
class Knowledge:
    """Notes, defaults, families, and the defaults that are ignored."""

    notes: tuple[Note, ...]
    defaults: Mapping[str, Default]
    """By parameter."""
    families: tuple[tuple[re.Pattern[str], Condition], ...]
    ignored: Mapping[str, str]
    """Parameter → the reason why its default is not compared."""

    def conditions_of(self, parameter: str) -> list[Condition]:
        """Return the conditions under which a parameter counts."""
        return [when for pattern, when in self.families if pattern.search(parameter)]


@cache
def knowledge() -> Knowledge:
    """Return the content of the data file."""
    data = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    return Knowledge(
        tuple(_note(entry) for entry in data["change"]),
        {name: _default(entry) for entry in data["default"] for name in entry["parameter"]},
        tuple((re.compile(entry["pattern"]), entry["when"]) for entry in data["family"]),
        {name: entry["reason"] for entry in data["ignored"] for name in entry["parameter"]},
    )


def _note(entry: dict[str, Any]) -> Note:
    values = dict(entry)
    values.update({name: entry.get(name, {}) for name in ("at", "when", "fix", "instead")})
    values.update({name: tuple(entry.get(name, ())) for name in ("since", "parameter", "values")})
    return Note(**{**values, "severity": Severity[entry["severity"].upper()]})


def _default(entry: dict[str, Any]) -> Default:
    values = {name: value for name, value in entry.items() if name not in ("parameter", "severity", "when")}
    return Default(severity=Severity[entry["severity"].upper()], when=entry.get("when", {}), **values)


def branch(version: str) -> str:
    """Return the branch of a release: 3.7 for 3.7.11."""
    return ".".join(version.partition("-")[0].split(".")[:2])
