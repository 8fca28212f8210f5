"""Relaying for strangers: decided by evaluation, with the path that permits it."""

from __future__ import annotations

from typing import Any

import pytest
from mail.fixtures import MakeConfig

from tlsproxy.mail.access.relaying import RelayVerdict, stranger_may_relay
from tlsproxy.mail.access.smtpd import open_service
from tlsproxy.mail.access.world import World, parse_assumption

MASTER = "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n -o smtpd_tls_security_level=encrypt\n"
CLOSED = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"


def verdict(make_config: MakeConfig, world: Any = None, service: str = "smtp/inet", **settings: str) -> RelayVerdict:
    smtpd = open_service(make_config(MASTER, **settings), service)
    return stranger_may_relay(smtpd, world or World())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"smtpd_relay_restrictions": CLOSED},
        {"smtpd_relay_restrictions": "", "smtpd_recipient_restrictions": CLOSED + ", permit"},
        {"smtpd_relay_restrictions": CLOSED, "smtpd_client_restrictions": "permit"},
        {"smtpd_relay_restrictions": "check_client_access static:dunno, reject"},
        {"smtpd_relay_restrictions": CLOSED, "smtpd_sender_restrictions": "check_sender_access static:ok"},
        {"smtpd_relay_restrictions": "check_client_access fail:x, reject"},
        {"smtpd_relay_restrictions": "no_such_thing, reject"},
    ],
)
def test_stranger_is_rejected_by_closed_relay(make_config: MakeConfig, settings: dict[str, str]) -> None:
    found = verdict(make_config, **settings)
    assert not found.permits
    assert not found.depends
    assert not found.reply.is_good


@pytest.mark.parametrize(
    ("settings", "restriction"),
    [
        ({"mynetworks": "0.0.0.0/0", "smtpd_relay_restrictions": CLOSED}, "permit_mynetworks"),
        ({"smtpd_relay_restrictions": "check_client_access static:ok, reject"}, "check_client_access"),
        ({"smtpd_relay_restrictions": "check_sender_access inline:{example=OK}, reject"}, "check_sender_access"),
        (
            {"smtpd_relay_restrictions": "warn_if_reject defer, check_helo_access static:1, reject"},
            "check_helo_access",
        ),
        ({"relay_domains": "static:all"}, None),
        (
            {
                "smtpd_relay_restrictions": "open, reject",
                "smtpd_restriction_classes": "open",
                "open": "permit_mynetworks permit",
            },
            "permit",
        ),
    ],
)
def test_stranger_is_permitted_with_the_path(
    make_config: MakeConfig, settings: dict[str, str], restriction: str | None
) -> None:
    found = verdict(make_config, **settings)
    assert found.permits
    assert not found.depends
    if restriction:
        assert restriction in [step.restriction for step in found.path]
        assert all(step.place for step in found.path)


def test_stranger_verdict_ignores_lists_that_only_reject(make_config: MakeConfig) -> None:
    lists = "reject_rbl_client one.example, reject_rbl_client two.example, reject_unknown_sender_domain"
    closed = verdict(make_config, smtpd_client_restrictions=lists)
    assert (closed.permits, closed.depends) == (False, ())
    is_open = verdict(make_config, smtpd_client_restrictions=lists, mynetworks="0.0.0.0/0")
    assert is_open.permits
    assert set(is_open.depends) == {"dnsbl:one.example", "dnsbl:two.example", "domain:stranger.example"}


def test_stranger_verdict_depends_on_a_policy_service(make_config: MakeConfig) -> None:
    settings = {"smtpd_relay_restrictions": "check_policy_service unix:private/policy, reject_unauth_destination"}
    found = verdict(make_config, **settings)
    assert not found.permits
    assert found.depends == ("policy:unix:private/policy",)
    assumed = World(dict([parse_assumption("policy:unix:private/policy=OK")]))
    assert verdict(make_config, assumed, **settings).permits


def test_stranger_is_rejected_where_tls_and_login_are_required(make_config: MakeConfig) -> None:
    settings = {"smtpd_relay_restrictions": "permit_sasl_authenticated, reject", "smtpd_sasl_auth_enable": "yes"}
    found = verdict(make_config, service="submission/inet", **settings)
    assert not found.permits
    assert found.path[0].restriction == "reject"


def test_stranger_with_discarded_mail_does_not_relay(make_config: MakeConfig) -> None:
    found = verdict(make_config, smtpd_client_restrictions="check_client_access static:DISCARD")
    assert not found.permits


@pytest.mark.parametrize("networks", ["[::]/0", "8.0.0.0/6", "static:all", "!203.0.113.0/24, 0.0.0.0/0"])
def test_stranger_is_permitted_by_any_wide_network(make_config: MakeConfig, networks: str) -> None:
    found = verdict(make_config, mynetworks=networks, smtpd_relay_restrictions=CLOSED)
    assert found.permits
    assert found.path[-1].restriction == "permit_mynetworks"


@pytest.mark.parametrize("table", ["{9.9.9=OK}", "{2620:fe:=OK}", "{<>=OK}"])
def test_stranger_of_any_kind_can_be_in_a_table(make_config: MakeConfig, table: str) -> None:
    check = "check_sender_access" if "<>" in table else "check_client_access"
    assert verdict(make_config, smtpd_relay_restrictions=f"{check} inline:{table}, reject").permits
