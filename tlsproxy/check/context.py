"""Context of a rule: the files, the effective values, and helpers that find places in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from postconf import Config, ConfigError, ServiceView, View
from postconf.catalogue import ADHOC, RAW, Release
from postconf.config import DEFAULT_DIRECTORY
from postconf.machine.host import FixedHost
from postconf.origins import chain
from postconf.syntax.expressions import Budget, ExpressionError
from postconf.syntax.maincf import Setting
from postconf.syntax.mastercf import Master, Service

from .defaults import LEVEL, cached_default, plain_defaults, references_of_default
from .facts.filesystem import FileSystem
from .facts.suggestions import Suggestions
from .findings import Span
from .text.sources import Assignment, MainFile, MasterEntry, MasterFile, Source, Text

if TYPE_CHECKING:
    from postconf.syntax.expressions import Known

    from ..policy import Resolver

Kept = TypeVar("Kept")

_EXPANSIONS = 16 << 20
"""Characters that the expansion of all values of one configuration may copy (`Budget`): some four seconds."""
_MOST_BRACES = 2000
"""Opening braces in one value, and the depth of nested ones: their time grows with its square."""
_DEEPEST = 100
_BRACE = re.compile(r"[{}]")
_TESTED = re.compile(r"\$[{(](\w+)[?:]", re.ASCII)
"""A name that a condition asks for."""


@dataclass(frozen=True)
class Options:
    """Options of a run that rules use."""

    directory: str = ""
    """Value of config_directory; empty if the text does not come from a file."""
    directories: Mapping[str, str] = field(default_factory=dict)
    """Directories that this run checks: as they were named, by absolute name on this machine."""
    expiry_days: int = 21
    known: frozenset[str] = field(default_factory=frozenset)
    """Parameters that other programs read from main.cf."""
    served: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Certificates in use by a running daemon: SHA-256 digests of the daemon's certificates, by file."""
    resolver: Resolver | None = None
    """Resolver for TLSA records."""


class _Elsewhere(Config):
    """Effective values on another machine: its addresses are unknown, and so are values that depend on them."""

    def default(self, name: str) -> str | None:
        """Return the default; empty where it can't be computed, for which rules have messages of their own."""
        if name in self._unknown:
            return ""
        try:
            return super().default(name)
        except ConfigError:
            self._unknown.add(name)
            return ""

    @cached_property
    def _unknown(self) -> set[str]:
        """Defaults that can't be computed: an attempt takes a step for each word of inet_interfaces."""
        return set()


