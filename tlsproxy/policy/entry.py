"""The value of a smtp_tls_policy_maps table: `level attribute=value …` (postconf(5), TLS_README). No I/O.

A mistake in an attribute makes the whole entry unusable, since a part of a policy is a weaker policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from maps.naming import BracesError, in_braces, split_list
from postconf.catalogue import Release
from postconf.syntax.lines import decode
from postconf.values import (
    CLIENT_LEVELS,
    LONG_MAX,
    SPACE,
    InvalidValueError,
    SecurityLevel,
    security_level,
    words,
)

from ..hostnames import is_hostname
from ..wire.dane import TlsaRecord
from .errors import Where
from .records import fingerprints

_REPORT_TYPES = ("sts", "no-policy-found")
_REPORT_FAILURES = ("sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid", "validation-failure")
_MATCH_SEPARATORS = {
    SecurityLevel.FINGERPRINT: "|",
    SecurityLevel.VERIFY: ":",
    SecurityLevel.SECURE: ":",
}


@dataclass(slots=True)
class PolicyEntry:
    """A policy as a table has it: its level and attributes (postconf(5), smtp_tls_policy_maps).

    A field with None or an empty value is not in the entry, and main.cf decides. `policy_ttl` is in seconds.
    """

    level: SecurityLevel
    match: tuple[str, ...] | None = None
    """Names, or fingerprints at that level."""
    ciphers: str | None = None
    protocols: str | None = None
    servername: str | None = None
    exclude: str | None = None
    tafile: tuple[str, ...] = ()
    connection_reuse: bool | None = None
    enable_rpk: bool | None = None
    policy_type: str | None = None
    policy_domain: str | None = None
    policy_ttl: int | None = None
    policy_string: tuple[str, ...] = ()
    mx_host_pattern: tuple[str, ...] = ()
    policy_failure: str | None = None
    fingerprints: tuple[TlsaRecord, ...] | None = None
    """Fingerprints in `match`; Postfix until 3.8 parses them with the entry."""
    warnings: list[str] = field(default_factory=list)
    """Warnings of Postfix about an entry that it accepts."""


def parse_entry(value: bytes | str, where: Where, release: Release) -> PolicyEntry:
    """Parse the value of a key, with the attributes of a `release`; raise `PolicyError`.

    `where`: the key, for messages. `release`: that of `view.config.release`.
    """
    text = decode(value) if isinstance(value, bytes) else value
    braces = release.since("3.10")
    elements = list(_located(text, braces=braces))
    if not elements:
        raise where.error("invalid empty policy", 1)
    column, word = elements.pop(0)
    try:
        level = security_level(word, CLIENT_LEVELS)
    except InvalidValueError:
        level = None
    if level is None:
        raise where.error(f'invalid security level "{word}"', column)
    entry = PolicyEntry(level)
    if level < SecurityLevel.MAY:
        for _, word in elements:
            entry.warnings.append(where.warning(f'ignoring attribute "{word}" with TLS disabled'))
        return entry
    for column, word in elements:
        try:
            _add(entry, *_name_and_value(word, braces=braces), release)
        except _EntryError as mistake:
            raise where.error(str(mistake), column) from None
    _check_reporting(entry, where)
    if level is SecurityLevel.FINGERPRINT and not release.since("3.9"):
        entry.fingerprints = fingerprints(entry.match or (), entry.warnings.append)
    return entry


class _EntryError(Exception):
    """An invalid attribute, with the text of Postfix."""


def _located(text: str, *, braces: bool) -> Iterator[tuple[int, str]]:
    """Yield the elements of a policy, each with its column. Since Postfix 3.10, braces hold one together."""
    position = 0
    for element in split_list(text) if braces else words(text):
        position = text.index(element, position)
        yield position + 1, element
        position += len(element)


def _name_and_value(element: str, *, braces: bool) -> tuple[str, str]:
    """Split `name=value` (split_nameval(3)), perhaps in braces."""
    text = element
    try:
        if braces and element.startswith("{"):
            text = " ".join(in_braces(element).split())
    except BracesError as error:
        raise _EntryError(f'malformed attribute/value pair "{element}": {error}') from None
    name, equals, value = text.partition("=")
    name = name.strip(SPACE)
    problem = ""
    if not name:
        problem = "missing attribute name"
    elif not equals or any(blank in name for blank in SPACE):
        problem = "missing '=' after attribute name"
    if problem:
        raise _EntryError(f'malformed attribute/value pair "{text}": {problem}')
    return name, value.strip(SPACE)


def _add(entry: PolicyEntry, name: str, value: str, release: Release) -> None:
    known = name.lower() if name.isascii() else name
    handler = _ATTRIBUTES.get(known)
    if handler is None or not release.since(_SINCE.get(known, "3.4")):
        raise _EntryError(f'invalid attribute name: "{name}"')
    handler(entry, name, value)


def _once(check: Callable[[str, str], Any] = lambda _name, value: value) -> Callable[[PolicyEntry, str, str], None]:
    """Return a handler for an attribute that may occur once; `check` converts its value, or raises."""

    def add(entry: PolicyEntry, name: str, value: str) -> None:
        if getattr(entry, name.lower()) is not None:
            raise _EntryError(f'attribute "{name}" is specified multiple times')
        setattr(entry, name.lower(), check(name, value))

    return add


def _switch(entry: PolicyEntry, name: str, value: str) -> None:
    """Set an attribute that is `yes` or `no`; the last one counts."""
    if value.lower() not in ("yes", "no"):
        raise _EntryError(f'attribute "{name}" has bad value: "{value}"')
    setattr(entry, name.lower(), value.lower() == "yes")


def _many(entry: PolicyEntry, name: str, value: str) -> None:
    """Add to an attribute that may be repeated."""
    setattr(entry, name.lower(), (*getattr(entry, name.lower()), value))


def _ciphers(entry: PolicyEntry, name: str, value: str) -> None:
    _not_empty(name, value)
    _once()(entry, name, value)


def _match(entry: PolicyEntry, name: str, value: str) -> None:
    _not_empty(name, value)
    separator = _MATCH_SEPARATORS.get(entry.level)
    if separator is None:
        raise _invalid_here(entry, name)
    entry.match = (entry.match or ()) + words(value, separator)


def _tafile(entry: PolicyEntry, name: str, value: str) -> None:
    if entry.level not in (SecurityLevel.VERIFY, SecurityLevel.SECURE):
        raise _invalid_here(entry, name)
    _not_empty(name, value)
    _many(entry, name, value)


def _hostname(name: str, value: str) -> str:
    if not is_hostname(value):
        raise _EntryError(f'"{name}={value}" specifies an invalid hostname')
    return value


def _domain(name: str, value: str) -> str:
    if not is_hostname(value):
        raise _EntryError(f'attribute "{name}" has a malformed value: "{value}"')
    return value


def _seconds(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 40 or int(value) > LONG_MAX:
        raise _EntryError(f'attribute "{name}" has a malformed value: "{value}"')
    return int(value)


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value.lower() not in allowed:
            raise _EntryError(f'attribute "{name}" has an unexpected value: "{value}"')
        return value

    return check


def _not_empty(name: str, value: str) -> None:
    if not value:
        raise _EntryError(f'attribute "{name}" has empty value')


def _invalid_here(entry: PolicyEntry, name: str) -> _EntryError:
    return _EntryError(f'attribute "{name}" invalid at security level "{entry.level.word}"')


def _check_reporting(entry: PolicyEntry, where: Where) -> None:
    """Check the attributes for TLS reports (RFC 8460), which only policies from outside have."""
    given = (entry.policy_ttl, entry.policy_domain, entry.policy_failure)
    if entry.policy_type is None and (entry.policy_string or entry.mx_host_pattern or given != (None, None, None)):
        raise where.error(
            "built-in policy has unexpected attribute "
            "policy_ttl, policy_domain, policy_string, mx_host_pattern or policy_failure"
        )


_ATTRIBUTES: dict[str, Callable[[PolicyEntry, str, str], None]] = {
    "ciphers": _ciphers,
    "protocols": _once(),
    "servername": _once(_hostname),
    "match": _match,
    "exclude": _once(),
    "tafile": _tafile,
    "connection_reuse": _switch,
    "enable_rpk": _switch,
    "policy_ttl": _once(_seconds),
    "policy_type": _once(_one_of(_REPORT_TYPES)),
    "policy_domain": _once(_domain),
    "policy_string": _many,
    "mx_host_pattern": _many,
    "policy_failure": _once(_one_of(_REPORT_FAILURES)),
}
_REPORTING = ("policy_ttl", "policy_type", "policy_domain", "policy_string", "mx_host_pattern", "policy_failure")
_SINCE = {"enable_rpk": "3.9"} | dict.fromkeys(_REPORTING, "3.10")
