"""Verification policy: the requirements of a session for the server's certificate."""

from __future__ import annotations

from typing import NamedTuple

from postconf.values import SecurityLevel

from ...wire.dane import TlsaRecord
from .dane import PKIX_EE, PKIX_TA, Digests


class VerificationPolicy(NamedTuple):
    """Requirements of a session for the server's certificate. `level`: the effective security level."""

    level: SecurityLevel
    references: tuple[str, ...] | None = None
    """Names, of which the certificate must have one (see `reference_names`); None: names don't matter."""
    records: tuple[TlsaRecord, ...] = ()
    """TLSA records, fingerprints or trust anchors that can be used, after digest agility; none: local trust decides,
    where the level allows that."""
    must_fail: bool = False
    digests: Digests = Digests({}, {})
    mismatch_yields: bool = False
    """A wrong name does not hide other errors (Postfix 3.10.4 and later)."""
    verifydepth: int = 9
    """The limit on intermediate certificates, in Postfix's counting."""

    @property
    def hopeless(self) -> bool:
        """True if no certificate can satisfy this: it must fail, or has no names or records to compare with."""
        nameless = self.references == () or (self.references is None and self.level > SecurityLevel.FINGERPRINT)
        unmatched = not self.records and SecurityLevel.FINGERPRINT <= self.level <= SecurityLevel.DANE_ONLY
        return self.must_fail or nameless or unmatched

    @property
    def highest(self) -> int:
        """The depth of the topmost certificate that a path may have, as OpenSSL counts Postfix's limit."""
        return self.verifydepth + 2

    @property
    def names_for_matched_leaf(self) -> bool:
        """True if the name counts even where a record names the server's own certificate: only for trust anchors."""
        return self.level >= SecurityLevel.VERIFY

    @property
    def local(self) -> bool:
        """True if local authorities count."""
        return not self.records or any(each.usage in (PKIX_TA, PKIX_EE) for each in self.records)
