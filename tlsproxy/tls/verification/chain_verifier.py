"""The verdict as a connection needs it: asked for while OpenSSL verifies, and in the terms of the protocol."""

from __future__ import annotations

import time
from collections.abc import Callable

from postconf.values import SecurityLevel

from ...wire.messages import PeerStatus
from ..openssl.peers import OK, PeerCertificate
from .evidence import Proof, Refusal, VerifyStep
from .policy import VerificationPolicy
from .verify import Trust, verdict
from .verify_error import HOSTNAME_MISMATCH, VerifyFailure


def peer_status(level: int, error: int | None, *, mismatch_keeps_trust: bool = False) -> PeerStatus:
    """Convert a verify result for smtp(8). `error`: the final one, 0 for success, None without a certificate.

    ==================  ============  =================================
    error               level         status
    ==================  ============  =================================
    no certificate      any           nothing
    none                up to encrypt PRESENT TRUSTED
    none                half-dane     PRESENT TRUSTED MATCHED
    none                above         PRESENT TRUSTED MATCHED SECURED
    hostname mismatch   above encrypt PRESENT TRUSTED, only if `mismatch_keeps_trust` (Postfix 3.10.4 and later)
    any other           any           PRESENT
    ==================  ============  =================================
    """
    if error is None:
        return PeerStatus(0)
    if error == OK:
        if level <= SecurityLevel.ENCRYPT:
            return PeerStatus.PRESENT | PeerStatus.TRUSTED
        if level == SecurityLevel.HALF_DANE:
            return PeerStatus.PRESENT | PeerStatus.TRUSTED | PeerStatus.MATCHED
        return PeerStatus.PRESENT | PeerStatus.TRUSTED | PeerStatus.MATCHED | PeerStatus.SECURED
    if error == HOSTNAME_MISMATCH and level > SecurityLevel.ENCRYPT and mismatch_keeps_trust:
        return PeerStatus.PRESENT | PeerStatus.TRUSTED
    return PeerStatus.PRESENT


class ChainVerifier:
    """Asks for the verdict on one chain at each step of OpenSSL's verification; every answer may be the last one."""

    __slots__ = ("_in_doubt", "_peer_chain", "_policy", "_steps", "answer")

    def __init__(self, policy: VerificationPolicy, peer_chain: Callable[[], list[PeerCertificate]]) -> None:
        """`peer_chain`: returns the certificates that the server has sent, its own first."""
        self._policy = policy
        self._peer_chain = peer_chain
        self._steps: list[VerifyStep] = []
        self._in_doubt = False
        self.answer: Proof | Refusal = Refusal(VerifyFailure())
        """The verdict so far: nothing is proven before the first step."""

    def step(self, ok: bool, error: int, depth: int, certificate: PeerCertificate | None) -> int:
        """Process OpenSSL's result of one step; return the error so far.

        Once a step has raised an exception, the verification has failed; later steps do not change that.
        """
        self._steps.append(VerifyStep(ok, error, depth, certificate))
        if self._in_doubt:
            return self.answer.error
        decided = len(self._steps) > 1 and not self._policy.local
        if not decided:
            self._in_doubt, self.answer = True, Refusal(VerifyFailure())
            now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
            self.answer = verdict(self._policy, self._peer_chain(), Trust(tuple(self._steps), now))
            self._in_doubt = False
        return self.answer.error
