"""Keys and certificates, as far as they decide on an offer."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterable
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from postconf.values import words

from ....tls.identities import Identity
from ....tls.settings.parameters import CHAIN_FILES, DH_FILES, FILES, KEY_PAIRS, CertificateFiles
from ....tls.verification.der import SEQUENCE, elements, only
from ....wire.messages import ClientInit, ServerInit
from ...facts.filesystem import FileSystem
from ...facts.tls.certificates import is_self_signed, names_of
from ..openssl.negotiation import finite_strength
from .offer import OfferedCertificate

_CURVES = {"secp256r1": "prime256v1"}
_DIGEST_STRENGTH = {"md5": 39, "sha1": 63}
"""Bits of security; of others it is half of their size (X509_get_signature_info(3))."""
_SIGNERS = {
    "RSA": ("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pkcs1_sha256"),
    "RSA-PSS": ("rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"),
    "Ed25519": ("ed25519",),
    "Ed448": ("ed448",),
    "DSA": ("dsa_sha256",),
}
_CURVE_SIGNERS = {
    "prime256v1": "ecdsa_secp256r1_sha256",
    "secp384r1": "ecdsa_secp384r1_sha384",
    "secp521r1": "ecdsa_secp521r1_sha512",
}


def certificates(identities: Iterable[Identity], server_name: str = "") -> tuple[OfferedCertificate, ...]:
    """Return the certificates of identities that have been read; those that can't be parsed are left out."""
    found = (_certificate(each, server_name) for each in identities)
    return tuple(each for each in found if each)


def assumed(files: CertificateFiles) -> tuple[OfferedCertificate, ...]:
    """Return the certificates that files are likely to have, where they can't be read."""
    kinds = [pair.kind for pair in files.pairs] or (["RSA"] if files.text else [])
    return tuple(_ASSUMED[kind] for kind in kinds)


_ASSUMED = {
    "RSA": OfferedCertificate("RSA", 2048, strength=112, signature="sha256", is_assumed=True),
    "ECDSA": OfferedCertificate("ECDSA", 256, "prime256v1", strength=128, signature="sha256", is_assumed=True),
    "DSA": OfferedCertificate("DSA", 2048, strength=112, signature="sha256", is_assumed=True),
}


def signatures(found: Iterable[OfferedCertificate]) -> tuple[str, ...]:
    """Return the schemes with which keys sign, by their names in RFC 8446."""
    names: dict[str, None] = {}
    for each in found:
        own = _SIGNERS.get(each.algorithm) or (_CURVE_SIGNERS.get(each.curve, f"ecdsa ({each.curve})"),)
        names.update(dict.fromkeys(own))
    return tuple(names)


def _certificate(identity: Identity, server_name: str) -> OfferedCertificate | None:
    chain = []
    for each in identity.chain:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chain.append(x509.load_pem_x509_certificate(each.text.replace(b"X509 CERTIFICATE", b"CERTIFICATE")))
        except ValueError:
            return None
    leaf = chain[0]
    algorithm, bits, curve, _ = _key(leaf)
    return OfferedCertificate(
        algorithm,
        bits,
        curve,
        names=tuple(names_of(leaf)),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        server_name=server_name,
        chain=tuple(each.subject.rfc4514_string() for each in chain[1:]),
        strength=min(_strength(each) for each in chain),
        signature=_digest(leaf),
        signer=_signer(leaf),
    )


def _key(certificate: x509.Certificate) -> tuple[str, int, str, int]:
    """Return algorithm, bits, curve and bits of security of a certificate's key."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown", 0, "", 0
    match key:
        case rsa.RSAPublicKey():
            is_pss = certificate.public_key_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
            return "RSA-PSS" if is_pss else "RSA", key.key_size, "", finite_strength(key.key_size)
        case ec.EllipticCurvePublicKey():
            return "ECDSA", key.key_size, _CURVES.get(key.curve.name, key.curve.name), key.key_size // 2
        case dsa.DSAPublicKey():
            return "DSA", key.key_size, "", finite_strength(key.key_size)
        case ed25519.Ed25519PublicKey():
            return "Ed25519", 256, "", 128
        case ed448.Ed448PublicKey():
            return "Ed448", 456, "", 224
    return type(key).__name__.removesuffix("PublicKey").replace("MLDSA", "ML-DSA-"), 0, "", 256


def _strength(certificate: x509.Certificate) -> int:
    strength = _key(certificate)[3]
    if is_self_signed(certificate):
        return strength
    name = _digest(certificate)
    if not name:
        return strength
    return min(strength, _DIGEST_STRENGTH.get(name, int(name.removeprefix("sha")[-3:] or "256") // 2))


def _digest(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return "" if algorithm is None else algorithm.name.replace("-", "")


def _signer(certificate: x509.Certificate) -> str:
    """Return the algorithm of the key that has signed a certificate, as the name of the signature has it."""
    oid = certificate.signature_algorithm_oid
    if oid == SignatureAlgorithmOID.RSASSA_PSS:
        return "RSA-PSS"
    name = oid._name.lower()
    return next((each for each in ("ECDSA", "RSA", "DSA") if each.lower() in name), "")


def files_of(init: object) -> list[str]:
    """Return the files with keys and certificates that an INIT names."""
    names = [CHAIN_FILES, *(name for pair in KEY_PAIRS for name in pair[1:])]
    return [file for name in names for file in getattr(init, name).replace(",", " ").split()]


Init = TypeVar("Init", ServerInit, ClientInit)


def below_root(init: Init, files: FileSystem) -> Init:
    """Return an INIT with the files that it names as they are called on this machine, below the root of an image."""
    if not files.is_image:
        return init
    named = {each: getattr(init, each, "") for each in (*FILES, *DH_FILES)}
    moved: dict[str, Any] = {
        name: " ".join(_below_root(word, files) for word in words(text)) for name, text in named.items() if text
    }
    return init._replace(**moved)


def _below_root(word: str, files: FileSystem) -> str:
    is_moved = word.startswith(f"{files.root}/") or not word.startswith("/")
    return word if is_moved else files.locate(word)


_PARAMETERS = re.compile(rb"-----BEGIN (?:X9\.42 )?DH PARAMETERS-----(.*?)-----END", re.DOTALL)


def dh_size(text: bytes) -> int:
    """Return the bits of the prime in a PEM file of Diffie-Hellman parameters; 0 without parameters."""
    match = _PARAMETERS.search(text)
    try:
        prime = next(elements(only(base64.b64decode(match[1] if match else b""), SEQUENCE).content)).content
    except (ValueError, StopIteration):
        return 0
    return int.from_bytes(prime, "big").bit_length()
