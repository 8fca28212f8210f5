"""Conditions of a change: data that is looked up in a configuration.

A condition is a table; all its keys have to hold. Lists mean any of their members. `KINDS` has the keys; the docstring
of each is its condition. Nothing here knows a release note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from postconf import View
from postconf.catalogue import Release

from ..context import Context, words_of
from ..facts.tls.key_files import client_level, server_level, servers
from ..rules.services.proxy import reusing_clients, screens_with_tls
from ..text.sources import Assignment
from .systems import System

Condition = Mapping[str, Any]

RESTRICTIONS = re.compile(r"smtpd_(client|helo|sender|relay|recipient|data|end_of_data|etrn)_restrictions")
_STANDARD = frozenset(
    [
        "anvil",
        "bounce",
        "cleanup",
        "discard",
        "error",
        "flush",
        "lmtp",
        "local",
        "pickup",
        "proxymap",
        "qmgr",
        "scache",
        "showq",
        "smtp",
        "smtpd",
        "tlsmgr",
        "trivial-rewrite",
        "verify",
        "virtual",
    ]
)
"""The programs that are assumed where there is no master.cf: those of the one that Postfix ships."""


class Situation:
    """A configuration as the old and as the new release see it."""

    def __init__(self, old: Context, new: Context, source: System, target: System) -> None:
        self.old = old
        self.new = new
        self.source = source
        self.target = target
        self._others: dict[str, Context] = {}

    def under(self, release: Release) -> Context:
        """Return the configuration as a release on the way sees it."""
        if release.name not in self._others:
            main = self.new.main if self.new.has_main else None
            self._others[release.name] = Context(main, self.new.master, release, self.new.files, self.new.options)
        return self._others[release.name]

    def has_program(self, program: str) -> bool:
        """Return True if a service runs this program."""
        return program in _STANDARD if self.old.master is None else self.old.has_program(program)

    def views(self, name: str) -> list[View]:
        """Return the views of the services that read a parameter; that of main.cf if it is not for services."""
        programs = self.readers(name)
        if self.old.master is None:
            return [self.old.config] if not programs or programs & _STANDARD else []
        return list(self.old.services(*programs)) if programs else [self.old.config]

    def readers(self, name: str) -> frozenset[str]:
        """Return the services' programs that read a parameter; empty if all do, or commands."""
        found: set[str] = set()
        for release in (self.old.release, self.new.release):
            if name in release.defaults:
                found.update(release.parameter(name).programs)
        if any(program.startswith("lib") or program in _COMMANDS for program in found):
            return frozenset()
        # proxymap(8) reads the parameters of other programs' tables, only to know the tables that it may open.
        return frozenset(found - {"proxymap"} or found)

    def values(self, name: str) -> list[str]:
        """Return the effective values of a parameter in the services that read it, in the old release."""
        return [self.old.value(name, view) for view in self.views(name) or [self.old.config]]

    def settings(self, names: list[str]) -> list[Assignment]:
        """Return the settings of these parameters that have a value."""
        return [each for each in self.old.named(*names) if (self.old.expanded(each) or "").strip()]

    def restrictions(self) -> Iterator[tuple[Assignment, str]]:
        """Yield the words of restriction lists and of restriction classes, each with its setting."""
        classes = {name for each in self.old.named("smtpd_restriction_classes") for name in self._words(each)}
        for each in self.old.everywhere:
            if RESTRICTIONS.fullmatch(each.name) or each.name in classes:
                for word in self._words(each):
                    yield each, word.lower()

    def _words(self, each: Assignment) -> list[str]:
        return list(words_of((self.old.expanded(each) or each.value).replace("{", " ").replace("}", " ")))

    def holds(self, condition: Condition) -> bool:
        """Return True if a condition holds; KeyError for a key that does not exist."""
        return all(KINDS[kind](self, wanted) for kind, wanted in condition.items())


_COMMANDS = frozenset(
    [
        "master",
        "postdrop",
        "postfix",
        "postlogd",
        "postmulti",
        "postqueue",
        "posttls-finger",
        "sendmail",
        "postalias",
        "postmap",
    ]
)


