"""The verdict itself: no error and nothing unforeseen, or no match."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.cases.hostile import FLAWS
from peers.tools.certificates import Identity, name
from peers.tools.forging import CLIENT, Template, authority, basic, dns, key, purposes, sequence, server, tlv, unknown
from peers.tools.forging import names as names_of

from postconf.values import SecurityLevel
from tlsproxy.tls.openssl.peers import OK, UNSPECIFIED, PeerCertificate
from tlsproxy.tls.verification.chain_verifier import ChainVerifier, peer_status
from tlsproxy.tls.verification.dane import Digests
from tlsproxy.tls.verification.evidence import Proof, Refusal, TlsaMatch, VerifyStep
from tlsproxy.tls.verification.policy import VerificationPolicy
from tlsproxy.tls.verification.verify import Trust, verdict
from tlsproxy.wire.dane import TlsaRecord
from tlsproxy.wire.messages import PeerStatus

MATCHED = PeerStatus.MATCHED | PeerStatus.SECURED


@given(st.sampled_from(SecurityLevel), st.none() | st.integers(-5, 200), st.booleans())
def test_levels_that_verify_match_only_without_error(level: SecurityLevel, error: int | None, keeps: bool) -> None:
    status = peer_status(level, error, mismatch_keeps_trust=keeps)
    assert bool(status & MATCHED) == (error == OK and level > SecurityLevel.ENCRYPT)
    assert bool(status & PeerStatus.SECURED) == (
        error == OK and level > SecurityLevel.ENCRYPT and level != SecurityLevel.HALF_DANE
    )
    assert bool(status) == (error is not None)


NOTHING_SHOWN, PRESENT, TRUSTED, SECURED = 0, 1, 5, 29


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_peer_status_is_that_of_the_table(level: SecurityLevel) -> None:
    good = TRUSTED if level <= SecurityLevel.ENCRYPT else 13 if level == SecurityLevel.HALF_DANE else SECURED
    kept = TRUSTED if level > SecurityLevel.ENCRYPT else PRESENT
    assert peer_status(level, None) == NOTHING_SHOWN
    assert peer_status(level, OK) == good
    assert [peer_status(level, error) for error in (1, 20, 62, 65, 9999, -1)] == [PRESENT] * 6
    assert peer_status(level, 62, mismatch_keeps_trust=True) == kept
    assert peer_status(level, 20, mismatch_keeps_trust=True) == PRESENT
    assert peer_status(level, OK, mismatch_keeps_trust=True) == good


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 90), st.integers(0, 3)), min_size=1, max_size=6)
POLICIES = [
    VerificationPolicy(SecurityLevel.VERIFY, ("mx.test",)),
    VerificationPolicy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(3, 1, 1, bytes(32)),), digests=Digests({}, {})),
    VerificationPolicy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(2, 0, 0, b"x"),)),
    VerificationPolicy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(0, 0, 0, b"x"),)),
]


def broken(*_: object) -> list[PeerCertificate]:
    raise ValueError("unforeseen")


@pytest.mark.parametrize("policy", POLICIES)
@given(steps=STEPS)
def test_after_an_exception_no_later_step_makes_it_good(
    policy: VerificationPolicy, steps: list[tuple[bool, int, int]]
) -> None:
    judge = ChainVerifier(policy, broken)
    raised = False
    for ok, error, depth in steps:
        try:
            answer = judge.step(ok, error, depth, None)
        except ValueError:
            raised = True
            answer = judge.answer.error
        if raised:
            assert answer == judge.answer.error == UNSPECIFIED


def test_limit_is_that_of_postfix_unless_asked_otherwise() -> None:
    assert VerificationPolicy(SecurityLevel.MAY).highest == 11


def test_unverified_chain_is_not_good() -> None:
    assert ChainVerifier(POLICIES[0], broken).answer.error == UNSPECIFIED


@pytest.mark.parametrize(
    ("policy", "good"),
    [
        (VerificationPolicy(SecurityLevel.VERIFY, ("mx.test",)), True),
        (VerificationPolicy(SecurityLevel.VERIFY, ("other.test",)), False),
        (VerificationPolicy(SecurityLevel.VERIFY, ()), False),
        (VerificationPolicy(SecurityLevel.VERIFY, ("mx.test",), must_fail=True), False),
        (VerificationPolicy(SecurityLevel.VERIFY, ("mx.test", "192.0.2.1")), False),
        (VerificationPolicy(SecurityLevel.VERIFY), False),
        (VerificationPolicy(SecurityLevel.FINGERPRINT), False),
        (VerificationPolicy(SecurityLevel.DANE, ("mx.test",)), False),
        (VerificationPolicy(SecurityLevel.ENCRYPT), True),
    ],
)
def test_chain_good_for_openssl_must_have_the_name(policy: VerificationPolicy, good: bool) -> None:
    leaf = PeerCertificate.from_der(Identity(name("mx.test"), hosts=["mx.test"]).der)
    assert leaf is not None
    chain: Callable[[], list[PeerCertificate]] = lambda: [leaf]  # noqa: E731
    judge = ChainVerifier(policy, chain)
    assert (judge.step(True, OK, 0, leaf) == OK) is good


NOW = "20260101000000Z"
HOST = "mx.example.test"
ALWAYS = (-30000.0, 30000.0)  # days
DIGESTS = Digests({1: lambda data: sha256(data).digest(), 255: lambda data: sha256(data).digest()}, {1: 1, 255: 2})
ROOT = authority("Root", days=ALWAYS)
ISSUER = authority("Issuer", ROOT, days=ALWAYS)
LEAF = server(HOST, ISSUER, days=ALWAYS)
DIRECT = server(HOST, ROOT, days=ALWAYS)
RSA_ROOT = authority("RSA Root", kind="rsa2048", days=ALWAYS)
ELSEWHERE = server(HOST, authority("Elsewhere", days=ALWAYS), label="elsewhere", days=ALWAYS)
RECORD_LEVELS = (SecurityLevel.HALF_DANE, SecurityLevel.DANE, SecurityLevel.DANE_ONLY)
HIGH_LEVELS = (*RECORD_LEVELS, SecurityLevel.VERIFY, SecurityLevel.SECURE)


def taken(*templates: Template) -> list[PeerCertificate]:
    found = [PeerCertificate.from_der(each.der) for each in templates]
    return [each for each in found if each is not None]


def record(usage: int, selector: int, mtype: int, target: Template) -> TlsaRecord:
    data = target.key.info if selector else target.der
    return TlsaRecord(usage, selector, mtype, sha256(data).digest() if mtype else data)


def reports(*path: Template) -> Trust:
    """Return OpenSSL's reports on a path that it has verified, the leaf first."""
    steps = [VerifyStep(True, OK, depth, each) for depth, each in enumerate(taken(*path))]
    return Trust(tuple(reversed(steps)), NOW)


