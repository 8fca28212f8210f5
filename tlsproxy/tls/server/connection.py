"""One session of the server role: the client's certificate and server name, its TLS context, and the log.

The lines and their order are those of tls_server_post_accept(3) and of the callbacks that run before it.
"""

from __future__ import annotations

from typing import NamedTuple

from OpenSSL import SSL

from postconf.models import TlsGlobals
from postconf.models.log_level import LogMask

from ...hostnames import is_hostname
from ...log import Log
from ...wire.messages import Flag, PeerStatus, Request, TlsContext
from ..openssl import binding, callbacks, peers
from ..openssl.callbacks import Hooks, NameRefusedError
from ..openssl.peers import PeerCertificate
from ..report import trace
from ..report.certificate import describe, fill_in, log_fault
from ..report.summary import Agreement, agreement, signature, summary
from ..roles import Packets
from ..settings.digests import Digest
from ..settings.errors import SettingsError
from ..settings.release_behaviour import Behaviour
from ..verification.client_certificate import client_verdict
from ..verification.evidence import Proof, Refusal, VerifyStep
from .client_hello import has_ticket
from .contexts import ServerContext, ServerContexts
from .signature_prediction import SignatureDigest
from .sni import NamesUnavailableError, ServerNames
from .tickets import shown_expiry

_DETAILS = LogMask.VERBOSE | LogMask.CACHE | LogMask.SSL_DEBUG
_BUILT_IN = ("default", "none", "")
"""Values of tls_config_file that leave the signature algorithms as they are."""


class ServerSessionSettings(NamedTuple):
    """The settings and objects of a session; the same for all sessions with the same settings."""

    contexts: ServerContexts
    context: ServerContext
    mask: int
    packets: Packets
    digest: Digest
    """Of fingerprints."""
    names: ServerNames | None
    library: TlsGlobals
    behaviour: Behaviour
    log: Log


