"""Certificates in the PEM files of a configuration, in their order, as `cryptography` reads them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ...context import Context
from .key_files import UsedFile, used_files

BEGIN = b"-----BEGIN "
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def certificates(context: Context, path: str) -> list[x509.Certificate]:
    """Return the certificates of a file; none if it can't be read, which other rules report."""
    return _parsed(_read(context, path))


def subjects(context: Context, path: str) -> frozenset[x509.Name]:
    """Return the subjects of the certificates in a file (often more than 100); empty if it can't be read."""
    return _subjects(_read(context, path))


def _read(context: Context, path: str) -> bytes:
    try:
        return context.files.read(path)
    except (OSError, ValueError):
        return b""


@lru_cache(maxsize=4)
def _subjects(data: bytes) -> frozenset[x509.Name]:
    return frozenset(each.subject for each in _parsed(data))


def _parsed(data: bytes) -> list[x509.Certificate]:
    found = []
    for part in data.split(_CERTIFICATE)[1:]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(x509.load_pem_x509_certificate(_CERTIFICATE + part))
        except ValueError:
            continue
    return found


def holds_key(context: Context, path: str) -> bool:
    """Return True if a file has a private key."""
    return b"PRIVATE KEY-----" in _read(context, path)


def chains(context: Context) -> list[tuple[UsedFile, list[x509.Certificate]]]:
    """Return the used files with certificates of our own, and these certificates."""
    return context.keep(_chains)


def _chains(context: Context) -> list[tuple[UsedFile, list[x509.Certificate]]]:
    found = [
        (used, certificates(context, used.path))
        for used in used_files(context)
        if used.suffix in (CHAIN_FILES, *CERTIFICATES)
    ]
    return [(used, chain) for used, chain in found if chain]


def leaves(context: Context) -> Iterator[tuple[UsedFile, x509.Certificate]]:
    """Return the certificates of the servers themselves."""
    for used, chain in chains(context):
        if used.is_server:
            yield used, chain[0]


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Return True if subject and issuer are the same."""
    return certificate.issuer == certificate.subject


def public_key_digest(certificate: x509.Certificate) -> str:
    """Return the data of a TLSA record 3 1 1 for a certificate."""
    return sha256(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the DNS names that it is for; the common name, if it has no others."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found: list[str] = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        found = []
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return found or [str(each.value) for each in common]


def is_for(certificate: x509.Certificate, host: str) -> bool:
    """Return True if a certificate has the name of a host, perhaps with a wildcard."""
    host = host.lower().rstrip(".")
    _, _, domain = host.partition(".")
    return any(name.lower() in (host, f"*.{domain}") for name in names_of(certificate))
