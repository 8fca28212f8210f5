"""Facts that the verdict reads in certificates: contents, strength, and conclusions from OpenSSL's reports."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, mldsa, x25519
from hypothesis import given
from hypothesis import strategies as st
from peers.tools.forging import (
    CLIENT,
    SERVER,
    Template,
    authority,
    basic,
    bits,
    dns,
    integer,
    key,
    names,
    oid,
    purposes,
    sequence,
    server,
    tlv,
)

from tlsproxy.tls.openssl.paths import PathFailure, Reach, VerifiedPath, reach, signed_path
from tlsproxy.tls.openssl.peers import OK, UNSPECIFIED, PeerCertificate
from tlsproxy.tls.verification.client_certificate import client_verdict
from tlsproxy.tls.verification.der import CLIENT_AUTH, SERVER_AUTH, DerError, elements, only, parts
from tlsproxy.tls.verification.evidence import Proof, Refusal, VerifyStep, reported_path
from tlsproxy.tls.verification.paths import (
    build_path,
    contradicts_itself,
    has_strong_key,
    has_strong_signature,
    is_well_formed,
)
from tlsproxy.tls.verification.strength import is_strong_key, is_strong_signature
from tlsproxy.tls.verification.verify_error import VerifyFailure, note_dates

ROOT = authority("Root")
ISSUER = authority("Issuer", ROOT)
LEAF = server("mx.test", ISSUER)
NOW = "20260101000000Z"


def certificate(template: Template) -> PeerCertificate:
    found = PeerCertificate.from_der(template.der)
    assert found is not None
    return found


# DER.


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x30", b"\x30\x01", b"\x30\x05abcd", b"\x1f\x00", b"\x3f\x01\x00", b"\x30\x80", b"\x30\x81"),
        *(b"\x30\x85\0\0\0\0\0", b"\x30\x84\0\0\0\1", b"\x30\x82\0", b"\x30\xff"),
    ],
)
def test_broken_der_is_malformed(data: bytes) -> None:
    with pytest.raises(DerError):
        list(elements(data))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", []),
        (b"\x30\x00", [(0x30, b"")]),
        (b"\x04\x01a\x05\x00", [(4, b"a"), (5, b"")]),
        (b"\x04\x81\x01a", [(4, b"a")]),
        (b"\x04\x81\x00", [(4, b"")]),
        (b"\x04\x84\0\0\0\1a", [(4, b"a")]),
        (b"\x04\x82\x01\x00" + bytes(256), [(4, bytes(256))]),
        (b"\x1e\x00", [(0x1E, b"")]),
    ],
)
def test_der_is_taken_apart(data: bytes, found: list[tuple[int, bytes]]) -> None:
    taken = list(elements(data))
    assert [(each.tag, each.content) for each in taken] == found
    assert b"".join(each.whole for each in taken) == data


@pytest.mark.parametrize("data", [b"", b"\x04\x00", b"\x30\x00\x30\x00", b"\x30\x00\x00"])
def test_anything_but_one_element_is_malformed(data: bytes) -> None:
    with pytest.raises(DerError):
        only(data, 0x30)
    assert only(b"\x30\x01a", 0x30).content == b"a"


def test_parts_of_a_certificate_are_found() -> None:
    addresses = tlv(0x87, bytes([192, 0, 2, 1])), tlv(0x87, bytes(15) + b"\1"), tlv(0x87, b"\1\2\3")
    template = LEAF.extended(
        names=names(dns("a.test"), tlv(0x81, b"x@y"), *addresses, dns("b.test")), purposes=purposes(CLIENT, SERVER)
    )
    found = parts(template.der)
    assert found.public_key_info == template.key.info
    assert found.public_key_info.endswith(found.public_key_bits)
    assert found.public_key_bits[0] == 4  # an uncompressed point
    assert found.purposes == {CLIENT_AUTH, SERVER_AUTH}
    assert found.dns_names == ("a.test", "b.test")
    assert found.addresses == ("192.0.2.1", "::1")
    assert found.signature_algorithm == oid("1.2.840.10045.4.3.2")
    assert found.begins < found.ends


@pytest.mark.parametrize("version", [None, 0, 2])
def test_parts_are_found_with_and_without_a_version(version: int | None) -> None:
    assert parts(LEAF.but(version=version).der).public_key_info == LEAF.key.info


def test_certificate_without_extensions_has_no_names() -> None:
    found = parts(LEAF.but(extensions={}).der)
    assert (found.dns_names, found.addresses, found.purposes) == ((), (), frozenset())


def test_contradictory_algorithm_is_empty() -> None:
    assert parts(LEAF.but(inner_algorithm=sequence(oid("1.2.840.10045.4.3.3"))).der).signature_algorithm == b""


NAMES = "2.5.29.17"


@pytest.mark.parametrize(
    "template",
    [
        LEAF.extended(again=(NAMES, False, sequence(dns("b.test")))),
        LEAF.extended(names=(NAMES, False, b"\x04\x01x")),
        LEAF.extended(names=(NAMES, False, sequence(dns("b.test")) + b"\0\0")),
        LEAF.extended(names=(NAMES, False, b"\x30\x05x")),
        LEAF.but(info=sequence(sequence(oid("1.2.840.10045.2.1")))),
        LEAF.but(info=sequence(sequence(), tlv(4, b"\0x"))),
        LEAF.but(info=sequence(sequence(), tlv(3))),
        LEAF.but(info=tlv(0x31, sequence(), tlv(3, b"\0x"))),
        LEAF.but(info=sequence(sequence(), tlv(3, b"\0x"), tlv(5))),
    ],
)
def test_odd_structure_is_malformed(template: Template) -> None:
    with pytest.raises(DerError):
        parts(template.der)


@pytest.mark.parametrize(
    "data", [b"", sequence(), sequence(tlv(4)), sequence(sequence()), sequence(sequence(*[tlv(2)] * 5))]
)
def test_data_without_certificate_are_malformed(data: bytes) -> None:
    with pytest.raises(DerError):
        parts(data)


FIELDS = [tlv(2, b"\1"), sequence(), sequence(), sequence(tlv(0x17), tlv(0x17)), sequence(), LEAF.key.info]


def test_certificate_is_a_sequence_in_a_sequence() -> None:
    with pytest.raises(DerError):
        parts(sequence(tlv(0x31, *FIELDS)))
    algorithm = sequence(oid("1.2.3"))
    two = [FIELDS[0], algorithm, *FIELDS[2:]]
    assert parts(sequence(sequence(*two), algorithm)).signature_algorithm == oid("1.2.3")


@pytest.mark.parametrize("before", [b"", tlv(0x81, b"\0id"), tlv(0x81, b"\0id") + tlv(0x82, b"\0id")])
@pytest.mark.parametrize("odd", [b"", sequence(), sequence(tlv(4, oid(NAMES)[2:]), tlv(4, sequence(dns("b.test"))))])
def test_extensions_are_found_behind_other_fields(before: bytes, odd: bytes) -> None:
    named = sequence(oid(NAMES), tlv(4, sequence(dns("a.bc"))))
    usable_for = sequence(oid("2.5.29.37"), tlv(4, sequence(tlv(2, b"\1"), oid(SERVER))))
    found = parts(sequence(sequence(*FIELDS, before, tlv(0xA3, sequence(odd, named, usable_for)))))
    assert (found.dns_names, found.addresses, found.purposes) == (("a.bc",), (), frozenset({SERVER_AUTH}))


def test_extension_without_a_value_is_malformed() -> None:
    bare = sequence(sequence(oid(NAMES), tlv(1, b"\xff")))
    fields = [tlv(2, b"\1"), sequence(), sequence(), sequence(tlv(0x17), tlv(0x17)), sequence(), LEAF.key.info]
    with pytest.raises(DerError, match="without a value"):
        parts(sequence(sequence(*fields, tlv(0xA3, bare))))


@pytest.mark.parametrize(
    ("tag", "text", "time"),
    [
        (0x17, b"491231235959Z", "20491231235959Z"),
        (0x17, b"500101000000Z", "19500101000000Z"),
        (0x17, b"991231235959Z", "19991231235959Z"),
        (0x17, b"4912312359Z", ""),
        (0x17, b"491231235959", ""),
        (0x17, b"491231235959+0000", ""),
        (0x17, b"20491231235959Z", ""),
        (0x18, b"20491231235959Z", "20491231235959Z"),
        (0x18, b"99991231235959Z", "99991231235959Z"),
        (0x18, b"491231235959Z", ""),
        (0x18, b"20491231235959.5Z", ""),
        (0x18, b"20491231235959", ""),
        (0x18, b"2049123123595\xb2Z", ""),
        (0x04, b"20491231235959Z", ""),
        (0x18, b"", ""),
    ],
)
def test_time_counts_only_in_its_proper_form(tag: int, text: bytes, time: str) -> None:
    good = tlv(0x17, b"200101000000Z")
    for validity in ((tlv(tag, text), good), (good, tlv(tag, text))):
        fields = [tlv(2, b"\1"), sequence(), sequence(), sequence(*validity), sequence(), LEAF.key.info]
        found = parts(sequence(sequence(*fields)))
        assert (found.begins, found.ends) in ((time, "20200101000000Z"), ("20200101000000Z", time))
    one = [tlv(2, b"\1"), sequence(), sequence(), sequence(good), sequence(), LEAF.key.info]
    with pytest.raises(DerError):
        parts(sequence(sequence(*one)))


# Strength.


def info(private: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("kind", "strong"),
    [
        *((kind, True) for kind in ("rsa2048", "rsa1024", "rsa1000", "rsa920", "ec192", "ec224", "ec256", "ed25519")),
        *((kind, False) for kind in ("rsa512", "rsa768", "rsa918")),
    ],
)
def test_key_is_strong_from_80_bits_on(kind: str, strong: bool) -> None:
    assert is_strong_key(key("Strength", kind).info) is strong
    made = authority("Strength", kind=kind)
    assert has_strong_key(certificate(made)) is strong


def test_keys_of_new_and_old_kinds_are_strong() -> None:
    assert is_strong_key(info(ed448.Ed448PrivateKey.generate()))
    for kind in (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey):
        assert is_strong_key(info(kind.generate()))
    assert is_strong_key(info(dsa.generate_private_key(1024)))


def dsa_info(modulus_bits: int, order_bits: int) -> bytes:
    numbers = (1 << modulus_bits - 1 | 1, 1 << order_bits - 1 | 1, 4)
    return sequence(sequence(oid("1.2.840.10040.4.1"), sequence(*map(integer, numbers))), bits(integer(16)))


def test_dsa_key_is_as_strong_as_modulus_and_order() -> None:
    assert not is_strong_key(dsa_info(1024, 128))
    assert not is_strong_key(dsa_info(512, 160))


@pytest.mark.parametrize(
    "data",
    [b"", b"no key", info(x25519.X25519PrivateKey.generate()), LEAF.key.info[:-1], LEAF.key.info + b"\0"],
    ids=["nothing", "text", "x25519", "cut", "longer"],  # not the key, which is another one in each process
)
def test_key_that_cannot_sign_is_weak(data: bytes) -> None:
    assert not is_strong_key(data)


PSS = "1.2.840.113549.1.1.10"


def pss(digest: str) -> bytes:
    return oid(PSS) + sequence(tlv(0xA0, sequence(oid(digest))), tlv(0xA2, b"\2\1\x20"))


@pytest.mark.parametrize(
    ("algorithm", "strong"),
    [
        *((oid(f"1.2.840.113549.1.1.{last}") + b"\5\0", 11 <= last <= 16) for last in (*range(1, 10), *range(11, 20))),
        (oid("1.2.840.10045.4.1"), False),
        *((oid(f"1.2.840.10045.4.3.{last}"), last <= 4) for last in range(1, 7)),
        *((oid(f"2.16.840.1.101.3.4.3.{last}"), last <= 19) for last in range(1, 25)),
        *((oid(f"1.3.101.{last}"), last in (112, 113)) for last in range(109, 116)),
        (oid("1.2.840.10040.4.3"), False),
        (oid(PSS), False),
        (oid(PSS) + sequence(), False),
        (oid(PSS) + sequence(tlv(0xA2, b"\2\1\x20")), False),
        (oid(PSS) + sequence(tlv(0xA1, sequence(oid("2.16.840.1.101.3.4.2.1")))), False),
        (oid(PSS) + sequence(tlv(0xA0)), False),
        (oid(PSS) + sequence(tlv(0xA0, sequence())), False),
        (pss("1.3.14.3.2.26"), False),
        *((pss(f"2.16.840.1.101.3.4.2.{last}"), last <= 10) for last in range(1, 13)),
        (b"", False),
        (b"\6", False),
    ],
)
def test_signature_is_strong_if_it_is_on_the_list(algorithm: bytes, strong: bool) -> None:
    assert is_strong_signature(algorithm) is strong


def test_signature_of_a_certificate_is_checked_on_signed_bytes() -> None:
    assert has_strong_signature(certificate(LEAF))
    assert not has_strong_signature(certificate(LEAF.but(digest="sha1")))
    assert not has_strong_signature(certificate(LEAF.but(inner_algorithm=sequence(oid("1.2.840.10045.4.1")))))
    malformed = certificate(LEAF.extended(again=(NAMES, False, sequence())))
    assert not has_strong_signature(malformed)
    assert not has_strong_key(malformed)


# Paths.


def taken(*templates: Template) -> list[PeerCertificate]:
    return [certificate(each) for each in templates]


def test_path_of_a_good_chain_is_found() -> None:
    path = build_path(taken(LEAF, ISSUER), taken(ROOT))
    assert isinstance(path, VerifiedPath)
    assert [each.der for each in path.certificates] == [LEAF.der, ISSUER.der, ROOT.der]
    assert path.depth == 2


@pytest.mark.parametrize(
    ("chain", "anchors", "error", "depth"),
    [
        ((LEAF,), (), 20, 0),
        ((LEAF, ISSUER), (), 20, 1),
        ((ROOT,), (), 18, 0),
        ((LEAF.but(signer=key("attacker")), ISSUER), (ROOT,), 7, 0),
        ((LEAF.extended(purposes=purposes(CLIENT)), ISSUER), (ROOT,), 26, 0),
        ((LEAF, ISSUER.extended(basic=basic(False))), (ROOT,), 79, 1),
        ((server("mx.test", ISSUER, kind="rsa768"), ISSUER), (ROOT,), 66, 0),
        ((server("mx.test", authority("W", ROOT, kind="rsa768")), authority("W", ROOT, kind="rsa768")), (ROOT,), 67, 1),
        ((server("mx.test", authority("W", kind="rsa768")),), (authority("W", kind="rsa768"),), 67, 1),
        ((LEAF.but(digest="sha1"), ISSUER), (ROOT,), 68, 0),
        ((LEAF, ISSUER.but(digest="sha1")), (ROOT,), 68, 1),
    ],
)
def test_flaw_in_a_path_is_an_error_at_its_depth(
    chain: tuple[Template, ...], anchors: tuple[Template, ...], error: int, depth: int
) -> None:
    found = build_path(taken(*chain), taken(*anchors))
    assert isinstance(found, PathFailure)
    assert (found.error, found.depth) == (error, depth)
    assert found.certificate.der == (*chain, *anchors)[depth].der


def test_anchor_may_be_expired_and_signed_with_a_weak_digest() -> None:
    old = authority("Old", ROOT, days=(-30, -1), digest="sha1")
    assert isinstance(build_path(taken(server("mx.test", old)), taken(old)), VerifiedPath)
    assert isinstance(build_path(taken(LEAF), taken(LEAF)), VerifiedPath)


def test_path_has_no_truth_value() -> None:
    for each in (signed_path(taken(LEAF, ISSUER), taken(ROOT)), signed_path(taken(LEAF), [])):
        with pytest.raises(TypeError, match="take it apart"):
            bool(each)


def test_empty_path_and_error_without_an_error_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        VerifiedPath(())
    assert PathFailure(OK, 0, certificate(LEAF)).error == UNSPECIFIED
    assert PathFailure(7, 0, certificate(LEAF)).error == 7


def test_reach_goes_as_far_as_names_lead() -> None:
    found = reach(taken(LEAF, ROOT, ISSUER))
    assert isinstance(found, Reach)
    assert [each.der for each in found.unverified] == [LEAF.der, ISSUER.der, ROOT.der]
    assert (found.depth, found.top.der) == (2, ROOT.der)
    assert reach(taken(LEAF, ROOT)).depth == 0
    assert reach(taken(LEAF.but(signer=key("attacker")), ISSUER)).depth == 1


MALFORMED = [
    LEAF.extended(odd=(kind, False, value))
    for kind in ("2.5.29.37", "2.5.29.15", "2.5.29.30", "2.5.29.35")
    for value in (b"\4\1x", b"\0", b"\x30\5a")
]


@pytest.mark.parametrize("template", MALFORMED)
def test_malformed_extension_ends_a_path_or_is_found(template: Template) -> None:
    broken = certificate(template.extended(purposes=None) if template.extensions["odd"][0] == "2.5.29.37" else template)
    assert reach([broken, certificate(ISSUER)]).depth == 0
    assert isinstance(signed_path([broken, certificate(ISSUER)], taken(ROOT)), PathFailure)
    assert not is_well_formed(broken)


def test_certificate_contradicts_itself_by_the_kind_of_its_key() -> None:
    assert contradicts_itself(certificate(ROOT.but(signer=key("attacker", "rsa2048"))))
    assert contradicts_itself(certificate(ROOT.but(signer=key("attacker", "ed25519"))))
    assert contradicts_itself(certificate(ROOT.but(version=1)))
    assert not contradicts_itself(certificate(ROOT))
    assert not contradicts_itself(certificate(ROOT.but(signer=key("attacker"))))
    assert not contradicts_itself(certificate(ISSUER))
    assert not contradicts_itself(certificate(ISSUER.but(signer=key("attacker", "rsa2048"))))


def test_well_formed_certificate_is_one_that_can_be_read_in_full() -> None:
    assert is_well_formed(certificate(LEAF))
    assert not is_well_formed(certificate(LEAF.but(version=1)))
    assert not is_well_formed(certificate(LEAF.extended(again=(NAMES, False, sequence(dns("b.test"))))))


# Findings.


def test_first_error_closest_to_the_leaf_is_remembered() -> None:
    finding = VerifyFailure()
    assert (finding.error, finding.depth, finding.certificate) == (OK, -1, None)
    for error, depth, remembered in ((20, 2, 20), (7, 2, 20), (10, 3, 20), (26, 1, 26), (62, 0, 62), (10, 0, 62)):
        finding.note(error, depth, certificate(LEAF))
        assert finding.error == remembered
    assert finding.depth == 0


def test_wrong_name_yields_where_it_is_to() -> None:
    finding = VerifyFailure(mismatch_yields=True)
    finding.note(62, 0)
    finding.note(10, 1)
    assert (finding.error, finding.depth) == (10, 1)
    finding.note(62, 0)
    assert finding.error == 10
    finding.note(20, 0)
    assert finding.error == 20
    finding.note(18, 0)
    assert finding.error == 20


@pytest.mark.parametrize(
    ("error", "depth", "text"),
    [
        (27, 0, "certificate verification failed for MX: not trusted by local or TLSA policy"),
        (18, 0, "certificate verification failed for MX: self-signed certificate"),
        (19, 1, "certificate verification failed for MX: untrusted issuer /CN=Issuer"),
        (20, 0, "certificate verification failed for MX: untrusted issuer /CN=Issuer"),
        (9, 0, "server certificate verification failed for MX: certificate not yet valid"),
        (13, 1, "CA certificate verification failed for MX: certificate not yet valid"),
        (10, 1, "CA certificate verification failed for MX: certificate has expired"),
        (14, 0, "server certificate verification failed for MX: certificate has expired"),
        (26, 0, "certificate verification failed for MX: not designated for use as a server certificate"),
        (26, 1, "certificate verification failed for MX: not designated for use as a CA certificate"),
        (22, 5, "certificate verification failed for MX: certificate chain longer than limit(4)"),
        (62, 0, "server certificate verification failed for MX: num=62:hostname mismatch"),
    ],
)
def test_finding_is_described_as_postfix_does(error: int, depth: int, text: str) -> None:
    finding = VerifyFailure()
    finding.note(error, depth, certificate(LEAF))
    assert finding.describe("MX", peer="server") == text
    failed = "certificate verification failed for MX: external policy failure (why)"
    assert finding.describe("MX", peer="server", forced_failure_type="why") == failed


def test_issuer_that_is_not_known_is_described_as_such() -> None:
    finding = VerifyFailure()
    finding.note(20, 0)
    assert finding.describe("MX", peer="server").endswith("untrusted issuer <unknown>")


LIFE = ("20250101000000Z", "20270101000000Z")


@pytest.mark.parametrize(
    ("validity", "error"),
    [
        (LIFE, OK),
        ((NOW, "20270101000000Z"), OK),
        (("20260101000001Z", "20270101000000Z"), 9),
        (("20250101000000Z", NOW), 10),
        (("20250101000000Z", "20260101000001Z"), OK),
        (("20250101000000Z", "20251231235959Z"), 10),
        (("", "20270101000000Z"), 9),
        (("20250101000000Z", ""), 10),
    ],
)
def test_dates_are_those_of_openssl(validity: tuple[str, str], error: int) -> None:
    finding = VerifyFailure()
    note_dates(finding, [dated(*validity)], start=0, now=NOW)
    assert finding.error == error


def dated(begins: str, ends: str) -> PeerCertificate:
    found = certificate(LEAF.but(serial=hash((begins, ends)) & 0xFFFF))
    found.parts = found.parts._replace(begins=begins, ends=ends)
    return found


def test_dates_count_from_the_start_down() -> None:
    good, over = dated(*LIFE), dated("20200101000000Z", "20210101000000Z")
    for start, path, wanted in ((1, [good, over], (10, 1)), (0, [good, over], (OK, -1)), (1, [over, over], (10, 0))):
        finding = VerifyFailure()
        note_dates(finding, path, start=start, now=NOW)
        assert (finding.error, finding.depth) == wanted


def test_dates_that_cannot_be_read_are_wrong() -> None:
    finding = VerifyFailure()
    note_dates(finding, [certificate(LEAF.extended(again=(NAMES, False, sequence())))], start=0, now=NOW)
    assert finding.error == 9


# Reports.


def good(depth: int, template: Template) -> VerifyStep:
    return VerifyStep(True, OK, depth, certificate(template))


def bad(error: int, depth: int, template: Template) -> VerifyStep:
    return VerifyStep(False, error, depth, certificate(template))


WHOLE = [good(2, ROOT), good(1, ISSUER), good(0, LEAF)]


def test_path_is_reported_when_every_step_is() -> None:
    path = reported_path(WHOLE, certificate(LEAF))
    assert isinstance(path, VerifiedPath)
    assert [each.der for each in path.certificates] == [LEAF.der, ISSUER.der, ROOT.der]
    single = reported_path([good(0, ROOT)], certificate(ROOT))
    assert isinstance(single, VerifiedPath)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        WHOLE[:1],
        WHOLE[:2],
        [WHOLE[0], WHOLE[2]],
        [WHOLE[0], bad(7, 1, ISSUER), WHOLE[2]],
        [*WHOLE[:2], bad(7, 0, LEAF)],
        [*WHOLE[:2], VerifyStep(True, OK, 0, None)],
        [*WHOLE[:2], good(0, server("mx.test", ISSUER, label="other"))],
    ],
)
def test_path_that_is_not_reported_whole_is_an_error(steps: list[VerifyStep]) -> None:
    found = reported_path(steps, certificate(LEAF))
    assert isinstance(found, PathFailure)
    assert (found.error, found.depth, found.certificate.der) == (UNSPECIFIED, 0, LEAF.der)


def test_refusal_always_has_an_error() -> None:
    empty = Refusal(VerifyFailure())
    assert (empty.error, empty.finding.depth) == (UNSPECIFIED, 0)
    finding = VerifyFailure()
    finding.note(20, 3)
    assert Refusal(finding, "mx.test").error == 20
    assert Refusal(finding, "mx.test").peer_name == "mx.test"
    assert Proof(None, "mx.test").error == OK


# Clients' certificates.

FOR_SERVERS = LEAF.extended(purposes=purposes(SERVER))
FOR_ALL = LEAF.extended(purposes=None)
FOR_BOTH = LEAF.extended(purposes=purposes(SERVER, CLIENT))
FOR_CLIENTS = LEAF.extended(purposes=purposes(CLIENT))
ISSUER_FOR_SERVERS = ISSUER.extended(purposes=purposes(SERVER))


@pytest.mark.parametrize(
    ("steps", "error", "with_servers"),
    [
        (WHOLE, OK, OK),
        ([], UNSPECIFIED, UNSPECIFIED),
        (WHOLE[:2], UNSPECIFIED, UNSPECIFIED),
        (WHOLE[1:], OK, OK),
        ([WHOLE[0], WHOLE[2]], UNSPECIFIED, UNSPECIFIED),
        ([bad(20, 1, ISSUER), *WHOLE[1:]], 20, 20),
        ([bad(OK, 1, ISSUER), *WHOLE[1:]], UNSPECIFIED, UNSPECIFIED),
        ([bad(20, 1, ISSUER), bad(21, 0, LEAF), *WHOLE[1:]], 21, 21),
        ([VerifyStep(False, 9999, 0, None)], 9999, 9999),
        ([*WHOLE, bad(47, 0, LEAF)], 47, 47),
        ([bad(26, 0, FOR_SERVERS), *WHOLE[:2], good(0, FOR_SERVERS)], 26, OK),
        ([bad(26, 0, FOR_SERVERS), bad(20, 1, ISSUER), *WHOLE[:2], good(0, FOR_SERVERS)], 26, 20),
        ([bad(26, 0, FOR_BOTH), *WHOLE[:2], good(0, FOR_BOTH)], 26, 26),
        ([bad(26, 0, FOR_CLIENTS), *WHOLE[:2], good(0, FOR_CLIENTS)], 26, 26),
        ([bad(26, 0, FOR_SERVERS), bad(26, 1, ISSUER), *WHOLE[:2], good(0, FOR_SERVERS)], 26, 26),
        (
            [
                bad(26, 0, FOR_SERVERS),
                bad(26, 1, ISSUER_FOR_SERVERS),
                good(1, ISSUER_FOR_SERVERS),
                good(0, FOR_SERVERS),
            ],
            26,
            OK,
        ),
        ([bad(26, 1, ISSUER_FOR_SERVERS), good(1, ISSUER_FOR_SERVERS), good(0, FOR_CLIENTS)], 26, 26),
        ([VerifyStep(False, 26, 0, None), *WHOLE], 26, 26),
        ([VerifyStep(True, OK, 0, None), *WHOLE[1:]], OK, OK),
        ([bad(26, 1, ISSUER_FOR_SERVERS), good(1, ISSUER_FOR_SERVERS), good(0, FOR_ALL)], 26, 26),
        ([bad(26, 0, FOR_SERVERS), VerifyStep(False, 26, 1, None), *WHOLE[1:2], good(0, FOR_SERVERS)], 26, 26),
    ],
)
def test_client_is_trusted_without_any_error_only(steps: list[VerifyStep], error: int, with_servers: int) -> None:
    assert client_verdict(steps, trust_servers=False).error == error
    assert client_verdict(steps, trust_servers=True).error == with_servers


def test_client_certificate_that_cannot_be_read_has_no_purpose() -> None:
    broken = FOR_SERVERS.extended(again=(NAMES, False, sequence()))
    assert client_verdict([bad(26, 0, broken), good(0, broken)], trust_servers=True).error == 26


# Bytes that were changed on the way.


@given(st.data())
def test_no_certificate_with_a_changed_bit_is_verified(data: st.DataObject) -> None:
    chain = [LEAF.der, ISSUER.der]
    position = data.draw(st.integers(0, 1))
    changed = bytearray(chain[position])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parsed = [PeerCertificate.from_der(bytes(changed) if here == position else each) for here, each in enumerate(chain)]
    leaf, issuer = parsed
    if leaf is None or issuer is None or [leaf.der, issuer.der] == chain:
        return
    assert isinstance(build_path([leaf, issuer], taken(ROOT)), PathFailure)


@given(st.binary(max_size=200) | st.builds(bytes.__add__, st.binary(max_size=4), st.just(LEAF.der)))
def test_bytes_are_no_certificate(data: bytes) -> None:
    found = PeerCertificate.from_der(data)
    assert found is None or data == LEAF.der
