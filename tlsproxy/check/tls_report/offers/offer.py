"""An offer: the TLS of one service in one role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from postconf import View


@dataclass(frozen=True)
class OfferedCertificate:
    """A certificate that is sent, with the facts that count of its chain."""

    algorithm: str
    """RSA, RSA-PSS, ECDSA, DSA, Ed25519, Ed448, or a name as OpenSSL has it."""
    bits: int
    curve: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    server_name: str = ""
    """The key in tls_server_sni_maps; empty for the default certificate."""
    chain: tuple[str, ...] = ()
    """The subjects of the issuers that are sent."""
    strength: int = 0
    """Bits of security of the weakest key or signature of the chain."""
    signature: str = ""
    """The digest of the leaf's signature, such as sha256."""
    signer: str = ""
    """The algorithm of the key that has signed it, such as RSA."""
    is_assumed: bool = False
    """True if the file can't be read, and the kind of key is the one that the parameter is for."""


@dataclass
class Offer:
    """TLS that a service offers to its peers."""

    service: str
    role: str
    """server or client."""
    level: str
    view: View
    protocols: tuple[str, ...] = ()
    """The versions in which a handshake can succeed, the oldest first."""
    ciphers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By version, in order of preference."""
    groups: tuple[str, ...] = ()
    """The groups of TLS 1.3, or those of ECDHE where there is no TLS 1.3."""
    certificates: tuple[OfferedCertificate, ...] = ()
    client_certificate: str = "none"
    """none, ask or require."""
    resumption: tuple[str, ...] = ()
    """tickets, cache."""
    signatures: tuple[str, ...] = ()
    """The schemes with which the certificates sign, or that are accepted."""
    dh_bits: int = 0
    """The size of finite-field parameters up to TLS 1.2; 0 if none are used."""
    prefers: bool = False
    """True if the server's order of ciphers counts, not the client's."""
    problems: tuple[str, ...] = ()
    """The reasons why there is less than in the settings."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The parameters that decide, by the subject of the decision: protocols, ciphers, exclude_ciphers, …"""
    origins: dict[str, str] = field(default_factory=dict)
    """By parameter that is set: file:line."""
