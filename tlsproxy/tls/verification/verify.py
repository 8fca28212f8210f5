"""The verdict on a server's certificate: the one decision that lets smtp(8) send mail.

`verdict` decides, from the policy, the server's chain, and the steps that OpenSSL has verified to local authorities.
It answers with a `Proof` only where each part of one was established, and else with a `Refusal`. There is no third
answer, and no empty one. It does no I/O, and gets the time as an argument.

The rules are Postfix's (tls_client(3), tls_dane(3)) and OpenSSL's for DANE (RFC 7671, RFC 7672).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from ...wire.dane import TlsaRecord
from ..openssl.paths import PathFailure, Reach, VerifiedPath, reach
from ..openssl.peers import OK, UNSPECIFIED, PeerCertificate
from . import dane
from .dane import DANE_EE, DANE_TA, PKIX_EE, PKIX_TA
from .der import DerError
from .evidence import Proof, Refusal, TlsaMatch, VerifyStep, reported_path
from .names import matched_name, split_references
from .paths import (
    CA_DIGEST_TOO_WEAK,
    CA_KEY_TOO_SMALL,
    EE_KEY_TOO_SMALL,
    build_path,
    contradicts_itself,
    has_strong_key,
    has_strong_signature,
    is_well_formed,
)
from .policy import VerificationPolicy
from .strength import is_strong_key
from .verify_error import CHAIN_TOO_LONG, HOSTNAME_MISMATCH, VerifyFailure, note_dates

ADDRESS_MISMATCH = 64
DANE_NO_MATCH = 65
_AFTER_NAMES = frozenset({6, 7, 9, 10, 13, 14, 21})
"""Signatures and dates: OpenSSL checks them after names, so that these errors come too late to hide a wrong name."""


class Trust(NamedTuple):
    """OpenSSL's reports about local authorities so far, in order."""

    steps: tuple[VerifyStep, ...]
    now: str
    """The time, in UTC, as YYYYMMDDhhmmssZ."""


class Undecided:
    """A kind of proof does not apply to a chain; another one may."""

    __slots__ = ()


def verdict(policy: VerificationPolicy, chain: Sequence[PeerCertificate], trust: Trust) -> Proof | Refusal:
    """Return the proof that a server with `chain` satisfies a policy, or the refusal. The first line that applies
    decides.

    =========================================  =========================================================================
    policy and chain                           proof, all of which must be established
    =========================================  =========================================================================
    must fail; incomplete policy; no cert.     no proof
    usage 3 (or fingerprint) matches the leaf  strong key of the leaf; from `verify` on the name
    only records of usage 3                    no proof
    path from the leaf to a certificate that   path verified as for a TLS server, strong keys and digests, dates, name,
    usage 2 matches                            depth within the limit
    key of usage 2 1 0 signed the top          the same path up to the top; strong bare key and digest of the top
    no records                                 OpenSSL's path to a local authority, without any error; name
    usage 1 matches the leaf, or               the same
    usage 0 an issuer in this path
    anything else                              no proof
    =========================================  =========================================================================
    """
    case = _Case(policy, chain, trust)
    for kind in (_impossible, _by_leaf, _by_anchor, _by_bare_key, _by_local_authority):
        answer = kind(case)
        if not isinstance(answer, Undecided):
            return answer
    return case.refuse(DANE_NO_MATCH, case.reach.depth, case.reach.top, names=True)


Answer = Proof | Refusal | Undecided


