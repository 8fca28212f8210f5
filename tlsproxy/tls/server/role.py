"""The server role: we are the TLS server of remote SMTP clients, on behalf of postscreen(8).

`load` goes through the settings in Postfix's order (tlsproxy(8), tls_server_init(3)) and either makes the role or says
why it is not available: in Postfix's words, and then by parameter, file and line. Unlike the C program it also finds
what would only go wrong at the first handshake: a bad cipher grade or list, a chain file that is missing.
"""

from __future__ import annotations

from collections.abc import Callable

from maps import TableError
from postconf.models import TlsServer, TlsSettings
from postconf.values import SecurityLevel, cipher_exclusions

from ...log import Log
from ...wire.messages import Generation, Request, ServerInit, ServerSettings, ServerStart
from ..contexts import BadContext, tell, tell_of_renewal
from ..identities import BadIdentity, Identity
from ..openssl import binding
from ..roles import Packets, RoleUnavailable, SessionRefused
from ..settings import culprit, unsupported
from ..settings.ciphers import BadCiphers, cipher_list
from ..settings.comparison import Match
from ..settings.loglevel import log_mask, packets
from ..settings.release_behaviour import Behaviour
from . import signature_prediction
from .connection import ServerPeer, Setting, needs_watching
from .contexts import ServerContexts, Terms
from .sni import ServerNames, open_names

DISABLED = "TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls"
DISABLED_LATER = "TLS server role is disabled by configuration"
NO_CERTIFICATE = "No server certs available. TLS can't be enabled"
_LEVEL_PARAMETER = "tlsproxy_tls_loglevel"
_MOST_SETTINGS = 100


class ServerRole:
    """Makes server-side sessions: by our own settings, and since Postfix 3.12 by those that each client sends."""

    def __init__(self, settings: TlsSettings, log: Log) -> None:
        """Make the role; raise `BadContext`, `BadIdentity`, `BadCiphers` or `_Unusable`."""
        self._settings = settings
        self._behaviour = Behaviour.of(settings.view.config.release)
        self._log = log
        enforce = _enforced(settings, log)
        init = own_init(settings, enforce=enforce, log=log)
        self._names = _open_names(settings, log)
        self._match = Match(settings, init, log, sender="server")
        self._contexts: dict[ServerInit, ServerContexts] = {}
        self._own = self._setting(init, own_start(settings.server, init, enforce=enforce))
        for line in unsupported.lines(settings.server, init, settings.view):
            log.info(line)

    @classmethod
    def load(cls, settings: TlsSettings, log: Log) -> ServerRole:
        """Make the role; raise `RoleUnavailable` after having logged what is wrong."""
        try:
            return cls(settings, log)
        except (BadIdentity, BadContext, BadCiphers, _Unusable) as error:
            tell(error, log)
            blamed = error.algorithm or "chain_files" if isinstance(error, BadIdentity) else error.setting
            for line in culprit.lines(settings, blamed, enforced=_levels(settings.server)[1]):
                log.warning(line)
            raise RoleUnavailable(str(error)) from None

    def offer(self, request: Request, settings: ServerSettings | None) -> ServerOffer:
        """Prepare a session; raise `RoleUnavailable`. `settings` come from Postfix 3.12 and later."""
        if settings is None:
            return ServerOffer(self._own, request, request.remote_endpoint, self._behaviour.generation)
        start = settings.start
        new = self._match.key(settings.init) not in self._contexts
        self._match.compare(settings.params, settings.init, new=new)
        try:
            setting = self._setting(settings.init, start)
        except (BadIdentity, BadContext) as error:
            tell(error, self._log)
            raise RoleUnavailable(str(error)) from None
        except BadCiphers as error:
            return RefusingOffer(f"{start.namaddr.lower()}: {error}", self._log)
        return ServerOffer(setting, request, start.namaddr, Generation.V3_12)

    @property
    def expires(self) -> float:
        """When, on the monotonic clock, the ticket keys have to be replaced, which `renew` does."""
        return self._own.contexts.expires

    def identities(self) -> list[Identity]:
        """The keys and certificates of our own configuration."""
        return self._own.contexts.identities

    def renew(self) -> bool:
        """Read keys, certificates and tables again, for new sessions; sessions and tickets that there are stay valid.

        If that can't be done, say why, keep the old ones, and return False.
        """
        try:
            names = _open_names(self._settings, self._log)
            for each in self._contexts.values():
                each.renew()
        except (BadIdentity, BadContext, BadCiphers, _Unusable) as error:
            tell_of_renewal(error, self._log)
            return False
        self._names = names
        self._own = self._own._replace(names=self._names)
        return True

    def _setting(self, init: ServerInit, start: ServerStart) -> Setting:
        """Everything that sessions with these settings work with, made now if there was none yet."""
        contexts = self._contexts_of(init)
        library, log = self._settings.globals, self._log
        ciphers = cipher_list(library, start.cipher_grade, cipher_exclusions(start.cipher_exclusions))
        service = start.serverid if self._behaviour.settings_from_client else None
        context = contexts.get(Terms(ciphers, start.cipher_grade, bool(start.requirecert), service))
        own_mask = (start.log_param, start.log_level) == (_LEVEL_PARAMETER, self._settings.server.tlsproxy_tls_loglevel)
        traces = self._behaviour.settings_from_client
        mask = contexts.mask if own_mask else log_mask(start.log_param, start.log_level, log, traces=traces)
        digest = contexts.fingerprints.of(start.mdalg)
        return Setting(contexts, context, mask, packets(mask), digest, self._names, library, self._behaviour, log)

    def _contexts_of(self, init: ServerInit) -> ServerContexts:
        """What there is for an INIT, or else is made now; what can't be made is not remembered."""
        key = self._match.key(init)
        if key not in self._contexts:
            if len(self._contexts) >= _MOST_SETTINGS:
                del self._contexts[next(iter(self._contexts))]
            settings = self._settings
            named = self._names is not None
            self._contexts[key] = ServerContexts(
                settings.globals, init, settings.view, self._behaviour, self._log, named=named
            )
        return self._contexts[key]


