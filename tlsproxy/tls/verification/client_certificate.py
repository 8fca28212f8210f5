"""The verdict on a client's certificate: whether its chain ends at an authority that the server role trusts.

Unlike a server's, it lets nothing happen by itself: smtpd(8) decides on the rights of a trusted certificate. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..openssl.paths import PathFailure
from ..openssl.peers import OK, UNSPECIFIED, PeerCertificate
from .der import CLIENT_AUTH, SERVER_AUTH, DerError
from .evidence import Proof, Refusal, VerifyStep, reported_path
from .verify_error import INVALID_PURPOSE, VerifyFailure


def client_verdict(steps: Sequence[VerifyStep], *, trust_servers: bool) -> Proof | Refusal:
    """Return the proof that OpenSSL has verified a client's chain, or the refusal, by its reports so far.

    ================================================  =======================================
    reports                                           answer
    ================================================  =======================================
    any error                                         refusal, with the one closest to the leaf
    no error, and each certificate down to the leaf   proof
    anything else                                     refusal
    ================================================  =======================================

    `trust_servers`: True if a certificate that is for servers only, below authorities for servers, may have the wrong
    purpose (tls_trust_server_ccerts).
    """
    finding = VerifyFailure()
    leaves = [step.certificate for step in steps if step.depth == 0 and step.certificate is not None]
    excused = trust_servers and any(map(_is_for_servers_only, leaves))
    for step in steps:
        if not step.ok and not (excused and step.error == INVALID_PURPOSE and _is_for_servers(step.certificate)):
            finding.note(step.error if step.error != OK else UNSPECIFIED, step.depth, step.certificate)
    if finding.error != OK or not leaves:
        return Refusal(finding)
    path = reported_path(steps, leaves[0])
    return Refusal(finding) if isinstance(path, PathFailure) else Proof(None, None)


def _is_for_servers(certificate: PeerCertificate | None) -> bool:
    return SERVER_AUTH in _purposes(certificate)


def _is_for_servers_only(certificate: PeerCertificate) -> bool:
    return _is_for_servers(certificate) and CLIENT_AUTH not in _purposes(certificate)


def _purposes(certificate: PeerCertificate | None) -> frozenset[bytes]:
    """Return the purposes of a certificate (extended key usage); none if it can't be read."""
    if certificate is None:
        return frozenset()
    try:
        return certificate.parts.purposes
    except DerError:
        return frozenset()
