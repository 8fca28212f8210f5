"""TLSA records: those that can be used, their ranks, their matches, and their text."""

from __future__ import annotations

from hashlib import sha256, sha512

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from peers.daemon.roles import Lines
from peers.tools.forging import Template, authority, key, oid, sequence, server

from postconf.models.dane_digests import DaneDigests
from tlsproxy.tls.openssl.peers import PeerCertificate
from tlsproxy.tls.verification import dane
from tlsproxy.tls.verification.dane import Digests, read_digests
from tlsproxy.wire.dane import TlsaRecord

SHA256, SHA512 = (lambda data: sha256(data).digest()), (lambda data: sha512(data).digest())
DIGESTS = Digests({1: SHA256, 2: SHA512, 255: SHA256}, {1: 1, 2: 2, 255: 3})
ROOT = authority("Root")
LEAF = server("mx.test", ROOT)


def certificate(template: Template) -> PeerCertificate:
    found = PeerCertificate.from_der(template.der)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "functions", "ranks", "lines"),
    [
        ("sha512 sha256", {1, 2, 255}, {2: 2, 1: 1, 255: 3}, []),
        ("sha256, SHA512", {1, 2, 255}, {1: 2, 2: 1, 255: 3}, []),
        ("", {255}, {255: 1}, []),
        ("sha224=3 sha256=1", {3, 1, 255}, {3: 2, 1: 1, 255: 3}, []),
        ("sha384", {255}, {255: 1}, ["digest algorithm sha384 needs an explicit number"]),
        ("sha384 sha256", {1, 255}, {1: 1, 255: 2}, ["digest algorithm sha384 needs an explicit number"]),
        ("sha512=1", {255}, {255: 1}, ["matching type 1 can only be sha256"]),
        ("sha512=02", {2, 255}, {2: 1, 255: 2}, []),
        ("bogus=7", {255}, {7: 1, 255: 2}, ['digest algorithm "bogus"(7) unknown']),
        ("sha256 sha256", {1, 255}, {1: 1, 255: 2}, ["matching type 1 specified more than once"]),
        ("sha256 =1", {255}, {1: 1, 255: 2}, []),
        ("=", {255}, {255: 1}, []),
        ("sha224=254", {254, 255}, {254: 1, 255: 2}, []),
    ],
)
def test_digests_are_read_with_their_ranks(
    text: str, functions: set[int], ranks: dict[int, int], lines: list[str]
) -> None:
    log = Lines()
    found = read_digests(DaneDigests.of(text), SHA256, log)
    assert (set(found.functions), found.ranks) == (functions, ranks)
    assert log.lines == [f"warning: tls_dane_digests: {line}" for line in lines]
    assert found.functions[255] is SHA256


@pytest.mark.parametrize("number", ["255", "256", "x", "-1", "\u0663", "1.5"])
def test_number_that_is_no_matching_type_is_reported(number: str) -> None:
    log = Lines()
    assert set(read_digests(DaneDigests.of(f"sha224={number}"), SHA256, log).functions) == {255}
    assert log.lines == [f"warning: Invalid matching type number in tls_dane_digests: sha224={number}"]


def test_number_zero_is_reserved() -> None:
    log = Lines()
    assert set(read_digests(DaneDigests.of("sha224=0"), SHA256, log).functions) == {255}
    assert log.lines == ["warning: Reserved matching type number in tls_dane_digests: sha224=0"]


def info_of(kind: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return kind.public_key().public_bytes(serialization.Encoding.DER, form)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("record", "usable"),
    [
        *(((usage, 0, 1, bytes(32)), True) for usage in range(4)),
        ((-1, 0, 1, bytes(32)), False),
        ((4, 0, 1, bytes(32)), False),
        ((255, 0, 1, bytes(32)), False),
        ((3, 1, 1, bytes(32)), True),
        ((3, -1, 1, bytes(32)), False),
        ((3, 2, 1, bytes(32)), False),
        ((3, 1, 1, bytes(31)), False),
        ((3, 1, 1, bytes(33)), False),
        ((3, 1, 1, b""), False),
        ((3, 1, 2, bytes(64)), True),
        ((3, 1, 2, bytes(32)), False),
        ((3, 1, 3, bytes(32)), False),
        ((3, 1, -1, bytes(32)), False),
        ((3, 1, 255, bytes(32)), True),
        ((2, 0, 0, LEAF.der), True),
        ((2, 0, 0, LEAF.der + b"\0"), False),
        ((2, 0, 0, LEAF.der[:-1]), False),
        ((2, 0, 0, LEAF.key.info), False),
        ((2, 0, 0, b""), False),
        ((2, 1, 0, LEAF.key.info), True),
        ((2, 1, 0, LEAF.key.info + b"\0"), False),
        ((2, 1, 0, LEAF.der), False),
        ((2, 1, 0, b""), False),
    ],
)
def test_record_is_usable_if_all_of_it_is(record: tuple[int, int, int, bytes], usable: bool) -> None:
    assert dane.usable(TlsaRecord(*record), DIGESTS) is usable


def test_record_longer_than_dns_can_have_it_is_unusable() -> None:
    def made(size: int) -> bytes:
        return authority("x", kind="ed25519").extended(more=("1.2.3.4", False, bytes(size))).der

    size = 0xFFFF - len(made(60_000)) + 60_000
    assert (len(made(size)), len(made(size + 1))) == (0xFFFF, 0x10000)
    assert dane.usable(TlsaRecord(2, 0, 0, made(size)), DIGESTS)
    assert not dane.usable(TlsaRecord(2, 0, 0, made(size + 1)), DIGESTS)


