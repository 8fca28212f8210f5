"""Suggestions for misspelled names, for one configuration: the known names that they most likely stand for.

A search takes a millisecond, and files of strangers can have any number of names: after a bounded number of searches
all answers are empty. `postconf.spelling` decides which names are near.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache

from postconf.catalogue import Release
from postconf.spelling import did_you_mean, nearest, similar

_LONGEST_KEPT = 500
"""Characters of a name that is remembered for the next configuration."""
_MOST_SEARCHES = 500
"""Names for which a near one is looked for."""
_MOST_COMPARISONS = 200_000
"""Names that are compared with misspelled ones: some 0.3 s for those of services, a few seconds for other words."""


class Suggestions:
    """Suggestions for one configuration. An empty text means that no name is near, or that a bound is reached."""

    def __init__(self, release: Release, service_names: Iterable[str]) -> None:
        """`service_names`: parameters that exist because of a service of master.cf."""
        self._release = release
        self._service_names = service_names
        self._nearest: dict[str, str] = {}
        self._similar: dict[str, str] = {}
        self._nearest_of_services: dict[str, str] = {}
        self._compared = 0

    def nearest_parameter(self, name: str) -> str:
        """Return the parameter that differs from a name by a typing error."""
        if name not in self._nearest:
            enough = len(self._nearest) >= _MOST_SEARCHES
            find = _nearest if len(name) < _LONGEST_KEPT else _nearest.__wrapped__
            self._nearest[name] = "" if enough else find(name, self._release)
        return self._nearest[name]

    def similar_parameter(self, name: str) -> str:
        """Return a parameter that looks like a name, though more letters differ."""
        if name not in self._similar:
            enough = len(self._similar) >= _MOST_SEARCHES
            find = _similar if len(name) < _LONGEST_KEPT else _similar.__wrapped__
            self._similar[name] = "" if enough else find(name, self._release)
        return self._similar[name]

    def nearest_of_service(self, name: str) -> str:
        """Return the nearest parameter that a service of the same first word makes."""
        if name not in self._nearest_of_services:
            own = self._by_first_word.get(name.partition("_")[0], ()) if "_" in name else ()
            enough = self._compared >= _MOST_COMPARISONS
            self._compared += len(own)
            self._nearest_of_services[name] = nearest(name, own) if own and not enough else ""
        return self._nearest_of_services[name]

    @cached_property
    def _by_first_word(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self._service_names:
            word, sign, _ = each.partition("_")
            if sign:
                found.setdefault(word, []).append(each)
        return found

    def did_you_mean(self, word: str, known: Collection[str], cutoff: float) -> str:
        """Return a line of help with the most similar of some words."""
        self._compared += len(known)
        return "" if self._compared > _MOST_COMPARISONS else did_you_mean(word, known, cutoff)


@lru_cache(maxsize=4096)  # many configurations have the same mistakes
def _nearest(name: str, release: Release) -> str:
    return nearest(name, release.kinds)


@lru_cache(maxsize=4096)
def _similar(name: str, release: Release) -> str:
    return similar(name, release.kinds)
