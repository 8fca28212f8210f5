"""The rules by which OpenSSL settles on a version, a cipher and a group (ssl_set_masks, ssl_security_default_callback).

A version that is enabled and has no usable cipher or group is not offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from postconf.values import PROTOCOLS, Protocols

from ....tls.settings.options import NO_PROTOCOL
from ..offers.offer import OfferedCertificate
from .ciphers import VERSIONS, Cipher, cipher, first_version
from .groups import Group

_SECURITY_LEVELS = (0, 80, 112, 128, 192, 256)
"""Bits of security that each level demands (SSL_CTX_set_security_level(3))."""
_LEVEL = re.compile(r"@SECLEVEL=(\d)")
_LEAST_DH = 1024
"""Smaller parameters are refused at any security level."""
_TLS13_CURVES = frozenset({"prime256v1", "secp384r1", "secp521r1"})
_LATER_CURVES = frozenset({"brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"})
"""Of certificates in TLS 1.3 since OpenSSL 3.3 or so (RFC 8734)."""
_LATER_CURVES_SINCE = (3, 3)
_STRONG_CCM8_UNTIL = (3, 2)
"""The first release that counts the short tags of CCM8 as 64 bits."""


@dataclass(frozen=True)
class Side:
    """One side of a handshake."""

    names: Sequence[str]
    """Suites in order, of all versions."""
    security: int
    """The security level."""
    enabled: frozenset[str]
    """Versions."""
    groups: Sequence[Group]
    version: tuple[int, int]
    """The OpenSSL."""
    certificates: Sequence[OfferedCertificate] = ()
    dh_bits: int | None = None
    """Of a file; 0 if refused, None if OpenSSL chooses parameters that are strong enough."""

    def agreed(self, *, server: bool) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
        """Return the ciphers of each version that can be negotiated, and the groups."""
        if not self._has_cipher_at_top():
            return {}, ()
        strong = [each for each in self.groups if each.bits >= self._least_bits]
        if not server and self._top == "TLSv1.3" and not any(each.in_tls13 for each in strong):
            return {}, ()  # OpenSSL can't make the key share of its hello
        found: dict[str, tuple[str, ...]] = {}
        # A client offers the versions below a hole only; a server takes each that is enabled.
        for version in VERSIONS if server else VERSIONS[: VERSIONS.index(self._top) + 1]:
            if version not in self.enabled:
                continue
            usable_in = self._tls13 if version == "TLSv1.3" else partial(self._tls12, version)
            usable = usable_in(strong, server=server)
            if usable:
                found[version] = usable
        if "TLSv1.3" in found:
            return found, tuple(each.name for each in strong if each.in_tls13)
        elliptic = any(each and each.exchange == "ECDHE" for names in found.values() for each in map(cipher, names))
        return found, tuple(each.name for each in strong if each.in_tls12) if elliptic else ()

    @property
    def _top(self) -> str:
        """The highest version below a hole; some version has to be enabled."""
        enabled = [version in self.enabled for version in VERSIONS]
        first = enabled.index(True)
        hole = enabled.index(False, first) if False in enabled[first:] else len(VERSIONS)
        return VERSIONS[hole - 1]

    def _has_cipher_at_top(self) -> bool:
        """Return False if no handshake begins: OpenSSL wants a cipher for the highest version below a hole."""
        if not self.enabled:
            return False
        top = self._top
        return any(
            each.is_tls13 if top == "TLSv1.3" else not each.is_tls13 and each.first <= top
            for each in map(_any_cipher, self.names)
        )

    @property
    def _least_bits(self) -> int:
        return _SECURITY_LEVELS[min(self.security, 5)]

    def _tls13(self, groups: Sequence[Group], *, server: bool) -> tuple[str, ...]:
        if not any(each.in_tls13 for each in groups):
            return ()
        if server and not any(self._fits_tls13(each) for each in self._strong):
            return ()
        return tuple(each.name for each in map(cipher, self.names) if each and each.is_tls13 and self._is_strong(each))

    def _fits_tls13(self, certificate: OfferedCertificate) -> bool:
        if certificate.algorithm == "ECDSA":
            later = _LATER_CURVES if self.version >= _LATER_CURVES_SINCE else frozenset()
            return certificate.curve in _TLS13_CURVES | later
        return certificate.algorithm != "DSA"

    def _tls12(self, version: str, groups: Sequence[Group], *, server: bool) -> tuple[str, ...]:
        # Those versions sign with SHA-1, which a level forbids. A server refuses them then; a client only meets it
        # in a signed key exchange.
        unsigned_only = bool(self.security) and version < "TLSv1.2"
        if unsigned_only and server:
            return ()
        elliptic = any(each.in_tls12 for each in groups)
        kinds = self._kinds(version)
        return tuple(
            each.name
            for each in map(cipher, self.names)
            if each
            and not each.is_tls13
            and each.first <= version
            and self._is_strong(each)
            and not (unsigned_only and each.exchange != "RSA")
            and (each.exchange != "ECDHE" or elliptic)
            and (not server or ((each.is_anonymous or _proof(each) in kinds) and self._has_dh(each)))
        )

    @property
    def _strong(self) -> list[OfferedCertificate]:
        return [each for each in self.certificates if each.strength >= self._least_bits]

    def _kinds(self, version: str) -> frozenset[str]:
        """Return the kinds of authentication that the certificates allow."""
        return frozenset(kind for each in self._strong for kind in _kinds(each, version))

    def is_met(self, certificate: OfferedCertificate, ciphers: Mapping[str, Sequence[str]]) -> bool:
        """Return True if a handshake with these ciphers can end with this certificate."""
        if certificate.strength < self._least_bits:
            return False
        for version, names in ciphers.items():
            if version == "TLSv1.3":
                if self._fits_tls13(certificate):
                    return True
                continue
            kinds = _kinds(certificate, version)
            if any(_proof(each) in kinds for each in map(cipher, names) if each):
                return True
        return False

    def _has_dh(self, each: Cipher) -> bool:
        if each.exchange != "DHE" or self.dh_bits is None:
            return True
        return self.dh_bits >= _LEAST_DH and finite_strength(self.dh_bits) >= self._least_bits

    def _is_strong(self, each: Cipher) -> bool:
        bits = each.bits
        if bits == 64 and self.version < _STRONG_CCM8_UNTIL:
            bits = 256 if "256" in each.name else 128
        if self.security and (bits < self._least_bits or each.is_anonymous or each.name.endswith("MD5")):
            return False
        if self.security >= 2 and "RC4" in each.name:
            return False
        if self.security >= 3 and not each.has_forward_secrecy:
            return False
        return self.security < 4 or not each.name.endswith("-SHA")


def _kinds(certificate: OfferedCertificate, version: str) -> frozenset[str]:
    """Return the kinds of authentication that a certificate allows up to TLS 1.2."""
    algorithm = certificate.algorithm
    if algorithm == "RSA":
        return frozenset({"RSA", "key transport"})
    if algorithm == "RSA-PSS" and version == "TLSv1.2":
        return frozenset({"RSA"})
    if algorithm == "ECDSA" or (algorithm.startswith("Ed") and version == "TLSv1.2"):
        return frozenset({"ECDSA"})
    return frozenset({"DSA"} if algorithm == "DSA" else ())


def _any_cipher(name: str) -> Cipher:
    """Return a suite, even one without keys for it, as far as its versions go."""
    return cipher(name) or Cipher(name, "", "", is_tls13=False, first=first_version(name), bits=0)


def _proof(each: Cipher) -> str:
    return "key transport" if each.exchange == "RSA" else each.authentication


def finite_strength(bits: int) -> int:
    """Return the bits of security of an RSA modulus or a finite field (NIST SP 800-57, table 2)."""
    return next((strength for least, strength in _MODULI if bits >= least), 0)


_MODULI = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))


def security_level(text: str, *, authenticate: bool) -> int:
    """Return the level that is in force: 1 where Postfix verifies, else that of the list, else 0."""
    if authenticate:
        return 1
    levels = _LEVEL.findall(text)
    return int(levels[-1]) if levels else 0


def enabled_versions(protocols: Protocols, options: int = 0) -> frozenset[str]:
    """Return the versions that a protocol list leaves."""
    return frozenset(
        name
        for name, number in PROTOCOLS.items()
        if name in VERSIONS
        and name not in protocols.excluded
        and not options & NO_PROTOCOL[name]
        and (not protocols.minimum or number >= protocols.minimum)
        and (not protocols.maximum or number <= protocols.maximum)
    )
