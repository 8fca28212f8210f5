"""Names of servers: the meaning of references, and the names of a certificate that satisfy them."""

from __future__ import annotations

import pytest
from peers.daemon.roles import Lines

from tlsproxy.tls.verification.names import matched_name, name_matches, reference_names, split_references, to_ascii

NAMADDR = "mx.test[192.0.2.25]:25"


def refer(
    *patterns: str, nexthop: str = "example.test", host: str = "mx.example.test"
) -> tuple[tuple[str, ...], Lines]:
    log = Lines()
    return reference_names(patterns, nexthop=nexthop, host=host, namaddr=NAMADDR, log=log), log


@pytest.mark.parametrize(
    ("pattern", "reference"),
    [
        ("nexthop", "example.test"),
        ("NextHop", "example.test"),
        ("dot-nexthop", ".example.test"),
        ("hostname", "mx.example.test"),
        ("HostName", "mx.example.test"),
        ("other.test", "other.test"),
        (".other.test", ".other.test"),
        ("\u3002other.test", ".other.test"),
        ("\uff0eother.test", ".other.test"),
        ("\uff61other.test", ".other.test"),
        ("\u3002x", ".x"),
        ("bücher.test", "xn--bcher-kva.test"),
        (".bücher.test", ".xn--bcher-kva.test"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_pattern_becomes_a_reference(pattern: str, reference: str) -> None:
    found, log = refer(pattern)
    assert found == (reference,)
    assert log.lines == []


def test_empty_pattern_becomes_no_reference() -> None:
    assert refer("", "a.test")[0] == ("a.test",)


def test_empty_nexthop_becomes_no_reference() -> None:
    assert refer("nexthop", "dot-nexthop", "hostname", nexthop="")[0] == ("mx.example.test",)


def test_single_dot_is_reported_and_left_out() -> None:
    found, log = refer(".", "a.test", ".b.test")
    assert found == ("a.test", ".b.test")
    assert log.lines == [f'warning: {NAMADDR}: ignoring invalid match name: "."']


def test_second_address_of_one_kind_is_left_out_too() -> None:
    assert refer("192.0.2.1", "192.0.2.2")[0] == ("192.0.2.1",)


def test_lone_ideographic_dot_is_a_name() -> None:
    assert refer("\u3002")[0] == ("\u3002",)


def test_second_address_is_reported_and_left_out() -> None:
    found, log = refer("192.0.2.1", "a.test", "2001:db8::1", "b.test")
    assert found == ("192.0.2.1", "a.test", "b.test")
    assert log.lines == [f'warning: {NAMADDR}: error loading match name: "2001:db8::1"']


@pytest.mark.parametrize(
    ("name", "ascii_name"),
    [
        ("a.TEST", "a.TEST"),
        ("straße.test", "xn--strae-oqa.test"),
        ("ａ.test", "a.test"),
        ("\u2028.test", "\u2028.test"),
    ],
)
def test_name_becomes_ascii_where_that_is_possible(name: str, ascii_name: str) -> None:
    assert to_ascii(name) == ascii_name


def test_address_is_distinguished_from_names() -> None:
    assert split_references(["a.test", "2001:DB8:0::1", ".b.test"]) == (("a.test", ".b.test"), "2001:db8::1")
    assert split_references(["192.0.2.1", "192.0.2.2"]) == ((), "192.0.2.1")
    assert split_references([]) == ((), "")


@pytest.mark.parametrize(
    ("reference", "candidate", "satisfied"),
    [
        ("mx.a.test", "mx.a.test", True),
        ("MX.a.test", "mx.A.test", True),
        ("mx.a.test", "mx.b.test", False),
        ("mx.a.test", "mx.a.test.", False),
        ("mx.a.test", "", False),
        ("", "", False),
        ("", "mx.a.test", False),
        ("mx.a.test", "mx.a.test\0", False),
        ("mx.a.test\0", "mx.a.test\0", False),
        ("mx.\u212a.test", "mx.k.test", False),  # a Kelvin sign is no k
        (".a.test", "mx.a.test", True),
        (".a", "x.a", True),
        (".a.test", "x.mx.a.test", True),
        (".a.test", ".a.test", True),
        (".a.test", "a.test", False),
        (".a.test", "mxa.test", False),
        (".a.test", "\0.a.test", False),
        (".", "a.", False),
        (".a.test", "*.a.test", True),
        ("mx.a.test", "*.a.test", True),
        ("x.mx.a.test", "*.a.test", False),
        ("a.test", "*.a.test", False),
        (".a.test", "*.test", False),
        ("a.test", "*.test", False),
        ("*.test", "*.test", True),
        ("*.a.test", "*.a.test", True),
        ("mx_1.a.test", "*.a.test", False),
        ("-x.a.test", "*.a.test", False),
        ("x-.a.test", "*.a.test", False),
        ("x-y.a.test", "*.a.test", True),
        ("xn--bcher-kva.a.test", "*.a.test", True),
        ("mx.a.test", "m*.a.test", False),
        ("mx.a.test", "*.*.test", False),
        ("mx.a.test", "mx.*.test", False),
        ("mx.a.test", "*", False),
        ("mx..test", "*..test", False),
        ("mx.a_b.test", "*.a_b.test", False),
        ("mx.-a.test", "*.-a.test", False),
        ("mx.a-.test", "*.a-.test", False),
        ("mx.a.test.", "*.a.test.", False),
        ("mx.b.test", "*.a.test", False),
    ],
)
def test_name_satisfies_a_reference(reference: str, candidate: str, satisfied: bool) -> None:
    assert name_matches(reference, candidate) is satisfied


def test_first_reference_and_first_name_are_reported() -> None:
    assert matched_name(["b.test", "a.test"], dns_names=["a.test", "*.b.test", "b.test"], common_names=[]) == "b.test"
    assert matched_name([".test"], dns_names=["a.test", "b.test"], common_names=["c.test"]) == "a.test"
    assert matched_name(["c.test"], dns_names=["a.test"], common_names=["c.test"]) is None
    assert matched_name(["c.test"], dns_names=[], common_names=["b.test", "c.test"]) == "c.test"
    assert matched_name([], dns_names=["a.test"], common_names=[]) is None
