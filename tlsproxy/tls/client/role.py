"""The client role: we are the TLS client of remote SMTP servers, on behalf of smtp(8).

Each request brings its own settings: those of contexts (INIT), and those of the one session (START). `load` makes, with
privileges, the contexts that our own configuration asks for; requests that ask for the same get these. smtp(8) trusts
our word on the server's certificate: it is decided in `verify`.
"""

from __future__ import annotations

from collections.abc import Callable

from postconf.models import TlsSettings
from postconf.models.log_level import LogMask, log_level
from postconf.values import Grade, SecurityLevel, cipher_exclusions

from ...log import Log
from ...loop import Loop
from ...tlsmgr import TlsManager
from ...wire.messages import ClientInit, ClientSettings, Generation, Request
from ..bounded_cache import BoundedCache
from ..contexts import log_error, log_failed_renewal
from ..openssl import binding, peers
from ..roles import RefusedSessionPlan, RoleUnavailableError, SessionPlan, SessionRefusedError
from ..settings import culprit
from ..settings.ciphers import cipher_list
from ..settings.client import ClientContextSettings, ClientVariant, allowed_protocols, client_init, level_of
from ..settings.comparison import SettingsComparison
from ..settings.errors import CipherError, SettingsError
from ..settings.levels import client_is_configured
from ..settings.loglevel import checked_mask, packets
from ..settings.parameters import CLIENT
from ..settings.release_behaviour import Behaviour
from ..verification.names import to_ascii
from .connection import ClientConnection, ClientSessionSettings
from .contexts import ClientContexts
from .policy import session_policy
from .sessions import CachedSession, cache_id

DISABLED = "TLS client role is disabled by configuration"
_SEED_INTERVAL = 60.0
"""Minimum interval in seconds between entropy requests to tlsmgr(8); OpenSSL seeds itself."""