class Context:
    """One configuration: main.cf, master.cf or both."""

    def __init__(
        self,
        main: MainFile | None,
        master: MasterFile | None,
        release: Release,
        files: FileSystem,
        options: Options | None = None,
    ) -> None:
        self.has_main = main is not None
        self.main = main or MainFile("main.cf", "")
        self.master = master
        """None if there is no master.cf to look at."""
        self.release = release
        self.files = files
        self.options = options or Options()
        directory = self.options.directory or DEFAULT_DIRECTORY
        services = master.services if master else []
        self.config = _Elsewhere(
            directory,
            release,
            {"config_directory": Setting("config_directory", directory, None), **self.main.settings},
            Master(master.path if master else "master.cf", services),
            host=FixedHost("mail.example.com"),
        )
        self.config.budget = Budget(_EXPANSIONS)
        self._plain = plain_defaults(release)
        self._known: dict[int, dict[str, Known]] = {}
        self._values: dict[tuple[int, str], str] = {}
        self._expanded_settings: dict[Assignment, str | None] = {}
        self._references_of: dict[Assignment, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._views_of_several: dict[tuple[str, ...], list[ServiceView]] = {}
        self._kept: dict[object, object] = {}

    @property
    def sources(self) -> list[Source]:
        """The files that it consists of."""
        found: list[Source] = [self.main] if self.has_main else []
        return [*found, self.master] if self.master else found

    @property
    def texts(self) -> list[Text]:
        """The same without all that was read from them."""
        return [Text(source.path, source.text) for source in self.sources]

    def keep(self, make: Callable[[Context], Kept]) -> Kept:
        """Return the result of a function for this configuration, cached."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return cast("Kept", self._kept[make])

    def forget(self) -> None:
        """Drop the files and all results: they refer to each other, and the garbage collector would have to find them.

        The context can't be used afterwards.
        """
        vars(self).clear()

    # Settings

    @cached_property
    def overrides(self) -> list[Assignment]:
        """All -o settings of master.cf."""
        return [each for entry in self.entries for each in entry.assignments()]

    @cached_property
    def _overridden(self) -> frozenset[str]:
        return frozenset(each.name for each in self.overrides)

    @cached_property
    def everywhere(self) -> list[Assignment]:
        """All settings in effect: those of main.cf that no later one replaces, then -o settings."""
        return [*self.main.effective.values(), *self.overrides]

    def named(self, *names: str) -> list[Assignment]:
        """Return the settings of some parameters, in main.cf and in master.cf."""
        by_name = self._by_name
        if len(names) == 1:
            return by_name.get(names[0], [])
        if by_name.keys().isdisjoint(names):
            return []
        wanted = frozenset(names)
        return [each for each in self.everywhere if each.name in wanted]

    @cached_property
    def _by_name(self) -> dict[str, list[Assignment]]:
        found: dict[str, list[Assignment]] = {}
        for each in self.everywhere:
            found.setdefault(each.name, []).append(each)
        return found

    def view(self, assignment: Assignment) -> View:
        """Return the name space that a setting is in."""
        return ServiceView(self.config, assignment.service) if assignment.service else self.config

    def expanded(self, assignment: Assignment) -> str | None:
        """Return the value of a setting with all references replaced; None if that fails."""
        if "$" not in assignment.value or self.release.kinds.get(assignment.name) == RAW:
            return assignment.value
        if assignment not in self._expanded_settings:
            too_complex = self.is_too_complex(assignment)
            self._expanded_settings[assignment] = (
                None if too_complex else self._expand(assignment.value, self.view(assignment))
            )
        return self._expanded_settings[assignment]

    def is_too_complex(self, assignment: Assignment) -> bool:
        """Return True if a value has more braces than are looked into."""
        braces = assignment.value.count("{")
        return braces > _MOST_BRACES or (braces > _DEEPEST and _depth(assignment.value) > _DEEPEST)

    @property
    def is_exhausted(self) -> bool:
        """True if values expand to more text than the budget: rules that need their expansion judge no more of them."""
        return self.config.budget is not None and self.config.budget.left < 0

    def _expand(self, text: str, view: View) -> str | None:
        service = id(view.service) if isinstance(view, ServiceView) else 0
        known = self._known.setdefault(service, {})
        try:
            return self.config.expand(text, view.lookup, _ignore, known=known)
        except (ExpressionError, ConfigError):
            return None

    def reference_problems(self, assignment: Assignment) -> tuple[str, ...]:
        """Return the problems of the references in a value, in Postfix's messages."""
        return self._references(assignment)[1]

    def _references(self, assignment: Assignment) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names that a value refers to, each once, and the problems with its references."""
        if "$" not in assignment.value or self.release.kinds.get(assignment.name) == RAW:
            return (), ()
        if assignment not in self._references_of:
            if self.is_too_complex(assignment):
                return (), ()
            self._references_of[assignment] = self.config.names_in(assignment.value)
        return self._references_of[assignment]

    def value(self, name: str, view: View | None = None) -> str:
        """Return the effective value of a parameter; empty if this release has none, or it can't be expanded."""
        key = (id(view.service) if isinstance(view, ServiceView) else 0, name)
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self._effective(name, view or self.config) or ""
        return value

    def _effective(self, name: str, view: View) -> str | None:
        own = view.service.shared if isinstance(view, ServiceView) else {}
        if name not in self.config.main and name not in own:
            if name in self._plain:
                return self._plain[name]
            reached = references_of_default(name, self.release)
            if reached is not None and own.keys().isdisjoint(reached):
                level = self.config.main.get(LEVEL)
                cached = cached_default(name, self.release, self.config.main, level.value if level else None)
                if cached:
                    return cached[0]
        text = view.lookup(name)
        return text if text is None or self.release.kinds.get(name) == RAW else self._expand(text, view)

    def is_yes(self, name: str, view: View | None = None) -> bool:
        """Return True if a boolean parameter is `yes`."""
        return self.value(name, view).lower() == "yes"

    def is_set(self, name: str, view: View | None = None) -> bool:
        """Return True if the administrator has set a parameter, or one that its default refers to."""
        return self.setting(name, view) is not None

    def setting(self, name: str, view: View | None = None) -> Assignment | None:
        """Return the assignment that a parameter has its value from, through references of defaults."""
        view = view or self.config
        if not (isinstance(view, ServiceView) and name in view.service.shared):
            setting = self.main.effective.get(name)
            if setting is not None and self.release.kinds.get(name) != ADHOC:
                return setting
            if "$" not in (view.lookup(name) or ""):
                return None
            reached = references_of_default(name, self.release)
            own = view.service.shared if isinstance(view, ServiceView) else {}
            if reached is not None and not any(each in self.config.main or each in own for each in reached):
                return None
        try:
            origin = next((origin for _, origin in chain(view, name) if origin.place is not None), None)
        except (KeyError, ConfigError):
            return None
        if origin is None:
            return None
        if origin.kind == "master.cf" and isinstance(view, ServiceView):
            return self._overrides_of.get(view.service.key, {}).get(origin.name)
        return self.main.effective.get(origin.name) if origin.kind == "main.cf" else None

    @cached_property
    def _overrides_of(self) -> dict[str, dict[str, Assignment]]:
        """The -o settings of each service, the last one of each name."""
        found: dict[str, dict[str, Assignment]] = {}
        for each in self.overrides:
            if each.service:
                found.setdefault(each.service.key, {})[each.name] = each
        return found

    def span(self, name: str, view: View | None = None) -> Span:
        """Return the place for a finding about a parameter: its setting, else the service, else main.cf."""
        setting = self.setting(name, view)
        if setting:
            return setting.span()
        if isinstance(view, ServiceView):
            return self.service_span(view)
        return Span(self.main.path)

    # Services

    @cached_property
    def entries(self) -> list[MasterEntry]:
        """The services of master.cf, the last one of each name and type."""
        entries = [entry for entry in self.master.entries if entry.service] if self.master else []
        return list({entry.service.key: entry for entry in entries if entry.service}.values())

    def services(self, *programs: str) -> list[ServiceView]:
        """Return the services that run one of these programs."""
        if len(programs) == 1:
            return self._views_of.get(programs[0], [])
        found = self._views_of_several.get(programs)
        if found is None:
            there = self._views_of.keys() & programs
            found = [view for program, view in self._views if program in there] if there else []
            self._views_of_several[programs] = found
        return found

    @cached_property
    def _views(self) -> list[tuple[str, ServiceView]]:
        """The program and the view of each service."""
        services = [entry.service for entry in self.entries if entry.service]
        return [(each.command.rpartition("/")[2], ServiceView(self.config, each)) for each in services]

    @cached_property
    def _views_of(self) -> dict[str, list[ServiceView]]:
        found: dict[str, list[ServiceView]] = {}
        for program, view in self._views:
            found.setdefault(program, []).append(view)
        return found

    @property
    def programs(self) -> Set[str]:
        """The programs that the services of master.cf run."""
        return self._views_of.keys()

    def views(self, *programs: str) -> list[View]:
        """Return the same; without a master.cf, main.cf's view."""
        return list(self.services(*programs)) if self.master else [self.config]

    def service_view(self, entry: MasterEntry) -> ServiceView:
        """Return the name space of an entry that is a service."""
        if entry.service is None:
            raise ValueError("this entry is no service")
        return ServiceView(self.config, entry.service)

    def has_program(self, program: str) -> bool:
        """Return True if a service runs this program; False without a master.cf."""
        return bool(self.services(program))

    def expanded_default(self, name: str) -> str:
        """Return the expanded default of a parameter; empty if this release has none, or it can't be expanded."""
        return self._expand(self.release.defaults.get(name, ""), self.config) or ""

    def has_service(self, name: str) -> bool:
        """Return True if a service has this name, or if there is no master.cf."""
        return self.master is None or name in self._service_names

    @cached_property
    def _service_names(self) -> frozenset[str]:
        return frozenset(entry.service.name for entry in self.entries if entry.service)

    def entry(self, service: Service) -> MasterEntry:
        """Return the entry of a service."""
        return self._entry_of[id(service)]

    @cached_property
    def _entry_of(self) -> dict[int, MasterEntry]:
        return {id(each.service): each for each in self.entries if each.service}

    def service_span(self, view: ServiceView, field: int = 0) -> Span:
        """Return a field of a service's entry."""
        return self.entry(view.service).span(field)

    def is_chrooted(self, view: View) -> bool:
        """Return True if the service runs with chroot; False without a master.cf."""
        if not isinstance(view, ServiceView):
            return False
        flag = view.service.fields[4]
        return flag == "y" or (flag == "-" and self.chroot_by_default)

    @cached_property
    def compatibility_level(self) -> tuple[int, int, int]:
        """The level that is set; 0 where it can't be read."""
        from postconf.syntax.expressions import compatibility_level

        return compatibility_level(self.value("compatibility_level")) or (0, 0, 0)

    @cached_property
    def chroot_by_default(self) -> bool:
        """True if `-` in the chroot column means `y` (before compatibility level 1, Postfix 3.0)."""
        return self.compatibility_level[0] < 1

    # References

    @cached_property
    def suggestions(self) -> Suggestions:
        """The names that misspelled ones most likely stand for."""
        return Suggestions(self.release, self.service_names)

    @cached_property
    def service_names(self) -> frozenset[str]:
        """Names that exist because of a service of master.cf."""
        return frozenset(self.config.service_defaults())

    def service_of(self, name: str) -> str:
        """Return the service that would have to exist to make a name valid; empty if none would."""
        if not name.endswith(self._service_suffixes):
            return ""
        return min((name.removesuffix(each) for each in self._service_suffixes if name.endswith(each)), key=len)

    @cached_property
    def _service_suffixes(self) -> tuple[str, ...]:
        return tuple(suffix for program in ("smtp", "pipe") for suffix, _ in self.release.service_parameters(program))

    @cached_property
    def references(self) -> frozenset[str]:
        """All names that some value refers to, restriction classes, and settings of named tables (`mysql:NAME`)."""
        found: set[str] = set()
        suffixes = self.release.dbms_suffixes()
        for each in [*self.main.assignments, *self.overrides]:
            if self.release.kinds.get(each.name) == RAW:
                continue
            found.update(self.names_in(each))
            for word in words_of((self.expanded(each) or each.value).replace("{", " ").replace("}", " ")):
                kind, _, name = word.removeprefix("proxy:").partition(":")
                if kind in suffixes and name:
                    found.update(f"{name}_{suffix}" for suffix in suffixes[kind])
        for each in self.named("smtpd_restriction_classes"):
            found.update(words_of(self.expanded(each) or ""))
        return frozenset(found)

    def names_in(self, assignment: Assignment) -> tuple[str, ...]:
        """Return the names that a value refers to, each once."""
        return self._references(assignment)[0]

    def undefined(self, assignment: Assignment) -> list[str]:
        """Return the names in a value that are set nowhere; those that a condition asks for don't count."""
        if "$" not in assignment.value:
            return []
        found = self.names_in(assignment)
        view = self.view(assignment)
        tested = set(_TESTED.findall(assignment.value))
        return [
            name
            for name in found
            if name not in self.release.kinds
            and name not in view
            and name not in self.release.legacy()
            and name not in self._overridden
            and name not in tested
        ]


def _depth(value: str) -> int:
    """Return the depth to which the braces of a value are nested."""
    deepest = depth = 0
    for brace in _BRACE.findall(value):
        depth += 1 if brace == "{" else -1
        deepest = max(deepest, depth)
    return deepest


def words_of(value: str) -> Iterator[str]:
    """Return the elements of a list, without braces."""
    yield from value.replace(",", " ").split()


def _ignore(_warning: str) -> None:
    """Discard a warning that rules report with their own text."""
