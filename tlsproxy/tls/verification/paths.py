"""Certification paths that a policy may rely on: verified by OpenSSL, and strong enough at every step."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType

from ..openssl.paths import PathFailure, VerifiedPath, signed_path
from ..openssl.peers import PeerCertificate
from .der import DerError
from .strength import is_strong_key, is_strong_signature

EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_DIGEST_TOO_WEAK = 66, 67, 68


def build_path(chain: Sequence[PeerCertificate], anchors: Sequence[PeerCertificate]) -> VerifiedPath | PathFailure:
    """Build a path from the first certificate of `chain` to one of `anchors`, as OpenSSL does at security level 1.

    Errors come in the order in which OpenSSL would report them. Dates are left to the caller.
    """
    path = signed_path(chain, anchors)
    if isinstance(path, PathFailure):
        return path
    for depth, certificate in enumerate(path.certificates):
        if not has_strong_key(certificate):
            return PathFailure(CA_KEY_TOO_SMALL if depth else EE_KEY_TOO_SMALL, depth, certificate)
        # The signature on a certificate that is trusted already proves nothing.
        if depth < path.depth and not has_strong_signature(certificate):
            return PathFailure(CA_DIGEST_TOO_WEAK, depth, certificate)
    return path


def is_well_formed(certificate: PeerCertificate) -> bool:
    """Return True if each extension of a certificate is there once and can be read.

    OpenSSL finds out when it looks for an issuer, so it does not where a path has no more than one certificate.
    """
    try:
        certificate.x509.to_cryptography().extensions  # noqa: B018  # it is read when it is asked for
    except (DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType, ValueError):
        return False
    return True


def contradicts_itself(certificate: PeerCertificate) -> bool:
    """Return True if a certificate names itself as its issuer, but another kind of key than its own has signed it.

    OpenSSL 4 takes no such certificate for an issuer. Before, it did.
    """
    if not certificate.self_issued:
        return False
    try:
        itself = certificate.x509.to_cryptography()
        itself.verify_directly_issued_by(itself)
    except InvalidSignature:  # of the right kind
        return False
    except (InvalidVersion, UnsupportedAlgorithm, ValueError, TypeError):
        return True
    return False


def has_strong_key(certificate: PeerCertificate) -> bool:
    """Return True if a certificate can be read and its key is strong enough."""
    try:
        return is_strong_key(certificate.parts.public_key_info)
    except DerError:
        return False


def has_strong_signature(certificate: PeerCertificate) -> bool:
    """Return True if a certificate can be read and the digest that was signed is strong enough."""
    try:
        return is_strong_signature(certificate.parts.signature_algorithm)
    except DerError:
        return False
