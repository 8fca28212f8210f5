"""Systems, the two sides of an upgrade: a Postfix release by number, or the Postfix of a distribution."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from postconf.catalogue import Release, UnknownReleaseError, release, releases, upstream_releases
from postconf.spelling import suggestion

from ...errors import TlsproxyError

_DATA = Path(__file__).with_name("distributions.toml")
BERKELEY_DB = frozenset(["hash", "btree"])


class UnknownSystemError(TlsproxyError):
    """A name that is neither a Postfix release nor a known distribution; the text lists the known ones."""


@dataclass(frozen=True)
class System:
    """One side of an upgrade."""

    name: str
    """As it was given: `3.10` or `debian13`."""
    release: Release
    packages: frozenset[str] = frozenset()
    """Table types that are packages of their own."""
    missing: frozenset[str] = frozenset()
    """Table types that are not there at all."""
    family: str = ""
    """The distribution without its number; empty for a release by number."""
    number: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """Return the Postfix release, with the distribution that it comes with."""
        number = self.release.name.partition("-debian")[0]
        return f"{number} ({self.name})" if self.family else number


def parse_system(name: str) -> System:
    """Return the system of a name; raise `UnknownSystemError`."""
    distribution = _distributions().get(_squeezed(name))
    if distribution is not None:
        return distribution
    if not name[:1].isdigit():
        known = ", ".join(system.name for system in dict.fromkeys(_distributions().values()))
        meant = suggestion(name, _distributions())
        raise UnknownSystemError(f"{name} is neither a Postfix release nor a distribution{meant}; known are {known}")
    return System(name, _release(name))


def of_release(known: Release) -> System:
    """Return the system of a release of the catalogue: a distribution, if it is that distribution's build."""
    family = known.name.partition("-")[2]
    return _distributions().get(family) or System(known.name, known)


def distributions() -> list[System]:
    """Return all distributions, in the order of the data."""
    return list(dict.fromkeys(_distributions().values()))


def system_names() -> list[str]:
    """Return the names that stand for a system: the branches of the catalogue, then distributions."""
    branches = [".".join(name.partition("-")[0].split(".")[:2]) for name in upstream_releases()]
    return [*dict.fromkeys(branches), *(system.name for system in distributions())]


@cache
def _distributions() -> dict[str, System]:
    found: dict[str, System] = {}
    for entry in tomllib.loads(_DATA.read_text(encoding="utf-8"))["distribution"]:
        family = entry["name"].rstrip("0123456789.")
        number = entry["name"].removeprefix(family)
        known = _release(entry["postfix"], entry["name"])
        known.defaults.update(entry.get("defaults", {}))
        system = System(
            entry["name"],
            known,
            frozenset(entry.get("packages", ())),
            frozenset(entry.get("missing", ())),
            family,
            tuple(map(int, number.split("."))),
        )
        for name in (entry["name"], *entry.get("aliases", ())):
            found[_squeezed(name)] = system
    return found


def _release(version: str, distribution: str = "") -> Release:
    """Return the catalogue's release; one of the branch before its oldest is made of the oldest one."""
    build = next((name for name in releases() if distribution and name == f"{version}-{distribution}"), version)
    try:
        return release(build)
    except UnknownReleaseError as error:
        if version.startswith("3.4.") and version.removeprefix("3.4.").isdigit():
            return Release(version, upstream_releases()[0])
        raise UnknownSystemError(str(error)) from None


def _squeezed(name: str) -> str:
    """Return a name without the case and signs that people vary: Ubuntu 24.04, ubuntu-24.04."""
    return name.lower().replace(" ", "").replace("-", "").replace("_", "")
