"""Fingerprints and files of trust anchors, in the form in which smtp(8) passes them on: as TLSA records. No I/O."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable

from ..errors import TlsproxyError
from ..wire.dane import TlsaRecord

FINGERPRINT = 255
"""The matching type of fingerprints, in the private range."""
_DANE_TA, _DANE_EE = 2, 3
_SELECTORS = {"CERTIFICATE": 0, "X509 CERTIFICATE": 0, "PUBLIC KEY": 1}
_LONGEST = 3 * 64
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2})*")
_PEM = re.compile(rb"-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n(.*?)(?:-----END \1-----|\Z)", re.DOTALL)


class TrustAnchorsError(TlsproxyError):
    """A file of trust anchors that can't be used; the text has the reason."""


def fingerprints(values: Iterable[str], warn: Callable[[str], None]) -> tuple[TlsaRecord, ...]:
    """Turn hexadecimal digests of certificates or public keys into records, in the order of Postfix's.

    Postfix does not know which of both a digest is of, so each makes two records. Malformed digests are left out.
    """
    records: list[TlsaRecord] = []
    for value in values:
        if len(value.encode("utf-8", "surrogateescape")) > _LONGEST:
            warn(f"malformed fingerprint value: {value[:100]}...")
        elif not _HEX_PAIRS.fullmatch(value):
            warn(f"malformed fingerprint value: {value}")
        else:
            digest = bytes.fromhex(value.replace(":", ""))
            records += (TlsaRecord(_DANE_EE, selector, FINGERPRINT, digest) for selector in (0, 1))
    return tuple(reversed(records))


def trust_anchors(data: bytes) -> tuple[TlsaRecord, ...]:
    """Turn the certificates and public keys of a PEM file into records; each is good for an issuer and for the leaf.

    Objects of other kinds count as there but have no effect. Raises `TrustAnchorsError` for a file without one, or
    with a broken one.
    """
    records: list[TlsaRecord] = []
    objects = 0
    for found in _PEM.finditer(data):
        if not found[0].endswith(b"-----"):
            raise TrustAnchorsError("a PEM object has no end")
        objects += 1
        selector = _SELECTORS.get(found[1].decode("ascii", "replace"))
        try:
            content = base64.b64decode(b"".join(found[2].split()), validate=True)
        except binascii.Error:
            raise TrustAnchorsError(f"PEM object {objects} is not valid base64") from None
        if selector is not None:
            records += (TlsaRecord(usage, selector, 0, content) for usage in (_DANE_TA, _DANE_EE))
    if not objects:
        raise TrustAnchorsError("there is no PEM object in it")
    return tuple(reversed(records))
