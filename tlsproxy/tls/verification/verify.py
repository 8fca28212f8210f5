"""The verdict on a server's certificate: the one decision that lets smtp(8) send mail.

`verdict` decides, from what a policy demands, what the server has sent, and what OpenSSL reports of local authorities.
It answers with a `Proof` only where each part of one was established, and else with a `Refusal`. There is no third
answer, and no empty one. `peer_status` puts the answer in the terms of the protocol. `Judge` asks for it, while OpenSSL
verifies a chain step by step.

The rules are Postfix's (tls_client(3), tls_dane(3)) and OpenSSL's for DANE (RFC 7671, RFC 7672).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from postconf.values import SecurityLevel

from ...wire.dane import TlsaRecord
from ...wire.messages import PeerStatus
from ..openssl.paths import Path, PathError, Reach, reach
from ..openssl.peers import OK, UNSPECIFIED, Certificate
from . import dane
from .dane import DANE_EE, DANE_TA, PKIX_EE, PKIX_TA, Digests
from .der import MalformedDer
from .names import matched_name, split_references
from .paths import (
    CA_DIGEST_TOO_WEAK,
    CA_KEY_TOO_SMALL,
    EE_KEY_TOO_SMALL,
    build_path,
    has_strong_key,
    has_strong_signature,
)
from .strength import is_strong_key
from .verify_error import (
    CHAIN_TOO_LONG,
    HOSTNAME_MISMATCH,
    Finding,
    note_dates,
)

ADDRESS_MISMATCH = 64
DANE_NO_MATCH = 65
_AFTER_NAMES = frozenset({6, 7, 9, 10, 13, 14, 21})
"""Signatures and dates: what OpenSSL looks at after names, so that these errors come too late to hide a wrong name."""


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
        """True if no certificate can satisfy this."""
        return self.must_fail or self.names == ()

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
        """True if local authorities have a say."""
        return not self.records or any(each.usage in (PKIX_TA, PKIX_EE) for each in self.records)


class Step(NamedTuple):
    """One report of OpenSSL while it verifies a chain up to a local authority (X509_STORE_CTX_set_verify_cb(3))."""

    ok: bool
    error: int
    depth: int
    certificate: Certificate | None


class Trust(NamedTuple):
    """What is known of local authorities at a moment: OpenSSL's reports so far, in order."""

    steps: tuple[Step, ...]
    now: str
    """The time, in UTC, as YYYYMMDDhhmmssZ."""


class Match(NamedTuple):
    """The record that has verified a chain, and the depth of what it matched."""

    record: TlsaRecord
    depth: int
    by_key: bool = False
    """The record holds the bare key that has signed the certificate at this depth."""


class Proof:
    """A certificate satisfies its policy. `match`: the record that it takes, if any; `peer_name`: the name, if any."""

    __slots__ = ("match", "peer_name")
    error = OK

    def __init__(self, match: Match | None, peer_name: str | None) -> None:
        self.match = match
        self.peer_name = peer_name


class Refusal:
    """A certificate does not satisfy its policy. `finding`: the reason; `peer_name`: the name that matched, if any."""

    __slots__ = ("finding", "peer_name")

    def __init__(self, finding: Finding, peer_name: str | None = None) -> None:
        if finding.error == OK:
            finding.note(UNSPECIFIED, 0)
        self.finding = finding
        self.peer_name = peer_name

    @property
    def error(self) -> int:
        """OpenSSL's number of the error that stands; never 0."""
        return self.finding.error


class Undecided:
    """A kind of proof does not apply to a chain; another one may."""

    __slots__ = ()


