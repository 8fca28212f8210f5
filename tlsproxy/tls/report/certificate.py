"""Peer certificates in the log and in the TLS context: names and fingerprints (tls_verify(3), tls_fprint(3))."""

from __future__ import annotations

import traceback

from ...log import Log
from ...wire.messages import TlsContext
from ..openssl.peers import PeerCertificate
from ..settings.digests import Digest, fingerprint
from ..verification.der import DerError

_MAX_NAME = 256


def fill_in(facts: TlsContext, certificate: PeerCertificate, digest: Digest, log: Log, *, bare_keys: bool) -> None:
    """Fill in names and fingerprints; a common name that is not fit to be shown is logged, under `facts.namaddr`.

    `bare_keys`: fingerprints of keys are those of their bits alone (tls_legacy_public_key_fingerprints).
    """
    facts.peer_CN = certificate.peer_name
    if not facts.peer_CN and certificate.common_names:
        log.warning(f"tls_text_name: {facts.namaddr}: {_unfit(certificate.common_names[0])}")
    facts.issuer_CN = certificate.issuer_name
    facts.peer_fingerprint = fingerprint(digest, certificate.der)
    try:
        parts = certificate.parts
    except DerError:
        return
    facts.peer_pubkey_fingerprint = fingerprint(digest, parts.public_key_bits if bare_keys else parts.public_key_info)


def describe(facts: TlsContext, issuer: str, words: tuple[str, str] | None) -> str:
    """Return the line on a certificate (log word `peercert`); `issuer` and `words` are the names of its parts."""
    names = (issuer, "fingerprint", "pkey_fingerprint") if words is None else ("issuer", *words)
    values = facts.issuer_CN, facts.peer_fingerprint, facts.peer_pubkey_fingerprint
    return f"subject_CN={facts.peer_CN}" + "".join(f", {a}={b}" for a, b in zip(names, values, strict=True))


def log_fault(log: Log) -> None:
    """Log the exception that is being handled, in full: it is a mistake of ours; the peer counts as not verified."""
    for line in traceback.format_exc().splitlines():
        log.error(line)


def _unfit(name: str) -> str:
    """Return the reason for which a common name is not shown."""
    size = len(name.encode("utf-8", "surrogateescape"))
    if size >= _MAX_NAME:
        return f"peer subject CN too long: {size}"
    return f"{'NULL character' if chr(0) in name else 'non-printable content'} in peer subject CN"
