"""One session of the client role: the server's certificate, its verification, and the log of both.

The lines and their order are those of tls_client_post_connect(3) and of the callbacks that run before it.
"""

from __future__ import annotations

from typing import NamedTuple

from OpenSSL import SSL

from postconf.models import TlsGlobals
from postconf.models.log_level import LogMask
from postconf.values import SecurityLevel

from ...log import Log
from ...wire.messages import ClientStart, PeerStatus, TlsContext
from ..openssl import binding, callbacks, peers
from ..openssl.callbacks import Hooks
from ..openssl.peers import PeerCertificate
from ..report import trace
from ..report.certificate import describe, fill_in, log_fault
from ..report.summary import Agreement, agreement, signature, summary
from ..settings.release_behaviour import Behaviour
from ..verification import dane
from ..verification.chain_verifier import ChainVerifier, peer_status
from ..verification.evidence import Proof, Refusal, TlsaMatch
from .contexts import ClientContexts
from .policy import SessionPolicy
from .sessions import CachedSession

_MOST_TICKETS = 10
"""Of one server's tickets more are not saved: it may send thousands."""
_CERTIFICATE_LINES = LogMask.CERTMATCH | LogMask.VERBOSE | LogMask.PEERCERT


class ClientSessionSettings(NamedTuple):
    """The settings of one session, and the objects that it shares."""

    contexts: ClientContexts
    context: SSL.Context
    start: ClientStart
    policy: SessionPolicy
    mask: int
    library: TlsGlobals
    behaviour: Behaviour
    log: Log
    cached: CachedSession | None
    """Its place in the session cache, if there is one."""