def verdict(policy: Policy, chain: Sequence[Certificate], trust: Trust) -> Proof | Refusal:
    """Decide whether a server that has sent `chain` satisfies a policy. The first line that applies decides.

    =========================================  =========================================================================
    policy and chain                           proof, all of which must be established
    =========================================  =========================================================================
    must fail; no usable name; nothing sent    there is none
    usage 3 (or fingerprint) matches the leaf  strong key of the leaf; from `verify` on the name
    only records of usage 3                    there is none
    path from the leaf to a certificate that   path verified as for a TLS server, strong keys and digests, dates, name,
    usage 2 matches                            depth within the limit
    key of usage 2 1 0 signed the top          the same path up to the top; strong bare key and digest of the top
    no records                                 OpenSSL's path to a local authority, without any error; name
    usage 1 matches the leaf, or               the same
    usage 0 an issuer in this path
    anything else                              there is none
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
    """One chain before one policy, and what stands against it so far."""

    def __init__(self, policy: Policy, chain: Sequence[Certificate], trust: Trust) -> None:
        self.policy = policy
        self.chain = chain
        self.trust = trust
        self.finding = Finding(mismatch_yields=policy.mismatch_yields)
        self._peer_name: str | None = None
        self._names_checked = False
        self._reach: Reach | None = None

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    @property
    def reach(self) -> Reach:
        """How far the chain goes by itself, with the certificates that usage 2 0 0 adds to it."""
        if self._reach is None:
            given = [
                Certificate.from_der(each.data)
                for each in self.policy.records
                if (each.usage, each.selector, each.mtype) == (DANE_TA, dane.CERTIFICATE, dane.FULL)
            ]
            # OpenSSL prefers them to what the peer has sent.
            self._reach = reach([self.leaf, *(each for each in given if each is not None), *self.chain[1:]])
        return self._reach

    def first_match(self, certificate: Certificate, usage: int) -> TlsaRecord | None:
        return dane.first_match(self.policy.records, certificate, self.policy.digests, usage)

    def check_names(self) -> None:
        """Note a wrong name."""
        if self._names_checked:
            return
        self._names_checked = True
        names = self.policy.names
        if names is None:
            return
        hosts, address = split_references(names)
        try:
            parts = self.leaf.parts
        except MalformedDer:
            self.finding.note(HOSTNAME_MISMATCH, 0, self.leaf)
            return
        if hosts:
            self._peer_name = matched_name(hosts, dns_names=parts.dns_names, common_names=self.leaf.common_names)
        if hosts and self._peer_name is None:
            self.finding.note(HOSTNAME_MISMATCH, 0, self.leaf)
        if address and address not in parts.addresses:
            self.finding.note(ADDRESS_MISMATCH, 0, self.leaf)

    def refuse(self, error: int, depth: int, certificate: Certificate | None, *, names: bool = False) -> Refusal:
        """Refuse for one more error; `names`: that of a wrong name may be closer to the leaf."""
        self.finding.note(error if error != OK else UNSPECIFIED, depth, certificate)
        if names:
            self.check_names()
        return Refusal(self.finding, self._peer_name)

    def conclude(self, match: Match | None) -> Proof | Refusal:
        """Answer when all that belongs to a proof was looked at."""
        if self.finding.error == OK:
            return Proof(match, self._peer_name)
        return Refusal(self.finding, self._peer_name)

    def conclude_path(self, path: Path, match: Match, *, dates_from: int) -> Proof | Refusal:
        """Answer for a path that a record has verified; names and dates still count."""
        self.check_names()
        note_dates(self.finding, path.certificates, start=min(dates_from, path.depth), now=self.trust.now)
        return self.conclude(match)


def _impossible(case: _Case) -> Answer:
    if case.policy.hopeless or not case.chain:
        return case.refuse(UNSPECIFIED, 0, None)
    return Undecided()


def _by_leaf(case: _Case) -> Answer:
    """Usage 3: the certificate itself, whoever has issued it (RFC 7671, section 5.1)."""
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
    return case.conclude(Match(record, 0))


def _by_anchor(case: _Case) -> Answer:
    """Usage 2: an issuer in the path (RFC 7671, section 5.2)."""
    if case.policy.local:  # OpenSSL would look for another path; smtp(8) asks for no such mixture
        return Undecided()
    for depth, anchor in enumerate(case.reach.unverified[: case.policy.highest + 1]):
        record = case.first_match(anchor, DANE_TA) if depth else None
        if record is None:
            continue
        path = build_path(case.reach.unverified[: depth + 1], [anchor])
        if isinstance(path, PathError):
            return case.refuse(path.error, path.depth, path.certificate, names=True)
        # An anchor in the middle of a hierarchy may have expired (OpenSSL's internal_verify).
        dates_from = path.depth if anchor.self_issued else path.depth - 1
        return case.conclude_path(path, Match(record, path.depth), dates_from=dates_from)
    return Undecided()


def _by_bare_key(case: _Case) -> Answer:
    """Usage 2 1 0: a key without a certificate, that has signed the topmost one (RFC 7671, section 5.2.2)."""
    policy, reach = case.policy, case.reach
    if policy.local or not any(each.usage == DANE_TA for each in policy.records):
        return Undecided()
    if reach.depth >= policy.highest:
        return case.refuse(CHAIN_TOO_LONG, policy.highest, None, names=True)
    for record in policy.records:
        is_key = (record.usage, record.selector, record.mtype) == (DANE_TA, dane.PUBLIC_KEY, dane.FULL)
        if not (is_key and dane.has_signed(record.data, reach.top)):
            continue
        path = build_path(reach.unverified, [reach.top])
        if isinstance(path, PathError):
            return case.refuse(path.error, path.depth, path.certificate, names=True)
        # OpenSSL looks at neither: the key has no certificate, and the top is the last one of its path.
        if not is_strong_key(record.data):
            return case.refuse(CA_KEY_TOO_SMALL, path.depth, reach.top, names=True)
        if not has_strong_signature(reach.top):
            return case.refuse(CA_DIGEST_TOO_WEAK, path.depth, reach.top, names=True)
        return case.conclude_path(path, Match(record, path.depth, by_key=True), dates_from=path.depth)
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
    path = _reported_path(case)
    match = None
    if policy.records:
        match = _restriction(case, path)
        if match is None:
            top = path.certificates if isinstance(path, Path) and _restricts_issuers(policy) else (case.leaf,)
            finding.note(DANE_NO_MATCH, len(top) - 1, top[-1])
    if isinstance(path, PathError) and finding.error == OK:
        return case.refuse(path.error, path.depth, path.certificate)
    return case.conclude(match)


def _reported_path(case: _Case) -> Path | PathError:
    """Return the path that OpenSSL has verified, which is one only when it has come down to the leaf."""
    found: dict[int, Certificate] = {}
    for step in case.trust.steps:
        if step.ok and step.certificate is not None:
            found[step.depth] = step.certificate
    certificates = tuple(found[depth] for depth in range(len(found)) if depth in found)
    if not found or len(certificates) < len(found) or certificates[0].der != case.leaf.der:
        return PathError(UNSPECIFIED, 0, case.leaf)
    return Path(certificates)


def _restriction(case: _Case, path: Path | PathError) -> Match | None:
    """Return what a record of usage 1 or 0 has matched; None if none has."""
    record = case.first_match(case.leaf, PKIX_EE)
    if record is not None:
        return Match(record, 0)
    if isinstance(path, Path):
        for depth, each in enumerate(path.certificates):
            record = case.first_match(each, PKIX_TA) if depth else None
            if record is not None:
                return Match(record, depth)
    return None


def _restricts_issuers(policy: Policy) -> bool:
    return any(each.usage == PKIX_TA for each in policy.records)


class Judge:
    """Asks for the verdict on one chain at each step of OpenSSL's verification; every answer may be the last one."""

    __slots__ = ("_in_doubt", "_peer_chain", "_policy", "_steps", "answer")

    def __init__(self, policy: Policy, peer_chain: Callable[[], list[Certificate]]) -> None:
        """`peer_chain`: returns what the server has sent, its own certificate first."""
        self._policy = policy
        self._peer_chain = peer_chain
        self._steps: list[Step] = []
        self._in_doubt = False
        self.answer: Proof | Refusal = Refusal(Finding())
        """The verdict so far: nothing is proven before the first step."""

    def step(self, ok: bool, error: int, depth: int, certificate: Certificate | None) -> int:
        """Take OpenSSL's report of one step; return the error that stands so far.

        Once a step has raised an exception, the verification has failed, whatever comes later.
        """
        self._steps.append(Step(ok, error, depth, certificate))
        if self._in_doubt:
            return self.answer.error
        decided = len(self._steps) > 1 and not self._policy.local
        if not decided:
            self._in_doubt, self.answer = True, Refusal(Finding())
            now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
            self.answer = verdict(self._policy, self._peer_chain(), Trust(tuple(self._steps), now))
            self._in_doubt = False
        return self.answer.error
