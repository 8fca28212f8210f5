"""Match lists: mydestination, relay_domains, mynetworks and others of domains, hosts or networks (match_list(3)).

Patterns are tried in their order and the first one that matches decides; `!` negates, `/file` is the patterns in a
file, `type:table` the keys of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from maps import Flags, Table, TableError
from maps.folding import Surrogate
from maps.naming import split_list
from maps.text.networks import Network, NetworkPatternError, parse_address, parse_network
from maps.text.source import logical_lines
from postconf import ConfigError, Place
from postconf.files.regular import read_regular
from postconf.syntax.lines import decode, encode

from .addresses import fold, parent_domains
from .tables import LIST_FLAGS, TableLookupError, Tables, place_of_parameter

_V4 = frozenset("0123456789.")
_V6 = _V4 | frozenset("abcdefABCDEF:")
_NESTING = 20
"""Depth of files that name files; Postfix has no limit, and never ends with a file that names itself."""


class PatternMatch(NamedTuple):
    """The pattern that decided, its place, and the text that it matched."""

    matched: bool
    """False if the pattern was negated."""
    pattern: str
    """As written, with its `!`."""
    key: str
    """The text that matched the pattern, or the key in the table."""
    place: Place | None
    """The line of the pattern in a file of patterns, else the setting."""
    parameter: str
    """The parameter whose value decided."""

    def __bool__(self) -> bool:
        return self.matched


class _Pattern(NamedTuple):
    text: str
    """Without `!`; case is folded unless it is a table."""
    positive: bool
    place: Place | None
    table: Table | None = None
    network: Network | None = None
    problem: str = ""
    """The error in a text that looks like a network."""


_Test: TypeAlias = "Callable[[MatchList, str, _Pattern], str | None]"


class MatchList:
    """The patterns of a parameter."""

    def __init__(self, tables: Tables, parameter: str, text: str, tests: tuple[_Test, ...], *, parents: bool) -> None:
        """Read patterns and open tables; use the functions below. Raises `ConfigError` where Postfix's daemons stop."""
        self.parameter = parameter
        self.parents = parents
        """True if a domain matches its subdomains without a dot (parent_domain_matches_subdomains)."""
        self.smtputf8 = tables.access(LIST_FLAGS).utf8
        self._tables = tables
        self._tests = tests
        self._setting = place_of_parameter(tables.view, parameter)
        self._patterns = list(self._read(text, True, self._setting, 0))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, *subjects: str) -> PatternMatch | None:
        """Return the pattern that decides, None without one; raise `TableLookupError`.

        There is one subject for each kind of test: a name, or a name and an address.
        """
        folded = [fold(subject, utf8=self.smtputf8) for subject in subjects]
        for pattern in self._patterns:
            for test, subject in zip(self._tests, folded, strict=True):
                key = test(self, subject, pattern)
                if key is not None:
                    shown = pattern.text if pattern.positive else f"!{pattern.text}"
                    return PatternMatch(pattern.positive, shown, key, pattern.place, self.parameter)
        return None

    def has(self, pattern: _Pattern, table: Table, key: str) -> bool:
        """Return True if a pattern's table has a key; raise `TableLookupError`."""
        self._tables.begin()
        try:
            return table.lookup(encode(key)) is not None
        except TableError as error:
            raise self.failure(pattern, key, self._tables.reason(error)) from error

    def failure(self, pattern: _Pattern, key: str, reason: str) -> TableLookupError:
        """Return the error for a pattern whose table has failed."""
        return TableLookupError(self.parameter, pattern.text, key, reason)

    def _read(self, text: str, positive: bool, place: Place | None, depth: int) -> Iterator[_Pattern]:
        for word in split_list(text):
            if word.startswith("#"):
                break  # a comment that Postfix warns about
            name = word.lstrip("!")
            match = positive is ((len(word) - len(name)) % 2 == 0)  # each `!` toggles
            if not name:
                raise ConfigError(f"{self.parameter}: no pattern after '!'", place, "remove the '!'")
            if name.startswith("/"):
                yield from self._read_file(name, match, depth)
            elif _is_table(name):
                table = self._tables.open(self.parameter, name, LIST_FLAGS)
                yield _Pattern(name, match, place, table)
            else:
                yield _with_network(_Pattern(fold(name, utf8=self.smtputf8), match, place))

    def _read_file(self, path: str, positive: bool, depth: int) -> Iterator[_Pattern]:
        if depth >= _NESTING:
            raise ConfigError(f"{self.parameter}: file {path} names itself", Place(path), "remove its name from it")
        try:
            data = read_regular(path)
        except OSError as error:
            problem = f"open file {path}: {error.strerror}"
            table = Surrogate("nofile", path, self._tables.access(LIST_FLAGS), problem)
            yield _Pattern(path, positive, self._setting, table)
            return
        for number, line in self._lines(data, path):
            yield from self._read(line, positive, Place(path, number), depth + 1)

    def _lines(self, data: bytes, path: str) -> Iterator[tuple[int, str]]:
        """Yield the lines of a file: logical ones since Postfix 3.8, before that all that do not begin with `#`."""
        lines = data.split(b"\n")
        if self._tables.view.config.release.since("3.8"):
            warn = self._tables.access(LIST_FLAGS).warn
            yield from ((number, decode(line)) for number, line in logical_lines(lines, path, warn))
        else:
            yield from ((number, decode(line)) for number, line in enumerate(lines, 1) if not line.startswith(b"#"))


