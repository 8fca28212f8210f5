"""Survey of each table whose use is known: one pass finds what is wrong with it, and the transports that it names."""

from __future__ import annotations

from dataclasses import dataclass, field

from postconf.syntax.lines import decode

from ...context import Context, words_of
from .contents import PATTERNS, Content, chunks
from .keys import KeyProblem, dead_key, unusual_keys
from .uses import Use, UsedTable, used_tables
from .values import Fault, fault_of, transport_in, unusual

_MOST_FAULTS = 20
"""Entries of one table that are reported."""
_MOST_KEPT = 10_000
"""Different values of one table whose judgement is kept, and different names of transports."""
_WITH_FILTERS = (Use.ACCESS, Use.CHECKS)
_MOST_BAD = 500
"""Different values of one table that are found to be bad; no more are judged then, since suggestions take time."""
_WITHOUT_KEYS = (*PATTERNS, "cidr", "static")


@dataclass
class Survey:
    """The result for one table: the first faults of each sort, and how many more there are."""

    used: UsedTable
    values: list[tuple[Content, Fault]] = field(default_factory=list)
    keys: list[tuple[Content, KeyProblem]] = field(default_factory=list)
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

    def add_key(self, entry: Content, dead: KeyProblem) -> None:
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


def _survey(context: Context, used: UsedTable, classes: frozenset[str], parents: frozenset[str]) -> Survey:
    found = Survey(used)
    known: set[bytes] = set()
    seen: set[bytes] = set()
    bad = 0
    has_keys = used.named.kind not in _WITHOUT_KEYS
    with_parents = ("smtpd_access_maps" if used.use is Use.ACCESS else used.named.assignment.name) in parents
    for entries, numbers in chunks(context, used.named):
        new = {value for _, value in entries} - known
        faults: dict[bytes, Fault] = {}
        odd = unusual(used.use, new)
        for value in odd:
            fault = fault_of(used.use, decode(value), classes) if bad < _MOST_BAD else None
            if fault is not None:
                faults[value] = fault
                bad += 1
        prefixes = {value.partition(b":")[0] for value in new}
        candidates = odd if used.use in _WITH_FILTERS else new if not prefixes <= seen else ()
        seen |= prefixes if len(seen) < _MOST_KEPT else set()
        names = {name: value for value in candidates if value not in faults and (name := transport_in(used.use, value))}
        fresh = {value: name for name, value in names.items() if name not in found.transports}
        known |= new - faults.keys()
        if len(known) >= _MOST_KEPT:
            known.clear()
        if faults or fresh:
            for (key, value), number in zip(entries, numbers, strict=True):
                if value in faults:
                    found.add_value(Content(key, value, number), faults[value])
                elif value in fresh and len(found.transports) < _MOST_KEPT:
                    found.transports.setdefault(fresh[value], Content(key, value, number))
        if has_keys:
            for index in unusual_keys(used.use, entries):
                dead = dead_key(used, entries[index][0], parents=with_parents)
                if dead is not None:
                    found.add_key(Content(*entries[index], numbers[index]), dead)
    return found