NOTHING = Trust((), NOW)
UNTRUSTED = Trust((VerifyStep(False, 20, 1, taken(ISSUER)[0]), *reports(LEAF, ISSUER).steps), NOW)


def decide(
    records: Sequence[TlsaRecord],
    chain: Sequence[Template],
    trust: Trust = UNTRUSTED,
    *,
    level: SecurityLevel = SecurityLevel.DANE,
    names: tuple[str, ...] | None = (HOST,),
    **more: object,
) -> Proof | Refusal:
    policy = VerificationPolicy(level, names, tuple(records), digests=DIGESTS, **more)  # type: ignore[arg-type]
    return verdict(policy, taken(*chain), trust)


def refused(answer: Proof | Refusal) -> tuple[int, int]:
    assert isinstance(answer, Refusal)
    return answer.finding.error, answer.finding.depth


def proven(answer: Proof | Refusal) -> Proof:
    assert isinstance(answer, Proof), refused(answer)
    return answer


# Usage 3.


@pytest.mark.parametrize("level", [SecurityLevel.FINGERPRINT, *HIGH_LEVELS])
@pytest.mark.parametrize(("selector", "mtype"), [(0, 0), (0, 1), (1, 0), (1, 1), (0, 255), (1, 255)])
def test_leaf_that_a_record_names_is_proven(level: SecurityLevel, selector: int, mtype: int) -> None:
    wanted = record(3, selector, mtype, LEAF)
    names = None if level is SecurityLevel.FINGERPRINT else (HOST,)
    answer = proven(decide([record(3, 0, 0, ROOT), wanted], [LEAF], NOTHING, level=level, names=names))
    assert answer.match == TlsaMatch(wanted, 0, by_key=False)
    assert answer.peer_name == (HOST if level >= SecurityLevel.VERIFY else None)


