"""Policies made at random, beside smtp(8); `TLSPROXY_SEED` for other ones."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from peers.cases import policy_cases
from peers.real.policy_smtp import Case, run

import postconf

from .test_side_by_side import Peers, compare_with_smtp, needs_a_mount_namespace, resolving

pytestmark = [pytest.mark.postfix, pytest.mark.soak, pytest.mark.timeout(300), pytest.mark.xdist_group("policy")]

LEVELS = ["none", "may", "encrypt", "fingerprint", "verify", "secure", "dane", "dane-only", "MAY", "halfdane"]
VALUES = {
    "ciphers": ["high", "MEDIUM", "", "null", "x"],
    "protocols": ["TLSv1.2", ">=TLSv1.3", "", "!TLSv1:!TLSv1.1", "nonsense"],
    "servername": ["a.example", "hostname", "", "a..b", "1.2", "-x"],
    "match": ["nexthop", "a:b", "hostname:.c", "", "::", "|", policy_cases.FINGERPRINT, f"{policy_cases.OTHER}|ab:cd"],
    "exclude": ["aNULL", "RC4:MD5", ""],
    "tafile": [""],
    "connection_reuse": ["yes", "no", "No", "1", ""],
    "enable_rpk": ["yes"],
    "foo": ["bar"],
}
KEYS = ["sec.test", ".sec.test", ".sub.sec.test", ".test", "deep.sub.sec.test", "mx.sec.test", "[dane.sec.test]"]
NEXT_HOPS = ["sec.test", "sub.sec.test", "deep.sub.sec.test", "dane.test", "mx.insecure"]
NEXT_HOPS += ["[dane.sec.test]", "[mx.sec.test]"]
MAIN = {
    "smtp_tls_security_level": ["", "may", "encrypt", "secure", "dane", "verify", "none"],
    "smtp_tls_exclude_ciphers": ["", "RC4"],
    "smtp_tls_mandatory_exclude_ciphers": ["", "aECDSA, MD5"],
    "smtp_tls_servername": ["", "hostname", "bad..name"],
    "smtp_tls_fingerprint_cert_match": ["", policy_cases.OTHER, "xyz"],
    "smtp_tls_dane_insecure_mx_policy": ["may", "encrypt", "dane"],
    "smtp_use_tls": ["yes", "no"],
    "smtp_enforce_tls": ["yes", "no"],
}


def entry(source: random.Random) -> str:
    words = [source.choice(LEVELS)]
    for _ in range(source.choice([0, 1, 1, 1, 2, 2, 3])):
        name = source.choice(list(VALUES))
        words.append(f"{name}={source.choice(VALUES[name])}")
    return source.choice([" ", ", ", ","]).join(words)


def case(source: random.Random) -> Case:
    main = {name: source.choice(values) for name, values in MAIN.items() if source.random() < 0.4}
    keys = source.sample(KEYS, source.randint(1, 3))
    nexthop = source.choice(NEXT_HOPS)
    if source.random() < 0.25:
        words = ["NONE", "MAY", "MUST", "MUST_NOPEERMATCH", "must", "x"]
        return Case(nexthop, main, per_site={key: source.choice(words) for key in [*keys, nexthop]})
    return Case(nexthop, main, {key: entry(source) for key in [*keys, nexthop]})


def test_random_policies_are_those_of_smtp(public_path: Path) -> None:
    needs_a_mount_namespace()
    seed = int(os.environ.get("TLSPROXY_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    source = random.Random(seed)
    cases = [case(source) for _ in range(120)]
    root = public_path / "postfix"
    root.mkdir()
    policy_cases.write_anchors(root)
    outcome = run(root, cases, policy_cases.RECORDS)
    config = postconf.load(str(outcome.configuration), version="3.7.11")
    wrong = []
    with resolving(outcome.port) as resolver:
        for number, each in enumerate(cases):
            try:
                compare_with_smtp(Peers(outcome, config, resolver), number, each)
            except AssertionError as error:
                wrong.append((each, outcome.decisions[number], str(error)))
    assert not wrong, f"seed {seed}: {len(wrong)} of {len(cases)}: {wrong[0]}"
