"""Expanded defaults of parameters: cached by release, as long as nothing that they refer to is set.

Most defaults refer to no other parameter, or to compatibility_level alone. Those that depend on the machine, or on a
service, are not in the cache.
"""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache

from postconf.catalogue import ADHOC, COMPUTED, RAW, Release
from postconf.syntax.expressions import ExpressionError, OperandError, expand, names_in

LEVEL = "compatibility_level"
_OF_SERVICES = ("process_name", "service_name")
_LONGEST_LEVEL = 20


def cached_default(
    name: str, release: Release, settings: Container[str], level: str | None
) -> tuple[str | None] | None:
    """Return a tuple of the expanded default of a parameter; None if the cache does not have it.

    `settings`: names that are set, without this one. `level`: value of compatibility_level, None if it is not set. The
    tuple has None for a default that can't be expanded.
    """
    reached = references_of_default(name, release)
    if reached is None:
        return None
    if not reached or not any(each in settings for each in reached):
        return (_expanded(name, release, None),)
    if level is None or len(level) > _LONGEST_LEVEL or "$" in level:
        return None
    if any(each in settings for each in reached if each != LEVEL):
        return None
    return (_expanded(name, release, level),)


@lru_cache(maxsize=64)
def plain_defaults(release: Release) -> dict[str, str]:
    """Return the defaults that depend on nothing: neither on parameters, nor on the machine or a service."""
    return {
        name: default
        for name, default in release.defaults.items()
        if "$" not in default and name not in _OF_SERVICES and release.kinds[name] not in (COMPUTED, ADHOC, RAW)
    }


@lru_cache(maxsize=8192)
def references_of_default(name: str, release: Release) -> frozenset[str] | None:
    """Return all names that a default refers to, also indirectly; None if it depends on more than parameters."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in _OF_SERVICES or release.kinds.get(each) in (None, COMPUTED, ADHOC, RAW):
            return None
        names, _ = names_in(release.defaults[each], calls=release.since("3.11"))
        waiting += [other for other in names if other not in found]
        found.update(names)
    return frozenset(found)


@lru_cache(maxsize=8192)
def _expanded(name: str, release: Release, level: str | None) -> str | None:
    def lookup(other: str) -> str | None:
        return level if other == LEVEL and level is not None else release.defaults[other]

    try:
        return expand(release.defaults[name], lookup, _ignore, calls=release.since("3.11"))
    except (ExpressionError, OperandError):
        return None


def _ignore(_warning: str) -> None:
    """Discard a warning about a built-in default."""