class _Case:
    """Verification of a chain against a policy, with its errors so far."""

    def __init__(self, policy: VerificationPolicy, chain: Sequence[PeerCertificate], trust: Trust) -> None:
        self.policy = policy
        self.chain = chain
        self.trust = trust
        self.finding = VerifyFailure(mismatch_yields=policy.mismatch_yields)
        self._peer_name: str | None = None
        self._names_checked = False

    @property
    def leaf(self) -> PeerCertificate:
        return self.chain[0]

    @cached_property
    def reach(self) -> Reach:
        """Longest path in the chain, with the certificates that usage 2 0 0 adds to it."""
        return reach(self._offered)

    @cached_property
    def _offered(self) -> list[PeerCertificate]:
        given = [
            PeerCertificate.from_der(each.data)
            for each in self.policy.records
            if (each.usage, each.selector, each.mtype) == (DANE_TA, dane.CERTIFICATE, dane.FULL)
        ]
        # OpenSSL prefers them to those that the peer has sent.
        return [self.leaf, *(each for each in given if each is not None), *self.chain[1:]]

    def passes_over_issuer(self, below: Sequence[PeerCertificate]) -> bool:
        """Return True if there is an issuer of one of `below` that only an OpenSSL before 4 would go on with.

        It would look at the constraints of that issuer, and at nothing that lies behind it.
        """
        used = {each.der for each in self.reach.unverified}
        return any(
            each.der not in used and lower.names_as_issuer(each) and contradicts_itself(each)
            for each in self._offered
            for lower in below
        )

    def first_match(self, certificate: PeerCertificate, usage: int) -> TlsaRecord | None:
        return dane.first_match(self.policy.records, certificate, self.policy.digests, usage)

    def check_names(self) -> None:
        """Note a wrong name."""
        if self._names_checked:
            return
        self._names_checked = True
        references = self.policy.references
        if references is None:
            return
        hosts, address = split_references(references)
        try:
            parts = self.leaf.parts
        except DerError:
            self.finding.note(HOSTNAME_MISMATCH, 0, self.leaf)
            return
        if hosts:
            self._peer_name = matched_name(hosts, dns_names=parts.dns_names, common_names=self.leaf.common_names)
        if hosts and self._peer_name is None:
            self.finding.note(HOSTNAME_MISMATCH, 0, self.leaf)
        if address and address not in parts.addresses:
            self.finding.note(ADDRESS_MISMATCH, 0, self.leaf)

    def refuse(self, error: int, depth: int, certificate: PeerCertificate | None, *, names: bool = False) -> Refusal:
        """Refuse for one more error; `names`: that of a wrong name may be closer to the leaf."""
        self.finding.note(error, depth, certificate)
        if names:
            self.check_names()
        return Refusal(self.finding, self._peer_name)

    def conclude(self, match: TlsaMatch | None) -> Proof | Refusal:
        """Answer when all that belongs to a proof was looked at."""
        if self.finding.error == OK:
            return Proof(match, self._peer_name)
        return Refusal(self.finding, self._peer_name)

    def conclude_path(self, path: VerifiedPath, match: TlsaMatch, *, dates_from: int) -> Proof | Refusal:
        """Answer for a path that a record has verified; names and dates still count."""
        self.check_names()
        note_dates(self.finding, path.certificates, start=min(dates_from, path.depth), now=self.trust.now)
        return self.conclude(match)


def _impossible(case: _Case) -> Answer:
    if case.policy.hopeless or not case.chain:
        return case.refuse(UNSPECIFIED, 0, None)
    return Undecided()


def _by_leaf(case: _Case) -> Answer:
    """Usage 3: the certificate itself, from any issuer (RFC 7671, section 5.1)."""
    policy = case.policy
    if not policy.records:
        return Undecided()
    if not has_strong_key(case.leaf):
        return case.refuse(EE_KEY_TOO_SMALL, 0, case.leaf)
    record = case.first_match(case.leaf, DANE_EE)
    if record is None:
        only_leaves = all(each.usage == DANE_EE for each in policy.records)
        return case.refuse(DANE_NO_MATCH, 0, case.leaf) if only_leaves else Undecided()
    if policy.names_for_matched_leaf:
        case.check_names()
    return case.conclude(TlsaMatch(record, 0))


