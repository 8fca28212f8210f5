"""What is told outside of our own certificates: in which file, whose, until when."""

from __future__ import annotations

import time
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ..tls.roles import ServerRole


class Described(NamedTuple):
    """One certificate."""

    file: str
    subject: str
    expires: float
    """On the clock of time(2)."""
    sha256: str = ""
    """The digest of the certificate, in hexadecimal; empty where that is not known."""

    def shown(self) -> dict[str, object]:
        """As JSON has it."""
        date = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.expires))
        left = self.expires - time.time()
        return {
            "file": self.file,
            "subject": self.subject,
            "sha256": self.sha256,
            "expires": date,
            "seconds_left": left,
        }


def described(role: ServerRole | None) -> list[Described]:
    """The leaf certificates of a role."""
    if role is None:
        return []
    found = []
    for each in role.identities():
        leaf = each.chain[0]
        try:
            certificate = x509.load_pem_x509_certificate(leaf.text)
            subject = certificate.subject.rfc4514_string()
            digest = certificate.fingerprint(SHA256()).hex()
            found.append(Described(leaf.source, subject, certificate.not_valid_after_utc.timestamp(), digest))
        except ValueError:  # OpenSSL takes what this parser does not
            found.append(Described(leaf.source, "unknown", float("inf")))
    return found