class ServerConnection:
    """One session."""

    __slots__ = (
        "_answer",
        "_digest",
        "_facts",
        "_hooks",
        "_namaddr",
        "_request",
        "_servername",
        "_setting",
        "_steps",
        "_ticketed",
        "agreed",
        "reused",
        "ssl",
    )

    agreed: Agreement  # known from `finish_handshake` on

    def __init__(
        self, setting: ServerSessionSettings, request: Request, namaddr: str, descriptor: int, digest: SignatureDigest
    ) -> None:
        """Begin TLS on the remote peer's descriptor; `namaddr` is the peer's name in the log."""
        self._setting = setting
        self._request = request
        self._namaddr = namaddr.lower()
        self._servername = ""
        self._facts: TlsContext | None = None
        self._steps: list[VerifyStep] = []
        self._answer: Proof | Refusal | None = None
        self._ticketed = False
        self._digest = digest
        self.reused = False
        detailed = setting.mask & _DETAILS
        if detailed & LogMask.VERBOSE:
            setting.log.info(f"setting up TLS connection from {namaddr}")
            setting.log.info(f'{namaddr}: TLS cipher list "{setting.context.variant.ciphers.text}"')
        digest.look(descriptor)
        begin = callbacks.begin_watched if digest.is_watched else binding.begin
        self.ssl = ssl = begin(setting.context.base, descriptor, server=True)
        if setting.context.renewed is not None:
            binding.change_context(ssl, setting.context.renewed)
        self._hooks = hooks = Hooks()
        if setting.names is not None:
            hooks.on_server_name = self._on_server_name
        if setting.contexts.settings.ask_ccert:
            hooks.on_verify = self._on_verify
            hooks.on_fault = lambda: log_fault(setting.log)
            binding.ask_for_certificate(ssl)
        if detailed:
            traced = setting.log if setting.mask & LogMask.SSL_DEBUG else None
            on_hello = None
            if detailed & LogMask.CACHE:
                hooks.on_ticket, on_hello = self._on_ticket, self._on_hello
                hooks.keeps_hello = True
            hooks.on_step = trace.follow(ssl, traced, on_hello)
        if digest.is_watched or setting.names is not None:
            callbacks.hook(ssl, hooks)

    def finish_handshake(self) -> Agreement:
        """Verify the client after a handshake, write the log, and return the protocol and the cipher."""
        setting, mask, log = self._setting, self._setting.mask, self._setting.log
        self.reused = reused = peers.session_reused(self.ssl)
        if reused and mask & LogMask.CACHE:
            ticket = " (RFC 5077 session ticket)" if self._ticketed else ""
            log.info(f"{self._namaddr}: Reusing old session{ticket}")
        own = peer = None
        if setting.behaviour.signatures_when_resumed or not reused:
            key = binding.own_key(self.ssl)
            own = signature(key, self._digest.scheme(key, self._hooks.own_scheme, resumed=reused))
            if setting.contexts.settings.ask_ccert:
                peer = signature(binding.peer_key(self.ssl), self._hooks.peer_scheme)
        self.agreed = agreed = agreement(self.ssl, own, peer, setting.behaviour)
        status = self._look_at_certificate(reused=reused) if setting.contexts.settings.ask_ccert else 0
        if mask & LogMask.SUMMARY:
            log.info(summary(agreed, status, "from", self._namaddr, self._servername))
        return agreed

    def tls_context(self) -> TlsContext:
        """Return the facts of the session that the local peer gets."""
        if self._facts is None:
            self._facts = self.agreed.context(self._namaddr)
        return self._facts

    def log_failure(self) -> None:
        """Log OpenSSL's errors of a failed handshake."""
        binding.log_errors(self._setting.log)

    def close(self) -> None:
        """Release the data of the connection."""
        if self._digest.is_watched or self._setting.names is not None:
            callbacks.unhook(self.ssl)

    def _look_at_certificate(self, *, reused: bool) -> int:
        """Log the client's certificate, if there is one, and the reason if it is not trusted; return its status."""
        certificate = peers.peer_certificate(self.ssl)
        if certificate is None:
            return 0
        facts = self.tls_context()
        self._describe(certificate, facts)
        if not facts.peer_status & PeerStatus.TRUSTED:
            self._complain(reused=reused)
        return facts.peer_status

    def _describe(self, certificate: PeerCertificate, facts: TlsContext) -> None:
        """Fill in `facts` of the client's certificate, present or trusted, and log it."""
        setting, log = self._setting, self._setting.log
        facts.peer_status = PeerStatus.PRESENT
        if peers.verify_result(self.ssl) == peers.OK:
            facts.peer_status |= PeerStatus.TRUSTED
        if setting.mask & LogMask.VERBOSE:
            log.info(f"subject={certificate.subject}")
            log.info(f"issuer={certificate.issuer}")
        bare_keys = setting.library.tls_legacy_public_key_fingerprints and setting.behaviour.bare_key_fingerprints
        fill_in(facts, certificate, setting.digest, log, bare_keys=bare_keys)
        if setting.mask & (LogMask.VERBOSE | LogMask.PEERCERT):
            log.info(f"{self._namaddr}: {describe(facts, 'issuer', setting.behaviour.fingerprint_words)}")

    def _complain(self, *, reused: bool) -> None:
        """Log the reason for which the client's certificate is not trusted."""
        setting = self._setting
        if not (setting.mask & LogMask.UNTRUSTED or setting.context.variant.req_ccert):
            return
        if reused:
            setting.log.info(
                f"{self._namaddr}: re-using session with untrusted certificate, look for details earlier in the log"
            )
        elif isinstance(self._answer, Refusal):
            setting.log.info(self._answer.finding.describe(self._namaddr, peer="client"))

    def _on_ticket(self) -> None:
        """Log a ticket that our keys seal. Without keys, TLS 1.3 names a session in a ticket's place."""
        if self._setting.contexts.resumption.tickets:
            self._log_ticket("Issuing")

    def _on_hello(self) -> None:
        """Log a ticket that the client has come back with, but no session id."""
        if not (self._setting.contexts.resumption.tickets and peers.session_reused(self.ssl)):
            return
        if binding.protocol(self.ssl) == "TLSv1.3" or has_ticket(self._hooks.hello):
            self._log_ticket("Decrypting")

    def _log_ticket(self, verb: str) -> None:
        self._ticketed = True
        expires = shown_expiry(self._setting.context.expires)
        self._setting.log.info(f"{self._namaddr}: {verb} session ticket, key expiration: {expires}")

    def _on_verify(self, ok: bool, error: int, depth: int, certificate: PeerCertificate | None) -> int:
        """Process OpenSSL's result of one verification step; return the error so far."""
        self._steps.append(VerifyStep(ok, error, depth, certificate))
        trust_servers = self._setting.library.tls_trust_server_ccerts
        self._answer = client_verdict(self._steps, trust_servers=trust_servers)
        if self._setting.mask & LogMask.VERBOSE:
            subject = certificate.subject if certificate else "<unknown>"
            self._setting.log.info(f"{self._namaddr}: depth={depth} verify={int(ok)} subject={subject}")
        return self._answer.error

    def _on_server_name(self, name: bytes) -> SSL.Context | None:
        """Choose the certificate for the name that the client asks for; None declines it."""
        setting, log = self._setting, self._setting.log
        text = name.decode("utf-8", "surrogateescape")
        if not text or setting.names is None:
            return None
        if not is_hostname(text):
            log.warning(f"TLS SNI from {self._namaddr} is invalid: {text}")
            return None
        if self._servername:  # a second hello, after a retry
            if text == self._servername:
                return self._hooks.context
            log.warning(f"TLS SNI changed from {self._namaddr} initially {self._servername}, {text} after hello retry")
            return None
        try:
            pem = setting.names.find(name)
            if pem is None:
                log.info(f"TLS SNI {text} from {self._namaddr} not matched, using default chain")
                return None
            context = setting.context.for_chain(pem, text, log)
        except NamesUnavailableError:
            log.warning(f"tls_server_sni_maps: {text} map lookup problem")
            raise NameRefusedError from None
        except SettingsError as error:
            log.warning(str(error))
            binding.log_errors(log)
            raise NameRefusedError from None
        self._servername = text
        return context


def signature_digest(setting: ServerSessionSettings, request: Request) -> SignatureDigest:
    """Return the means to find the digest of a session's signature, as far as the log or the client needs it."""
    contexts, mask = setting.contexts, setting.mask
    wanted = bool(mask or request.flags & Flag.SEND_CONTEXT)
    # In debug logs TLS begins before the client has sent anything; a file may choose other signature algorithms.
    unpredictable = bool(mask & _DETAILS) or setting.library.tls_config_file not in _BUILT_IN
    must_watch = contexts.settings.ask_ccert or bool(mask & LogMask.CACHE) or (wanted and unpredictable)
    return SignatureDigest(wanted=wanted, must_watch=must_watch, keys_decide=contexts.keys_decide)
