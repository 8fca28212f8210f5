"""The daemon's own loader as a judge: its log lines when it makes its server role of the settings of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from postconf import ConfigError, ServiceView, View
from postconf.config import Origin
from postconf.models import TlsGlobals, TlsSettings, load

from ....tls.settings.parameters import FILES, SERVER
from ...context import Context
from ..filesystem import FileSystem
from .key_files import is_hidden, missing, server_level, servers, used_files

if TYPE_CHECKING:
    from ....tls.identities import Identity

_SETTLED = {"tls_server_sni_maps": "", "smtpd_tls_session_cache_database": "", "smtpd_tls_session_cache_timeout": "0"}
"""Settings without effect on the result: tables, which have their own rules, and settings of tlsmgr(8)."""
_FILES = tuple(SERVER + end for end in FILES)


@dataclass
class LoaderVerdict:
    """Result of the loader for a service."""

    view: View
    files: FileSystem
    lines: list[str] = field(default_factory=list)
    problem: str = ""
    """Why there would be no TLS; empty if all is well."""
    identities: list[Identity] = field(default_factory=list)
    """The keys and certificates that are loaded."""
    library: TlsGlobals | None = None
    """The settings of the library; None if others don't allow to know."""

    @property
    def text(self) -> str:
        """All lines that it has logged."""
        return "\n".join([*self.lines, self.problem])

    def info(self, text: str) -> None:
        """Take a line of its log."""
        self.lines.append(self.files.inside(text))

    warning = error = info


class AsProxy(View):
    """The settings of an smtpd(8) service as those of tlsproxy(8), which default to them."""

    def __init__(self, context: Context, view: View, fixed: Mapping[str, str]) -> None:
        self.config = view.config
        self._context = context
        self._view = view
        self._fixed = fixed

    def _find(self, name: str) -> Origin:
        if name in self._fixed:
            return Origin(name, "override", self._fixed[name])
        if name in _FILES and self._context.files.is_image:
            value = self._context.value(name.replace(SERVER, "smtpd_tls_"), self._view)
            words = [self._context.files.locate(word) if word.startswith("/") else word for word in value.split()]
            return Origin(name, "override", " ".join(words))
        if name.startswith(SERVER):
            default = self.config.default(name)
            if default is None:
                raise KeyError(name)
            return Origin(name, "default", default)
        origin: Origin = self._view._find(name)
        return origin


def verdicts(context: Context) -> list[LoaderVerdict]:
    """Return the result of the loader for each service that offers TLS and whose files can be read."""
    return context.keep(_verdicts)


def _verdicts(context: Context) -> list[LoaderVerdict]:
    server_files = [used for used in used_files(context) if used.is_server]
    if not server_files or any(missing(context, each.path) or is_hidden(context, each.path) for each in server_files):
        return []
    found: dict[object, View] = {}
    for view in servers(context):
        own = (
            tuple((each.name, each.value) for each in view.service.settings if "tls" in each.name)
            if isinstance(view, ServiceView)
            else ()
        )
        found.setdefault((server_level(context, view), own), view)
    loaded: dict[object, list[Identity]] = {}
    judged = [_judge(context, view, loaded) for view in found.values()]
    return [each for each in judged if each is not None]


def _judge(context: Context, view: View, loaded: dict[object, list[Identity]]) -> LoaderVerdict | None:
    """Load the settings of a service. `loaded`: identities by relevant settings, since most services have the same."""
    from ....tls.roles import RoleUnavailableError
    from ....tls.server.role import ServerRole

    fixed = {"tlsproxy_tls_security_level": server_level(context, view), **_SETTLED}
    verdict = LoaderVerdict(view, context.files)
    try:
        settings = load(AsProxy(context, view, fixed))
        verdict.library = settings.globals
        counted = _that_count(settings)
        if counted not in loaded:
            loaded[counted] = ServerRole.load(settings, verdict).identities()
        verdict.identities = loaded[counted]
    except ConfigError:
        return None  # values that rules of their own report
    except RoleUnavailableError as error:
        verdict.problem = context.files.inside(str(error))
    return verdict


def _that_count(settings: TlsSettings) -> object:
    """Return the settings of which the loader makes contexts, or None without any."""
    from ....tls.settings.errors import SettingsError
    from ....tls.settings.server import server_settings

    try:
        own = server_settings(settings, LoaderVerdict(settings.view, FileSystem(enabled=False)))
    except SettingsError:
        return None
    return settings.globals, own.init, own.start