def test_leaf_that_a_record_names_needs_no_date_nor_issuer() -> None:
    old = LEAF.but(days=(-30, -1), signer=key("attacker")).extended(unknown=unknown())
    assert isinstance(decide([record(3, 1, 1, old)], [old], NOTHING), Proof)


@pytest.mark.parametrize("level", HIGH_LEVELS)
def test_leaf_that_a_record_names_needs_a_name_from_verify_on(level: SecurityLevel) -> None:
    answer = decide([record(3, 1, 1, LEAF)], [LEAF], NOTHING, level=level, names=("other.test",))
    if level < SecurityLevel.VERIFY:
        proven(answer)
    else:
        assert refused(answer) == (62, 0)


def test_weak_leaf_is_refused_with_any_name() -> None:
    weak = server(HOST, ISSUER, kind="rsa768", days=ALWAYS)
    for usage in (1, 2, 3):
        assert refused(decide([record(usage, 0, 1, weak)], [weak], NOTHING)) == (66, 0)


def test_leaf_that_no_record_names_is_refused() -> None:
    assert refused(decide([record(3, 0, 1, ELSEWHERE)], [LEAF, ISSUER], reports(LEAF, ISSUER, ROOT))) == (65, 0)
    assert refused(decide([record(3, 0, 1, ISSUER)], [LEAF, ISSUER], reports(LEAF, ISSUER, ROOT))) == (65, 0)
    both = [record(3, 0, 1, ELSEWHERE), record(3, 1, 1, ELSEWHERE)]
    assert refused(decide(both, [LEAF], reports(LEAF, ISSUER, ROOT), level=SecurityLevel.FINGERPRINT, names=None)) == (
        65,
        0,
    )


# Usage 2.


@pytest.mark.parametrize("level", HIGH_LEVELS)
@pytest.mark.parametrize("trust", [NOTHING, UNTRUSTED, reports(LEAF, ISSUER, ROOT)])
@pytest.mark.parametrize(
    ("wanted", "chain", "depth"),
    [
        (record(2, 0, 1, ISSUER), [LEAF, ISSUER], 1),
        (record(2, 1, 1, ISSUER), [LEAF, ISSUER], 1),
        (record(2, 0, 0, ISSUER), [LEAF], 1),
        (record(2, 0, 1, ROOT), [LEAF, ISSUER, ROOT], 2),
        (record(2, 0, 1, ROOT), [LEAF, ROOT, ISSUER], 2),
        (record(2, 0, 0, ROOT), [LEAF, ISSUER], 2),
        (record(2, 1, 0, ROOT), [LEAF, ISSUER, ROOT], 2),
    ],
)
def test_path_to_an_anchor_is_proven(
    level: SecurityLevel, trust: Trust, wanted: TlsaRecord, chain: list[Template], depth: int
) -> None:
    answer = proven(decide([record(3, 0, 1, ELSEWHERE), wanted], chain, trust, level=level))
    assert answer.match == TlsaMatch(wanted, depth, by_key=False)
    assert answer.peer_name == HOST


@pytest.mark.parametrize(
    ("wanted", "chain", "depth"),
    [
        (record(2, 1, 0, ROOT), [LEAF, ISSUER], 1),
        (record(2, 1, 0, ROOT), [LEAF.extended(names=names_of(dns(HOST), tlv(0x87, b"\xc0\0\2"))), ISSUER], 1),
        (record(2, 1, 0, ROOT), [DIRECT], 0),
        (record(2, 1, 0, ISSUER), [LEAF], 0),
    ],
)
def test_path_to_a_signature_of_a_bare_key_is_proven(wanted: TlsaRecord, chain: list[Template], depth: int) -> None:
    answer = proven(decide([record(2, 1, 0, ELSEWHERE), wanted], chain))
    assert answer.match == TlsaMatch(wanted, depth, by_key=True)