class ClientConnection:
    """One session."""

    __slots__ = ("_facts", "_hooks", "_namaddr", "_setting", "_tickets", "_verifier", "agreed", "reused", "ssl")

    _facts: TlsContext  # known from `finish_handshake` on
    agreed: Agreement

    def __init__(self, setting: ClientSessionSettings, descriptor: int) -> None:
        """Begin TLS on the remote peer's descriptor."""
        self._setting = setting
        self._namaddr = setting.start.namaddr.lower()
        self._tickets = 0
        self.reused = False
        self.ssl = ssl = binding.begin(setting.context, descriptor, server=False)
        self._verifier = ChainVerifier(setting.policy.verification, lambda: peers.peer_chain(ssl))
        self._hooks = hooks = Hooks()
        hooks.on_verify = self._on_verify
        hooks.on_fault = lambda: log_fault(setting.log)
        if setting.policy.servername:
            binding.set_server_name(ssl, setting.policy.servername.encode("utf-8", "surrogateescape"))
        if setting.cached is not None:
            if setting.cached.session:
                peers.offer_session(ssl, setting.cached.session)
            hooks.on_ticket = self._on_ticket
        if setting.mask & LogMask.SSL_DEBUG:
            hooks.on_step = trace.follow(ssl, setting.log)
        callbacks.hook(ssl, hooks)

    def finish_handshake(self) -> Agreement:
        """Verify the server after a handshake, write the log, and return the protocol and the cipher."""
        setting, mask, log = self._setting, self._setting.mask, self._setting.log
        self.reused = reused = peers.session_reused(self.ssl)
        if reused and mask & LogMask.CACHE:
            log.info(f"{self._namaddr}: Reusing old session")
        own = peer = None
        if setting.behaviour.signatures_when_resumed or not reused:
            peer = signature(binding.peer_key(self.ssl), self._hooks.peer_scheme)
            if self._hooks.own_scheme:
                own = signature(binding.own_key(self.ssl), self._hooks.own_scheme)
        self.agreed = agreed = agreement(self.ssl, peer, own, setting.behaviour)
        self._facts = facts = agreed.context(self._namaddr)
        facts.level = setting.policy.verification.level
        certificate = peers.peer_certificate(self.ssl)
        error = None if certificate is None else self._error(reused=reused)
        facts.peer_status = peer_status(facts.level, error, mismatch_keeps_trust=setting.behaviour.mismatch_yields)
        if certificate is not None:
            self._describe(certificate, facts, reused=reused)
        if mask & LogMask.SUMMARY:
            log.info(summary(agreed, facts.peer_status, "to", self._namaddr))
        if facts.cipher_protocol != "TLSv1.3" and (self._tickets or not reused):
            self._save()
        return agreed

    def tls_context(self) -> TlsContext:
        """Return the facts of the session that the local peer gets."""
        return self._facts

    def log_failure(self) -> None:
        """Log OpenSSL's errors of a failed handshake."""
        binding.log_errors(self._setting.log)
        if self._setting.cached is not None:
            self._setting.cached.discard()

    def close(self) -> None:
        """Release the data of the connection."""
        callbacks.unhook(self.ssl)

    def _error(self, *, reused: bool) -> int:
        """Return the error that the server's certificate is refused for; 0 if it is admitted."""
        if self._setting.policy.verification.hopeless:
            return peers.UNSPECIFIED
        stored = peers.verify_result(self.ssl)
        if stored != peers.OK or reused:  # a session that is resumed has the verdict on it inside
            return stored
        return self._verifier.answer.error

    def _describe(self, certificate: PeerCertificate, facts: TlsContext, *, reused: bool) -> None:
        """Log the server's certificate, the record that has matched, or the error."""
        setting, log = self._setting, self._setting.log
        bare_keys = setting.library.tls_legacy_public_key_fingerprints and setting.behaviour.bare_key_fingerprints
        digest = setting.contexts.fingerprints.of(setting.start.mdalg)
        fill_in(facts, certificate, digest, log, bare_keys=bare_keys)
        facts.peer_CN = facts.peer_CN or self._verifier.answer.peer_name or ""
        if facts.peer_status & PeerStatus.MATCHED:
            if setting.mask & _CERTIFICATE_LINES:
                self._log_match()
        elif setting.mask & LogMask.UNTRUSTED:
            self._complain(reused=reused)
        if setting.mask & _CERTIFICATE_LINES:
            line = describe(facts, "issuer_CN", setting.behaviour.fingerprint_words)
            log.info(f"{setting.start.namaddr}: {line}")

    def _log_match(self) -> None:
        log, answer = self._setting.log, self._verifier.answer
        if not isinstance(answer, Proof):
            return
        if answer.peer_name:
            log.info(f"{self._namaddr}: matched peername: {answer.peer_name}")
        if answer.match is not None:
            log.info(f"{self._namaddr}: {_matched(answer.match, self._setting.policy.verification.level)}")

    def _complain(self, *, reused: bool) -> None:
        """Log the reason for which the server's certificate does not satisfy the policy."""
        setting, answer = self._setting, self._verifier.answer
        if reused:
            setting.log.info(
                f"{setting.start.namaddr}: re-using session with untrusted {setting.behaviour.credential}, "
                "look for details earlier in the log"
            )
        elif isinstance(answer, Refusal):
            failure = setting.start.forced_failure_type
            setting.log.info(answer.finding.describe(self._namaddr, peer="server", forced_failure_type=failure))

    def _on_verify(self, ok: bool, error: int, depth: int, certificate: PeerCertificate | None) -> int:
        """Process OpenSSL's result of one verification step; return the error so far."""
        setting = self._setting
        error = self._verifier.step(ok, error, depth, certificate)
        if setting.mask & LogMask.VERBOSE and not setting.policy.verification.hopeless:
            subject = f" subject={certificate.subject}" if certificate else ""
            setting.log.info(f"{self._namaddr}: depth={depth} verify={int(ok)}{subject}")
        return error

    def _on_ticket(self) -> None:
        self._tickets += 1
        # Up to TLS 1.2 tickets come in the handshake, before there is a session.
        old = binding.protocol(self.ssl) != "TLSv1.3"
        if not old and self._tickets <= (1 if self._setting.behaviour.one_ticket_saved else _MOST_TICKETS):
            self._save()

    def _save(self) -> None:
        if self._setting.cached is not None:
            self._setting.cached.save(self.ssl)


def _matched(match: TlsaMatch, level: SecurityLevel) -> str:
    """Return the log text on the record that has verified a chain, as tls_dane_log(3) has it."""
    record, depth = match.record, match.depth
    if level >= SecurityLevel.VERIFY:
        return f"Matched trust anchor at depth {depth}"
    if level == SecurityLevel.FINGERPRINT:
        return f"Matched fingerprint: {dane.show_data(record.data)}"
    what = "TA certificate" if depth else "EE certificate"
    if match.by_key:
        what = "TA public key verified certificate"
    return f"Matched DANE {what} at depth {depth}: {dane.show(record)}"