def _by_anchor(case: _Case) -> Answer:
    """Usage 2: an issuer in the path (RFC 7671, section 5.2)."""
    if case.policy.local:  # OpenSSL would look for another path; smtp(8) asks for no such mixture
        return Undecided()
    for depth, anchor in enumerate(case.reach.unverified):
        record = case.first_match(anchor, DANE_TA) if 0 < depth <= case.policy.highest else None
        if record is None:
            continue
        if case.passes_over_issuer(case.reach.unverified[:depth]):
            return Undecided()
        path = build_path(case.reach.unverified[: depth + 1], [anchor])
        if isinstance(path, PathFailure):
            return case.refuse(path.error, path.depth, path.certificate, names=True)
        # An anchor in the middle of a hierarchy may have expired (OpenSSL's internal_verify).
        dates_from = path.depth if anchor.self_issued else path.depth - 1
        return case.conclude_path(path, TlsaMatch(record, path.depth), dates_from=dates_from)
    return Undecided()


def _by_bare_key(case: _Case) -> Answer:
    """Usage 2 1 0: a key without a certificate, that has signed the topmost one (RFC 7671, section 5.2.2)."""
    policy = case.policy
    if policy.local:
        return Undecided()
    # Some record has usage 2: the leaf alone decides on those of usage 3, and unusable ones are not here.
    reach = case.reach  # which takes a verification of its own
    if reach.depth >= policy.highest:
        return case.refuse(CHAIN_TOO_LONG, policy.highest, None, names=True)
    for record in policy.records:
        is_key = (record.usage, record.selector, record.mtype) == (DANE_TA, dane.PUBLIC_KEY, dane.FULL)
        if not (is_key and dane.has_signed(record.data, reach.top)):
            continue
        if case.passes_over_issuer(reach.unverified):
            return Undecided()
        path = build_path(reach.unverified, [reach.top])
        if isinstance(path, PathFailure):
            return case.refuse(path.error, path.depth, path.certificate, names=True)
        if path.depth == 0 and not is_well_formed(case.leaf):
            return case.refuse(UNSPECIFIED, 0, case.leaf)
        # OpenSSL looks at neither: the key has no certificate, and the top is the last one of its path.
        if not is_strong_key(record.data):
            return case.refuse(CA_KEY_TOO_SMALL, path.depth, reach.top, names=True)
        if not has_strong_signature(reach.top):
            return case.refuse(CA_DIGEST_TOO_WEAK, path.depth, reach.top, names=True)
        return case.conclude_path(path, TlsaMatch(record, path.depth, by_key=True), dates_from=path.depth)
    return Undecided()


def _by_local_authority(case: _Case) -> Answer:
    """Go by OpenSSL's own verification; usages 0 and 1 restrict it to an issuer or a certificate (RFC 6698)."""
    policy, finding = case.policy, case.finding
    if not policy.local:
        return Undecided()
    for step in case.trust.steps:
        if step.ok or step.error in _AFTER_NAMES:
            case.check_names()
        if not step.ok:
            finding.note(step.error if step.error != OK else UNSPECIFIED, step.depth, step.certificate)
    path = reported_path(case.trust.steps, case.leaf)
    match = None
    if policy.records:
        match = _restriction(case, path)
        if match is None:
            top = path.certificates if isinstance(path, VerifiedPath) and _restricts_issuers(policy) else (case.leaf,)
            finding.note(DANE_NO_MATCH, len(top) - 1, top[-1])
    if isinstance(path, PathFailure) and finding.error == OK:
        return case.refuse(path.error, path.depth, path.certificate)
    return case.conclude(match)


def _restriction(case: _Case, path: VerifiedPath | PathFailure) -> TlsaMatch | None:
    """Return the match of a record of usage 1 or 0; None without one."""
    record = case.first_match(case.leaf, PKIX_EE)
    if record is not None:
        return TlsaMatch(record, 0)
    if isinstance(path, VerifiedPath):
        for depth, each in enumerate(path.certificates):
            record = case.first_match(each, PKIX_TA) if depth else None
            if record is not None:
                return TlsaMatch(record, depth)
    return None


def _restricts_issuers(policy: VerificationPolicy) -> bool:
    return any(each.usage == PKIX_TA for each in policy.records)
