"""Decisions that need no peer: destinations, MTA-STS patterns, tables that fail, and settings that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import maps
import postconf
from postconf.values import SecurityLevel
from tlsproxy.policy import Destination, Policies, PolicyError, PolicySettings


def table(tmp_path: Path, **entries: str) -> str:
    name = f"hash:{tmp_path}/table"
    with maps.open_table(name, maps.Access(maps.Mode.BUILD)) as target:
        for key, value in entries.items():
            target.update(key.encode(), value.encode())
    return name


def config(tmp_path: Path, version: str = "3.7.11", **settings: str) -> postconf.Config:
    (tmp_path / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    (tmp_path / "master.cf").write_text("")
    return postconf.load(str(tmp_path), version=version)


@pytest.mark.parametrize(
    ("text", "domain", "port"),
    [
        ("example.com", "example.com", 25),
        ("example.com:587", "example.com", 587),
        ("[mail.example.com]", "mail.example.com", 25),
        ("[mail.example.com]:submission", "mail.example.com", 587),
        ("[2001:db8::1]:2525", "2001:db8::1", 2525),
    ],
)
def test_next_hops(text: str, domain: str, port: int) -> None:
    destination = Destination.parse(text)
    assert (destination.nexthop, destination.domain, destination.port) == (text, domain, port)
    assert destination.host.name == domain


@pytest.mark.parametrize("text", ["", "[", "[x", "[x]y", "x:", ":25", "x:0", "x:65536", "x:imap", "[]:25", "x:\u0663"])
def test_bad_next_hops_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in '"):
        Destination.parse(text)


def test_lmtp_has_parameters_of_its_own(tmp_path: Path) -> None:
    view = config(tmp_path, smtp_tls_security_level="secure", lmtp_tls_security_level="encrypt")
    assert PolicySettings.load(view).level is SecurityLevel.SECURE
    assert PolicySettings.load(view, "lmtp").level is SecurityLevel.ENCRYPT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smtp_tls_security_level", "tls"),
        ("smtp_tls_connection_reuse", "maybe"),
        ("smtp_dns_support_level", "always"),
        ("smtp_tls_dane_insecure_mx_policy", "secure"),
        ("smtp_use_tls", "1"),
    ],
)
def test_fatal_settings_of_smtp_are_errors_with_a_place(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(postconf.ConfigError) as caught:
        Policies(config(tmp_path, **{name: value}))
    assert str(caught.value.place).startswith(f"{tmp_path}/main.cf:1")
    assert value in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("parameter", ["smtp_tls_policy_maps", "smtp_tls_per_site"])
def test_unopenable_table_does_not_lead_to_plaintext(tmp_path: Path, parameter: str) -> None:
    warnings: list[str] = []
    view = config(tmp_path, **{parameter: f"hash:{tmp_path}/missing"})
    with Policies(view, warn=warnings.append) as policies, pytest.raises(PolicyError) as caught:
        policies.decide("example.com")
    assert (caught.value.table, caught.value.key) == (parameter, "example.com")
    assert "lookup error" in warnings[-1]


def test_dane_without_a_resolver_is_said_and_dane_only_fails(tmp_path: Path) -> None:
    warnings: list[str] = []
    view = config(tmp_path, smtp_tls_security_level="dane", smtp_dns_support_level="dnssec")
    assert Policies(view, warn=warnings.append).decide("example.com").level is SecurityLevel.MAY
    assert warnings == ["example.com: dane configured, but no requisite library support"]
    view = config(tmp_path, smtp_tls_security_level="dane-only", smtp_dns_support_level="dnssec")
    with pytest.raises(PolicyError, match="no requisite library support"):
        Policies(view, warn=warnings.append).decide("example.com")


def test_patterns_of_mta_sts_are_enforced_where_the_release_does(tmp_path: Path) -> None:
    policy = "secure match=mx.example.com policy_type=sts mx_host_pattern=*.example.com mx_host_pattern=one.example.net"
    view = config(tmp_path, "3.11.7", smtp_tls_policy_maps=table(tmp_path, **{"example.com": policy}))
    decided = Policies(view).decide("example.com")
    assert decided.match == ("hostname",)
    for name, allowed in {
        "mx.example.com": True,
        "MX.Example.COM": True,
        "example.com": False,
        "a.mx.example.com": False,
        ".example.com": False,
        "one.example.net": True,
        "two.example.net": False,
    }.items():
        assert decided.authorizes_mx(name) is allowed, name


def test_fingerprints_of_a_table_are_kept_since_postfix_3_9(tmp_path: Path) -> None:
    settings = {
        "smtp_tls_fingerprint_cert_match": "ab" * 32,
        "smtp_tls_policy_maps": table(tmp_path, **{"example.com": "fingerprint match=nonsense"}),
    }
    assert Policies(config(tmp_path, "3.7.11", **settings)).decide("example.com").dane is not None
    with pytest.raises(PolicyError, match="no fingerprints to match"):
        Policies(config(tmp_path, "3.9.14", **settings)).decide("example.com")
