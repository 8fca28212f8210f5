"""Demands of a request of smtp(8): levels, names, records, and the name that is sent. Half a demand is refused."""

from __future__ import annotations

from hashlib import sha256, sha512
from typing import Any

import pytest
from peers.daemon.roles import Lines

from postconf.values import Protocols, SecurityLevel
from tlsproxy.tls.client.policy import SessionPolicy, session_policy
from tlsproxy.tls.roles import SessionRefusedError
from tlsproxy.tls.settings.client import allowed_protocols, level_of
from tlsproxy.tls.verification.dane import Digests
from tlsproxy.wire.dane import Dane, TlsaRecord
from tlsproxy.wire.messages import ClientStart

DIGESTS = Digests({1: lambda data: sha256(data).digest(), 2: lambda data: sha512(data).digest()}, {1: 1, 2: 2, 255: 3})
GOOD, STRONG, BAD = TlsaRecord(3, 1, 1, bytes(32)), TlsaRecord(3, 1, 2, bytes(64)), TlsaRecord(3, 1, 9, b"\1")
START = ClientStart(
    timeout=300,
    tls_level=1,
    nexthop="example.test",
    host="mx.example.test",
    namaddr="MX.example.test[192.0.2.25]:25",
    servername="",
    serverid="smtp&",
    helo="helo",
    protocols=">=TLSv1.2",
    cipher_grade="medium",
    cipher_exclusions="",
    match=("hostname",),
    mdalg="sha256",
    dane=None,
)
NAMADDR = "mx.example.test[192.0.2.25]:25"
DANE_LEVELS = (SecurityLevel.HALF_DANE, SecurityLevel.DANE, SecurityLevel.DANE_ONLY)
RECORD_LEVELS = (SecurityLevel.FINGERPRINT, *DANE_LEVELS)


def demanded(level: int, *, log: Lines | None = None, **changes: Any) -> SessionPolicy:
    start = START._replace(tls_level=level, **changes)
    return session_policy(start, DIGESTS, log or Lines(), verifydepth=7, mismatch_yields=True)


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_level_and_settings_are_those_of_the_request(level: SecurityLevel) -> None:
    records = Dane("base.test", (GOOD,)) if level > SecurityLevel.ENCRYPT else None
    policy = demanded(level, dane=records).verification
    assert policy.level is level
    assert (policy.digests, policy.verifydepth, policy.mismatch_yields) == (DIGESTS, 7, True)
    assert not policy.hopeless
    assert policy.references == (None if level <= SecurityLevel.FINGERPRINT else ("mx.example.test",))
    assert policy.records == (() if level <= SecurityLevel.ENCRYPT else (GOOD,))


def test_unknown_level_is_refused() -> None:
    for number in (-2, 9, 255):
        with pytest.raises(SessionRefusedError, match=f"unknown TLS security level {number}"):
            level_of(START._replace(tls_level=number))


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_protocols_exclude_ssl3_where_dane_decides(level: SecurityLevel) -> None:
    found = allowed_protocols(START._replace(tls_level=level, protocols=">=TLSv1.2, !TLSv1.3"))
    assert ("SSLv3" in found.excluded) == (level in DANE_LEVELS)
    assert "TLSv1.3" in found.excluded
    plain = allowed_protocols(START._replace(protocols=">=TLSv1.2, <=TLSv1.3"))
    assert found.minimum == plain.minimum
    assert isinstance(plain, Protocols)
    both = allowed_protocols(START._replace(tls_level=level, protocols=">=TLSv1.2, <=TLSv1.3"))
    assert (both.minimum, both.maximum) == (plain.minimum, plain.maximum)


def test_bad_protocols_are_refused() -> None:
    with pytest.raises(SessionRefusedError, match='Invalid TLS protocol list "bogus": aborting TLS session'):
        allowed_protocols(START._replace(protocols="bogus"))


@pytest.mark.parametrize("level", list(SecurityLevel))
def test_failure_that_was_decided_elsewhere_is_one(level: SecurityLevel) -> None:
    dane = Dane("", (GOOD,)) if level > SecurityLevel.ENCRYPT else None
    assert demanded(level, dane=dane, forced_failure_type="why").verification.hopeless


@pytest.mark.parametrize("level", [*DANE_LEVELS, SecurityLevel.VERIFY, SecurityLevel.SECURE])
@pytest.mark.parametrize("patterns", [(), (".",), ("",)])
def test_level_about_names_without_one_is_hopeless(level: SecurityLevel, patterns: tuple[str, ...]) -> None:
    log = Lines()
    found = demanded(level, log=log, match=patterns, dane=Dane("", (GOOD,)))
    assert found.verification.references == ()
    assert found.verification.hopeless
    assert log.lines[-1] == f"warning: {NAMADDR}: could not configure peer name checks"