def _is_set(situation: Situation, names: list[str]) -> bool:
    """Return True if one of these parameters is set, and not to nothing."""
    return bool(situation.settings(names))


def _is_unset(situation: Situation, names: list[str]) -> bool:
    """Return True if main.cf sets no one of these parameters."""
    return not any(name in situation.old.main.effective for name in names)


def _has_value(situation: Situation, wanted: dict[str, list[str]]) -> bool:
    """Return True if each of these parameters has one of these values in effect, in some service."""
    return all(any(value.lower() in values for value in situation.values(name)) for name, values in wanted.items())


def _matches(situation: Situation, wanted: dict[str, str]) -> bool:
    """Return True if each expression is found in the effective value of its parameter."""
    return all(any(re.search(pattern, value) for value in situation.values(name)) for name, pattern in wanted.items())


def _has_program(situation: Situation, programs: list[str]) -> bool:
    """Return True if some service runs one of these programs."""
    return any(situation.has_program(program) for program in programs)


def _has_restriction(situation: Situation, pattern: str) -> bool:
    """Return True if a restriction list has a word that the expression describes."""
    return any(re.fullmatch(pattern, word) for _, word in situation.restrictions())


def _has_tls(situation: Situation, roles: list[str]) -> bool:
    """Return True if TLS is on in one of these roles of `_ROLES`."""
    return any(_ROLES[role](situation) for role in roles)


def _mentions(situation: Situation, pattern: str) -> bool:
    """Return True if the expression is found in some value of main.cf or master.cf."""
    return any(re.search(pattern, each.value) for each in situation.old.everywhere)


def _has_service_parameter(situation: Situation, names: list[str]) -> bool:
    """Return True if one of these parameters is set by -o in master.cf."""
    return any(each.name in names for each in situation.old.overrides)


def _any(situation: Situation, conditions: list[Condition]) -> bool:
    """Return True if one of these conditions holds."""
    return any(situation.holds(condition) for condition in conditions)


def _not(situation: Situation, condition: Condition) -> bool:
    """Return True if the condition does not hold."""
    return not situation.holds(condition)


def _upgrades_to(situation: Situation, families: dict[str, str]) -> bool:
    """Return True if the target is this distribution from a number on, and the source is an older one of it."""
    for family, first in families.items():
        number = tuple(map(int, first.split(".")))
        source, target = situation.source, situation.target
        if target.family == family and target.number >= number and source.family == family:
            return source.number < number
    return False


def _client_levels(situation: Situation) -> set[str]:
    """Return the levels of smtp(8) services in both releases; a policy table stands for all levels."""
    contexts = (situation.old, situation.new)
    levels = {client_level(context, view) for context in contexts for view in context.views("smtp")}
    return levels | ({"may", "encrypt"} if _is_set(situation, ["smtp_tls_policy_maps"]) else set())


def _server_levels(situation: Situation) -> set[str]:
    return {server_level(situation.old, view) for view in servers(situation.old)}


def _lmtp_levels(situation: Situation) -> set[str]:
    return {situation.old.value("lmtp_tls_security_level", view) for view in situation.old.views("lmtp")}


_NONE = {"", "none"}
_ROLES: dict[str, Callable[[Situation], object]] = {
    "server": _server_levels,
    "server at may": lambda situation: "may" in _server_levels(situation),
    "server at encrypt": lambda situation: "encrypt" in _server_levels(situation),
    "client": lambda situation: _client_levels(situation) - _NONE,
    "client at may": lambda situation: "may" in _client_levels(situation),
    "client above may": lambda situation: _client_levels(situation) - _NONE - {"may"},
    "lmtp": lambda situation: _lmtp_levels(situation) - _NONE,
    "tlsproxy": lambda situation: screens_with_tls(situation.old) or reusing_clients(situation.old),
}

KINDS: dict[str, Callable[[Situation, Any], bool]] = {
    "set": _is_set,
    "unset": _is_unset,
    "value": _has_value,
    "matches": _matches,
    "program": _has_program,
    "restriction": _has_restriction,
    "tls": _has_tls,
    "mentions": _mentions,
    "service_sets": _has_service_parameter,
    "any": _any,
    "not": _not,
    "upgrades_to": _upgrades_to,
}
"""The kinds of conditions by their key."""