def string_list(tables: Tables, parameter: str, text: str | None = None) -> MatchList:
    """Return a list of exact strings, such as mydestination."""
    return MatchList(tables, parameter, _value(tables, parameter, text), (_match_string,), parents=False)


def domain_list(tables: Tables, parameter: str, text: str | None = None) -> MatchList:
    """Return a list of domains and their subdomains, such as relay_domains."""
    parents = matches_parents(tables, parameter)
    return MatchList(tables, parameter, _value(tables, parameter, text), (_match_name,), parents=parents)


def address_list(tables: Tables, parameter: str, text: str | None = None) -> MatchList:
    """Return a list of addresses and networks, such as permit_mx_backup_networks."""
    return MatchList(tables, parameter, _value(tables, parameter, text), (_match_address,), parents=False)


def client_list(tables: Tables, parameter: str, text: str | None = None) -> MatchList:
    """Return a list of names and addresses of clients, such as mynetworks: `match(name, address)`."""
    parents = matches_parents(tables, parameter)
    tests = (_match_name, _match_address)
    return MatchList(tables, parameter, _value(tables, parameter, text), tests, parents=parents)


def matches_parents(tables: Tables, parameter: str) -> bool:
    """Return True if a domain in this parameter's lists and tables matches subdomains without a dot."""
    return bool(string_list(tables, "parent_domain_matches_subdomains").match(parameter))


def _value(tables: Tables, parameter: str, text: str | None) -> str:
    return tables.view[parameter] if text is None else text


def _is_table(pattern: str) -> bool:
    return not pattern.startswith("[") and ":" in pattern


def _with_network(pattern: _Pattern) -> _Pattern:
    """Parse a network, or an IPv6 address, which can be written in several ways.

    Other texts are names or IPv4 addresses, and are never wrong.
    """
    text = pattern.text
    if not any(each in ":/" for each in text) or not _V6.union("[]/").issuperset(text) or _V4.issuperset(text):
        return pattern
    try:
        return pattern._replace(network=parse_network(text))
    except NetworkPatternError as error:
        return pattern._replace(problem=str(error))


def _match_string(patterns: MatchList, subject: str, pattern: _Pattern) -> str | None:
    if pattern.table is not None:
        return subject if patterns.has(pattern, pattern.table, subject) else None
    return subject if subject == pattern.text else None


def _match_name(patterns: MatchList, subject: str, pattern: _Pattern) -> str | None:
    table = pattern.table
    if table is not None:
        keys = [subject] if subject else []
        if table.flags & Flags.FIXED:
            keys += parent_domains(subject, dotted=not patterns.parents)
        return next((key for key in keys if patterns.has(pattern, table, key)), None)
    text = pattern.text
    if subject == text:
        return subject
    if patterns.parents:
        return text if len(subject) > len(text) and subject.endswith("." + text) else None
    return text if text.startswith(".") and len(subject) > len(text) and subject.endswith(text) else None


def _match_address(patterns: MatchList, subject: str, pattern: _Pattern) -> str | None:
    if not _V6.issuperset(subject):
        return None
    if pattern.table is not None:
        return subject if patterns.has(pattern, pattern.table, subject) else None
    if pattern.text in (subject, f"[{subject}]"):
        return subject
    if (":" in subject) is not (":" in pattern.text):
        return None
    if pattern.problem:
        raise patterns.failure(pattern, subject, pattern.problem)
    if pattern.network is None:
        return None
    address = parse_address(subject)
    return subject if address is not None and pattern.network.holds(address) else None