@pytest.mark.parametrize(
    ("wanted", "chain", "why"),
    [
        (record(2, 0, 1, LEAF), [LEAF, ISSUER], (65, 1)),
        (record(2, 0, 1, ISSUER), [LEAF], (65, 0)),
        (record(2, 1, 1, ROOT), [LEAF, ISSUER], (65, 1)),
        (record(2, 0, 1, ELSEWHERE), [LEAF, ISSUER, ROOT], (65, 2)),
        (record(2, 0, 1, ISSUER), [LEAF.but(signer=key("attacker")), ISSUER], (7, 0)),
        (record(2, 1, 0, ROOT), [LEAF.but(signer=key("attacker")), ISSUER], (7, 0)),
        (record(2, 1, 0, ROOT), [LEAF.but(signer=key("attacker"))], (65, 0)),
        (record(2, 1, 0, ROOT), [LEAF, ISSUER.but(signer=key("attacker"))], (65, 1)),
        (record(2, 1, 0, ROOT), [DIRECT.extended(unknown=unknown())], (34, 0)),
        (record(2, 1, 0, ROOT), [DIRECT.extended(purposes=purposes(CLIENT))], (26, 0)),
        (record(2, 1, 0, ROOT), [DIRECT.extended(names=("2.5.29.17", False, b"\4\1x"))], (66, 0)),
        (record(2, 1, 0, ROOT), [DIRECT.extended(odd=("2.5.29.15", False, b"\0"))], (1, 0)),
        (record(2, 1, 0, ROOT), [DIRECT.extended(names=names_of(dns(HOST), tlv(0x87, b"\xc0\0\2")))], (1, 0)),
        (record(2, 1, 0, ROOT), [DIRECT.but(digest="sha1")], (65, 0)),
        (record(2, 1, 0, ROOT), [LEAF, ISSUER.but(digest="sha1")], (65, 1)),
        (record(2, 1, 0, RSA_ROOT), [server(HOST, RSA_ROOT, digest="sha1")], (68, 0)),
        (record(2, 1, 0, RSA_ROOT), [server(HOST, RSA_ROOT, digest="md5")], (65, 0)),
        (record(2, 1, 0, ROOT), [LEAF.but(digest="sha1"), ISSUER], (68, 0)),
        (record(2, 0, 1, ISSUER), [LEAF.but(digest="sha1"), ISSUER], (68, 0)),
        (record(2, 1, 0, authority("W", kind="rsa768")), [server(HOST, authority("W", kind="rsa768"))], (67, 0)),
    ],
)
def test_path_that_is_flawed_or_leads_nowhere_is_refused(
    wanted: TlsaRecord, chain: list[Template], why: tuple[int, int]
) -> None:
    assert refused(decide([wanted], chain)) == why
    assert refused(decide([wanted], chain, level=SecurityLevel.SECURE)) == why


def test_chain_is_completed_by_records_of_usage_2_only() -> None:
    for usage, selector in ((3, 0), (2, 1)):
        beside = record(usage, selector, 0, ISSUER)._replace(data=ISSUER.der)
        assert refused(decide([beside, record(2, 0, 1, ROOT)], [LEAF, ROOT])) == (65, 0)
    proven(decide([record(2, 0, 0, ISSUER), record(2, 0, 1, ROOT)], [LEAF, ROOT]))
    proven(decide([TlsaRecord(2, 0, 0, b"no certificate"), record(2, 0, 1, ROOT)], [DIRECT, ROOT]))


def test_leaf_with_two_lists_of_names_has_no_name() -> None:
    twice = LEAF.extended(again=("2.5.29.17", False, sequence(dns(HOST))))
    local = reports(twice, ISSUER, ROOT)
    assert refused(decide([], [twice, ISSUER], local, level=SecurityLevel.VERIFY)) == (62, 0)


@pytest.mark.parametrize("wanted", [record(2, 0, 1, ISSUER), record(2, 0, 0, ROOT), record(2, 1, 0, ROOT)])
def test_name_counts_below_an_anchor(wanted: TlsaRecord) -> None:
    assert refused(decide([wanted], [LEAF, ISSUER], names=("other.test",))) == (62, 0)
    assert refused(decide([wanted], [LEAF, ISSUER], names=(HOST, "192.0.2.1"))) == (64, 0)
    assert refused(decide([wanted], [LEAF, ISSUER], names=("192.0.2.1",))) == (64, 0)
    answer = decide(
        [wanted], [LEAF.extended(names=names_of(dns(HOST), tlv(0x87, b"\xc0\0\2\1"))), ISSUER], names=("192.0.2.1",)
    )
    assert proven(answer).peer_name is None


@pytest.mark.parametrize("wanted", [record(2, 0, 1, ROOT), record(2, 0, 0, ROOT), record(2, 1, 0, ROOT)])
def test_wrong_name_is_closer_than_flaws_above(wanted: TlsaRecord) -> None:
    chain = [LEAF, ISSUER.but(signer=key("attacker")), *([ROOT] if wanted.mtype else [])]
    assert refused(decide([wanted], chain)) in ((7, 1), (65, 1))
    assert refused(decide([wanted], chain, names=("other.test",))) == (62, 0)
    assert refused(decide([record(2, 0, 1, ELSEWHERE)], chain, names=("other.test",))) == (62, 0)