class ServerOffer:
    """One request that the role will serve."""

    __slots__ = ("_namaddr", "_request", "_setting", "_watched", "generation", "hello_decides", "packets")

    def __init__(self, setting: Setting, request: Request, namaddr: str, generation: Generation) -> None:
        self._setting = setting
        self._request = request
        self._namaddr = namaddr
        self.generation = generation
        self.packets = setting.packets
        self._watched = needs_watching(setting, request)
        self.hello_decides = self._watched is None

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Go on at once."""
        go_on()

    def start(self, descriptor: int) -> ServerPeer:
        """Begin TLS on the remote peer's descriptor."""
        watched, seen = self._watched, b""
        if watched is None:
            seen = signature_prediction.peek(descriptor)
            watched = not signature_prediction.is_whole(seen)
        return ServerPeer(self._setting, self._request, self._namaddr, descriptor, hello=seen, watched=watched)


class RefusingOffer(ServerOffer):
    """A request whose ciphers are no good, which Postfix notices only when the session begins."""

    def __init__(self, problem: str, log: Log) -> None:
        self.generation = Generation.V3_12
        self.packets = Packets.NONE
        self.hello_decides = False
        self._problem = problem
        self._log = log

    def start(self, descriptor: int) -> ServerPeer:  # noqa: ARG002
        """Say what is wrong."""
        self._log.warning(self._problem)
        binding.log_errors(self._log)
        raise SessionRefused(self._problem)


class _Unusable(Exception):
    """Settings that offer no TLS; the text is Postfix's warning."""

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting


def own_settings(settings: TlsSettings, log: Log) -> ServerSettings:
    """What our own configuration says, as a request of Postfix 3.12 has it; raise `RoleUnavailable`."""
    try:
        enforce = _enforced(settings, log)
        init = own_init(settings, enforce=enforce, log=log)
    except _Unusable as error:
        raise RoleUnavailable(str(error)) from None
    return ServerSettings({}, init, own_start(settings.server, init, enforce=enforce))


def _open_names(settings: TlsSettings, log: Log) -> ServerNames | None:
    """Open the tables of certificates by name; raise `_Unusable` for what is not the name of a table."""
    try:
        return open_names(settings.view, log)
    except TableError as error:
        raise _Unusable(str(error), "tls_server_sni_maps") from None


