"""Whether a server's certificate satisfies the policy of a session: the word on which smtp(8) lets mail go out.

`peer_status` is the decision. `Judge` gathers what it is decided from, while OpenSSL verifies the chain: it listens to
each step, adds what OpenSSL is not asked (names, TLSA records, fingerprints, trust anchors), and leaves in the session
the one error that is to stand. Where nothing has been established, or anything went wrong, that is a failure.

The rules are Postfix's (tls_client(3), tls_dane(3)) and OpenSSL's for DANE (RFC 7671, RFC 7672).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from postconf.values import SecurityLevel

from ...wire.dane import TlsaRecord
from ...wire.messages import PeerStatus
from ..openssl.peers import OK, UNSPECIFIED, Certificate, build_path
from . import dane
from .dane import DANE_EE, DANE_TA, PKIX_EE, PKIX_TA, Digests
from .der import MalformedDer
from .names import matched_name, split_references
from .verify_error import (
    CHAIN_TOO_LONG,
    HOSTNAME_MISMATCH,
    NO_LOCAL_ISSUER,
    SELF_SIGNED_IN_CHAIN,
    SELF_SIGNED_LEAF,
    Finding,
    note_dates,
)

NO_ISSUER = 2
ADDRESS_MISMATCH = 64
DANE_NO_MATCH = 65
EE_KEY_TOO_SMALL = 66
_WEAK = (67, 68)  # a CA's key, a CA's digest
_AFTER_NAMES = frozenset({6, 7, 9, 10, 13, 14, 21})
"""Signatures and dates: what OpenSSL looks at after names, so that these errors come too late to hide a wrong name."""
_NO_PATH = frozenset({NO_ISSUER, SELF_SIGNED_LEAF, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER})


def peer_status(level: int, error: int | None, *, mismatch_keeps_trust: bool = False) -> PeerStatus:
    """Decide what a session is worth. `error`: the one that stands, 0 for none, None if there is no certificate.

    ==================  ============  =================================
    error               level         status
    ==================  ============  =================================
    no certificate      any           nothing
    none                up to encrypt PRESENT TRUSTED
    none                half-dane     PRESENT TRUSTED MATCHED
    none                above         PRESENT TRUSTED MATCHED SECURED
    hostname mismatch   above encrypt PRESENT TRUSTED, only if `mismatch_keeps_trust` (Postfix 3.10.4 and later)
    any other           any           PRESENT
    ==================  ============  =================================
    """
    if error is None:
        return PeerStatus(0)
    if error == OK:
        if level <= SecurityLevel.ENCRYPT:
            return PeerStatus.PRESENT | PeerStatus.TRUSTED
        if level == SecurityLevel.HALF_DANE:
            return PeerStatus.PRESENT | PeerStatus.TRUSTED | PeerStatus.MATCHED
        return PeerStatus.PRESENT | PeerStatus.TRUSTED | PeerStatus.MATCHED | PeerStatus.SECURED
    if error == HOSTNAME_MISMATCH and level > SecurityLevel.ENCRYPT and mismatch_keeps_trust:
        return PeerStatus.PRESENT | PeerStatus.TRUSTED
    return PeerStatus.PRESENT


class Policy(NamedTuple):
    """What a session demands of the server's certificate. `level` is the effective one."""

    level: SecurityLevel
    names: tuple[str, ...] | None = None
    """References, of which one must match (see `names`); None: names don't matter."""
    records: tuple[TlsaRecord, ...] = ()
    """TLSA records, fingerprints or trust anchors that can be used, after digest agility; none: local trust decides."""
    must_fail: bool = False
    digests: Digests = Digests({}, {})
    mismatch_yields: bool = False
    """A wrong name does not hide other errors (Postfix 3.10.4 and later)."""
    verifydepth: int = 9
    """The limit on intermediate certificates, in Postfix's counting."""

    @property
    def hopeless(self) -> bool:
        """Can no certificate satisfy this?"""
        return self.must_fail or self.names == ()

    @property
    def highest(self) -> int:
        """The depth of the topmost certificate that a path may have, as OpenSSL counts Postfix's limit."""
        return self.verifydepth + 2

    @property
    def names_for_matched_leaf(self) -> bool:
        """Must the name be right even if a record names the server's own certificate? Only for trust anchors."""
        return self.level >= SecurityLevel.VERIFY


