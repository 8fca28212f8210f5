"""The comparison of two releases for one configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..context import Context, Options
from ..engine import Checked
from ..facts.filesystem import FileSystem
from ..text.sources import MainFile, MasterFile
from ..text.templates import templates
from .change import Change
from .conditions import Situation
from .defaults import changed_defaults
from .settings import changed_settings
from .systems import System
from .tables import changed_tables


@dataclass
class Compared(Checked):
    """One configuration after the comparison; its findings are those of the changes."""

    changes: list[Change] = field(default_factory=list)
    """The worst first."""


def compare(
    main: MainFile | None,
    master: MasterFile | None,
    source: System,
    target: System,
    files: FileSystem,
    *,
    options: Options | None = None,
) -> Compared:
    """Return the changes that an upgrade from `source` to `target` brings to a configuration."""
    old = Context(main, master, source.release, files, options)
    situation = Situation(old, Context(main, master, target.release, files, options), source, target)
    found = [*changed_settings(situation), *changed_tables(situation)]
    if old.has_main:  # without it, the settings are not known
        found += changed_defaults(situation)
    markup = templates(old)
    changes = sorted(
        {each for each in found if not markup or not markup.hides(each.finding)}, key=lambda change: change.order
    )
    return Compared(old.texts, [each.finding for each in changes], changes)