def test_wrong_name_is_closer_than_flaws_below_a_bare_key() -> None:
    weak = authority("W", kind="rsa768")
    for root, issuer, why in (
        (ROOT, ISSUER.extended(basic=basic(False)), (79, 1)),
        (weak, authority("Below W", weak, days=ALWAYS), (67, 1)),
        (RSA_ROOT, authority("Below R", RSA_ROOT, days=ALWAYS, digest="sha1"), (68, 1)),
    ):
        wanted, chain = [record(2, 1, 0, root)], [server(HOST, issuer, days=ALWAYS), issuer]
        assert refused(decide(wanted, chain)) == why
        assert refused(decide(wanted, chain, names=("other.test",))) == (62, 0)


OLD = {"days": (-30000.0, -1.0)}
NEW = {"days": (1.0, 30000.0)}


@pytest.mark.parametrize(("days", "error"), [(OLD, 10), (NEW, 9)])
def test_dates_count_below_an_anchor(days: dict[str, tuple[float, float]], error: int) -> None:
    now = time.strftime("%Y%m%d%H%M%SZ", time.gmtime())
    today = Trust(UNTRUSTED.steps, now)
    leaf, issuer, root = LEAF.but(**days), ISSUER.but(**days), ROOT.but(**days)
    for wanted in (record(2, 0, 0, ROOT), record(2, 1, 0, ROOT)):
        assert refused(decide([wanted], [leaf, ISSUER], today)) == (error, 0)
        assert refused(decide([wanted], [LEAF, issuer], today)) == (error, 1)
    assert refused(decide([record(2, 0, 0, root)], [LEAF, ISSUER], today)) == (error, 2)
    alike = root.but(issuer=root.subject.replace(b"Root", b"rOOT"), signer=key("attacker"))
    assert refused(decide([record(2, 0, 0, alike)], [LEAF, ISSUER], today)) == (error, 2)
    # In the middle of a hierarchy the anchor's own dates don't count.
    proven(decide([record(2, 0, 1, issuer)], [LEAF, issuer], today))
    assert refused(decide([record(2, 0, 1, issuer)], [leaf, issuer], today)) == (error, 0)


@pytest.mark.parametrize("wanted", [record(2, 0, 0, ROOT), record(2, 0, 1, ROOT)])
def test_anchor_above_the_limit_is_refused(wanted: TlsaRecord) -> None:
    chain = [LEAF, ISSUER, *([ROOT] if wanted.mtype else [])]
    proven(decide([wanted], chain, verifydepth=0))
    assert refused(decide([wanted], chain, verifydepth=-1)) == (22, 1)
    assert refused(decide([wanted], chain, verifydepth=-1, names=("other.test",))) == (62, 0)
    assert refused(decide([wanted], chain, verifydepth=-9)) == (22, -7)


def test_bare_key_above_the_limit_is_refused() -> None:
    wanted = [record(2, 1, 0, ROOT)]
    proven(decide(wanted, [LEAF, ISSUER], verifydepth=0))
    assert refused(decide(wanted, [LEAF, ISSUER], verifydepth=-1)) == (22, 1)


@pytest.mark.parametrize("usage", [0, 1])
def test_usage_2_beside_0_or_1_does_not_count(usage: int) -> None:
    records = [record(usage, 0, 1, ELSEWHERE), record(2, 0, 0, ROOT), record(2, 1, 0, ROOT)]
    assert refused(decide(records, [LEAF, ISSUER]))[0] == (65 if usage else 20)
    proven(decide([*records, record(3, 0, 1, LEAF)], [LEAF, ISSUER]))


def test_forged_twin_of_an_issuer_hides_the_real_one() -> None:
    """OpenSSL takes the first issuer of the name that is sent; so it is for Postfix."""
    twin = ISSUER.but(key=key("attacker"), signer=key("attacker"))
    assert refused(decide([record(2, 0, 1, ROOT)], [LEAF, twin, ISSUER, ROOT]))[0] == 7
    proven(decide([record(2, 0, 0, ISSUER)], [LEAF, twin, ISSUER, ROOT]))


