"""Forged certificates: every field of the test's choice, down to bytes that no library would write.

A `Template` has the content of a certificate, `Key` the signature. Neither asks for sense.
"""

from __future__ import annotations

import base64
import datetime
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from hashlib import new as new_hash
from math import gcd, prod
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Extension = tuple[str, bool, bytes]
"""Object identifier, criticality, value."""

# DER.


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode one element."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*contents: bytes) -> bytes:
    return tlv(0x30, *contents)


def integer(value: int) -> bytes:
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    encoded = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(septets))
    return tlv(6, bytes(encoded))


def bits(content: bytes) -> bytes:
    return tlv(3, b"\0", content)


def time(days: float) -> bytes:
    """Encode the moment some days from now."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def subject(common_name: str | bytes, organization: str = "", *, tag: int = 0x0C) -> bytes:
    """Encode a distinguished name; both empty: one without attributes."""
    text = common_name.encode() if isinstance(common_name, str) else common_name
    parts = [("2.5.4.3", text, tag)] if text else []
    if organization:
        parts.append(("2.5.4.10", organization.encode(), 0x0C))
    return sequence(*(tlv(0x31, sequence(oid(kind), tlv(form, value))) for kind, value, form in parts))


# Keys.

_RSA_SIGNATURES = {"md5": 4, "sha1": 5, "sha224": 14, "sha256": 11, "sha384": 12, "sha512": 13}
_EC_SIGNATURES = {"sha224": 1, "sha256": 2, "sha384": 3, "sha512": 4}
_DIGESTS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_NULL = b"\5\0"


class Key:
    """A private key: `rsaN` of any size, `ec256`, `ec384`, `ec521`, `ec224`, `ed25519`."""

    def __init__(self, kind: str, seed: int) -> None:
        """Make one; RSA keys follow from their `seed`."""
        self.kind = kind
        self._rsa: tuple[int, int, int, int] | None = None
        self._key: Any = None
        if kind.startswith("rsa"):
            self._rsa = _rsa_numbers(int(kind[3:]), seed)
        elif kind == "ed25519":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            curves: dict[str, ec.EllipticCurve] = {
                "ec192": ec.SECP192R1(),
                "ec224": ec.SECP224R1(),
                "ec256": ec.SECP256R1(),
                "ec384": ec.SECP384R1(),
                "ec521": ec.SECP521R1(),
            }
            self._key = ec.generate_private_key(curves[kind])

    @cached_property
    def info(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        if self._rsa is None:
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            found: bytes = self._key.public_key().public_bytes(serialization.Encoding.DER, form)
            return found
        p, q, exponent, _ = self._rsa
        algorithm = sequence(oid("1.2.840.113549.1.1.1"), _NULL)
        return sequence(algorithm, bits(sequence(integer(p * q), integer(exponent))))

    @cached_property
    def pem(self) -> bytes:
        """The private key, for a TLS server."""
        if self._rsa is None:
            form = serialization.PrivateFormat.PKCS8
            found: bytes = self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
            return found
        p, q, e, d = self._rsa
        numbers = 0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)
        return pem("RSA PRIVATE KEY", sequence(*map(integer, numbers)))

    def algorithm(self, digest: str) -> bytes:
        """Return the AlgorithmIdentifier of a signature."""
        if self._rsa is not None:
            return sequence(oid(f"1.2.840.113549.1.1.{_RSA_SIGNATURES[digest]}"), _NULL)
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return sequence(oid("1.3.101.112"))
        return sequence(oid("1.2.840.10045.4.1" if digest == "sha1" else f"1.2.840.10045.4.3.{_EC_SIGNATURES[digest]}"))

    def sign(self, data: bytes, digest: str = "sha256") -> bytes:
        """Return the signature of some data."""
        if self._rsa is not None:
            p, q, _, d = self._rsa
            info = sequence(sequence(oid(_DIGESTS[digest]), _NULL), tlv(4, new_hash(digest, data).digest()))
            size = (p * q).bit_length() + 7 >> 3
            padded = int.from_bytes(b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info, "big")
            at_p, at_q = pow(padded, d % (p - 1), p), pow(padded, d % (q - 1), q)
            return ((at_p - at_q) * pow(q, -1, p) % p * q + at_q).to_bytes(size, "big")
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        signed: bytes = self._key.sign(data, ec.ECDSA(getattr(hashes, digest.upper())()))
        return signed


@cache
def key(label: str, kind: str = "ec256") -> Key:
    """Return the key that has this label, the same one each time."""
    return Key(kind, hash_of(label, kind))


def hash_of(*labels: str) -> int:
    """Return a number that follows from texts, in each process the same."""
    return int.from_bytes(new_hash("sha256", "\0".join(labels).encode()).digest()[:8], "big")


def _rsa_numbers(size: int, seed: int) -> tuple[int, int, int, int]:
    if size >= 1024:
        numbers = rsa.generate_private_key(65537, size).private_numbers()
        return numbers.p, numbers.q, 65537, numbers.d
    # The library makes no keys that are as weak as some of those that servers have had.
    source = random.Random(seed)
    while True:
        p, q = _prime(size - size // 2, source), _prime(size // 2, source)
        order = (p - 1) * (q - 1)
        if p > q and (p * q).bit_length() == size and order % 65537:
            return p, q, 65537, pow(65537, -1, order)


_SMALL = prod(range(3, 300, 2))


def _prime(size: int, source: random.Random) -> int:
    while True:
        found = source.getrandbits(size) | 3 << size - 2 | 1
        if gcd(found, _SMALL) == 1 and all(pow(base, found - 1, found) == 1 for base in (2, 3, 5, 7, 11, 13)):
            return found


def pem(label: str, data: bytes) -> bytes:
    """Encode as PEM."""
    lines = base64.encodebytes(data).replace(b"\n", b"")
    body = b"".join(lines[start : start + 64] + b"\n" for start in range(0, len(lines), 64))
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label.encode(), body, label.encode())


# Extensions.

SERVER, CLIENT, ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
CERT_SIGN, DIGITAL_SIGNATURE = 5, 0


def basic(authority: bool, path_length: int | None = None, *, critical: bool = True) -> Extension:
    parts = [tlv(1, b"\xff")] if authority else []
    if path_length is not None:
        parts.append(integer(path_length))
    return "2.5.29.19", critical, sequence(*parts)


def key_usage(*positions: int, critical: bool = True) -> Extension:
    value = sum(0x8000 >> position for position in positions).to_bytes(2, "big")
    value = value if value[1] else value[:1]
    unused = 7 - max((position % 8 for position in positions if position // 8 == len(value) - 1), default=-1)
    return "2.5.29.15", critical, tlv(3, bytes((unused % 8,)), value)


def purposes(*kinds: str, critical: bool = False) -> Extension:
    return "2.5.29.37", critical, sequence(*map(oid, kinds))


def dns(host: str | bytes) -> bytes:
    return tlv(0x82, host.encode("latin-1") if isinstance(host, str) else host)


def names(*general: bytes, critical: bool = False) -> Extension:
    return "2.5.29.17", critical, sequence(*general)


def constraints(*, permitted: tuple[bytes, ...] = (), excluded: tuple[bytes, ...] = ()) -> Extension:
    parts = [
        tlv(tag, *(sequence(each) for each in trees)) for tag, trees in ((0xA0, permitted), (0xA1, excluded)) if trees
    ]
    return "2.5.29.30", True, sequence(*parts)


def unknown(*, critical: bool = True) -> Extension:
    return "1.3.6.1.4.1.99999.1", critical, b"\5\0"


# Certificates.


@dataclass(frozen=True)
class Template:
    """The statements of a certificate, and the key that signs them."""

    subject: bytes
    key: Key
    issuer: bytes
    signer: Key
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    """By a name of the test's choice, in order."""
    days: tuple[float, float] = (-30, 300)
    version: int | None = 2
    serial: int = 4711
    digest: str = "sha256"
    info: bytes | None = None
    """Another SubjectPublicKeyInfo than that of the key."""
    signature: bytes | None = None
    """Another signature than that of the signer."""
    inner_algorithm: bytes | None = None
    """Another AlgorithmIdentifier inside than outside."""

    def but(self, **changes: Any) -> Template:
        return replace(self, **changes)

    def extended(self, **extensions: Extension | None) -> Template:
        """Put extensions in the place of those of these names; None removes one."""
        merged = dict(self.extensions) | extensions
        return replace(self, extensions={label: each for label, each in merged.items() if each is not None})

    @cached_property
    def der(self) -> bytes:
        algorithm = self.signer.algorithm(self.digest)
        parts = [] if self.version is None else [tlv(0xA0, integer(self.version))]
        parts += [integer(self.serial), self.inner_algorithm or algorithm, self.issuer]
        parts += [sequence(*map(time, self.days)), self.subject, self.info or self.key.info]
        if self.extensions:
            parts.append(tlv(0xA3, sequence(*map(_extension, self.extensions.values()))))
        statement = sequence(*parts)
        signed = self.signature if self.signature is not None else self.signer.sign(statement, self.digest)
        return sequence(statement, algorithm, bits(signed))

    @cached_property
    def pem(self) -> bytes:
        return pem("CERTIFICATE", self.der)


def _extension(extension: Extension) -> bytes:
    kind, critical, value = extension
    return sequence(oid(kind), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def authority(label: str, issuer: Template | None = None, *, kind: str = "ec256", **changes: Any) -> Template:
    """Make an authority with a good certificate; without an issuer it signs itself."""
    own = key(label, kind)
    extensions = {"basic": basic(True), "usage": key_usage(CERT_SIGN)}
    made = Template(subject(label), own, issuer.subject if issuer else subject(label), issuer.key if issuer else own)
    return made.but(extensions=extensions, **changes)


def server(host: str, issuer: Template, *, kind: str = "ec256", label: str = "server", **changes: Any) -> Template:
    """Make a server's certificate with nothing wrong in it."""
    extensions = {"basic": basic(False), "names": names(dns(host)), "purposes": purposes(SERVER)}
    made = Template(subject(host), key(label, kind), issuer.subject, issuer.key)
    return made.but(extensions=extensions, **changes)


def chain_pem(leaf: Template, *others: Template) -> bytes:
    """The file of a server: its private key, and its certificates."""
    return leaf.key.pem + b"".join(each.pem for each in (leaf, *others))
