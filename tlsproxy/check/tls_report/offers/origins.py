"""Origins: the line and file that have decided on a parameter, and the warnings of those that do not."""

from __future__ import annotations

from collections.abc import Iterable

from postconf import ConfigError, View
from postconf.origins import place_of

from ...facts.tls.daemon_loader import LoaderVerdict


def origins(view: View, names: Iterable[str]) -> dict[str, str]:
    """Return file:line of each parameter that is set, or whose default refers to one that is."""
    found = {}
    for name in dict.fromkeys(names):
        try:
            place = place_of(view, name)
        except (KeyError, ConfigError):
            continue
        if place is not None and place.line:
            found[name] = f"{place.path}:{place.line}"
    return found


class OfferWarnings(LoaderVerdict):
    """The loader's warnings; its other log lines are left out."""

    def info(self, text: str) -> None:
        """Drop a line."""
