"""Evidence for and against a certificate: OpenSSL's reports, and the two answers that a verdict has.

Only a `Proof` makes a certificate good. A `Refusal` always has an error, so that an empty one can't be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...wire.dane import TlsaRecord
from ..openssl.paths import PathFailure, VerifiedPath
from ..openssl.peers import OK, UNSPECIFIED, PeerCertificate
from .verify_error import VerifyFailure


class VerifyStep(NamedTuple):
    """One report of OpenSSL while it verifies a chain up to a local authority (X509_STORE_CTX_set_verify_cb(3))."""

    ok: bool
    error: int
    depth: int
    certificate: PeerCertificate | None


class TlsaMatch(NamedTuple):
    """The record that has verified a chain, and the depth of the certificate that it matched."""

    record: TlsaRecord
    depth: int
    by_key: bool = False
    """The record holds the bare key that has signed the certificate at this depth."""


class Proof:
    """A certificate satisfies its policy. `match`: the record that it takes, if any; `peer_name`: the name, if any."""

    __slots__ = ("match", "peer_name")
    error = OK

    def __init__(self, match: TlsaMatch | None, peer_name: str | None) -> None:
        self.match = match
        self.peer_name = peer_name


class Refusal:
    """A certificate does not satisfy its policy. `finding`: the reason; `peer_name`: the name that matched, if any."""

    __slots__ = ("finding", "peer_name")

    def __init__(self, finding: VerifyFailure, peer_name: str | None = None) -> None:
        if finding.error == OK:
            finding.note(UNSPECIFIED, 0)
        self.finding = finding
        self.peer_name = peer_name

    @property
    def error(self) -> int:
        """OpenSSL's number of the final error; never 0."""
        return self.finding.error


def reported_path(steps: Sequence[VerifyStep], leaf: PeerCertificate) -> VerifiedPath | PathFailure:
    """Return the path that OpenSSL has gone down, to `leaf`; an error if it has not reported each step as good."""
    found = {step.depth: step.certificate for step in steps if step.ok and step.certificate is not None}
    certificates = tuple(found[depth] for depth in sorted(found))
    if not found or max(found) != len(found) - 1 or certificates[0].der != leaf.der:
        return PathFailure(UNSPECIFIED, 0, leaf)
    return VerifiedPath(certificates)
