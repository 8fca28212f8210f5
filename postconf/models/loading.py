"""Loading of typed settings from a configuration, with all errors reported together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from .. import values
from ..catalogue import Release
from ..config import Origin, View
from ..errors import ConfigError
from ..origins import place_of
from ..values import InvalidValueError
from .client import TlsClient
from .library import TlsGlobals
from .server import TlsServer
from .service import ServiceSettings
from .types import Settings

Model = TypeVar("Model", bound=Settings)

OLD_NAMES = {
    # Names of Postfix 3.4 to 3.6; defaults of the new names refer to them.
    "tlsproxy_client_security_level": "tlsproxy_client_level",
    "tlsproxy_client_policy_maps": "tlsproxy_client_policy",
}


class InvalidSettingsError(ConfigError):
    """Settings that are fatal errors in Postfix's daemon. The message is that of the first of `problems`."""

    def __init__(self, problems: list[ConfigError]) -> None:
        first = problems[0]
        super().__init__(first.message, first.place, first.remedy)
        self.problems = tuple(problems)


class TlsSettings(NamedTuple):
    """Typed settings: every control of tlsproxy(8)."""

    globals: TlsGlobals
    server: TlsServer
    client: TlsClient
    service: ServiceSettings
    view: View

    def origin(self, name: str) -> Origin:
        """Return the origin of a setting's value."""
        return self.view.origin(name)


def load(view: View) -> TlsSettings:
    """Return the settings of a service, typically `config.service("tlsproxy", "unix")`.

    Raises `InvalidSettingsError` with all fatal errors, not only the first one.
    """
    problems = _Problems(view)
    for name in _behind(view.config.release):
        problems.check(name)
    service = problems.load(ServiceSettings)
    server = problems.load(TlsServer)
    client = problems.load(TlsClient)
    library = problems.load(TlsGlobals)
    if service and service.syslog_facility.lower() not in values.SYSLOG_FACILITIES:
        message = f"file {service.config_directory}/main.cf: parameter syslog_facility: unrecognized value: "
        problems.add(
            "syslog_facility", InvalidValueError(message + service.syslog_facility, "specify, for example, mail")
        )
    if problems.found or not (service and server and client and library):
        raise InvalidSettingsError(problems.in_order())
    return TlsSettings(library, server, client, service, view)


class _Problems:
    """Reads values of a configuration and collects the problems, one for each name."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.release = view.config.release
        self.found: dict[str, ConfigError] = {}

    def load(self, model: type[Model]) -> Model | None:
        """Return the settings of a model, or None if there is a problem with one."""
        made: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            own = name if name in self.release.defaults else OLD_NAMES.get(name, name)
            try:
                text = self._text(own)
                if text is not None:
                    made[name] = model.from_text(name, text, self.release)
            except InvalidValueError as error:
                self.add(own, error)
            except KeyError:  # a parameter of other releases
                if field.is_required():
                    raise
        return model.model_construct(**made) if self.found.keys().isdisjoint(model.model_fields) else None

    def check(self, name: str) -> None:
        """Check a setting that no model has."""
        text = self._text(name)
        if text is not None:
            try:
                values.parse(self.release.parameter(name), text)
            except InvalidValueError as error:
                self.add(name, error)

    def _text(self, name: str) -> str | None:
        try:
            return self.view[name]
        except ConfigError as error:
            self.found[name] = error
            return None

    def add(self, name: str, error: InvalidValueError) -> None:
        # An inherited value is reported under the name that sets it.
        default = self.release.defaults.get(name, "")
        if default.removeprefix("$") not in self.found or self.view.origin(name).place is not None:
            self.found[name] = ConfigError(error.message, place_of(self.view, name), error.remedy)

    def in_order(self) -> list[ConfigError]:
        """Return the problems in the order in which Postfix finds them."""
        order = _evaluation_order(self.release)
        return [self.found[name] for name in sorted(self.found, key=order.index)]


def _behind(release: Release) -> list[str]:
    """Return the smtpd(8) and smtp(8) settings that are the roles' defaults; Postfix evaluates them, too."""
    defaults = [release.defaults.get(name, "") for name in (*TlsServer.model_fields, *TlsClient.model_fields)]
    return [default[1:] for default in defaults if default[1:] in release.defaults and default.startswith("$")]


def _evaluation_order(release: Release) -> list[str]:
    """Return the names in the daemon's order of evaluation: kind by kind, levels after all tables."""

    def by_kind(names: Iterable[str], *kinds: str) -> list[str]:
        return [name for kind in kinds for name in names if release.kinds.get(name, "str") == kind]

    levels = ["tlsproxy_tls_security_level", "tlsproxy_client_level", "tlsproxy_client_security_level"]
    general = [name for name in ServiceSettings.model_fields if name != "tlsproxy_watchdog_timeout"]
    roles = [*_behind(release), *TlsServer.model_fields, *TlsClient.model_fields, "tlsproxy_watchdog_timeout"]
    tables = [name for name in roles if name not in levels]
    return [
        *general,
        *by_kind(tables, "int", "nint", "str", "bool", "nbool", "time"),
        *levels,
        *by_kind(TlsGlobals.model_fields, "str", "int", "bool"),
    ]