def own_init(settings: TlsSettings, *, enforce: bool, log: Log) -> ServerInit:
    """What our own configuration says of the contexts; raise `_Unusable` where it offers no TLS."""
    server, view = settings.server, settings.view
    ask = server.tlsproxy_tls_ask_ccert or (enforce and server.tlsproxy_tls_req_ccert)
    chain_files = view["tlsproxy_tls_chain_files"]
    none = server.tlsproxy_tls_cert_file.lower() == "none"
    cert_file = "" if none else server.tlsproxy_tls_cert_file
    legacy = bool(cert_file or server.tlsproxy_tls_dcert_file or server.tlsproxy_tls_eccert_file)
    if chain_files and legacy:
        log.warning(
            "Both tlsproxy_tls_chain_files and one or more of the legacy  tlsproxy_tls_cert_file, "
            "tlsproxy_tls_eccert_file or tlsproxy_tls_dcert_file are non-empty; the legacy  parameters will be ignored"
        )
    certified = bool(chain_files) or legacy
    if ask and not certified:
        log.warning("Need a server cert to request client certs")
    if server.tlsproxy_tls_req_ccert and not enforce:
        log.warning("Can't require client certs unless TLS is required")
    if not certified and (ask or not none):
        raise _Unusable(NO_CERTIFICATE, "certificates")
    return ServerInit(
        log_param=_LEVEL_PARAMETER,
        log_level=server.tlsproxy_tls_loglevel,
        verifydepth=server.tlsproxy_tls_ccert_verifydepth,
        cache_type="smtpd",
        set_sessid=int(server.tlsproxy_tls_always_issue_session_ids),
        chain_files=chain_files,
        cert_file=cert_file,
        key_file=server.tlsproxy_tls_key_file,
        dcert_file=server.tlsproxy_tls_dcert_file,
        dkey_file=server.tlsproxy_tls_dkey_file,
        eccert_file=server.tlsproxy_tls_eccert_file,
        eckey_file=server.tlsproxy_tls_eckey_file,
        CAfile=server.tlsproxy_tls_CAfile,
        CApath=server.tlsproxy_tls_CApath,
        protocols=server.tlsproxy_tls_mandatory_protocols if enforce else server.tlsproxy_tls_protocols,
        eecdh_grade=server.tlsproxy_tls_eecdh_grade,
        dh1024_param_file=server.tlsproxy_tls_dh1024_param_file,
        dh512_param_file=server.tlsproxy_tls_dh512_param_file,
        ask_ccert=int(ask),
        mdalg=server.tlsproxy_tls_fingerprint_digest,
    )


def own_start(server: TlsServer, init: ServerInit, *, enforce: bool) -> ServerStart:
    """What our own configuration says of each session."""
    exclusions = list(server.tlsproxy_tls_exclude_ciphers)
    if enforce:
        exclusions += server.tlsproxy_tls_mandatory_exclude_ciphers
    if init.ask_ccert:
        exclusions.append("aNULL")
    return ServerStart(
        log_param=init.log_param,
        log_level=init.log_level,
        timeout=0,
        enable_rpk=0,
        requirecert=int(enforce and server.tlsproxy_tls_req_ccert),
        serverid="",
        namaddr="",
        cipher_grade=server.tlsproxy_tls_mandatory_ciphers if enforce else server.tlsproxy_tls_ciphers,
        cipher_exclusions=" ".join(exclusions),
        mdalg=init.mdalg,
        trace_size_limit=0,
        trace_peer="",
    )


def is_offered(server: TlsServer) -> bool:
    """Return True if the configuration asks for this role."""
    return _levels(server)[0]


def _enforced(settings: TlsSettings, log: Log) -> bool:
    """Whether TLS is required; raise `_Unusable` where it is not even offered."""
    level = settings.server.tlsproxy_tls_security_level
    if level is not None and level > SecurityLevel.ENCRYPT:
        word = settings.view["tlsproxy_tls_security_level"]
        log.warning(f'tlsproxy_tls_security_level: unsupported TLS level "{word}", using "encrypt"')
    offered, enforced = _levels(settings.server)
    if not offered:
        # From then on Postfix says it at each request.
        later = settings.view.config.release.since("3.11")
        raise _Unusable(DISABLED_LATER if later else DISABLED, "level")
    return enforced


def _levels(server: TlsServer) -> tuple[bool, bool]:
    """Whether TLS is offered, and whether it is required."""
    level = server.tlsproxy_tls_security_level
    if level is None:
        return server.tlsproxy_use_tls or server.tlsproxy_enforce_tls, server.tlsproxy_enforce_tls
    return level >= SecurityLevel.MAY, level >= SecurityLevel.ENCRYPT
