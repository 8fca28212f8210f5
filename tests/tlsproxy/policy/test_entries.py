"""Table values: policies, per-site levels, fingerprints, trust anchors; and errors that name their place."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf.catalogue import Release, release
from postconf.values import SecurityLevel
from tlsproxy.policy import PolicyEntry, PolicyError, Where, parse_entry, parse_site
from tlsproxy.policy.per_site import merged
from tlsproxy.policy.records import TrustAnchorsError, fingerprints, trust_anchors
from tlsproxy.wire.dane import TlsaRecord

WHERE = Where("smtp_tls_policy_maps", "example.com")
V3_7, V3_9, V3_10 = release("3.7.11"), release("3.9.14"), release("3.10.13")
RELEASES = st.sampled_from([V3_7, V3_9, V3_10])

WORDS = st.sampled_from(
    [
        *("none", "may", "encrypt", "dane", "secure", "verify", "fingerprint", "{", "}", "=", "match", "match=a:b"),
        *("ciphers=high", "protocols=TLSv1.2", "servername=a.b", "tafile=/x", "exclude=", "connection_reuse=yes"),
        *("{ policy_string = a b }", "policy_ttl=1", "policy_type=sts", "enable_rpk=no", "mx_host_pattern=*.b"),
    ]
)
POLICIES = st.one_of(st.binary(max_size=60), st.lists(WORDS, max_size=6).map(lambda words: " ".join(words).encode()))


def mistake(value: bytes | str, version: str = "3.7.11") -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse_entry(value, WHERE, release(version))
    return caught.value


@given(POLICIES, RELEASES)
def test_any_bytes_are_a_policy_or_an_error_with_its_place(value: bytes, version: Release) -> None:
    try:
        entry = parse_entry(value, WHERE, version)
    except PolicyError as error:
        assert (error.table, error.key) == ("smtp_tls_policy_maps", "example.com")
        assert 0 <= error.column <= len(value) + 1
        assert error.warning.startswith('smtp_tls_policy_maps, next-hop destination "example.com": ')
        assert str(error).startswith('smtp_tls_policy_maps, key "example.com"')
    else:
        assert isinstance(entry, PolicyEntry)
        assert entry.level in SecurityLevel
        assert entry.match is None or entry.level in (
            SecurityLevel.FINGERPRINT,
            SecurityLevel.VERIFY,
            SecurityLevel.SECURE,
        )


@given(st.binary(max_size=20))
def test_any_bytes_are_a_level_or_an_error_in_a_per_site_table(value: bytes) -> None:
    try:
        assert parse_site(value, WHERE) in SecurityLevel
    except PolicyError as error:
        assert (error.table, error.key, error.column) == ("smtp_tls_policy_maps", "example.com", 1)


def test_error_says_which_table_key_and_column() -> None:
    error = mistake("secure match=a, ciphers=, protocols=x")
    assert error.column == 17
    assert str(error) == 'smtp_tls_policy_maps, key "example.com", column 17: attribute "ciphers" has empty value'
    assert error.warning == (
        'smtp_tls_policy_maps, next-hop destination "example.com": attribute "ciphers" has empty value'
    )
    assert (error.status, error.reason) == ("4.7.5", "client TLS configuration problem")


def test_columns_count_characters_and_not_bytes() -> None:
    assert mistake("secure match=\u00fc\u00fc foo").column == 17
    assert mistake("secure match=\u00fc\u00fc foo".encode()).column == 17
    assert mistake(b"secure match=\xff\xff foo").column == 17


def test_attributes_are_of_their_releases() -> None:
    assert "invalid attribute name" in str(mistake("may enable_rpk=yes", "3.7.11"))
    assert parse_entry("may enable_rpk=yes", WHERE, V3_9).enable_rpk is True
    assert "invalid attribute name" in str(mistake("secure policy_type=sts", "3.9.14"))


def test_mta_sts_attributes_are_read_from_the_entry() -> None:
    value = (
        "secure match=mx.example.com servername=hostname policy_type=sts policy_ttl=600 policy_domain=example.com "
        "{ policy_string = version: STSv1 } { policy_string=mode:\tenforce } mx_host_pattern=*.example.com"
    )
    entry = parse_entry(value, WHERE, V3_10)
    assert (entry.policy_type, entry.policy_ttl, entry.policy_domain) == ("sts", 600, "example.com")
    assert entry.policy_string == ("version: STSv1", "mode: enforce")
    assert entry.mx_host_pattern == ("*.example.com",)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("secure policy_ttl=1", "built-in policy has unexpected attribute policy_ttl, policy_domain, policy_string"),
        ("secure policy_type=dane", 'attribute "policy_type" has an unexpected value: "dane"'),
        ("secure policy_type=sts policy_ttl=-1", 'attribute "policy_ttl" has a malformed value: "-1"'),
        ("secure policy_type=sts policy_domain=a..b", 'attribute "policy_domain" has a malformed value: "a..b"'),
        ("secure policy_type=sts policy_type=sts", 'attribute "policy_type" is specified multiple times'),
        ("secure {ciphers=high", "missing '}' in \"{ciphers=high\""),
        ("secure {ciphers=high}x", "syntax error after '}' in \"{ciphers=high}x\""),
    ],
)
def test_mistakes_in_attributes_of_postfix_3_10_are_errors(value: str, problem: str) -> None:
    assert problem in str(mistake(value, "3.10.13"))


NONE, MAY, ENCRYPT, VERIFY = (SecurityLevel[word] for word in ("NONE", "MAY", "ENCRYPT", "VERIFY"))


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        (None, None, None),
        (None, MAY, MAY),
        (None, NONE, NONE),
        (MAY, NONE, NONE),
        (NONE, ENCRYPT, ENCRYPT),
        (MAY, VERIFY, VERIFY),
        (ENCRYPT, VERIFY, VERIFY),
    ],
)
def test_per_site_levels_merge_the_same_both_ways(
    one: SecurityLevel | None, other: SecurityLevel | None, result: SecurityLevel | None
) -> None:
    assert merged(one, other) is merged(other, one) is result


@given(st.lists(st.text(max_size=12), max_size=4))
def test_fingerprints_of_any_text_are_records_or_warnings(values: list[str]) -> None:
    warnings: list[str] = []
    records = fingerprints(values, warnings.append)
    assert len(records) == 2 * (len(values) - len(warnings))


def test_fingerprint_of_one_character_is_malformed() -> None:
    warnings: list[str] = []
    assert fingerprints([":", "a"], warnings.append) == ()
    assert warnings == ["malformed fingerprint value: :", "malformed fingerprint value: a"]


@given(st.binary(min_size=1, max_size=64))
def test_fingerprint_is_found_with_and_without_colons(digest: bytes) -> None:
    expected = (TlsaRecord(3, 1, 255, digest), TlsaRecord(3, 0, 255, digest))
    for text in (digest.hex(), digest.hex(":").upper()):
        assert fingerprints([text], pytest.fail) == expected


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"-----BEGIN PUBLIC KEY-----\n" + data)))
def test_trust_anchors_of_any_bytes_are_records_or_an_error(data: bytes) -> None:
    with contextlib.suppress(TrustAnchorsError):
        assert isinstance(trust_anchors(data), tuple)


def test_trust_anchors_are_good_for_issuers_and_leaves() -> None:
    text = base64.encodebytes(b"spki")
    pem = b"x\n-----BEGIN PUBLIC KEY-----\n" + text + b"-----END PUBLIC KEY-----\n"
    other = b"-----BEGIN X509 CRL-----\n" + text + b"-----END X509 CRL-----\n"
    assert trust_anchors(other + pem) == (TlsaRecord(3, 1, 0, b"spki"), TlsaRecord(2, 1, 0, b"spki"))
    assert trust_anchors(other) == ()