@pytest.mark.parametrize("kind", ["rsa2048", "ed25519"])
def test_issuer_that_openssl_4_passes_over_proves_nothing(kind: str) -> None:
    """OpenSSL 3 goes on with a self-issued certificate that another kind of key has signed; its constraints count."""
    odd = ROOT.but(signer=key("attacker", kind))
    twin = odd.but(key=key("attacker"))
    for wanted in (record(2, 1, 0, ROOT), record(2, 0, 1, ROOT), record(2, 0, 0, ROOT)):
        for passed_over in (odd, twin):
            assert refused(decide([wanted], [DIRECT, passed_over, ROOT]))[0] == 65
            assert refused(decide([wanted], [LEAF, ISSUER, passed_over, ROOT]))[0] == 65
    assert refused(decide([record(2, 1, 0, ROOT)], [DIRECT, odd])) == (65, 0)
    assert refused(decide([record(2, 1, 0, ROOT), record(2, 0, 0, odd)], [DIRECT])) == (65, 0)
    # A certificate above the match, or one that leads elsewhere, does no harm.
    proven(decide([record(2, 0, 1, ISSUER)], [LEAF, ISSUER, odd]))
    proven(decide([record(2, 1, 0, ROOT)], [DIRECT, authority("Elsewhere").but(signer=key("attacker", kind))]))
    proven(decide([record(2, 1, 0, ROOT)], [DIRECT, ROOT, ROOT.but(signer=key("attacker"))]))


# Local authorities.


@pytest.mark.parametrize(
    "level", [SecurityLevel.MAY, SecurityLevel.ENCRYPT, SecurityLevel.VERIFY, SecurityLevel.SECURE]
)
def test_path_to_a_local_authority_is_proven(level: SecurityLevel) -> None:
    names = (HOST,) if level >= SecurityLevel.VERIFY else None
    answer = proven(decide([], [LEAF, ISSUER], reports(LEAF, ISSUER, ROOT), level=level, names=names))
    assert (answer.match, answer.peer_name) == (None, names and HOST)


WHOLE = reports(LEAF, ISSUER, ROOT).steps


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((), (1, 0)),
        (WHOLE[:1], (1, 0)),
        (WHOLE[:2], (1, 0)),
        ((WHOLE[0], WHOLE[2]), (1, 0)),
        ((*WHOLE[:2], VerifyStep(True, OK, 0, None)), (1, 0)),
        ((*WHOLE[:2], *reports(ELSEWHERE).steps), (1, 0)),
        ((VerifyStep(False, 20, 1, None), *WHOLE), (20, 1)),
        ((VerifyStep(False, 20, 1, None), WHOLE[0]), (20, 1)),
        ((VerifyStep(False, OK, 1, None), *WHOLE), (1, 1)),
        ((VerifyStep(False, 4711, 2, None), *WHOLE), (4711, 2)),
        ((*WHOLE, VerifyStep(False, 47, 0, None)), (47, 0)),
    ],
)
@pytest.mark.parametrize("level", [SecurityLevel.ENCRYPT, SecurityLevel.VERIFY])
def test_reports_that_are_no_whole_path_prove_nothing(
    level: SecurityLevel, steps: tuple[VerifyStep, ...], why: tuple[int, int]
) -> None:
    names = (HOST,) if level >= SecurityLevel.VERIFY else None
    assert refused(decide([], [LEAF, ISSUER], Trust(steps, NOW), level=level, names=names)) == why


@pytest.mark.parametrize("error", [6, 7, 9, 10, 13, 14, 21])
def test_wrong_name_comes_before_signatures_and_dates(error: int) -> None:
    first = Trust((VerifyStep(False, error, 0, taken(LEAF)[0]), *WHOLE), NOW)
    answer = decide([], [LEAF, ISSUER], first, level=SecurityLevel.VERIFY, names=("other.test",))
    assert refused(answer) == (62, 0)
    yields = decide([], [LEAF, ISSUER], first, level=SecurityLevel.VERIFY, names=("other.test",), mismatch_yields=True)
    assert refused(yields) == (error, 0)


@pytest.mark.parametrize("error", [2, 18, 19, 20, 26, 66, 68])
def test_wrong_name_comes_after_building_and_purposes(error: int) -> None:
    first = Trust((VerifyStep(False, error, 0, taken(LEAF)[0]), *WHOLE), NOW)
    assert refused(decide([], [LEAF], first, level=SecurityLevel.VERIFY, names=("other.test",))) == (error, 0)


