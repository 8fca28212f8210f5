"""Cipher suites by OpenSSL's names: key exchange, authentication, first version and strength."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

_PREFIXES = (
    ("ECDHE-ECDSA-", "ECDHE", "ECDSA"),
    ("ECDHE-RSA-", "ECDHE", "RSA"),
    ("ECDHE-", "ECDHE", "RSA"),  # ECDHE-ARIA256-GCM-SHA384
    ("AECDH-", "ECDHE", ""),
    ("DHE-RSA-", "DHE", "RSA"),
    ("EDH-RSA-", "DHE", "RSA"),
    ("DHE-DSS-", "DHE", "DSA"),
    ("EDH-DSS-", "DHE", "DSA"),
    ("ADH-", "DHE", ""),
)
_UNUSABLE = re.compile(r"PSK|SRP|GOST|KRB5|^ECDH-|^DH-")
"""Of which Postfix has no keys, or OpenSSL no code any more."""
_SINCE_12 = re.compile(r"GCM|CCM|CHACHA20|SHA256$|SHA384$")


class Cipher(NamedTuple):
    """A suite up to TLS 1.2, or one of TLS 1.3."""

    name: str
    exchange: str
    """ECDHE, DHE, RSA; empty for TLS 1.3, which agrees on it apart."""
    authentication: str
    """RSA, ECDSA, DSA; empty for an anonymous one, and for TLS 1.3."""
    is_tls13: bool
    first: str
    """The first version that has it."""
    bits: int
    """The strength that OpenSSL gives it."""

    @property
    def is_anonymous(self) -> bool:
        """True if the server proves nothing."""
        return not self.is_tls13 and not self.authentication

    @property
    def has_forward_secrecy(self) -> bool:
        """True if a key that is stolen later opens no session."""
        return self.is_tls13 or self.exchange in ("ECDHE", "DHE")


@lru_cache(maxsize=500)
def cipher(name: str) -> Cipher | None:
    """Return a suite by its name; None for one that Postfix can't use."""
    if name.startswith("TLS_"):
        return Cipher(name, "", "", is_tls13=True, first="TLSv1.3", bits=_bits(name))
    if _UNUSABLE.search(name):
        return None
    exchange, authentication = next(
        ((exchange, authentication) for prefix, exchange, authentication in _PREFIXES if name.startswith(prefix)),
        ("RSA", "RSA"),
    )
    return Cipher(name, exchange, authentication, is_tls13=False, first=first_version(name), bits=_bits(name))


def first_version(name: str) -> str:
    """Return the first version that has a suite of TLS 1.2 or below."""
    return "TLSv1.2" if _SINCE_12.search(name) else "TLSv1"


def _bits(name: str) -> int:
    if "NULL" in name:
        return 0
    if name.endswith(("CCM8", "CCM_8_SHA256")):
        return 64
    if "CBC3" in name or "3DES" in name:
        return 112
    return 256 if "256-" in name or "_256_" in name or "CHACHA20" in name or name.endswith("256-CCM") else 128
