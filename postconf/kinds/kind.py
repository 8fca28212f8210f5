"""Table of kinds: the language of each parameter, by name and release.

`data/kinds.tsv` has one line for each parameter whose type in Postfix's own tables is a text: its kind, a detail, the
outcome of an invalid value, and the settings without which the value is not read.

- detail: the words that are allowed. `word@3.7.20,3.8.15` exists since these releases of the branches, `=word` is
  case-sensitive. For kind `text`, the reason why any text is allowed.
- effect: an outcome, or `program=outcome …` where programs differ.
- needs: `name=value` or `name!=value`, `!name` (is not set), `name|other` (one of them is not empty).
"""

from __future__ import annotations

import enum
import re
from copy import copy
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from postconf.catalogue import Parameter, Release, kind_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from .reading import Reading

PLAIN = {"bool": "boolean", "nbool": "boolean", "int": "number", "nint": "number", "long": "number", "time": "time"}
"""Types in Postfix's own tables that are kinds."""
READ_ONLY = "read-only"
RESTRICTIONS = "restrictions"
TEXT = "text"

_FAMILIES = {
    "plain": ("boolean", "number", "time", READ_ONLY),
    "choices": (
        *("enum", "mask", "mask-any-case", "families", "network-style", "names", "sasl-options", "permissions"),
        *("eecdh-grade", "milter-protocol", "table-type", "classes"),
    ),
    "lists": (
        *("domains", "strings", "mechanisms", "users", "masquerade", "restrictions", "access-list", "rewrite-clients"),
        *("requiretls", "tables", "table", "tables-with-references", "transports"),
    ),
    "networks": ("clients", "networks", "interfaces", "ip-address"),
    "hosts": (
        *("hostname", "helo-name", "domain", "origin", "tls-servername", "cert-match", "mail-address", "sender"),
        *("user", "group", "dnssec-probe"),
    ),
    "routes": (
        *("transport", "nexthop", "nexthops", "port", "proxy-endpoint", "service-name", "service-patterns"),
        "known-ports",
    ),
    "milters": ("milters", "macros", "macro-values"),
    "dnsbl": ("dnsbl-sites",),
    "tls": (
        *("client-level", "server-level", "tls-protocols", "tls-grade", "tls-exclusions", "tls-ciphers", "digest"),
        *("digests", "tls-loglevel", "tls-groups", "tls-options", "fingerprints"),
    ),
    "files": (
        *("file", "files", "directory", "directories", "colon-directories", "path", "program", "program-name"),
        *("random-source", "command"),
    ),
    "texts": (
        *("template", "text", "characters", "verp-delimiters", "rate", "headers", "environment", "level", "action"),
        *("time-format", "charset", "parameter-name"),
    ),
}
"""Kinds by the module with their reader."""
_OLD_NAME = re.compile(r"\$(\w+)\Z|\$\{(\w+)[?:}]")
"""A default that is a reference, as most parameters with an old name have it."""
_MODULE_OF = {kind: module for module, kinds in _FAMILIES.items() for kind in kinds}


class Outcome(enum.StrEnum):
    """Consequences of an invalid value, the worst first."""

    DIES = "dies"
    """The program exits at start; master(8) restarts it again and again."""
    DIES_LATER = "dies-later"
    """The program exits when it first needs the value."""
    DEFERS = "defers"
    """Mail is deferred, or refused for the time being."""
    NO_TLS = "no-tls"
    """TLS is turned off, or handshakes fail."""
    WARNS = "warns"
    """A warning is logged, and the value has no effect."""
    IGNORES = "ignores"
    """Nothing is logged, and the word has no effect."""


_SENTENCES = {
    Outcome.DIES: "{} at start",
    Outcome.DIES_LATER: "{} when the value is needed",
    Outcome.DEFERS: "mail is deferred, or refused with a 4xx reply",
    Outcome.NO_TLS: "TLS is turned off, or handshakes fail",
    Outcome.WARNS: "a warning is logged, and it has no effect",
    Outcome.IGNORES: "it is ignored silently",
}
_MOST_NAMED = 3
_LONGEST_KEPT = 200
_COMMANDS = ("postalias", "postdrop", "postfix", "postmulti", "postqueue", "postsuper", "posttls-finger", "sendmail")


