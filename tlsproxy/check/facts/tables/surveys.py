"""Survey of each table whose use is known: one pass finds its problems, and the transports that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postconf.syntax.lines import decode

from ...context import Context, words_of
from .contents import PATTERNS, Content, chunks, is_readable, split_rules
from .keys import KeyProblem, dead_key, unusual_keys
from .named import Faults, Named, as_text, examine
from .uses import Use, UsedTable, used_tables
from .values import Fault, fault_of, judges_values, names_transports, restrictions_in, transport_in, unusual

_MOST_FAULTS = 20
"""Entries of one table that are reported."""
_MOST_KEPT = 10_000
"""Different names of transports and of restrictions in one table."""
_ROOM = 1 << 20
"""Bytes of the different values of one table whose judgement is kept, and as many of those that are bad."""
_WITH_FILTERS = (Use.ACCESS, Use.CHECKS)
_MOST_BAD = 500
"""Different values of one table that are found to be bad; no more are judged then, since suggestions take time."""
_WITH_RULES = (*PATTERNS, "cidr")
_EXAMINED = (*_WITH_RULES, "texthash")
_WITHOUT_KEYS = (*PATTERNS, "cidr", "static")


@dataclass
class Survey:
    """The result for one table: the first faults of each sort, and the number of others."""

    used: UsedTable
    values: list[tuple[Content, Fault]] = field(default_factory=list)
    keys: list[tuple[Content, KeyProblem]] = field(default_factory=list)
    more_values: int = 0
    more_keys: int = 0
    transports: dict[str, Content] = field(default_factory=dict)
    """Transports that values name, with the first entry that does."""
    restrictions: set[str] = field(default_factory=set)
    """Words of the values of an access table that are lists of restrictions."""

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
    return context.keep(_surveys).all


def faults_of(context: Context, named: Named) -> Faults:
    """Return the warnings of opening a table; its text is read once for them and for its survey."""
    known = context.keep(_surveys).faults
    key = named.kind, named.name
    if key not in known:
        known[key] = examine(context, named)
    return known[key]


def number_of_entries(context: Context, named: Named) -> int:
    """Return the number of entries of a table that has a survey; else 0."""
    return context.keep(_surveys).sizes.get((named.kind, named.name), 0)


@dataclass
class _Surveys:
    all: list[Survey] = field(default_factory=list)
    faults: dict[tuple[str, str], Faults] = field(default_factory=dict)
    """By type and name, where the survey has found them, too."""
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)


def _surveys(context: Context) -> _Surveys:
    classes = frozenset(
        word.lower()
        for each in context.named("smtpd_restriction_classes")
        for word in words_of(context.expanded(each) or "")
    )
    parents = frozenset(words_of(context.value("parent_domain_matches_subdomains")))
    found = _Surveys()
    for used in used_tables(context):
        if used.use is not Use.ALIASES:
            surveyor = _Surveyor(used, classes, parents)
            _read(context, surveyor, found)
            found.all.append(surveyor.found)
            found.sizes[used.named.kind, used.named.name] = surveyor.count
    return found


def _read(context: Context, surveyor: _Surveyor, found: _Surveys) -> None:
    """Read a table, and collect the warnings of opening it in the same pass, if they are not known."""
    named = surveyor.found.used.named
    source = as_text(named)
    key = source.kind, source.name
    if source.kind in _EXAMINED and key not in found.faults and is_readable(context, named.name):
        found.faults[key] = examine(context, source, surveyor.observe)
        if surveyor.has_observed:
            return
    for entries, numbers in chunks(context, named):
        surveyor.take(entries, numbers)


class _Surveyor:
    """A survey that is going on."""

    def __init__(self, used: UsedTable, classes: frozenset[str], parents: frozenset[str]) -> None:
        """`classes`: names of restriction classes. `parents`: parent_domain_matches_subdomains."""
        self.found = Survey(used)
        self.count = 0
        self.has_observed = False
        self._classes = classes
        self._known: set[bytes] = set()
        self._seen: set[bytes] = set()
        self._faults: dict[bytes, Fault] = {}
        self._room = self._room_for_faults = _ROOM
        self._has_transports = names_transports(used.use)
        self._has_values = self._has_transports or judges_values(used.use)
        self._has_keys = used.named.kind not in _WITHOUT_KEYS
        name = "smtpd_access_maps" if used.use is Use.ACCESS else used.named.assignment.name
        self._with_parents = name in parents

    def observe(self, entries: Sequence[tuple[bytes, bytes]], numbers: Sequence[int]) -> None:
        """Take entries, or rules that are still to be split."""
        self.has_observed = True
        kind = self.found.used.named.kind
        if kind in _WITH_RULES:
            rules = split_rules(kind, (line for line, _ in entries))
            if not all(value for _, value in rules):
                numbers = [number for number, (_, value) in zip(numbers, rules, strict=True) if value]
                rules = [rule for rule in rules if rule[1]]
            self.take(rules, numbers)
        else:
            self.take(entries, numbers)

    def take(self, entries: Sequence[tuple[bytes, bytes]], numbers: Sequence[int]) -> None:
        """Judge entries; `numbers` are their lines."""
        self.count += len(entries)
        if self._has_values:
            self._judge_values(entries, numbers)
        if self._has_keys:
            found, used = self.found, self.found.used
            for index in unusual_keys(used.use, entries):
                dead = dead_key(used, entries[index][0], parents=self._with_parents)
                if dead is not None:
                    found.add_key(Content(*entries[index], numbers[index]), dead)

    def _judge_values(self, entries: Sequence[tuple[bytes, bytes]], numbers: Sequence[int]) -> None:
        found, used = self.found, self.found.used
        known = self._known
        new = [value for value in dict.fromkeys([value for _, value in entries]) if value not in known]
        faults = self._faults
        odd = unusual(used.use, new, used.check)
        for value in odd:
            if value not in faults and len(faults) < _MOST_BAD and self._room_for_faults > 0:
                fault = fault_of(used.use, decode(value), self._classes, used.check)
                if fault is not None:
                    faults[value] = fault
                    self._room_for_faults -= len(value)
        if used.use is Use.ACCESS and len(found.restrictions) < _MOST_KEPT:
            found.restrictions.update(word for value in odd for word in restrictions_in(value))
        fresh = self._transports(odd, new) if self._has_transports else {}
        known.update(new)
        self._room -= sum(map(len, new))
        if self._room < 0:
            known.clear()
            self._room = _ROOM
        if faults or fresh:
            for (key, value), number in zip(entries, numbers, strict=True):
                if value in faults:
                    found.add_value(Content(key, value, number), faults[value])
                elif value in fresh and len(found.transports) < _MOST_KEPT:
                    found.transports.setdefault(fresh[value], Content(key, value, number))

    def _transports(self, odd: list[bytes], new: list[bytes]) -> dict[bytes, str]:
        """Return the transports in new values that no earlier value names, by the first value that names each."""
        use = self.found.used.use
        prefixes = {value.partition(b":")[0] for value in new}
        candidates = odd if use in _WITH_FILTERS else new if not prefixes <= self._seen else ()
        self._seen |= prefixes if len(self._seen) < _MOST_KEPT else set()
        names: dict[str, bytes] = {}
        for value in candidates:
            if value not in self._faults and (name := transport_in(use, value)) and name not in self.found.transports:
                names.setdefault(name, value)
        return {value: name for name, value in names.items()}
