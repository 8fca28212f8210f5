"""The verdict itself: no error and nothing unforeseen, or no match."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.certificates import Identity, name

from postconf.values import SecurityLevel
from tlsproxy.tls.openssl.peers import OK, UNSPECIFIED, Certificate
from tlsproxy.tls.verification.dane import Digests
from tlsproxy.tls.verification.judge import Judge, peer_status
from tlsproxy.tls.verification.policy import Policy
from tlsproxy.wire.dane import TlsaRecord
from tlsproxy.wire.messages import PeerStatus

MATCHED = PeerStatus.MATCHED | PeerStatus.SECURED


@given(st.sampled_from(SecurityLevel), st.none() | st.integers(-5, 200), st.booleans())
def test_nothing_matches_but_what_has_no_error_at_a_level_that_verifies(
    level: SecurityLevel, error: int | None, keeps: bool
) -> None:
    status = peer_status(level, error, mismatch_keeps_trust=keeps)
    assert bool(status & MATCHED) == (error == OK and level > SecurityLevel.ENCRYPT)
    assert bool(status & PeerStatus.SECURED) == (
        error == OK and level > SecurityLevel.ENCRYPT and level != SecurityLevel.HALF_DANE
    )
    assert bool(status) == (error is not None)


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 90), st.integers(0, 3)), min_size=1, max_size=6)
POLICIES = [
    Policy(SecurityLevel.VERIFY, ("mx.test",)),
    Policy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(3, 1, 1, bytes(32)),), digests=Digests({}, {})),
    Policy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(2, 0, 0, b"x"),)),
    Policy(SecurityLevel.DANE, ("mx.test",), (TlsaRecord(0, 0, 0, b"x"),)),
]


def broken(*_: object) -> list[Certificate]:
    raise ValueError("unforeseen")


@pytest.mark.parametrize("policy", POLICIES)
@given(steps=STEPS)
def test_after_an_exception_no_later_step_makes_it_good(policy: Policy, steps: list[tuple[bool, int, int]]) -> None:
    judge = Judge(policy, broken)
    raised = False
    for ok, error, depth in steps:
        try:
            answer = judge.step(ok, error, depth, None)
        except ValueError:
            raised = True
            answer = judge.answer.error
        if raised:
            assert answer == judge.answer.error == UNSPECIFIED


def test_what_was_never_looked_at_is_not_good() -> None:
    assert Judge(POLICIES[0], broken).answer.error == UNSPECIFIED


@pytest.mark.parametrize(
    ("policy", "good"),
    [
        (Policy(SecurityLevel.VERIFY, ("mx.test",)), True),
        (Policy(SecurityLevel.VERIFY, ("other.test",)), False),
        (Policy(SecurityLevel.VERIFY, ()), False),
        (Policy(SecurityLevel.VERIFY, ("mx.test",), must_fail=True), False),
        (Policy(SecurityLevel.VERIFY, ("mx.test", "192.0.2.1")), False),
        (Policy(SecurityLevel.VERIFY), False),
        (Policy(SecurityLevel.FINGERPRINT), False),
        (Policy(SecurityLevel.DANE, ("mx.test",)), False),
        (Policy(SecurityLevel.ENCRYPT), True),
    ],
)
def test_what_openssl_finds_good_must_also_have_the_name(policy: Policy, good: bool) -> None:
    leaf = Certificate.from_der(Identity(name("mx.test"), hosts=["mx.test"]).der)
    assert leaf is not None
    chain: Callable[[], list[Certificate]] = lambda: [leaf]  # noqa: E731
    judge = Judge(policy, chain)
    assert (judge.step(True, OK, 0, leaf) == OK) is good


def test_the_table_in_the_documentation_is_that_of_the_code() -> None:
    document = Path(__file__).parents[2] / "docs" / "client-role.md"
    lines = [line.strip() for line in (peer_status.__doc__ or "").splitlines()]
    table = [line for line in lines if line.startswith(("no certificate", "none ", "hostname", "any other"))]
    assert len(table) == 6
    for line in table:
        assert line in document.read_text()