@pytest.mark.parametrize("level", RECORD_LEVELS)
def test_level_about_records_without_any_is_hopeless(level: SecurityLevel) -> None:
    for dane in (None, Dane("base.test", ())):
        policy = demanded(level, dane=dane).verification
        assert policy.hopeless
        assert policy.must_fail
        assert policy.level is level


@pytest.mark.parametrize("level", [SecurityLevel.VERIFY, SecurityLevel.SECURE])
def test_local_authorities_count_without_an_anchor_file(level: SecurityLevel) -> None:
    assert not demanded(level).verification.hopeless
    log = Lines()
    assert demanded(level, dane=Dane("", ()), log=log).verification.hopeless
    assert log.lines == [
        f"warning: {NAMADDR}: no trust anchors: no certificate can match; check the policy of example.test"
    ]


@pytest.mark.parametrize("level", [SecurityLevel.NONE, SecurityLevel.MAY, SecurityLevel.ENCRYPT])
def test_records_below_their_levels_fail_as_in_openssl(level: SecurityLevel) -> None:
    log = Lines()
    policy = demanded(level, dane=Dane("", (GOOD, BAD)), log=log).verification
    assert policy.hopeless
    assert policy.records == ()
    assert log.lines == [f"warning: {NAMADDR}: error loading trust settings: 3 1 9 01"]
    assert not demanded(level, dane=Dane("", ())).verification.hopeless
    assert not demanded(level).verification.hopeless


@pytest.mark.parametrize(
    ("level", "what"),
    [
        (SecurityLevel.FINGERPRINT, "fingerprints"),
        (SecurityLevel.DANE_ONLY, "TLSA records"),
        (SecurityLevel.VERIFY, "trust anchors"),
        (SecurityLevel.SECURE, "trust anchors"),
    ],
)
def test_unusable_records_alone_are_hopeless(level: SecurityLevel, what: str) -> None:
    log = Lines()
    policy = demanded(level, dane=Dane("", (BAD,)), log=log).verification
    assert policy.hopeless
    assert policy.level is level
    assert log.lines == [
        f"warning: {NAMADDR}: unusable TLSA RR: 3 1 9 01",
        f"warning: {NAMADDR}: all {what} unusable",
    ]


@pytest.mark.parametrize("level", [SecurityLevel.HALF_DANE, SecurityLevel.DANE])
def test_opportunistic_dane_falls_back_to_encryption(level: SecurityLevel) -> None:
    log = Lines()
    policy = demanded(level, dane=Dane("", (BAD,)), log=log).verification
    assert policy.level is SecurityLevel.ENCRYPT
    assert not policy.hopeless
    assert log.lines[-1] == f"warning: {NAMADDR}: all TLSA records unusable, fallback to unauthenticated TLS"


@pytest.mark.parametrize("level", [*RECORD_LEVELS, SecurityLevel.VERIFY])
def test_usable_records_are_ranked_and_the_others_left_out(level: SecurityLevel) -> None:
    policy = demanded(level, dane=Dane("", (GOOD, BAD, STRONG))).verification
    assert policy.records == (STRONG,)
    assert policy.level is level
    assert not policy.hopeless


@pytest.mark.parametrize("level", list(SecurityLevel))
@pytest.mark.parametrize(
    ("servername", "sent"),
    [("hostname", "mx.example.test"), ("nexthop", "example.test"), ("bücher.test", "xn--bcher-kva.test"), ("", "")],
)
def test_name_that_is_sent_is_the_base_domain_with_dane(level: SecurityLevel, servername: str, sent: str) -> None:
    dane = Dane("base.test", (GOOD,))
    assert demanded(level, servername=servername, dane=dane).servername == (
        "base.test" if level in DANE_LEVELS else sent
    )
    assert demanded(level, servername=servername).servername == ("" if level in DANE_LEVELS else sent)


def test_name_that_is_too_long_to_be_sent_is_refused() -> None:
    assert len(demanded(1, servername="x" * 255).servername) == 255
    with pytest.raises(SessionRefusedError, match=f"ignoring too long SNI hostname: {'x' * 100}$"):
        demanded(1, servername="x" * 256)
    with pytest.raises(SessionRefusedError):
        demanded(5, dane=Dane("x" * 256, (GOOD,)))
