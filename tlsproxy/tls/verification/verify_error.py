"""Verification errors of a chain, and their log lines (tls_log_verify_error(3)).

Both roles keep one of the errors that OpenSSL reports: the first one at the certificate closest to the peer's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..openssl.peers import OK, PeerCertificate, error_text
from .der import DerError

SELF_SIGNED_LEAF = 18
SELF_SIGNED_IN_CHAIN = 19
NO_LOCAL_ISSUER = 20
CHAIN_TOO_LONG = 22
INVALID_PURPOSE = 26
UNTRUSTED = 27
HOSTNAME_MISMATCH = 62
_NOT_YET_VALID = (9, 13)
_EXPIRED = (10, 14)


class VerifyFailure:
    """One error of a chain, its depth (0: the peer's own certificate), and the certificate it is about."""

    __slots__ = ("_mismatch_yields", "certificate", "depth", "error")

    def __init__(self, *, mismatch_yields: bool = False) -> None:
        """`mismatch_yields`: a wrong name hides no other error (Postfix 3.10.4 and later)."""
        self._mismatch_yields = mismatch_yields
        self.error = OK
        self.depth = -1
        self.certificate: PeerCertificate | None = None

    def note(self, error: int, depth: int, certificate: PeerCertificate | None = None) -> None:
        """Remember an error if it is closer to the peer's own certificate than the known one."""
        replaceable = depth < self.depth
        if self._mismatch_yields:
            replaceable = error != HOSTNAME_MISMATCH and (replaceable or self.error == HOSTNAME_MISMATCH)
        if self.error == OK or replaceable:
            self.error, self.depth, self.certificate = error, depth, certificate

    def describe(self, namaddr: str, *, peer: str, forced_failure_type: str = "") -> str:
        """Return the log line. `peer`: the required kind of certificate, `server` or `client`.

        `forced_failure_type`: the reason of a failure that the client has forced, or empty.
        """
        whose = "CA" if self.depth > 0 else peer
        failed = f"certificate verification failed for {namaddr}"
        if forced_failure_type:
            return f"{failed}: external policy failure ({forced_failure_type})"
        if self.error == UNTRUSTED:
            return f"{failed}: not trusted by local or TLSA policy"
        if self.error == SELF_SIGNED_LEAF:
            return f"{failed}: self-signed certificate"
        if self.error in (SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER):
            return f"{failed}: untrusted issuer {self.certificate.issuer if self.certificate else '<unknown>'}"
        if self.error in _NOT_YET_VALID:
            return f"{whose} {failed}: certificate not yet valid"
        if self.error in _EXPIRED:
            return f"{whose} {failed}: certificate has expired"
        if self.error == INVALID_PURPOSE:
            return f"{failed}: not designated for use as a {whose} certificate"
        if self.error == CHAIN_TOO_LONG:
            return f"{failed}: certificate chain longer than limit({self.depth - 1})"
        return f"{whose} {failed}: num={self.error}:{error_text(self.error)}"


def note_dates(finding: VerifyFailure, path: Sequence[PeerCertificate], *, start: int, now: str) -> None:
    """Note certificates of a path, from the one at `start` down, that are not valid at `now` (YYYYMMDDhhmmssZ).

    As for OpenSSL, the last second is over when it comes (X509_cmp_time(3)); a time that can't be read is never right.
    """
    for depth in range(start, -1, -1):
        certificate = path[depth]
        try:
            begins, ends = certificate.parts.begins, certificate.parts.ends
        except DerError:
            begins = ends = ""
        if not begins or begins > now:
            finding.note(_NOT_YET_VALID[0], depth, certificate)
        if not ends or ends <= now:
            finding.note(_EXPIRED[0], depth, certificate)