def test_unusable_records_are_logged_last_first() -> None:
    log = Lines()
    good = TlsaRecord(3, 1, 1, bytes(32))
    found = dane.usable_records(
        [good, TlsaRecord(3, 1, 9, b"\1"), TlsaRecord(2, 0, 1, bytes(32)), TlsaRecord(4, 1, 1, b"\2")],
        DIGESTS,
        "MX",
        log,
    )
    assert found == (TlsaRecord(2, 0, 1, bytes(32)), good)
    assert log.lines == ["warning: MX: unusable TLSA RR: 4 1 1 02", "warning: MX: unusable TLSA RR: 3 1 9 01"]


def test_of_each_kind_the_strongest_digest_counts() -> None:
    weak, strong = TlsaRecord(3, 1, 1, b"w"), TlsaRecord(3, 1, 2, b"s")
    full, other = TlsaRecord(3, 1, 0, b"f"), TlsaRecord(3, 0, 1, b"o")
    elsewhere = TlsaRecord(2, 1, 1, b"e")
    assert dane.strongest([weak, strong, full, other, elsewhere], DIGESTS) == (strong, full, other, elsewhere)
    assert dane.strongest([strong, weak], DIGESTS) == (strong,)
    assert dane.strongest([weak, full], DIGESTS) == (weak, full)
    assert dane.strongest([], DIGESTS) == ()
    assert dane.strongest(iter([weak, strong]), DIGESTS) == (strong,)
    unranked = TlsaRecord(3, 1, 9, b"u")
    assert dane.strongest([unranked, weak], DIGESTS) == (weak,)
    assert dane.strongest([unranked], DIGESTS) == (unranked,)


@pytest.mark.parametrize(
    ("selector", "mtype", "data"),
    [
        (0, 0, LEAF.der),
        (1, 0, LEAF.key.info),
        (0, 1, sha256(LEAF.der).digest()),
        (1, 1, sha256(LEAF.key.info).digest()),
        (0, 2, sha512(LEAF.der).digest()),
        (1, 255, sha256(LEAF.key.info).digest()),
    ],
    ids=["whole", "whole-key", "sha256", "sha256-key", "sha512", "own-digest-key"],  # data is another in each process
)
def test_record_matches_its_certificate_alone(selector: int, mtype: int, data: bytes) -> None:
    record = TlsaRecord(3, selector, mtype, data)
    assert dane.matches(record, certificate(LEAF), DIGESTS)
    assert not dane.matches(record, certificate(server("mx.test", ROOT, label="other")), DIGESTS)
    assert not dane.matches(record._replace(selector=1 - selector), certificate(LEAF), DIGESTS)
    assert not dane.matches(record._replace(data=data[:-1]), certificate(LEAF), DIGESTS)


def test_certificate_that_cannot_be_read_has_no_key_to_match() -> None:
    broken = certificate(LEAF.extended(again=("2.5.29.17", False, sequence()), names=("2.5.29.17", False, sequence())))
    assert dane.matches(TlsaRecord(3, 0, 0, broken.der), broken, DIGESTS)
    assert not dane.matches(TlsaRecord(3, 1, 0, LEAF.key.info), broken, DIGESTS)


def test_first_record_of_the_wanted_usages_that_matches_is_found() -> None:
    records = [
        TlsaRecord(2, 0, 0, LEAF.der),
        TlsaRecord(3, 0, 0, b"other"),
        TlsaRecord(3, 0, 0, LEAF.der),
        TlsaRecord(3, 1, 0, LEAF.key.info),
    ]
    assert dane.first_match(records, certificate(LEAF), DIGESTS, 3) is records[2]
    assert dane.first_match(records, certificate(LEAF), DIGESTS, 2) is records[0]
    assert dane.first_match(records, certificate(LEAF), DIGESTS, 1) is None
    assert dane.first_match(records, certificate(ROOT), DIGESTS, 2, 3) is None


@pytest.mark.parametrize("kind", ["ec256", "rsa2048", "ed25519"])
def test_key_has_signed_its_certificate_and_no_other(kind: str) -> None:
    issuer = authority(f"Issuer {kind}", kind=kind)
    signed = certificate(server("mx.test", issuer))
    assert dane.has_signed(issuer.key.info, signed)
    assert not dane.has_signed(key("another", kind).info, signed)
    assert not dane.has_signed(key("another", "ec384").info, signed)
    assert not dane.has_signed(issuer.key.info, certificate(server("mx.test", issuer, signer=key("attacker"))))
    broken = server("mx.test", issuer).but(signature=b"\0" * 64)
    assert not dane.has_signed(issuer.key.info, certificate(broken))


@pytest.mark.parametrize(
    "odd",
    [LEAF.but(version=1), LEAF.but(inner_algorithm=sequence(oid("1.2.840.10045.4.3.3"))), LEAF.but(signature=b"")],
)
def test_odd_certificate_was_signed_by_no_key(odd: Template) -> None:
    assert dane.has_signed(ROOT.key.info, certificate(LEAF))
    if odd.inner_algorithm is None:
        assert not dane.has_signed(ROOT.key.info, certificate(odd))


def test_key_that_cannot_sign_has_signed_nothing() -> None:
    assert not dane.has_signed(b"no key", certificate(LEAF))
    assert not dane.has_signed(info_of(x25519.X25519PrivateKey.generate()), certificate(LEAF))


def test_long_data_are_shown_by_their_ends() -> None:
    data = bytes(range(100))
    assert dane.show_data(b"") == "..."
    assert dane.show_data(data[:64]) == data[:64].hex().upper()
    assert dane.show_data(data[:65]) == f"{data[:32].hex().upper()}...{data[33:65].hex().upper()}"
    assert dane.show(TlsaRecord(3, 1, 2, b"\xab")) == "3 1 2 AB"
