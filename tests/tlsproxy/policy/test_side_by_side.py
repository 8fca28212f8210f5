"""Policies beside those of real smtp(8) processes: the request to tlsproxy(8), warnings, and reasons why mail waits."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from peers.cases import policy_cases
from peers.fakes.nameserver import NameServer
from peers.real.policy_smtp import Case, Decision, Outcome, run

import postconf
from tlsproxy.policy import Policies, Policy, PolicyError
from tlsproxy.policy.resolver import DnsResolver
from tlsproxy.wire.dane import Dane

pytestmark = [pytest.mark.postfix, pytest.mark.timeout(300), pytest.mark.xdist_group("policy")]

NOT_OF_THE_POLICY = (
    'private/tlsproxy service role "client" is not available',
    "TLS policy lookup for ",
    "PEM routines",
    "TLS library problem",
    "no SASL authentication",
    "aborting TLS session",
)
OF_A_SESSION = re.compile(r"\S+\[[0-9.]+\]:[0-9]+: ")
"""Log lines of smtp(8) for a session that it begins by itself, without connection reuse, after the policy is made."""


@dataclass
class Peers:
    outcome: Outcome
    config: postconf.Config
    resolver: DnsResolver


def needs_a_mount_namespace() -> None:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("smtp(8) gets a resolv.conf of its own in a mount namespace, which is not allowed here")


@contextmanager
def resolving(port: int) -> Iterator[DnsResolver]:
    """Our resolver, with the names that smtp(8) has had."""
    with NameServer([each.replace("PORT", str(port)) for each in policy_cases.RECORDS]) as server:
        yield DnsResolver([server.address], port=server.port, families="ipv4", timeout=30)


@pytest.fixture(scope="module")
def peers(public_root: Path) -> Iterator[Peers]:
    needs_a_mount_namespace()
    root = public_root / "postfix"
    root.mkdir()
    policy_cases.write_anchors(root)
    outcome = run(root, policy_cases.ALL, policy_cases.RECORDS)
    config = postconf.load(str(outcome.configuration), version="3.7.11")
    with resolving(outcome.port) as resolver:
        yield Peers(outcome, config, resolver)


@pytest.mark.parametrize("number", range(len(policy_cases.ALL)), ids=lambda number: _name(policy_cases.ALL[number]))
def test_policy_is_that_of_smtp(peers: Peers, number: int) -> None:
    compare_with_smtp(peers, number, policy_cases.ALL[number])


def compare_with_smtp(peers: Peers, number: int, case: Case) -> None:
    expected = peers.outcome.decisions[number]
    warnings: list[str] = []
    mistake = False
    view = peers.config.service(f"s{number}", "unix")
    prefix = "lmtp" if case.lmtp else "smtp"
    nexthop = case.nexthop.replace("PORT", str(peers.outcome.port))
    destination, *_ = peers.resolver.destinations(nexthop, default_port=peers.outcome.port, mx=not case.lmtp)
    with Policies(view, prefix=prefix, resolver=peers.resolver, warn=warnings.append) as policies:
        try:
            policy = policies.decide(destination)
        except PolicyError as error:
            assert expected.start is None
            assert expected.status == f"deferred ({error.reason})"
            mistake = error.column > 0
        else:
            _compare(policy, expected)
    said = [each for each in expected.warnings if not any(text in each for text in NOT_OF_THE_POLICY)]
    if expected.start is None:
        said = [each for each in said if not OF_A_SESSION.match(each)]
    if mistake:  # Postfix looks at fingerprints while it parses, we do when the entry is known to be good
        said = [each for each in said if not each.startswith("malformed fingerprint")]
    assert _comparable_warnings(warnings) == _comparable_warnings(said)


def _compare(policy: Policy, expected: Decision) -> None:
    start = expected.start
    if not policy.level:
        assert start is None
        assert "in the clear" in expected.status
        return
    if not policy.connection_reuse:
        assert start is None
        assert expected.status == "deferred (Cannot start TLS: handshake failure)"
        return
    assert start is not None, expected
    assert policy.level == start.tls_level
    assert policy.match == start.match
    assert _comparable(policy.dane) == _comparable(start.dane)
    assert policy.protocols == start.protocols
    assert policy.cipher_grade == start.cipher_grade
    assert policy.cipher_exclusions == start.cipher_exclusions
    assert policy.servername == start.servername
    assert policy.destination.domain == start.nexthop
    assert policy.destination.host.name == start.host


def _comparable(dane: Dane | None) -> object:
    """DNS does not keep an order."""
    return dane and (dane.domain, sorted(dane.records, key=repr))


def _comparable_warnings(warnings: list[str]) -> list[str]:
    """Warnings as a log has them. Names that DNS lacks are reported by the C library here, by dnspython there.

    Postfix asks twice for TLSA records that can't be had: an error expires as soon as it is cached.
    """
    texts = [re.sub(r"[\x00-\x1f\x7f]", "?", each) for each in warnings]
    texts = [re.sub(r"(DANE TLSA lookup problem: ).*", r"\1", each) for each in texts]
    return [each for each, previous in zip(texts, ["", *texts], strict=False) if each != previous]


def _name(case: Case) -> str:
    words = [case.nexthop, *(f"{key}={value}" for key, value in case.settings.items())]
    words += [repr(value) for value in (*case.policy.items(), *case.per_site.items())]
    return ascii(" ".join(words))[1:120]
