"""Match lists: order, negation, files, tables, parent domains, networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail.fixtures import MakeView

from maps.text.networks import NetworkPatternError, parse_address, parse_network
from postconf import ConfigError, Place
from tlsproxy.mail.matching import address_list
from tlsproxy.mail.tables import TableLookupError
from tlsproxy.mail.view import MailView


def matches(view: MailView, parameter: str, *subjects: str) -> bool:
    make = {"mydestination": view.strings, "relay_domains": view.domains, "mynetworks": view.clients}[parameter]
    return bool(make(parameter).match(*subjects))


@pytest.mark.parametrize(
    ("patterns", "domain", "expected"),
    [
        ("example.com", "Example.COM", True),
        ("EXAMPLE.com", "example.com", True),
        ("example.com", "sub.example.com", False),
        ("!example.com, inline:{example.com=x}", "example.com", False),
        ("!!example.com", "example.com", True),
        ("inline:{example.com=x}", "EXAMPLE.com", True),
        ("inline:{example.com=x}", "a.example.com", False),
        ("regexp:{{/example/ x}}", "an.example.com", True),
        ("[192.0.2.1]", "[192.0.2.1]", True),
        ("one # two", "two", False),
        ("", "example.com", False),
    ],
)
def test_strings_match_exactly(make_view: MakeView, patterns: str, domain: str, expected: bool) -> None:
    assert matches(make_view(mydestination=patterns), "mydestination", domain) is expected


@pytest.mark.parametrize(
    ("style", "patterns", "domain", "expected"),
    [
        ("relay_domains", "example.com", "a.example.com", True),
        ("relay_domains", "example.com", "anexample.com", False),
        ("", "example.com", "a.example.com", False),
        ("", ".example.com", "a.example.com", True),
        ("", ".example.com", "example.com", False),
        ("relay_domains", "inline:{example.com=x}", "a.b.example.com", True),
        ("", "inline:{.example.com=x}", "a.b.example.com", True),
        ("", "inline:{example.com=x}", "a.b.example.com", False),
        ("relay_domains", "regexp:{{/^example.com$$/ x}}", "a.example.com", False),
    ],
)
def test_domains_match_subdomains_by_style(
    make_view: MakeView, style: str, patterns: str, domain: str, expected: bool
) -> None:
    view = make_view(relay_domains=patterns, parent_domain_matches_subdomains=style)
    assert matches(view, "relay_domains", domain) is expected


@pytest.mark.parametrize(
    ("patterns", "name", "address", "expected"),
    [
        ("10.0.0.0/8", "unknown", "10.1.2.3", True),
        ("!10.1.0.0/16 10.0.0.0/8", "unknown", "10.1.2.3", False),
        ("192.0.2.55", "unknown", "192.0.2.55", True),
        ("[192.0.2.55]", "unknown", "192.0.2.55", True),
        ("[2001:db8::]/32", "unknown", "2001:db8::1", True),
        ("[2001:DB8:0::1]", "unknown", "2001:db8::1", True),
        ("good.org", "x.good.org", "10.0.0.1", True),
        (".good.org", "good.org", "10.0.0.1", False),
        ("good.org", "unknown", "10.0.0.1", False),
        ("cidr:{{10.0.0.0/8 x}}", "unknown", "10.0.0.1", True),
        ("inline:{{good.org=x}}", "a.good.org", "10.0.0.1", True),
        ("be.be", "unknown", "127.0.0.1", False),
        ("10.1.2.3/8", "unknown", "::1", False),
    ],
)
def test_clients_match_by_name_and_address(
    make_view: MakeView, patterns: str, name: str, address: str, expected: bool
) -> None:
    assert matches(make_view(mynetworks=patterns), "mynetworks", name, address) is expected


@pytest.mark.parametrize(
    ("patterns", "reason"),
    [
        ("10.1.2.3/8", "non-null host address bits"),
        ("168.100.3.0/98", "bad mask length"),
        ("168.100.589.0/28", "bad network value"),
        ("be/be", "bad mask value"),
        ("fail:x", "Application error"),
        ("2001:db8::/32", "unsupported dictionary type"),
        ("/does/not/exist", "No such file or directory"),
    ],
)
def test_bad_pattern_fails_the_match(make_view: MakeView, patterns: str, reason: str) -> None:
    networks = make_view(mynetworks=patterns).clients("mynetworks")
    with pytest.raises(TableLookupError, match=reason) as caught:
        networks.match("unknown", "10.0.0.1")
    assert (caught.value.parameter, caught.value.table) == ("mynetworks", patterns)


def test_pattern_before_a_bad_one_decides(make_view: MakeView) -> None:
    assert matches(make_view(mynetworks="10.0.0.1 10.1.2.3/8"), "mynetworks", "unknown", "10.0.0.1")


def test_file_is_replaced_by_its_patterns(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text("# comment\none, !two\n  three # rest\nfour\n")
    domains = make_view(mydestination=str(path)).strings("mydestination")
    assert domains.match("three").place == Place(str(path), 3)
    assert [bool(domains.match(each)) for each in ("one", "two", "three", "rest", "four")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    negated = make_view(mydestination=f"!{path}").strings("mydestination")
    assert [bool(negated.match(each)) for each in ("one", "two", "four")] == [False, True, False]


@pytest.mark.parametrize(("version", "expected"), [("3.7", ["one", "two"]), ("3.8", ["one"])])
def test_file_has_logical_lines_since_3_8(
    make_view: MakeView, tmp_path: Path, version: str, expected: list[str]
) -> None:
    path = tmp_path / "domains"
    path.write_text("one # a comment\n two\n")
    domains = make_view(version=version, mydestination=str(path)).strings("mydestination")
    assert [each for each in ("one", "two") if domains.match(each)] == expected


def test_file_that_names_itself_is_an_error(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "domains"
    path.write_text(f"{path}\n")
    with pytest.raises(ConfigError, match="names itself"):
        make_view(mydestination=str(path)).strings("mydestination")


def test_negation_of_nothing_is_an_error(make_view: MakeView) -> None:
    with pytest.raises(ConfigError, match="no pattern after '!'"):
        make_view(mydestination="a !").strings("mydestination")


def test_match_names_its_pattern_and_place(make_view: MakeView, tmp_path: Path) -> None:
    match = make_view(relay_domains="!a.example.com example.com").domains("relay_domains").match("A.example.com")
    assert (match.matched, match.pattern, match.key) == (False, "!a.example.com", "a.example.com")
    assert match.place.path == str(tmp_path / "main.cf")


def test_address_list_has_no_names(make_view: MakeView) -> None:
    patterns = address_list(make_view().tables, "permit_mx_backup_networks", "10.0.0.0/8 example.com")
    assert patterns.match("10.1.1.1")
    assert not patterns.match("example.com")


@given(st.ip_addresses(), st.integers(0, 128), st.integers(0, 127))
def test_network_holds_the_addresses_of_its_prefix(
    address: IPv4Address | IPv6Address, length: int, changed: int
) -> None:
    bits = 32 if address.version == 4 else 128
    length = min(length, bits)
    base = int(address) >> (bits - length) << (bits - length)
    network = parse_network(f"{type(address)(base)}/{length}")
    held = parse_address(str(address))
    assert held is not None
    assert network.holds(held)
    if changed < length:
        other = type(address)(int(address) ^ 1 << (bits - 1 - changed))
        not_held = parse_address(str(other))
        assert not_held is not None
        assert not network.holds(not_held)


@pytest.mark.parametrize("text", ["[1.2.3.4", "[1.2.3.4]x", "1.2.3.4/-1", "1.2.3", "1.2.3.4/", ""])
def test_malformed_network_is_refused(text: str) -> None:
    with pytest.raises(NetworkPatternError):
        parse_network(text)
