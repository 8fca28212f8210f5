"""Server role: TLS server of remote SMTP clients, on behalf of postscreen(8).

`load` checks the settings in Postfix's order (tlsproxy(8), tls_server_init(3)). It creates the role, or logs Postfix's
message with parameter, file and line. Unlike the C program it also finds errors that would appear at the first
handshake: an invalid cipher grade or list, a missing chain file.
"""

from __future__ import annotations

from collections.abc import Callable

from maps import TableError
from postconf.models import TlsSettings
from postconf.models.log_level import log_level
from postconf.values import SecurityLevel

from ...log import Log
from ...wire.messages import Generation, Request, ServerInit, ServerSettings, ServerStart
from ..bounded_cache import BoundedCache
from ..contexts import log_error, log_failed_renewal
from ..identities import Identity
from ..roles import RefusedSessionPlan, RoleUnavailableError, SessionPlan
from ..settings import culprit
from ..settings.comparison import SettingsComparison
from ..settings.errors import CipherError, SettingsError
from ..settings.levels import server_level
from ..settings.loglevel import checked_mask, packets
from ..settings.release_behaviour import Behaviour
from ..settings.server import ServerContextSettings, ServerVariant, server_settings, unsupported
from .connection import ServerConnection, ServerSessionSettings, signature_digest
from .contexts import ServerContexts
from .sni import ServerNames, open_names


class ServerRole:
    """Makes server-side sessions: by our own settings, and since Postfix 3.12 by those that each client sends."""

    def __init__(self, settings: TlsSettings, log: Log) -> None:
        """Make the role; raise `SettingsError`."""
        self._settings = settings
        self._behaviour = Behaviour.of(settings.view.config.release)
        self._log = log
        own = server_settings(settings, log)
        self._names = _open_names(settings, log)
        self._comparison = SettingsComparison(settings, own.init, log, sender="server")
        self._contexts: BoundedCache[ServerInit, ServerContexts] = BoundedCache()
        self._own_log_level = own.start.log_param, own.start.log_level
        self._own = self._session_settings(own.init, own.start)
        for line in unsupported(settings.server, own.init, settings.view):
            log.info(line)

    @classmethod
    def load(cls, settings: TlsSettings, log: Log) -> ServerRole:
        """Make the role; log the reasons and raise `RoleUnavailableError` if that is impossible."""
        try:
            return cls(settings, log)
        except SettingsError as error:
            log_error(error, log)
            enforced = server_level(settings.server) >= SecurityLevel.ENCRYPT
            for line in culprit.lines(settings, error.setting, enforced=enforced):
                log.warning(line)
            raise RoleUnavailableError(str(error)) from None

    def plan(self, request: Request, settings: ServerSettings | None) -> SessionPlan:
        """Prepare a session; raise `RoleUnavailableError`. `settings` come from Postfix 3.12 and later."""
        if settings is None:
            return ServerSessionPlan(self._own, request, request.remote_endpoint, self._behaviour.generation)
        start = settings.start
        new = self._comparison.key(settings.init) not in self._contexts
        self._comparison.compare(settings.params, settings.init, new=new)
        try:
            setting = self._session_settings(settings.init, start)
        except CipherError as error:
            return RefusedSessionPlan(Generation.V3_12, f"{start.namaddr.lower()}: {error}", self._log)
        except SettingsError as error:
            log_error(error, self._log)
            raise RoleUnavailableError(str(error)) from None
        return ServerSessionPlan(setting, request, start.namaddr, Generation.V3_12)

    @property
    def expires(self) -> float:
        """When, on the monotonic clock, the ticket keys have to be replaced, which `renew` does."""
        return self._own.contexts.expires

    def identities(self) -> list[Identity]:
        """Return the keys and certificates of our own configuration."""
        return self._own.contexts.identities

    def renew(self) -> bool:
        """Read keys, certificates and tables again, for new sessions; sessions and tickets that there are stay valid.

        If that can't be done, log the reason, keep the old ones, and return False.
        """
        try:
            names = _open_names(self._settings, self._log)
            for each in self._contexts.values():
                each.renew()
        except SettingsError as error:
            log_failed_renewal(error, self._log)
            return False
        self._names = names
        self._own = self._own._replace(names=self._names)
        return True

    def _session_settings(self, init: ServerInit, start: ServerStart) -> ServerSessionSettings:
        """Return the settings that sessions with these parts share, made now if need be; raise `SettingsError`."""
        contexts = self._contexts_of(init)
        behaviour, library, log = self._behaviour, self._settings.globals, self._log
        context = contexts.get(ServerVariant.of(start, library, by_service=behaviour.settings_from_client))
        mask = contexts.mask
        if (start.log_param, start.log_level) != self._own_log_level:
            level = log_level(start.log_level, traces=behaviour.settings_from_client)
            mask = checked_mask(level, start.log_param, log)
        return ServerSessionSettings(
            contexts=contexts,
            context=context,
            mask=mask,
            packets=packets(mask),
            digest=contexts.fingerprints.of(start.mdalg),
            names=self._names,
            library=library,
            behaviour=behaviour,
            log=log,
        )

    def _contexts_of(self, init: ServerInit) -> ServerContexts:
        """Return the contexts of an INIT, or make them now; a failure is not remembered."""
        return self._contexts.get_or_make(self._comparison.key(init), lambda: self._make_contexts(init))

    def _make_contexts(self, init: ServerInit) -> ServerContexts:
        settings, behaviour = self._settings, self._behaviour
        wanted = ServerContextSettings.of(init, traces=behaviour.settings_from_client)
        named = self._names is not None
        return ServerContexts(settings.globals, wanted, settings.view, behaviour, self._log, named=named)


def _open_names(settings: TlsSettings, log: Log) -> ServerNames | None:
    """Open the tables of certificates by name; raise `SettingsError` for a name that is not a table's."""
    try:
        return open_names(settings.view, log)
    except TableError as error:
        raise SettingsError(str(error), "tls_server_sni_maps") from None


class ServerSessionPlan:
    """One request that the role will serve."""

    __slots__ = ("_digest", "_namaddr", "_request", "_setting", "generation", "hello_decides", "packets")

    def __init__(self, setting: ServerSessionSettings, request: Request, namaddr: str, generation: Generation) -> None:
        self._setting = setting
        self._request = request
        self._namaddr = namaddr
        self.generation = generation
        self.packets = setting.packets
        self._digest = signature_digest(setting, request)
        self.hello_decides = self._digest.waits_for_hello

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Go on at once."""
        go_on()

    def start(self, descriptor: int) -> ServerConnection:
        """Begin TLS on the remote peer's descriptor."""
        return ServerConnection(self._setting, self._request, self._namaddr, descriptor, self._digest)
