"""Certificates that a server has for each kind of key and each name, and its request for one: by openssl(1)."""

from __future__ import annotations

import re
import subprocess
import warnings

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

_SIGNATURES = (
    "RSA+SHA256:RSA-PSS+SHA256",
    "rsa_pss_pss_sha256",
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512",
    "ed25519",
    "ed448",
    "DSA+SHA256",
)
_AUTHENTICATIONS = tuple(f"{kind}:@SECLEVEL=0" for kind in ("aRSA", "aECDSA", "aDSS"))
_OPTIONS = {"TLSv1": "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
_PROVEN = "ALL:eNULL:!aNULL:@SECLEVEL=0"
_GROUPS = "X25519:X448:P-256:P-384:P-521:secp256k1:secp224r1:brainpoolP256r1:brainpoolP384r1:brainpoolP512r1"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_PATIENCE = 60.0


Described = tuple[str, int, tuple[str, ...]]
"""Algorithm, bits where that varies, and names."""


def certificates_met(port: int, version: str, server_name: str, *, wrapped: bool) -> tuple[set[Described], bool]:
    """Return the certificates that clients of this version meet, and True if the server asks for one."""
    found: set[Described] = set()
    asks = False
    for choice in _SIGNATURES if version >= "TLSv1.2" else _AUTHENTICATIONS:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", _OPTIONS[version]]
        command += ["-sigalgs", choice, "-cipher", _PROVEN] if version >= "TLSv1.2" else ["-cipher", choice]
        command += ["-groups", _GROUPS]
        command += [] if wrapped else ["-starttls", "smtp"]
        command += ["-servername", server_name] if server_name else ["-noservername"]
        run = subprocess.run(
            command, input="QUIT\n", capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
        asks = asks or "Requested Signature Algorithms" in run.stdout or "Client Certificate Types" in run.stdout
        if match := _PEM.search(run.stdout):
            found.add(_described(match[0]))
    return found, asks


def _described(pem: str) -> Described:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(alternatives.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    match key:
        case rsa.RSAPublicKey():
            return "RSA", key.key_size, names
        case ec.EllipticCurvePublicKey():
            return "ECDSA", key.key_size, names
        case dsa.DSAPublicKey():
            return "DSA", key.key_size, names
    return type(key).__name__.removesuffix("PublicKey"), 0, names
