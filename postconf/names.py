"""Valid parameter names: built in, created by a service, or user-defined and referred to (postconf(1)).

A user-defined name is valid if it is set and something refers to it. The walk over all references also finds
everything that postconf(1) warns about: undefined names, assignments to read-only ones, and settings that nothing uses.
"""

from __future__ import annotations

from . import config as _config
from .catalogue import ADHOC, COMPUTED, RAW
from .databases import SEPARATORS, Databases
from .errors import ConfigError, Place
from .htable_order import table_order
from .syntax.expressions import ExpressionError
from .syntax.lines import encode
from .syntax.maincf import Setting
from .syntax.mastercf import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Config, View


class Names:
    """The name space of a configuration; `user` are valid names that are neither built in nor made by services."""

    def __init__(
        self,
        config: Config,
        warn: Callable[[str], None],
        *,
        quiet: bool = False,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        """`quiet`: True if unused and deprecated names are not reported. `flush` is called before they are."""
        self.config = config
        self.warn = warn
        self._flush = flush
        self._quiet = quiet
        self.services = config.service_defaults()
        self.user: set[str] = set()
        self.local: dict[str, set[str]] = {}
        self._legacy = config.release.legacy()
        self._deprecated = config.release.deprecated()
        self._databases = Databases(config.release, warn, quiet=quiet)
        self._main_cf = f"{config.directory}/main.cf"
        self._master_cf = f"{config.directory}/master.cf"
        # Only since 3.8 with their directory.
        full = config.release.since("3.8")
        self._files_of_tables = (self._main_cf, self._master_cf) if full else ("main.cf", "master.cf")
        self._orders: dict[int, list[str]] = {}

    def is_registered(self, name: str) -> bool:
        """Return True if the name is valid everywhere."""
        return name in self.config.release.defaults or name in self.services or name in self.user

    def is_known(self, name: str) -> bool:
        """Return True if the name can be queried."""
        return self.is_registered(name) or name in self._legacy

    def is_service_class(self, name: str) -> bool:
        """Return True if the name exists, or counts as existing, because of a service."""
        return name in self.services

    def is_verbatim(self, name: str) -> bool:
        """Return True if references to the name stay unexpanded (since Postfix 3.11)."""
        return self.config.release.kinds.get(name) == RAW and self.config.release.since("3.11")

    def register_user_names(self) -> None:
        """Visit every reference; raise `ConfigError` for values that can't be expanded."""
        for service in self.config.master.services:
            self._scan(service.shared, service)
        for name in ("myhostname", "mynetworks", "mydomain"):  # in table order
            if name not in self.config.main and self.config.release.kinds[name] == COMPUTED:
                # A `$$` in its source value has become a reference.
                self._refer_all(self.config.default(name) or "", self.config.main, None, self._main_cf)
        self._scan(self.config.main, None)

    def warn_of_unused(self, *, master_only: bool) -> None:
        """Warn of unused and deprecated settings."""
        if self._quiet:
            return
        found = False
        if not master_only:
            found = self._warn_of(self.config.main, self._main_cf, set())
        for service in self.config.master.services:
            local = self.local.get(service.key, set())
            found |= self._warn_of(service.shared, self._master_cf, local)
        if found and self.config.release.since("3.11"):
            self.warn("See https://www.postfix.org/DEPRECATION_README.html for details")

    def _warn_of(self, settings: dict[str, Setting], where: str, local: set[str]) -> bool:
        """Return True if a name is deprecated."""
        names = self._in_order(settings)
        if self.config.release.since("3.11"):
            names.sort(key=encode)
        found = False
        for name in names:
            advice = self._deprecated.get(name)
            found |= advice is not None
            is_used = self.is_registered(name) or name in local
            if is_used and advice is None:
                continue
            self._flush()
            if is_used:
                self.warn(f'{where}: support for parameter "{name}" will be removed; instead, {advice}')
            elif advice is not None:
                self.warn(f"{where}: support for parameter {name} has been removed; instead, {advice}")
            else:
                self.warn(f"{where}: unused parameter: {name}={settings[name].value}")
        return found

    def _scan(self, settings: dict[str, Setting], service: Service | None) -> None:
        """Visit the references in one name space: that of main.cf, or of a service's -o settings."""
        where = self._master_cf if service else self._main_cf
        if "smtpd_restriction_classes" in settings:
            for word in _words(self._explicit(settings, "smtpd_restriction_classes", service)):
                self._refer(word, settings, service, where)
        view = _config.ServiceView(self.config, service) if service else self.config
        for name in self._in_order(settings):
            value = settings[name].value
            kind = self.config.release.kinds.get(name)
            if kind == ADHOC:
                self.warn(f"{where}: read-only parameter assignment: {name}={value}")
                del settings[name]
                continue
            if kind == RAW:
                continue
            if name in self._legacy:
                self.user.add(name)
            self._refer_all(value, settings, service, where)
            if kind is not None or name in self.services:
                self._databases.scan(
                    self._expanded(view, value, settings[name].place),
                    self._files_of_tables[service is not None],
                    service.key if service else "",
                    lambda other: self._refer(other, settings, service, where, optional=True),
                )

    def _in_order(self, settings: dict[str, Setting]) -> list[str]:
        """Return the names of a table in its order; removed entries have the same order."""
        if id(settings) not in self._orders:
            self._orders[id(settings)] = table_order(settings, self.config.release)
        return [name for name in self._orders[id(settings)] if name in settings]

    def _refer_all(self, text: str, settings: dict[str, Setting], service: Service | None, where: str) -> None:
        """Record all references in a value."""
        self.config.visit_names(text, lambda name: self._refer(name, settings, service, where), self.warn)

    def _explicit(self, settings: dict[str, Setting], name: str, service: Service | None) -> str:
        def lookup(other: str) -> str | None:
            return settings[other].value if other in settings else None

        try:
            return self.config.expand(settings[name].value, lookup, self.warn)
        except ExpressionError:
            dictionary = service.key if service else "mail_dict"
            raise ConfigError(f"dictionary {dictionary}: macro processing error", settings[name].place) from None

    def _expanded(self, view: View, value: str, place: Place | None) -> str:
        try:
            return self.config.expand(value, view.lookup, self.warn, is_verbatim=self.is_verbatim)
        except ExpressionError as error:
            raise ConfigError(str(error), place, "correct the value") from None

    def _refer(
        self, name: str, settings: dict[str, Setting], service: Service | None, where: str, *, optional: bool = False
    ) -> None:
        """Record a reference. `optional`: an unset name is not reported."""
        if service is not None and name in settings:
            self.local.setdefault(service.key, set()).add(name)
            return
        is_set = name in self.config.main
        if is_set and not self.is_registered(name):
            self.user.add(name)
        if service is None:
            for key, others in self.config.master.settings.items():
                if name in others:
                    is_set = True
                    self.local.setdefault(key, set()).add(name)
        if not is_set and not optional and not self.is_known(name):
            self.warn(f"{where}: undefined parameter: {name}")


def _words(text: str) -> list[str]:
    for separator in SEPARATORS[1:]:
        text = text.replace(separator, " ")
    return [word for word in text.split(" ") if word]