def test_local_authorities_do_not_help_a_record() -> None:
    local = reports(LEAF, ISSUER, ROOT)
    assert refused(decide([record(2, 0, 1, ELSEWHERE)], [LEAF, ISSUER], local)) == (65, 1)
    assert refused(decide([record(3, 0, 1, ELSEWHERE)], [LEAF, ISSUER], local)) == (65, 0)


# Usages 0 and 1.


@pytest.mark.parametrize(
    ("wanted", "depth"),
    [
        (record(1, 0, 1, LEAF), 0),
        (record(1, 1, 0, LEAF), 0),
        (record(0, 0, 1, ISSUER), 1),
        (record(0, 1, 1, ROOT), 2),
        (record(0, 0, 0, ROOT), 2),
    ],
)
def test_record_restricts_a_path_to_a_local_authority(wanted: TlsaRecord, depth: int) -> None:
    local = reports(LEAF, ISSUER, ROOT)
    records = [record(0, 0, 1, ELSEWHERE), wanted]
    answer = proven(decide(records, [LEAF, ISSUER], local))
    assert (answer.match, answer.peer_name) == (TlsaMatch(wanted, depth, by_key=False), HOST)
    assert refused(decide(records, [LEAF, ISSUER], UNTRUSTED))[0] == 20
    assert refused(decide(records, [LEAF, ISSUER], NOTHING))[0] in (1, 65)
    assert refused(decide(records, [LEAF, ISSUER], local, names=("other.test",))) == (62, 0)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (record(1, 0, 1, ELSEWHERE), (65, 0)),
        (record(1, 0, 1, ISSUER), (65, 0)),
        (record(0, 0, 1, ELSEWHERE), (65, 2)),
        (record(0, 0, 1, LEAF), (65, 2)),
        (record(0, 1, 0, LEAF), (65, 2)),
    ],
)
def test_record_that_matches_nothing_refuses_a_trusted_path(wanted: TlsaRecord, why: tuple[int, int]) -> None:
    assert refused(decide([wanted], [LEAF, ISSUER], reports(LEAF, ISSUER, ROOT))) == why


# By construction.


@pytest.mark.parametrize("level", list(SecurityLevel))
@pytest.mark.parametrize("records", [(), (record(3, 0, 1, LEAF),), (record(2, 0, 0, ROOT),), (record(0, 0, 1, ROOT),)])
def test_nothing_sent_or_no_demand_to_meet_proves_nothing(
    level: SecurityLevel, records: tuple[TlsaRecord, ...]
) -> None:
    local = reports(LEAF, ISSUER, ROOT)
    assert refused(decide(records, [], local, level=level)) == (1, 0)
    assert refused(decide(records, [LEAF, ISSUER], local, level=level, must_fail=True)) == (1, 0)
    assert refused(decide(records, [LEAF, ISSUER], local, level=level, names=())) == (1, 0)
    if level > SecurityLevel.FINGERPRINT:
        assert refused(decide(records, [LEAF, ISSUER], local, level=level, names=None)) == (1, 0)
    if SecurityLevel.FINGERPRINT <= level <= SecurityLevel.DANE_ONLY:
        assert refused(decide((), [LEAF, ISSUER], local, level=level)) == (1, 0)


@pytest.mark.parametrize("usage", [-1, 4, 255, 256])
def test_unknown_usage_proves_nothing(usage: int) -> None:
    for target in (LEAF, ISSUER, ROOT):
        for selector in (0, 1):
            unknown_usage = record(usage, selector, 0, target)
            answer = decide([unknown_usage], [LEAF, ISSUER, ROOT], reports(LEAF, ISSUER, ROOT))
            assert refused(answer) == (65, 2)


@given(
    usage=st.integers(0, 3),
    selector=st.sampled_from([0, 1]),
    mtype=st.sampled_from([0, 1]),
    target=st.sampled_from([ISSUER, ROOT]),
    flaw=st.sampled_from(sorted(FLAWS)),
    attacked=st.booleans(),
    level=st.sampled_from(HIGH_LEVELS),
)
def test_chain_of_the_attacker_is_never_proven(
    usage: int, selector: int, mtype: int, target: Template, flaw: str, attacked: bool, level: SecurityLevel
) -> None:
    """If no authority has signed a leaf, and no record names it, it is refused with any other oddity."""
    forged = FLAWS[flaw](LEAF, random.Random(0)).but(key=key("attacker"), signer=key("attacker"), info=None)
    twin = ISSUER.but(key=key("attacker"), signer=key("attacker"))
    chain = [forged, twin, ISSUER] if attacked else [forged, ISSUER, ROOT]
    steps = Trust((VerifyStep(False, 7, 0, None), *reports(*chain).steps), NOW)
    assert isinstance(decide([record(usage, selector, mtype, target)], chain, steps, level=level), Refusal)


