"""Strength of keys and signatures: OpenSSL's security level 1, which asks for 80 bits (SSL_CTX_set_security_level(3)).

OpenSSL checks the path that it verifies for a connection. The binding has no way to ask the same of a path that is
built beside it, so the strong keys and signatures are listed here; any other is weak. No I/O.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .der import DerError, elements

_RSA_BITS, _DSA_BITS, _ORDER_BITS = 920, 1024, 160
"""Sizes that count as 80 bits. For RSA, OpenSSL rounds the estimate of NIST SP 800-56B (revision 2, appendix D) to a
multiple of 8. So a modulus may be a little smaller than 1024 bits."""
_ALWAYS_STRONG = (
    *(ed25519.Ed25519PublicKey, ed448.Ed448PublicKey),
    *(mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey),
)


def is_strong_key(public_key_info: bytes) -> bool:
    """Return True if a SubjectPublicKeyInfo holds a key that gives 80 bits of security."""
    try:
        key = load_der_public_key(public_key_info)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _RSA_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.key_size >= _ORDER_BITS
    if isinstance(key, dsa.DSAPublicKey):
        order = key.parameters().parameter_numbers().q
        return key.key_size >= _DSA_BITS and order.bit_length() >= _ORDER_BITS
    return isinstance(key, _ALWAYS_STRONG)


def _encoded(prefix: str, *last: int) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(prefix) + bytes((each,)) for each in last)


_PSS = bytes.fromhex("2a864886f70d01010a")
_SIGNATURES: Final = (
    _encoded("2a864886f70d0101", 11, 12, 13, 14, 15, 16)  # RSA, PKCS #1 v1.5: SHA-256, -384, -512, -224, -512/224, /256
    | _encoded("2a8648ce3d0403", 1, 2, 3, 4)  # ECDSA: SHA-224, -256, -384, -512
    | _encoded("6086480165030403", *range(1, 20))  # DSA with SHA-2 and -3, ECDSA and RSA with SHA-3, ML-DSA
    | _encoded("2b65", 112, 113)  # Ed25519, Ed448
)
_DIGESTS: Final = _encoded("6086480165030402", *range(1, 11))  # SHA-2 and SHA-3, all sizes


def is_strong_signature(algorithm: bytes) -> bool:
    """Return True if the content of an AlgorithmIdentifier names a signature that gives 80 bits of security."""
    try:
        kind, *parameters = elements(algorithm)
        if kind.content != _PSS:
            return kind.content in _SIGNATURES
        fields = elements(parameters[0].content)
        digest = next(each.content for each in fields if each.tag == _PSS_DIGEST)
        return next(elements(next(elements(digest)).content)).content in _DIGESTS
    except (DerError, ValueError, IndexError, StopIteration):  # a digest that is not named is SHA-1
        return False


_PSS_DIGEST = 0xA0
