"""Effective configuration: main.cf, master.cf, command-line overrides and built-in defaults.

    config = postconf.load("/etc/postfix")
    config["smtpd_tls_protocols"]                  # as smtpd(8) sees it without -o settings
    config.service("tlsproxy", "unix")["..."]      # with the -o settings of that service
    config.origin("tlsproxy_tls_protocols")        # where that value comes from

This module checks only syntax; `values` and `models` interpret values.
"""

from __future__ import annotations

import os

from .catalogue import ADHOC, COMPUTED, RAW, Release, release
from .errors import ConfigError, Place
from .files.regular import read_file
from .machine import host as hosts
from .machine.host import Host
from .syntax.expressions import ExpressionError, OperandError, expand, names_in, visit_names
from .syntax.maincf import AssignmentError, Setting, add_settings, split_assignment
from .syntax.mastercf import Master, Service, read_services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .syntax.expressions import Budget, Known

DEFAULT_DIRECTORY = "/etc/postfix"


class Origin:
    """Origin of a parameter's value.

    `name`: the parameter. `kind`: `main.cf`, `master.cf` (an -o setting), `override` (of this run), `default`,
    `computed` (a default that depends on the machine) or `process` (read-only). `text`: the value as written. `place`:
    that of the setting, None without one. `references`: the names in the text, each of which has its own origin.
    """

    __slots__ = ("kind", "name", "place", "references", "text")

    def __init__(self, name: str, kind: str, text: str, place: Place | None = None) -> None:
        self.name = name
        self.kind = kind
        self.text = text
        self.place = place
        self.references: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Origin({self.name!r}, {self.kind!r}, {self.text!r}, {self.place!r})"