def test_judge_answers_with_the_verdict_so_far() -> None:
    policy = VerificationPolicy(SecurityLevel.VERIFY, (HOST,), digests=DIGESTS)
    judge = ChainVerifier(policy, lambda: taken(LEAF, ISSUER))
    assert [judge.step(*step) for step in WHOLE] == [UNSPECIFIED, UNSPECIFIED, OK]
    assert isinstance(judge.answer, Proof)
    assert judge.step(False, 47, 0, None) == 47
    assert isinstance(judge.answer, Refusal)


def test_judge_asks_once_where_local_authorities_have_no_say() -> None:
    asked = []

    def chain() -> list[PeerCertificate]:
        asked.append(1)
        return taken(LEAF, ISSUER)

    judge = ChainVerifier(
        VerificationPolicy(SecurityLevel.DANE, (HOST,), (record(2, 0, 0, ROOT),), digests=DIGESTS), chain
    )
    assert judge.step(False, 20, 1, None) == OK
    assert judge.step(False, 4711, 0, None) == OK
    assert len(asked) == 1
    mixed = ChainVerifier(
        VerificationPolicy(SecurityLevel.DANE, (HOST,), (record(1, 0, 1, LEAF),), digests=DIGESTS), chain
    )
    assert [mixed.step(*step) for step in WHOLE] == [UNSPECIFIED, UNSPECIFIED, OK]
    assert mixed.step(False, 4711, 0, None) == 4711


def test_judge_knows_the_time() -> None:
    over = server(HOST, ROOT, days=(-30, -1))
    now = server(HOST, ROOT, days=(-1, 1))
    policy = VerificationPolicy(SecurityLevel.DANE, (HOST,), (record(2, 0, 0, ROOT),), digests=DIGESTS)
    assert ChainVerifier(policy, lambda: taken(over)).step(False, 20, 0, None) == 10
    assert ChainVerifier(policy, lambda: taken(now)).step(False, 20, 0, None) == OK


def test_judge_in_doubt_stays_so_when_things_get_better() -> None:
    answers: Iterator[ValueError | list[PeerCertificate]] = iter([ValueError("unforeseen"), *[taken(LEAF, ISSUER)] * 9])

    def chain() -> list[PeerCertificate]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    judge = ChainVerifier(VerificationPolicy(SecurityLevel.VERIFY, (HOST,), digests=DIGESTS), chain)
    with pytest.raises(ValueError, match="unforeseen"):
        judge.step(*WHOLE[0])
    assert [judge.step(*step) for step in WHOLE] == [UNSPECIFIED] * 3
    assert judge.answer.error == UNSPECIFIED


def test_exception_after_a_proof_takes_it_back() -> None:
    answers = iter([*[taken(LEAF, ISSUER)] * 3, None])

    def chain() -> list[PeerCertificate]:
        answer = next(answers)
        if answer is None:
            raise ValueError("unforeseen")
        return answer

    judge = ChainVerifier(VerificationPolicy(SecurityLevel.VERIFY, (HOST,), digests=DIGESTS), chain)
    assert [judge.step(*step) for step in WHOLE][-1] == OK
    with pytest.raises(ValueError, match="unforeseen"):
        judge.step(*WHOLE[2])
    assert judge.answer.error == UNSPECIFIED


def test_table_in_the_documentation_is_that_of_the_code() -> None:
    document = Path(__file__).parents[4] / "docs" / "client-role.md"
    lines = [line.strip() for line in (peer_status.__doc__ or "").splitlines()]
    table = [line for line in lines if line.startswith(("no certificate", "none ", "hostname", "any other"))]
    assert len(table) == 6
    decision = [line.strip() for line in (verdict.__doc__ or "").split("====\n")[2].splitlines()[:-1]]
    assert len(decision) == 10
    for line in (*table, *decision):
        assert line in document.read_text()