class ClientRole:
    """Makes client-side sessions, by the settings that each request brings."""

    def __init__(self, settings: TlsSettings, log: Log) -> None:
        """Make the role. Where our own contexts can't be made, that is logged; requests with other settings may do."""
        self._settings = settings
        self._behaviour = Behaviour.of(settings.view.config.release)
        self._log = log
        self._comparison = SettingsComparison(settings, client_init(settings.view), log, sender="client")
        self._contexts: BoundedCache[ClientInit, ClientContexts] = BoundedCache()
        self._manager: TlsManager | None = None
        self._loop: Loop | None = None
        self._seed_at = 0.0
        self.is_complete = False
        """True if contexts can be made by our own settings; requests with other settings are served without."""
        to_ascii("\u00e9.test")  # loads tables that could not be loaded in a chroot
        try:
            self._contexts_of(self._comparison.init)
            self.is_complete = True
        except SettingsError as error:
            log_error(error, log)
            log.warning("TLS client initialization failed")
            for line in culprit.lines(settings, error.setting, enforced=False, prefix=CLIENT):
                log.warning(line)

    @classmethod
    def load(cls, settings: TlsSettings, log: Log) -> ClientRole:
        """Make the role; raise `RoleUnavailableError` where the configuration has no use for it."""
        if not client_is_configured(settings.client):
            raise RoleUnavailableError(DISABLED)
        return cls(settings, log)

    def attach(self, loop: Loop) -> None:
        """Connect to tlsmgr(8) on this loop from now on."""
        name = self._settings.globals.tlsmgr_service_name
        # In a chroot only the second one is there; it is relative to where master(8) has put us.
        paths = f"{self._settings.view['queue_directory']}/private/{name}", f"private/{name}"
        self._loop = loop
        greets = self._behaviour.generation >= Generation.V3_6
        self._seed_at = loop.now
        self._manager = TlsManager(loop, self._log, paths, greets=greets)

    def plan(self, request: Request, settings: ClientSettings) -> SessionPlan:  # noqa: ARG002
        """Prepare a session, making a context where no session had these settings; raise `RoleUnavailableError`."""
        log, start = self._log, settings.start
        new = self._comparison.key(settings.init) not in self._contexts
        self._comparison.compare(settings.params, settings.init, new=new)
        try:
            contexts = self._contexts_of(settings.init)
        except SettingsError as error:
            log_error(error, log)
            raise RoleUnavailableError(str(error)) from None
        try:
            return self._plan(contexts, settings)
        except (SessionRefusedError, CipherError) as error:
            # Postfix notices only when the session begins.
            log.warning(f"{start.namaddr.lower()}: {error}" if isinstance(error, CipherError) else str(error))
            binding.log_errors(log)
            return RefusedSessionPlan(settings.generation, str(error))

    def renew(self) -> bool:
        """Read certificates and authorities again, for new sessions; sessions that there are go on.

        If that can't be done, log the reason, keep the old ones, and return False.
        """
        try:
            for each in self._contexts.values():
                each.renew()
        except SettingsError as error:
            log_failed_renewal(error, self._log)
            return False
        if not self.is_complete:
            try:
                self._contexts_of(self._comparison.init)
                self.is_complete = True
            except SettingsError as error:
                log_error(error, self._log)
        return True

    def _contexts_of(self, init: ClientInit) -> ClientContexts:
        """Return the contexts of an INIT, or make them now; a failure is not remembered."""
        return self._contexts.get_or_make(self._comparison.key(init), lambda: self._make_contexts(init))

    def _make_contexts(self, init: ClientInit) -> ClientContexts:
        behaviour = self._behaviour
        wanted = ClientContextSettings.of(init, traces=behaviour.settings_from_client)
        return ClientContexts(self._settings.globals, wanted, behaviour, self._log)

    def _plan(self, contexts: ClientContexts, settings: ClientSettings) -> ClientSessionPlan:
        """Prepare a session; raise `SessionRefusedError` or `CipherError`."""
        log, start, library = self._log, settings.start, self._settings.globals
        mask = contexts.mask
        if settings.generation is Generation.V3_12:
            mask = checked_mask(log_level(start.log_level, traces=True), start.log_param, log)
        if level_of(start) > SecurityLevel.ENCRYPT:
            mask |= LogMask.UNTRUSTED
        if mask & LogMask.VERBOSE:
            log.info(f"setting up TLS connection to {start.namaddr}")
        protocols = allowed_protocols(start)
        ciphers = cipher_list(library, Grade.of(start.cipher_grade), cipher_exclusions(start.cipher_exclusions))
        if mask & LogMask.VERBOSE:
            log.info(f'{start.namaddr}: TLS cipher list "{ciphers.text}"')
        depth, yields = contexts.settings.verifydepth, self._behaviour.mismatch_yields
        wanted = session_policy(start, contexts.digests, log, verifydepth=depth, mismatch_yields=yields)
        policy = wanted.verification
        context = contexts.get(ClientVariant(ciphers, protocols, policy.level > SecurityLevel.ENCRYPT))
        for complaint in context.complaints:
            log.warning(f"{start.namaddr.lower()}: {complaint}")
        if wanted.servername and mask & LogMask.SSL_DEBUG:
            log.info(f"{start.namaddr}: SNI hostname: {wanted.servername}")
        cached = None
        if self._loop is not None and self._manager is not None:
            raw_keys = self._behaviour.raw_keys
            name = cache_id(settings.init, start, policy, wanted.servername, ciphers.text, raw_keys=raw_keys)
            reports = log if mask & LogMask.CACHE else None
            cached = CachedSession(self._manager, self._loop, contexts.settings.cache_type, name, reports)
            if self._loop.now >= self._seed_at:
                self._seed_at = self._loop.now + _SEED_INTERVAL
                self._manager.seed(library.tls_daemon_random_bytes, peers.add_entropy)
        setting = ClientSessionSettings(
            contexts=contexts,
            context=context.context,
            start=start,
            policy=wanted,
            mask=mask,
            library=library,
            behaviour=self._behaviour,
            log=log,
            cached=cached,
        )
        return ClientSessionPlan(setting, settings.generation)


class ClientSessionPlan:
    """One request that the role will serve."""

    hello_decides = False

    def __init__(self, setting: ClientSessionSettings, generation: Generation) -> None:
        self._setting = setting
        self.generation = generation
        self.packets = packets(setting.mask)

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Go on when an old session has been looked for."""
        if self._setting.cached is None:
            go_on()
        else:
            self._setting.cached.find(go_on)

    def start(self, descriptor: int) -> ClientConnection:
        """Begin TLS on the remote peer's descriptor."""
        return ClientConnection(self._setting, descriptor)