class View:
    """Effective values by the names of parameters. `Config` is the view without a service.

    `view[name]` is the expanded value. It raises KeyError for an unknown name, and `ConfigError` if the expansion
    fails. `name in view` is True for a parameter that is set or built in.
    """

    config: Config

    def __getitem__(self, name: str) -> str:
        """Return the expanded value. Raise KeyError for an unknown name, `ConfigError` if the expansion fails."""
        text = self.raw(name)
        if self.config.release.kinds.get(name) == RAW:
            return text
        warnings: list[str] = []
        try:
            return self.config.expand(text, self.lookup, warnings.append)
        except (ExpressionError, OperandError) as error:
            message = warnings[0] if warnings else str(error)
            raise ConfigError(message, self.origin(name).place, f"correct the value of {name}: {text}") from None

    def __contains__(self, name: str) -> bool:
        return self.lookup(name) is not None

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the expanded value, or `default` for an unknown name; raise `ConfigError` if the expansion fails."""
        return self[name] if name in self else default  # noqa: SIM401  this is the method that SIM401 asks for

    def raw(self, name: str) -> str:
        """Return the unexpanded value or default. Raise KeyError for an unknown name."""
        return self._find(name).text

    def origin(self, name: str) -> Origin:
        """Return the origin of the value, with the names that it refers to. Raise KeyError for an unknown name."""
        origin = self._find(name)
        if self.config.release.kinds.get(name) != RAW:
            origin.references = self.config.names_in(origin.text)[0]
        return origin

    def lookup(self, name: str) -> str | None:
        """Return the unexpanded value or default; None for an unknown name."""
        try:
            return self._find(name).text
        except KeyError:
            return None

    def _find(self, name: str) -> Origin:
        raise NotImplementedError


class Config(View):
    """Configuration of a directory: the parameters of main.cf (postconf(5)), and the services of master.cf (master(5)).

    `release`: catalogue of its Postfix release. `warnings`: Postfix's warnings about the files, without `warning: `.
    """

    def __init__(
        self,
        directory: str,
        release: Release,
        main: dict[str, Setting],
        master: Master,
        *,
        host: Host | None = None,
        warnings: Iterable[str] = (),
    ) -> None:
        """Use `load` to read files. `main` has the overrides already, and never changes afterwards."""
        self.config = self
        self.directory = directory
        self.release = release
        self.main = main
        self.master = master
        self.host = host or Host()
        self.warnings = list(warnings)
        """Warnings of Postfix about the files, without `warning: `."""
        self.warn: Callable[[str], None] = self.warnings.append
        """Receives further warnings."""
        self.process = {"process_id": str(os.getpid())}
        """Read-only parameters; the program sets process_name."""
        self.budget: Budget | None = None
        """Limit of the work of all expansions, for programs that read untrusted configurations."""
        self._calls = release.since("3.11")
        self._service_defaults: dict[str, str] | None = None
        self._computed: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Return all names that have a value: set in main.cf, or built in."""
        return iter(dict.fromkeys([*self.main, *self.release.defaults, *self.service_defaults()]))

    def service(self, name: str, type: str) -> ServiceView:
        """Return the view of a service of master.cf, such as `smtp`, `inet`. Raise KeyError for an unknown service."""
        for service in self.master.services:
            if (service.name, service.type) == (name, type):
                return ServiceView(self, service)
        raise KeyError(f"{name}/{type}")

    def services(self) -> list[ServiceView]:
        """Return the views of all services, in the order of master.cf."""
        return [ServiceView(self, service) for service in self.master.services]

    def service_defaults(self) -> dict[str, str]:
        """Return the defaults of parameters of services, such as smtp_destination_recipient_limit."""
        if self._service_defaults is None:
            defaults: dict[str, str] = {}
            for service in self.master.services:
                for suffix, default in self.release.service_parameters(service.command):
                    defaults.setdefault(service.name + suffix, default)
            # A built-in parameter keeps its own default, but counts as the service's.
            self._service_defaults = defaults | {
                name: self.release.defaults[name] for name in defaults if name in self.release.defaults
            }
        return self._service_defaults

    def expand(
        self,
        text: str,
        lookup: Callable[[str], str | None],
        warn: Callable[[str], None],
        *,
        is_verbatim: Callable[[str], bool] | None = None,
        known: dict[str, Known] | None = None,
    ) -> str:
        """Expand a value as this release does; the other parameters are those of `postconf.syntax.expressions.expand`.

        `lookup`: returns the unexpanded value of a name, or None. `warn`: receives Postfix's warnings. Raise
        `expressions.ExpressionError`, and `expressions.OperandError` for a comparison that is fatal in Postfix.
        """
        return expand(text, lookup, warn, calls=self._calls, is_verbatim=is_verbatim, known=known, budget=self.budget)

    def names_in(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names in a value, and its problems, as this release reads it (`expressions.names_in`)."""
        return names_in(text, calls=self._calls)

    def visit_names(self, text: str, visit: Callable[[str], None], warn: Callable[[str], None]) -> None:
        """Call `visit` with each name in a value, without expanding it; `warn` receives Postfix's warnings."""
        visit_names(text, visit, warn, calls=self._calls)

    def default(self, name: str) -> str | None:
        """Return the default as postconf(1) -d shows it; None for a name that is not built in.

        Raise `ConfigError` for a default that depends on the machine, and on a setting that can't be expanded.
        """
        kind = self.release.kinds.get(name)
        if kind == COMPUTED:
            return self._compute(name)
        if kind == ADHOC:
            return self.process.get(name, "")
        if kind is not None:
            return self.release.defaults[name]
        return self.service_defaults().get(name)

    def explicit(self, name: str) -> str | None:
        """Return a setting of main.cf, expanded with nothing but the settings of main.cf; None if it is not set.

        Raise `ConfigError` if the expansion fails.
        """
        if name not in self.main:
            return None
        warnings: list[str] = []

        def lookup(other: str) -> str | None:
            return self.main[other].value if other in self.main else None

        try:
            return self.expand(self.main[name].value, lookup, warnings.append)
        except ExpressionError:
            for warning in warnings:
                self.warn(warning)
            raise ConfigError("dictionary mail_dict: macro processing error", self.main[name].place) from None

    def lookup(self, name: str) -> str | None:
        """Return the unexpanded value or default; None for an unknown name."""
        setting = self.main.get(name)
        if setting is not None and self.release.kinds.get(name) != ADHOC:
            return setting.value
        return self.default(name)

    def _find(self, name: str) -> Origin:
        setting = self.main.get(name)
        if setting is not None and self.release.kinds.get(name) != ADHOC:
            return Origin(name, "main.cf" if setting.place else "override", setting.value, setting.place)
        default = self.default(name)
        if default is None:
            raise KeyError(name)
        return Origin(name, "computed" if self.release.kinds.get(name) == COMPUTED else "default", default)

    def _compute(self, name: str) -> str:
        if name not in self._computed:
            if name == "myhostname":
                value = hosts.myhostname(self.host, self.explicit("mydomain"))
            elif name == "mydomain":
                explicit = self.explicit("myhostname")
                value = hosts.mydomain(self._compute("myhostname") if explicit is None else explicit)
            else:
                inputs = [
                    self._explicit_or_default(each)
                    for each in ("inet_interfaces", "mynetworks_style", "inet_protocols")
                ]
                value = hosts.mynetworks(self.host, *inputs)
            self._computed[name] = value
        return self._computed[name]

    def _explicit_or_default(self, name: str) -> str:
        explicit = self.explicit(name)
        if explicit is not None:
            return explicit
        try:
            return self.expand(self.release.defaults[name], self.lookup, self.warn)
        except ExpressionError as error:
            raise ConfigError(str(error), None, "correct the parameters in its default") from None


class ServiceView(View):
    """Effective values of one service of master.cf: its read-only parameters and -o settings come first."""

    def __init__(self, config: Config, service: Service) -> None:
        self.config = config
        self.service = service
        self.release = config.release

    def lookup(self, name: str) -> str | None:
        """Return the unexpanded value or default; None for an unknown name."""
        if name in ("process_name", "service_name") or name in self.service.shared:
            return self._find(name).text
        return self.config.lookup(name)

    def _find(self, name: str) -> Origin:
        if name == "process_name":
            return Origin(name, "process", self.service.command.rpartition("/")[2], self.service.line.place(0))
        if name == "service_name":
            return Origin(name, "process", self.service.name, self.service.line.place(0))
        setting = self.service.shared.get(name)
        if setting is not None:
            return Origin(name, "master.cf", setting.value, setting.place)
        return self.config._find(name)


def load(
    directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
    *,
    version: str | None = None,
    overrides: Iterable[str] = (),
    host: Host | None = None,
) -> Config:
    """Read main.cf and master.cf of a directory; a missing master.cf has no services.

    `version`: Postfix release whose defaults apply, such as 3.10 or 3.10.2; None is 3.7. `overrides`: `name=value`
    settings that replace those of main.cf, as -o of postconf(1). `host`: the machine that myhostname, mydomain and
    mynetworks depend on, by default this one. Values are not expanded before they are asked for.

    Raise `ConfigError` with the place of the first error in a file, or for an invalid override; OSError if a file can't
    be read; and `postconf.catalogue.UnknownReleaseError`, a `PostconfError` and ValueError.
    """
    path = os.fspath(directory)
    warnings: list[str] = []
    main = {} if path == DEFAULT_DIRECTORY else {"config_directory": Setting("config_directory", path, None)}
    known = release(version) if version else release()
    warn_of_nul = known.since("3.9")
    main_cf, master_cf = f"{path}/main.cf", f"{path}/master.cf"
    add_settings(main, read_file(main_cf), main_cf, warnings.append, warn_of_nul=warn_of_nul)
    apply_overrides(main, overrides)
    try:
        text = read_file(master_cf)
    except FileNotFoundError:
        text = ""
    master = read_services(text, master_cf, warnings.append, warn_of_nul=warn_of_nul)
    return Config(path, known, main, master, host=host, warnings=warnings)


def apply_overrides(main: dict[str, Setting], overrides: Iterable[str]) -> None:
    """Replace settings of main.cf by `name=value` texts. Raise `ConfigError`."""
    for override in overrides:
        try:
            name, value, _ = split_assignment(override)
        except AssignmentError as error:
            raise ConfigError(f"invalid parameter override: {override}: {error}", None, "write name=value") from None
        main[name] = Setting(name, value, None)
