"""Access tables: lookup keys, and the actions of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mail.fixtures import MakeConfig

from tlsproxy.mail.access.checks.access_tables import address_keys, domain_keys
from tlsproxy.mail.access.smtp.facts import SmtpClient, SmtpSession
from tlsproxy.mail.access.smtp.session import Conversation, converse
from tlsproxy.mail.access.smtpd import open_service
from tlsproxy.mail.access.world import NOWHERE

MASTER = "smtp inet n - n - - smtpd\n"
STRANGER = SmtpClient.named("203.0.113.7", "mx.partner.example")


def held(
    make_config: MakeConfig,
    client: Any = STRANGER,
    recipients: Any = ("ann@mail.example.com",),
    **settings: str,
) -> Conversation:
    smtpd = open_service(make_config(MASTER, local_recipient_maps="", **settings), "smtp/inet")
    return converse(smtpd, SmtpSession(client, "mx.partner.example", "joe@else.example", recipients), NOWHERE)


def reply(conversation: Conversation, command: str = "RCPT") -> str:
    return next(str(each.reply) for each in conversation.exchanges if each.command == command)


@pytest.mark.parametrize(
    ("name", "dotted", "keys"),
    [
        ("a.b.example", False, ["a.b.example", "b.example", "example"]),
        ("a.b.example", True, ["a.b.example", ".b.example", ".example"]),
        ("192.0.2.1", False, ["192.0.2.1"]),
        ("[1.2.3.4]", False, ["[1.2.3.4]", "2.3.4]", "3.4]", "4]"]),
        ("dot.example.", False, ["dot.example.", "example."]),
        ("2001:db8::1", False, ["2001:db8::1"]),
    ],
)
def test_domain_keys_go_up_to_the_top(name: str, dotted: bool, keys: list[str]) -> None:
    assert [key for key, _ in domain_keys(name, dotted=dotted)] == keys


@pytest.mark.parametrize(
    ("address", "keys"),
    [
        ("10.1.2.3", ["10.1.2.3", "10.1.2", "10.1", "10"]),
        ("2001:db8::5", ["2001:db8::5", "2001:db8:", "2001:db8", "2001"]),
    ],
)
def test_address_keys_are_cut_from_the_right(address: str, keys: list[str]) -> None:
    found = list(address_keys(address))
    assert [key for key, _ in found] == keys
    assert [partial for _, partial in found] == [False] + [True] * (len(keys) - 1)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("REJECT", "554 5.7.1 <mx.partner.example[203.0.113.7]>: Client host rejected: Access denied"),
        ("reject go away", "554 5.7.1 <mx.partner.example[203.0.113.7]>: Client host rejected: go away"),
        ("REJECT 5.1.1 none", "554 5.0.0 <mx.partner.example[203.0.113.7]>: Client host rejected: none"),
        ("DEFER", "450 4.7.1 <mx.partner.example[203.0.113.7]>: Client host rejected: Access denied"),
        ("521 5.9.9 bye", "521 5.9.9 <mx.partner.example[203.0.113.7]>: Client host rejected: bye"),
        ("450 5.1.2 soft", "450 4.0.0 <mx.partner.example[203.0.113.7]>: Client host rejected: soft"),
        ("600 odd", "451 4.3.5 Server configuration error"),
        ("hash:/etc/x", "451 4.3.5 Server configuration error"),
        (
            "DEFER_IF_PERMIT",
            "450 4.7.1 <mx.partner.example[203.0.113.7]>: Client host rejected: Service unavailable",
        ),
        ("OK", "250 2.1.5 Ok"),
        ("20261129", "250 2.1.5 Ok"),
        ("WARN look", "250 2.1.5 Ok"),
        ("reject_unauth_destination", "250 2.1.5 Ok"),
    ],
)
def test_access_result_gives_the_reply(make_config: MakeConfig, value: str, answer: str) -> None:
    conversation = held(make_config, smtpd_client_restrictions=f"check_client_access inline:{{{{203.0.113={value}}}}}")
    assert reply(conversation) == answer


def test_access_entry_is_recorded_with_key_and_line(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "clients").write_text("# partners\nother OK\npartner.example REJECT\n")
    conversation = held(make_config, smtpd_client_restrictions=f"check_client_access texthash:{tmp_path}/clients")
    step = next(each for each in conversation.exchanges if each.command == "RCPT").decided_by
    assert (step.restriction, step.key, step.value) == ("check_client_access", "partner.example", "REJECT")
    assert str(step.entry_place) == f"{tmp_path}/clients:3"


def test_access_actions_on_the_message_are_kept(make_config: MakeConfig) -> None:
    rules = "{FILTER x:y}, {REDIRECT a@b}, {BCC no}, {HOLD}, {PREPEND X: 1}, {PREPEND bad}"
    tables = " ".join(f"check_client_access static:{rule}" for rule in rules.split(", "))
    conversation = held(make_config, smtpd_client_restrictions=tables)
    assert [(each.name, each.text) for each in conversation.actions] == [
        ("FILTER", "x:y"),
        ("REDIRECT", "a@b"),
        ("HOLD", ""),
        ("PREPEND", "X: 1"),
    ]


def test_access_discard_ends_all_checks(make_config: MakeConfig) -> None:
    settings = {
        "smtpd_client_restrictions": "check_client_access static:DISCARD",
        "smtpd_recipient_restrictions": "reject",
    }
    conversation = held(make_config, recipients=("x@else.example",), **settings)
    assert reply(conversation) == "250 2.1.5 Ok"


def test_access_hangup_ends_the_session_without_reply(make_config: MakeConfig) -> None:
    conversation = held(make_config, smtpd_recipient_restrictions="check_client_access static:HANGUP, reject")
    last = conversation.exchanges[-1]
    assert (last.command, last.reply.code) == ("RCPT", 0)


def test_access_ok_for_routed_recipient_is_ignored(make_config: MakeConfig) -> None:
    settings = {
        "smtpd_relay_restrictions": "check_recipient_access static:OK, reject_unauth_destination",
        "allow_percent_hack": "no",
    }
    routed = held(make_config, recipients=("a%b@else.example",), **settings)
    assert reply(routed).startswith("554 5.7.1")
    assert reply(held(make_config, recipients=("a@else.example",), **settings)) == "250 2.1.5 Ok"


def test_access_ok_for_an_unproven_client_name_is_an_error(make_config: MakeConfig) -> None:
    lists = "check_reverse_client_hostname_access static:OK"
    conversation = held(make_config, smtpd_client_restrictions=lists)
    assert reply(conversation) == "451 4.3.5 Server configuration error"


def test_access_recursion_comes_to_an_end(make_config: MakeConfig) -> None:
    settings = {"smtpd_restriction_classes": "again", "again": "check_client_access static:again"}
    conversation = held(make_config, smtpd_client_restrictions="again", **settings)
    assert reply(conversation) == "451 4.3.5 Server configuration error"


def test_access_table_that_fails_is_a_result(make_config: MakeConfig) -> None:
    failing = held(make_config, smtpd_helo_restrictions="check_helo_access fail:x")
    assert reply(failing) == "451 4.3.5 <mx.partner.example>: Helo command rejected: Server configuration error"
    warned = held(make_config, smtpd_helo_restrictions="warn_if_reject check_helo_access fail:x")
    assert reply(warned) == "250 2.1.5 Ok"


def test_certificate_keys_follow_the_search_order(make_config: MakeConfig) -> None:
    from tlsproxy.mail.access.smtp.facts import Tls

    table = "inline:{{AA=REJECT cert}, {BB=REJECT key}}"
    for order, text in (("", "cert"), (", { search_order = pubkey_fingerprint }", "key")):
        argument = f"{{ {table}{order} }}" if order else table
        config = make_config(MASTER, smtpd_client_restrictions=f"check_ccert_access {argument}")
        smtpd = open_service(config, "smtp/inet")
        session = SmtpSession(
            STRANGER, "x", "a@else.example", ("b@mail.example.com",), tls=Tls("AA", "BB", False, "joe")
        )
        assert reply(converse(smtpd, session, NOWHERE)).endswith(f"Client certificate rejected: {text}")
