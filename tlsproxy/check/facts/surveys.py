"""Survey of each table whose use is known: one pass finds what is wrong with it, and the transports that it names."""

from __future__ import annotations

from dataclasses import dataclass, field

from postconf.syntax.lines import decode

from ..context import Context, words_of
from .contents import PATTERNS, Content, contents
from .table_keys import DeadKey, dead_key
from .table_uses import Use, Used, used_tables
from .table_values import Fault, fault_of, transport_in

_MOST_FAULTS = 20
"""Entries of one table that are reported."""
_MOST_KEPT = 10_000
"""Different values of one table whose judgement is kept, and different names of transports."""
_WITHOUT_KEYS = (*PATTERNS, "cidr", "static")


@dataclass
class Survey:
    """The result for one table: the first faults of each sort, and how many more there are."""

    used: Used
    values: list[tuple[Content, Fault]] = field(default_factory=list)
    keys: list[tuple[Content, DeadKey]] = field(default_factory=list)
    more_values: int = 0
    more_keys: int = 0
    transports: dict[str, Content] = field(default_factory=dict)
    """Transports that values name, with the first entry that does."""

    def add_value(self, entry: Content, fault: Fault) -> None:
        """Take a value that means nothing."""
        if len(self.values) < _MOST_FAULTS:
            self.values.append((entry, fault))
        else:
            self.more_values += 1

    def add_key(self, entry: Content, dead: DeadKey) -> None:
        """Take a key that is never looked up."""
        if len(self.keys) < _MOST_FAULTS:
            self.keys.append((entry, dead))
        else:
            self.more_keys += 1


def surveys(context: Context) -> list[Survey]:
    """Return a survey of each table; aliases(5), whose sources have a syntax of their own, are not among them."""
    return context.keep(_surveys)


def _surveys(context: Context) -> list[Survey]:
    classes = frozenset(
        word.lower()
        for each in context.named("smtpd_restriction_classes")
        for word in words_of(context.expanded(each) or "")
    )
    parents = frozenset(words_of(context.value("parent_domain_matches_subdomains")))
    return [_survey(context, used, classes, parents) for used in used_tables(context) if used.use is not Use.ALIASES]


def _survey(context: Context, used: Used, classes: frozenset[str], parents: frozenset[str]) -> Survey:
    found = Survey(used)
    judged: dict[bytes, Fault | None] = {}
    has_keys = used.named.kind not in _WITHOUT_KEYS
    with_parents = ("smtpd_access_maps" if used.use is Use.ACCESS else used.named.assignment.name) in parents
    for entry in contents(context, used.named):
        value = entry.value
        if value not in judged:
            if len(judged) >= _MOST_KEPT:
                judged.clear()
            text = decode(value)
            judged[value] = fault_of(used.use, text, classes)
            transport = "" if judged[value] else transport_in(used.use, text)
            if transport and len(found.transports) < _MOST_KEPT:
                found.transports.setdefault(transport, entry)
        fault = judged[value]
        if fault is not None:
            found.add_value(entry, fault)
        dead = dead_key(used, entry.key, parents=with_parents) if has_keys else None
        if dead is not None:
            found.add_key(entry, dead)
    return found
