"""Certificate details for the status report and metrics: file, subject, digest, expiry."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from ...tls.server.role import ServerRole


_UNKNOWN = float("inf")


class Described(NamedTuple):
    """One certificate."""

    file: str
    subject: str
    expires: float
    """On the clock of time(2); infinite where that is not known."""
    sha256: str = ""
    """The digest of the certificate, in hexadecimal; empty where that is not known."""

    def as_json(self) -> dict[str, object]:
        """Return the fields of /status."""
        known = self.expires != _UNKNOWN
        return {
            "file": self.file,
            "subject": self.subject,
            "sha256": self.sha256,
            "expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.expires)) if known else None,
            "seconds_left": round(self.expires - time.time()) if known else None,
        }


def described(role: ServerRole | None) -> list[Described]:
    """Return the leaf certificates of a role."""
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
        except ValueError:  # OpenSSL takes certificates that this parser does not
            found.append(Described(leaf.source, "unknown", _UNKNOWN))
    return found