class Match(NamedTuple):
    """The record that has verified a chain, and the depth of what it matched."""

    record: TlsaRecord
    depth: int
    by_key: bool = False
    """The record holds the bare key that has signed the certificate at this depth."""


class Judge:
    """Judges one chain. `step` is called for each step of OpenSSL's verification; every answer may be the last one."""

    __slots__ = (
        "_in_doubt",
        "_names_checked",
        "_path_to_trust",
        "_peer_chain",
        "_pkix",
        "_policy",
        "error",
        "finding",
        "match",
        "peer_name",
    )

    def __init__(
        self,
        policy: Policy,
        peer_chain: Callable[[], list[Certificate]],
        path_to_trust: Callable[[list[Certificate]], list[Certificate]],
    ) -> None:
        """`peer_chain` gives what the server has sent; `path_to_trust` a path from there to a local authority."""
        self._policy = policy
        self._peer_chain = peer_chain
        self._path_to_trust = path_to_trust
        self._names_checked = False
        self._pkix: bool | None = None
        self._in_doubt = False
        self.error = UNSPECIFIED
        """The one that stands so far: nothing is verified before the first step."""
        self.finding = Finding(mismatch_yields=policy.mismatch_yields)
        self.match: Match | None = None
        self.peer_name: str | None = None

    def step(self, ok: bool, error: int, depth: int, certificate: Certificate | None) -> int:
        """Take OpenSSL's opinion of one step; return the error that stands so far.

        Once a step has raised an exception, the verification has failed, whatever comes later.
        """
        self.error = UNSPECIFIED
        if self._in_doubt:
            return self.error
        self._in_doubt = True
        self._take(ok, error, depth, certificate)
        self._in_doubt = False
        self.error = self.finding.error
        return self.error

    def _take(self, ok: bool, error: int, depth: int, certificate: Certificate | None) -> None:
        if self._policy.hopeless:
            self.finding.note(UNSPECIFIED, 0, certificate)
        elif not self._policy.records:
            self._ordinary(ok, error, depth, certificate)
        elif self._pkix is None:
            self._pkix = False
            self._decide_by_records(ok, error, depth, certificate)
        elif self._pkix:
            self._ordinary(ok, error, depth, certificate)
        elif self.match and error in _WEAK and not ok and depth < self.match.depth:
            self.finding.note(error, depth, certificate)

    def _ordinary(self, ok: bool, error: int, depth: int, certificate: Certificate | None) -> None:
        """Go by OpenSSL's own verification, with the check of names where OpenSSL has it."""
        if ok or error in _AFTER_NAMES:
            self._check_names(self._peer_chain())
        if not ok:
            self.finding.note(error, depth, certificate)

    def _check_names(self, chain: list[Certificate]) -> None:
        if self._names_checked:
            return
        self._names_checked = True
        names = self._policy.names
        if names is None:
            return
        leaf = chain[0]
        hosts, address = split_references(names)
        try:
            parts = leaf.parts
        except MalformedDer:
            self.finding.note(HOSTNAME_MISMATCH, 0, leaf)
            return
        if hosts:
            self.peer_name = matched_name(hosts, dns_names=parts.dns_names, common_names=leaf.common_names)
        if hosts and self.peer_name is None:
            self.finding.note(HOSTNAME_MISMATCH, 0, leaf)
        if address and address not in parts.addresses:
            self.finding.note(ADDRESS_MISMATCH, 0, leaf)

    def _decide_by_records(self, ok: bool, error: int, depth: int, certificate: Certificate | None) -> None:
        chain = self._peer_chain()
        records, digests = self._policy.records, self._policy.digests
        if not ok and error == EE_KEY_TOO_SMALL:
            self.finding.note(error, depth, certificate)
        elif record := dane.first_match(records, chain[0], digests, DANE_EE):
            self.match = Match(record, 0)
            if self._policy.names_for_matched_leaf:
                self._check_names(chain)
        elif all(each.usage == DANE_EE for each in records):
            self.finding.note(DANE_NO_MATCH, 0, chain[0])
        elif not self._decide_by_anchors(chain):
            self._pkix = any(each.usage in (PKIX_TA, PKIX_EE) for each in records)
            if self._pkix:
                self._ordinary(ok, error, depth, certificate)
                self._match_pkix(chain)

    def _decide_by_anchors(self, chain: list[Certificate]) -> bool:
        """Look for a path to what a DANE-TA(2) record stands for. False: usages 0 and 1 have still to be looked at."""
        policy = self._policy
        anchors = self._anchors(chain)
        if anchors:
            path, error, depth, certificate = build_path(chain, anchors)
            for position, each in enumerate(path[1:], 1):
                if position <= policy.highest and (
                    record := dane.first_match(policy.records, each, policy.digests, DANE_TA)
                ):
                    self._verified(path, Match(record, position), position if each.self_issued else position - 1)
                    return True
            if error not in _NO_PATH and error != OK:
                self.finding.note(error, depth, certificate)
                self._check_names(chain)
                return True
        # Nothing to end at: how far does the chain reach by itself?
        _, _, depth, top = build_path(chain, [])
        top = top or chain[-1]
        if depth >= policy.highest:
            self.finding.note(CHAIN_TOO_LONG, policy.highest)
            self._check_names(chain)
            return True
        for record in policy.records:
            if (record.usage, record.selector, record.mtype) == (DANE_TA, dane.PUBLIC_KEY, dane.FULL) and (
                dane.has_signed(record.data, top)
            ):
                path = build_path(chain, [top])[0] if depth else [top]
                self._verified(path or chain[: depth + 1], Match(record, depth, by_key=True), depth)
                return True
        if any(each.usage in (PKIX_TA, PKIX_EE) for each in policy.records):
            return False
        self.finding.note(DANE_NO_MATCH, depth, top)
        self._check_names(chain)
        return True

    def _anchors(self, chain: list[Certificate]) -> list[Certificate]:
        """Certificates that a usable record of usage 2 stands for; never the server's own."""
        policy = self._policy
        sent = [each for each in chain[1:] if dane.first_match(policy.records, each, policy.digests, DANE_TA)]
        given = [
            Certificate.from_der(each.data)
            for each in policy.records
            if (each.usage, each.selector, each.mtype) == (DANE_TA, dane.CERTIFICATE, dane.FULL)
        ]
        leaf = chain[0].der
        return [each for each in (*sent, *given) if each is not None and each.der != leaf]

    def _verified(self, path: list[Certificate], match: Match, dates_from: int) -> None:
        """A record has verified the path; names and dates still count."""
        self.match = match
        self._check_names(path)
        now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
        note_dates(self.finding, path, start=min(dates_from, len(path) - 1), now=now)

    def _match_pkix(self, chain: list[Certificate]) -> None:
        """Usages 0 and 1 restrict ordinary verification: to a server certificate, or to an authority."""
        policy = self._policy
        if record := dane.first_match(policy.records, chain[0], policy.digests, PKIX_EE):
            self.match = Match(record, 0)
            return
        path = self._path_to_trust(chain)
        for depth, each in enumerate(path):
            if depth and (record := dane.first_match(policy.records, each, policy.digests, PKIX_TA)):
                self.match = Match(record, depth)
                return
        top = len(path) - 1 if path and any(each.usage == PKIX_TA for each in policy.records) else 0
        self.finding.note(DANE_NO_MATCH, top, path[top] if path else chain[0])
