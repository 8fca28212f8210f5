"""Mail addresses as smtpd(8) and cleanup(8) read them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsproxy.mail import addresses
from tlsproxy.mail.addresses import Delimiters, parse_path, quoted, unquoted

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
MAIL = st.text(st.sampled_from('ab@.:,;<>()[]"\\ !%+-|\tä'), max_size=25)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("joe@example.com", "joe@example.com"),
        ("joe(comment)@example.com", "joe@example.com"),
        ("joe @ example.com (x (y) \\) z)", "joe@example.com"),
        ("@a.example,@b.example:joe@example.com", "joe@example.com"),
        ('"joe x"@example.com', "joe x@example.com"),
        ('"joe\\"q"@example.com', 'joe"q@example.com'),
        ("joe\\@x@example.com", "joe@x@example.com"),
        ("<joe@example.com>", "joe@example.com"),
        ("Joe Doe <joe@example.com>", "joe@example.com"),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ("", ""),
        ('""', ""),
        ("()", ""),
        ("@", "@"),
    ],
)
def test_path_has_internal_form_of_its_address(text: str, address: str) -> None:
    path = parse_path(text)
    assert path.address == address
    assert path.addresses <= 1


@pytest.mark.parametrize("text", ["a@example.com,b@example.com", "a b@example.com", "a@b c@d", "g: a@b, c@d;"])
def test_path_with_two_addresses_says_so(text: str) -> None:
    assert parse_path(text).addresses == 2


@pytest.mark.parametrize("text", ["a@b (x)", "g: a@b;", "x <a@b>", "a@b,"])
def test_path_with_more_than_an_address_says_so(text: str) -> None:
    assert parse_path(text).has_extras


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("joe@example.com", "joe@example.com"),
        ("joe x@example.com", '"joe x"@example.com'),
        ("a@b@c@d", '"a@b@c"@d'),
        (".joe@d", '".joe"@d'),
        ("joe.@d", '"joe."@d'),
        ("a..b@d", '"a..b"@d'),
        ('q"\\@d', '"q\\"\\\\"@d'),
        ("jörg@d", "jörg@d"),
        ("", '""'),
        ("@d", '""@d'),
        ("@a,@b:j x@d", '@a,@b:"j x"@d'),
    ],
)
def test_quotes_come_and_go(inside: str, outside: str) -> None:
    assert quoted(inside) == outside
    assert unquoted(outside) == inside


@given(MAIL | TEXTS)
def test_unquoting_undoes_quoting(text: str) -> None:
    # A carriage return is protected inside quotes only; a route is taken for one by its first colon.
    if not text.startswith("@"):
        assert unquoted(quoted(text)) == text


@given(MAIL | TEXTS)
def test_any_text_is_a_path(text: str) -> None:
    path = parse_path(text)
    assert path.addresses > 0 or not path.address


@pytest.mark.parametrize(
    ("address", "bare", "extension"),
    [
        ("joe+list@example.com", "joe@example.com", "+list"),
        ("joe-x+y@example.com", "joe@example.com", "-x+y"),
        ("joe+@example.com", "joe@example.com", "+"),
        ("+joe@example.com", "+joe@example.com", ""),
        ("joe@exa+mple.com", "joe@exa+mple.com", ""),
        ("owner-list@example.com", "owner-list@example.com", ""),
        ("list-request@example.com", "list-request@example.com", ""),
        ("-request@example.com", "-request@example.com", ""),
        ("Double-Bounce@example.com", "Double-Bounce@example.com", ""),
        ("joe+x", "joe", "+x"),
    ],
)
def test_extension_is_split_off(address: str, bare: str, extension: str) -> None:
    assert Delimiters("+-").split(address) == (bare, extension)


def test_extension_without_delimiter_is_empty() -> None:
    assert Delimiters("").split("joe+x@example.com") == ("joe+x@example.com", "")


def test_special_names_can_be_split_where_allowed() -> None:
    assert Delimiters("-", owner_request_special=False).split("owner-list@d") == ("owner@d", "-list")


def test_parent_domains_end_with_the_top_level() -> None:
    assert list(addresses.parent_domains("a.b.example.org", dotted=False)) == ["b.example.org", "example.org", "org"]
    assert list(addresses.parent_domains("b.example.org", dotted=True)) == [".example.org", ".org"]
    assert list(addresses.parent_domains("org", dotted=True)) == []


@pytest.mark.parametrize("text", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:::1]", "[IPv6:::ffff:1.2.3.4]"])
def test_address_literal_is_recognized(text: str) -> None:
    assert addresses.literal_address(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("[bad]", "192.0.2.1", "[192.0.2.1", "[192.0.2.1]x", "[321.0.2.1]", "[0.1.2.3]", "[1.2.3]", "[]"),
        *("[2001:db8::1]", "[IPv6:1.2.3.4]", "[IPv6::1]", "[IPv6:1::2::3]", "[IPv6:1:2:3:4:5:6:7:8:9]"),
        *("[IPv6:12345::]", "[IPv6:1:]"),
    ],
)
def test_malformed_address_literal_is_refused(text: str) -> None:
    assert addresses.literal_address(text) is None


@given(st.ip_addresses())
def test_every_ip_address_is_one(address: IPv4Address | IPv6Address) -> None:
    text = str(address)
    starts_with_zero = address.version == 4 and text.startswith("0.") and text != "0.0.0.0"
    assert addresses.is_address(text) is not starts_with_zero


def test_domain_may_be_internationalized_with_smtputf8() -> None:
    assert addresses.is_domain("exämple.test", smtputf8=True)
    assert not addresses.is_domain("exämple.test", smtputf8=False)
    assert not addresses.is_domain("", smtputf8=True)
    assert not addresses.is_domain("ä" * 64 + ".test", smtputf8=True)


@given(TEXTS | st.text(st.sampled_from("xn-.aäß_\u0301☃\u200d"), max_size=12))
def test_any_text_is_a_domain_or_rejected(text: str) -> None:
    assert addresses.is_domain(text, smtputf8=True) in (True, False)