class Kind:
    """Kind of one parameter in one release.

    `words` are the allowed words, for kinds with a list. `outcomes` has the outcome of an invalid value for each
    program, or under the key "" for all programs with the parameter. `needs` are the settings without which the value
    is not read. `reason` explains why any text is allowed.
    """

    def __init__(self, name: str, parameter: Parameter | None, detail: str, effect: str, needs: str) -> None:
        """`detail`: the column of the table without the words of other releases."""
        self.name = name
        self.parameter = parameter
        self.reason = detail if name == TEXT else ""
        self.words = () if name == TEXT else tuple(detail.split())
        self.needs = needs
        pairs = [each.rpartition("=") for each in effect.split()]
        self.outcomes = {program: Outcome(outcome) for program, _, outcome in pairs}

    def read(self, text: str) -> Reading:
        """Read an expanded value. The result is cached and shared."""
        return _read_again(self, text) if len(text) < _LONGEST_KEPT else self.reader(self, text)

    @cached_property
    def reader(self) -> Callable[[Kind, str], Reading]:
        """The function that reads values of this kind."""
        module = import_module(f".{_MODULE_OF[self.name]}", __package__)
        readers: dict[str, Callable[[Kind, str], Reading]] = module.READERS
        return readers[self.name]

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of a bad value."""
        return min(self.outcomes.values(), key=list(Outcome).index, default=Outcome.IGNORES)

    @property
    def programs(self) -> tuple[str, ...]:
        """Programs that read the value; empty if a library reads it, so that every program may be affected."""
        programs = tuple(filter(None, self.outcomes)) or (self.parameter.programs if self.parameter else ())
        if any(each.startswith("lib") for each in programs):
            return ()
        return tuple(each for each in programs if each != "proxymap") or programs

    @property
    def services(self) -> tuple[str, ...]:
        """The same programs if master(8) runs all of them; else empty."""
        programs = self.programs
        return () if any(each in (*_COMMANDS, "master") for each in programs) else programs

    @property
    def effect(self) -> str:
        """Reaction of Postfix to an invalid value, in English."""
        return self.effect_of(self.outcome)

    def effect_of(self, outcome: Outcome) -> str:
        """Return the reaction of Postfix for a given outcome."""
        concerned = tuple(each for each, what in self.outcomes.items() if each and what == outcome)
        return _SENTENCES[outcome].format(_die(concerned or self.programs))


@lru_cache(maxsize=4096)  # many configurations have the same settings
def _read_again(kind: Kind, text: str) -> Reading:
    return kind.reader(kind, text)


def _die(programs: tuple[str, ...]) -> str:
    if not programs:
        return "every program is fatal"
    names = [f"{each}({1 if each in _COMMANDS else 8})" for each in programs]
    if len(names) == 1:
        return f"{names[0]} is fatal"
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and others are fatal"
    return f"{', '.join(names[:-1])} and {names[-1]} are fatal"


def kind_of(name: str, release: Release, *, classes: frozenset[str] = frozenset()) -> Kind | None:
    """Return the kind of a parameter; None if it is not built in, not made by a service, and not in `classes`.

    `classes` are the restriction classes of the configuration (smtpd_restriction_classes): their values are lists of
    restrictions.
    """
    return _built_in(name, release) or (_of_class(release) if name in classes else _of_service(name, release))


@lru_cache(maxsize=4096)
def _built_in(name: str, release: Release) -> Kind | None:
    present = name if name in release.kinds else present_name(name, release)
    if not present:
        return None
    parameter = release.parameter(present)
    if parameter.kind in PLAIN:
        return Kind(PLAIN[parameter.kind], parameter, "", "dies", "")
    return _from_row(_table()[present], parameter, release)


def present_name(name: str, release: Release) -> str:
    """Return the parameter whose default is the value of an old name; empty without one."""
    return _present_names(release).get(name, "")


@lru_cache(maxsize=64)
def _present_names(release: Release) -> dict[str, str]:
    found = {}
    for name, default in release.defaults.items():
        reference = _OLD_NAME.match(default) if release.kinds.get(name) != "raw" else None
        old = (reference[1] or reference[2]) if reference else ""
        if old and old not in release.kinds:
            found[old] = name
    return found


@lru_cache(maxsize=64)
def _of_class(release: Release) -> Kind:
    return _from_row(_table()["smtpd_recipient_restrictions"], None, release)


@lru_cache(maxsize=4096)
def _of_service(name: str, release: Release) -> Kind | None:
    """Return the kind of a parameter that a service of master.cf makes valid, such as NAME_destination_rate_delay."""
    suffixes = [suffix for program in ("smtp", "pipe") for suffix, _ in release.service_parameters(program)]
    suffix = max((each for each in suffixes if name.endswith(each) and name != each), key=len, default="")
    if not suffix:
        return None
    defaults = dict(pair for program in ("smtp", "pipe") for pair in release.service_parameters(program))
    made_from = defaults[suffix].removeprefix("$")
    kind = _built_in(made_from, release)
    parameter = copy(release.parameter(made_from))
    parameter.name = name
    return kind and Kind(kind.name, parameter, " ".join(kind.words), _effects(kind), kind.needs)


def _effects(kind: Kind) -> str:
    return " ".join(f"{program}={outcome}" if program else outcome for program, outcome in kind.outcomes.items())


def _from_row(row: tuple[str, str, str, str], parameter: Parameter | None, release: Release) -> Kind:
    kind, detail, effect, needs = row
    if "@" in detail and kind != TEXT:
        words = [each.partition("@") for each in detail.split()]
        detail = " ".join(word for word, _, since in words if not since or release.since(*since.split(",")))
    return Kind(kind, parameter, detail, effect, needs)


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[str, str, str, str]]:
    return {name: (kind, detail, effect, needs) for name, kind, detail, effect, needs in kind_rows()}
