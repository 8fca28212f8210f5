"""TLSA records: those that can be used, their ranks, and the certificates that they match (RFC 6698, RFC 7671).

Postfix gives fingerprints and local trust anchors the same form, so this is the one way in which certificates are
matched by content. The worth of a match is decided in `verify`. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import InvalidVersion

from postconf.models.dane_digests import DaneDigests

from ...log import Log
from ...wire.dane import TlsaRecord
from ..openssl.peers import PeerCertificate
from ..settings.digests import Digest, digest_by_name
from .der import DerError

PKIX_TA, PKIX_EE, DANE_TA, DANE_EE = range(4)
CERTIFICATE, PUBLIC_KEY = range(2)
FULL = 0
FINGERPRINT = 255
"""The matching type that Postfix uses for fingerprints; it never comes from DNS."""

_PARAMETER = "tls_dane_digests"
_MAX_DATA = 0xFFFF  # bytes, the limit of RDLENGTH in RFC 1035
_MAX_SHOWN = 64  # bytes; of longer data the head and the tail are shown


class Digests(NamedTuple):
    """Matching types that are in use, and their ranks: the strongest has the highest."""

    functions: dict[int, Digest]
    ranks: dict[int, int]


def read_digests(configured: DaneDigests, fingerprint: Digest, log: Log) -> Digests:
    """Return the functions and ranks of tls_dane_digests. `fingerprint` is the digest of fingerprints.

    A digest that can't be used is logged and left out.
    """
    functions: dict[int, Digest] = {FINGERPRINT: fingerprint}
    order: list[int] = []
    for name, mtype, problem in configured.digests:
        if problem:
            log.warning(problem)
        if mtype is None:
            continue
        if not name:
            functions.pop(mtype, None)
        elif mtype in order:
            log.warning(f"{_PARAMETER}: matching type {mtype} specified more than once")
        else:
            order.append(mtype)
            digest = digest_by_name(name)
            if digest is None:
                log.warning(f'{_PARAMETER}: digest algorithm "{name}"({mtype}) unknown')
            else:
                functions[mtype] = digest
    ranks = {mtype: len(order) - position for position, mtype in enumerate(order)}
    return Digests(functions, ranks | {FINGERPRINT: len(order) + 1})


def usable(record: TlsaRecord, digests: Digests) -> bool:
    """Return True for a usable record: known numbers, and data of their kind."""
    if not (PKIX_TA <= record.usage <= DANE_EE and CERTIFICATE <= record.selector <= PUBLIC_KEY):
        return False
    if len(record.data) > _MAX_DATA:
        return False
    if record.mtype == FULL:
        return _parses(record)
    digest = digests.functions.get(record.mtype)
    return digest is not None and len(record.data) == len(digest(b""))


def _parses(record: TlsaRecord) -> bool:
    if record.selector == CERTIFICATE:
        return PeerCertificate.from_der(record.data) is not None
    return is_public_key(record.data)


def is_public_key(data: bytes) -> bool:
    """Return True for a SubjectPublicKeyInfo of a supported kind."""
    try:
        load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def has_signed(public_key: bytes, certificate: PeerCertificate) -> bool:
    """Return True if the key of this SubjectPublicKeyInfo has signed a certificate."""
    try:
        key: Any = load_der_public_key(public_key)
        signed = certificate.x509.to_cryptography()
        how: tuple[Any, ...] = ()
        if isinstance(key, rsa.RSAPublicKey):
            how = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
        elif isinstance(key, ec.EllipticCurvePublicKey):
            how = (signed.signature_algorithm_parameters,)
        key.verify(signed.signature, signed.tbs_certificate_bytes, *how)
    except (InvalidSignature, InvalidVersion, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
        return False
    return True


def usable_records(records: Sequence[TlsaRecord], digests: Digests, namaddr: str, log: Log) -> tuple[TlsaRecord, ...]:
    """Return usable records, the strongest first; log the others in Postfix's order."""
    found = []
    for record in reversed(records):
        if usable(record, digests):
            found.append(record)
        else:
            log.warning(f"{namaddr}: unusable TLSA RR: {show(record)}")
    return tuple(found)


def strongest(records: Iterable[TlsaRecord], digests: Digests) -> tuple[TlsaRecord, ...]:
    """Return the best digest of each usage and selector, and all full data (RFC 7671, section 9)."""
    records = tuple(records)
    best: dict[tuple[int, int], int] = {}
    for record in records:
        if record.mtype != FULL:
            key = record.usage, record.selector
            best[key] = max(best.get(key, 0), digests.ranks.get(record.mtype, 0))
    return tuple(
        record
        for record in records
        if record.mtype == FULL or digests.ranks.get(record.mtype, 0) == best[record.usage, record.selector]
    )


def matches(record: TlsaRecord, certificate: PeerCertificate, digests: Digests) -> bool:
    """Return True if a usable record matches a certificate, with any usage."""
    try:
        data = certificate.der if record.selector == CERTIFICATE else certificate.parts.public_key_info
    except DerError:
        return False
    if record.mtype == FULL:
        return data == record.data
    return digests.functions[record.mtype](data) == record.data


def first_match(
    records: Iterable[TlsaRecord], certificate: PeerCertificate, digests: Digests, *usages: int
) -> TlsaRecord | None:
    """Return the first record of these usages that matches a certificate."""
    return next((each for each in records if each.usage in usages and matches(each, certificate, digests)), None)


def show(record: TlsaRecord) -> str:
    """Return a record as Postfix logs it."""
    return f"{record.usage} {record.selector} {record.mtype} {show_data(record.data)}"


def show_data(data: bytes) -> str:
    """Return the data of a record as Postfix logs it."""
    if len(data) <= _MAX_SHOWN:
        return data.hex().upper() or "..."
    half = _MAX_SHOWN // 2
    return f"{data[:half].hex().upper()}...{data[-half:].hex().upper()}"
