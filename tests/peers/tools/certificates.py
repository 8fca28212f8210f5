"""Certificates of every kind, for servers and clients, good and bad."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


def new_key(kind: str) -> Any:
    """Make a private key: rsa2048, ec256, ed25519, dsa1024, …"""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind.startswith("dsa"):
        return dsa.generate_private_key(int(kind[3:]))
    curves = {"ec256": ec.SECP256R1(), "ec384": ec.SECP384R1(), "ec521": ec.SECP521R1()}
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    if kind == "mldsa65":
        return mldsa.MLDSA65PrivateKey.generate()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    assert kind == "ed448", kind
    return ed448.Ed448PrivateKey.generate()


def name(text: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else []
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


class Identity:
    """A key and its certificate; `issuers` are those between it and its root."""

    def __init__(
        self,
        subject: x509.Name,
        issuer: Identity | None = None,
        *,
        kind: str = "ec256",
        authority: bool = False,
        purposes: Sequence[x509.ObjectIdentifier] = (),
        days: tuple[int, int] = (-30, 300),
        hosts: Sequence[str] = (),
        addresses: Sequence[str] = (),
    ) -> None:
        """Make one that is valid from and until some days from now; without an issuer it signs itself."""
        self.key = new_key(kind)
        self.subject = subject
        signer = issuer or self
        algorithm = (
            None if isinstance(signer.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + days[0] * DAY)
            .not_valid_after(NOW + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if hosts or addresses:
            alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in hosts]
            alternatives += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        self.certificate = builder.sign(signer.key, algorithm)
        self.is_root = issuer is None
        self.issuers: list[Identity] = [] if issuer is None or issuer.is_root else [issuer, *issuer.issuers]

    @property
    def key_pem(self) -> bytes:
        pem: bytes = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem

    @property
    def encrypted_key_pem(self) -> bytes:
        pem: bytes = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"secret"),
        )
        return pem

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        return sha256(self.der).hexdigest()

    @property
    def chain_pem(self) -> bytes:
        """The certificate and its issuers, without the root."""
        return self.pem + b"".join(each.pem for each in self.issuers)


class Certificates:
    """A directory of them: `rsa.pem` is a key with its chain, `rsa-cert.pem` and `rsa-key.pem` are apart."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.root = Identity(name("Test Root", "Test"), authority=True)
        self.issuer = Identity(name("Test Issuer"), self.root, authority=True)
        self.other_root = Identity(name("", "Other Organization"), authority=True)
        hosts = ["mail.private.test"]
        self.servers = {
            kind: Identity(name(f"mail.private.test {kind}"), self.issuer, kind=kind, hosts=hosts)
            for kind in ("rsa2048", "rsa1024", "dsa1024", "ec256", "ec384", "ed25519", "ed448")
        }
        self.servers["direct"] = Identity(name("direct.private.test"), self.root, hosts=hosts)
        self.servers["sni"] = Identity(name("sni.private.test"), self.root, hosts=["sni.private.test"])
        self.servers["domain"] = Identity(name("*.example.test"), self.root, kind="rsa2048")
        self.clients = {
            "good": Identity(name("client.private.test"), self.root, purposes=[CLIENT]),
            "rsa": Identity(name("client.private.test"), self.root, kind="rsa2048", purposes=[CLIENT, SERVER]),
            "ed25519": Identity(name("client.private.test"), self.root, kind="ed25519"),
            "intermediate": Identity(name("client.private.test"), self.issuer),
            "self-signed": Identity(name("client.private.test")),
            "expired": Identity(name("client.private.test"), self.root, days=(-30, -1)),
            "future": Identity(name("client.private.test"), self.root, days=(1, 30)),
            "server": Identity(name("client.private.test"), self.root, purposes=[SERVER]),
            "unknown": Identity(name("client.private.test", "Somebody"), self.other_root),
            "nameless": Identity(name("", "Nobody"), self.other_root),
            "unicode": Identity(name("Bücher & Söhne"), self.root),
            "control": Identity(name("client\x07.test"), self.root),
            "nul": Identity(name("client.test\0.private.test"), self.root),
            "weak": Identity(name("client.private.test"), self.root, kind="rsa1024"),
        }
        self.client_files: dict[str, Path] = {}
        for kind, each in self.servers.items():
            self.write(f"{kind}.pem", each.key_pem + each.chain_pem)
            self.write(f"{kind}-cert.pem", each.chain_pem)
            self.write(f"{kind}-key.pem", each.key_pem)
        for kind, each in self.clients.items():
            self.client_files[kind] = self.write(f"client-{kind}.pem", each.key_pem + each.chain_pem)
        self.write("ca.pem", self.root.pem)
        self.write("both-cas.pem", self.root.pem + self.other_root.pem)

    def write(self, file: str, data: bytes) -> Path:
        path = self.directory / file
        path.write_bytes(data)
        return path
