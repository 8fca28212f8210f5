"""SMTP sessions: the order of stages, the checks of the protocol, and the requirements of a service."""

from __future__ import annotations

from typing import Any

import pytest
from mail.fixtures import MakeConfig

import postconf
from tlsproxy.mail.access.postscreen import Postscreen
from tlsproxy.mail.access.smtp.facts import SmtpClient, SmtpSession, Tls
from tlsproxy.mail.access.smtp.session import Conversation, converse
from tlsproxy.mail.access.smtpd import ServiceError, open_service
from tlsproxy.mail.access.world import NOWHERE, World, parse_assumption

MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_client_restrictions = permit_sasl_authenticated, reject }
smtps inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
25 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
qmgr unix n - n 300 1 qmgr
"""
CLIENT = SmtpClient.named("203.0.113.7", "mx.partner.example")
OWN = "ann@mail.example.com"


def held(
    make_config: MakeConfig,
    service: str = "smtp/inet",
    *,
    sender: str = "joe@else.example",
    recipients: Any = (OWN,),
    helo: str | None = "mx.partner.example",
    client: Any = CLIENT,
    user: str = "",
    tls: Any = None,
    **settings: str,
) -> Conversation:
    smtpd = open_service(make_config(MASTER, local_recipient_maps="", **settings), service)
    return converse(smtpd, SmtpSession(client, helo, sender, recipients, user, tls), NOWHERE)


def replies(conversation: Conversation) -> list[tuple[str, str]]:
    return [(each.command, str(each.reply)) for each in conversation.exchanges]


def test_accepted_session_has_all_replies(make_config: MakeConfig) -> None:
    assert replies(held(make_config)) == [
        ("CONNECT", "220 mail.example.com ESMTP Postfix"),
        ("HELO", "250 mail.example.com"),
        ("MAIL", "250 2.1.0 Ok"),
        ("RCPT", "250 2.1.5 Ok"),
        ("DATA", "354 End data with <CR><LF>.<CR><LF>"),
        ("EOD", "250 2.0.0 Ok: queued as ID"),
    ]


def test_stages_are_evaluated_at_rcpt_in_their_order(make_config: MakeConfig) -> None:
    lists = {f"smtpd_{name}_restrictions": "permit_mynetworks" for name in ("client", "helo", "sender", "recipient")}
    conversation = held(make_config, smtpd_relay_restrictions="reject_unauth_destination", **lists)
    steps = next(each for each in conversation.exchanges if each.command == "RCPT").steps
    assert [step.parameter for step in steps] == [
        *(f"smtpd_{name}_restrictions" for name in ("client", "helo", "sender", "relay", "recipient"))
    ]


def test_client_rejected_at_once_gets_503_ever_after(make_config: MakeConfig) -> None:
    lists = {"smtpd_client_restrictions": "reject", "smtpd_delay_reject": "no"}
    found = replies(held(make_config, **lists))
    assert found[0][1].startswith("554 5.7.1")
    assert [text for _, text in found[1:]] == ["503 5.7.0 Error: access denied for mx.partner.example[203.0.113.7]"] * 3
    ended = held(make_config, **{**lists, "reject_code": "521"})
    assert [each.reply.code for each in ended.exchanges] == [521]


def test_sender_rejected_at_once_leaves_no_transaction(make_config: MakeConfig) -> None:
    lists = {"smtpd_sender_restrictions": "reject", "smtpd_delay_reject": "no"}
    found = replies(held(make_config, **lists))
    assert found[2][1].startswith("554 5.7.1 <joe@else.example>: Sender address rejected")
    assert found[3] == ("RCPT", "503 5.5.1 Error: need MAIL command")


def test_postmaster_without_domain_is_never_checked(make_config: MakeConfig) -> None:
    conversation = held(make_config, recipients=("PostMaster",), smtpd_client_restrictions="reject")
    assert replies(conversation)[3] == ("RCPT", "250 2.1.5 Ok")
    assert conversation.exchanges[3].steps == ()


def test_probe_sender_is_accepted_without_checks(make_config: MakeConfig) -> None:
    conversation = held(make_config, recipients=("double-bounce@mail.example.com",), smtpd_client_restrictions="reject")
    assert replies(conversation)[3] == ("RCPT", "250 2.1.5 Ok")


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("", "501 5.1.3 Bad recipient address syntax"),
        ("a@b,c@d", "501 5.1.3 Bad recipient address syntax"),
        ("-a@else.example", "501 5.1.3 Bad recipient address syntax"),
        ("a@1.2.3.4", "501 5.1.3 Bad recipient address syntax"),
        ('"a@else.example', "501 5.1.3 Bad recipient address syntax"),
        ("a@else.example> X", "555 5.5.4 Unsupported option: X>"),
        ("a@else.example", "454 4.7.1 <a@else.example>: Relay access denied"),
    ],
)
def test_recipient_syntax_is_checked_before_restrictions(make_config: MakeConfig, recipient: str, reply: str) -> None:
    assert replies(held(make_config, recipients=(recipient,)))[3] == ("RCPT", reply)


def test_recipient_limit_holds_before_restrictions(make_config: MakeConfig) -> None:
    found = held(make_config, recipients=(OWN, OWN), smtpd_recipient_limit="1")
    assert replies(found)[4] == ("RCPT", "452 4.5.3 Error: too many recipients")


def test_too_many_errors_end_the_session(make_config: MakeConfig) -> None:
    found = held(make_config, recipients=("x@else.example",) * 5, smtpd_hard_error_limit="2")
    assert [each.reply.code for each in found.exchanges] == [220, 250, 250, 454, 454, 421]


def test_multi_recipient_bounce_counts_accepted_recipients(make_config: MakeConfig) -> None:
    found = held(
        make_config, sender="", recipients=(OWN, OWN), smtpd_sender_restrictions="reject_multi_recipient_bounce"
    )
    assert [each.reply.code for each in found.exchanges if each.command == "RCPT"] == [250, 550]


def test_helo_name_is_sanitized_for_delayed_checks(make_config: MakeConfig) -> None:
    found = held(make_config, helo="x@y", smtpd_helo_restrictions="reject")
    assert replies(found)[3][1] == "554 5.7.1 <x?y>: Helo command rejected: Access denied"


def test_helo_is_required_where_that_is_set(make_config: MakeConfig) -> None:
    assert replies(held(make_config, helo=None, smtpd_helo_required="yes"))[1] == (
        "MAIL",
        "503 5.5.1 Error: send HELO/EHLO first",
    )


def test_plaintext_is_refused_where_tls_is_required(make_config: MakeConfig) -> None:
    settings = {"smtpd_sasl_auth_enable": "yes"}
    found = replies(held(make_config, "submission/inet", user="joe", **settings))
    assert ("AUTH", "530 5.7.0 Must issue a STARTTLS command first") in found
    assert ("MAIL", "530 5.7.0 Must issue a STARTTLS command first") in found
    with_tls = held(make_config, "submission/inet", user="joe", tls=Tls(), recipients=("x@else.example",), **settings)
    assert with_tls.exchanges[-1].reply.code == 250


def test_login_without_tls_does_not_count_with_tls_auth_only(make_config: MakeConfig) -> None:
    settings = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "yes"}
    recipients = ("x@else.example",)
    assert held(make_config, user="joe", recipients=recipients, **settings).exchanges[-1].reply.code == 454
    assert held(make_config, user="joe", recipients=recipients, tls=Tls(), **settings).exchanges[-1].reply.code == 250


def test_soft_bounce_makes_all_rejections_temporary(make_config: MakeConfig) -> None:
    found = held(
        make_config,
        recipients=("-x@else.example", "x@else.example"),
        soft_bounce="yes",
        smtpd_relay_restrictions="reject_unauth_destination",
    )
    assert [text for command, text in replies(found) if command == "RCPT"] == [
        "401 4.1.3 Bad recipient address syntax",
        "454 4.7.1 <x@else.example>: Relay access denied",
    ]


def test_reject_footer_does_not_expand_text_of_clients(make_config: MakeConfig) -> None:
    footer = "see $client_name\\nand ${helo_name}"
    found = held(make_config, helo="$client_address", smtpd_client_restrictions="reject", smtpd_reject_footer=footer)
    assert replies(found)[3][1].split("\n")[1:] == ["554-5.7.1 see mx.partner.example", "554 5.7.1 and $client_address"]


def test_milter_decides_about_the_message_only(make_config: MakeConfig) -> None:
    found = held(make_config, smtpd_milters="inet:localhost:8891")
    assert [each.depends for each in found.exchanges if each.command in ("RCPT", "EOD")] == [
        (),
        ("filter:inet:localhost:8891",),
    ]


def test_alias_loop_refuses_the_message(make_config: MakeConfig) -> None:
    aliases = "inline:{{ann@mail.example.com=bob@mail.example.com, carl@mail.example.com}}"
    found = held(make_config, virtual_alias_maps=aliases, virtual_alias_expansion_limit="1")
    assert replies(found)[-1] == ("EOD", "451 4.6.0 Alias expansion error")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smtpd_relay_restrictions": "permit"}, "specify at least one working instance of"),
        ({"smtpd_relay_restrictions": "permit_mynetworks, warn_if_reject reject"}, "at least one working instance"),
        ({"smtpd_restriction_classes": "a"}, "restriction class `a' needs a definition"),
        ({"unknown_address_tempfail_action": "x"}, "bad configuration: unknown_address_tempfail_action = x"),
        ({"smtpd_delay_reject": "maybe"}, "bad boolean configuration"),
        ({"smtpd_client_restrictions": "check_policy_service foo"}, 'need service transport:endpoint instead of "foo"'),
        ({"smtpd_client_restrictions": "check_client_access hash:"}, 'expecting "type:name" form'),
    ],
)
def test_fatal_configuration_is_reported_with_its_place(
    make_config: MakeConfig, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(postconf.ConfigError) as error:
        held(make_config, **settings)
    assert message in error.value.message
    assert error.value.place is not None


@pytest.mark.parametrize("service", ["none/inet", "qmgr/unix", "smtp", ""])
def test_service_that_is_not_smtpd_is_an_error(make_config: MakeConfig, service: str) -> None:
    with pytest.raises(ServiceError):
        open_service(make_config(MASTER), service)


def test_backwards_compatible_relay_list_only_logs(make_config: MakeConfig) -> None:
    settings = {
        "compatibility_level": "0",
        "smtpd_recipient_restrictions": "reject_unlisted_recipient, defer_if_permit",
    }
    assert held(make_config, **settings).exchanges[3].reply.code == 450
    settings["mynetworks"] = "10.0.0.1/8"
    assert replies(held(make_config, **settings))[3][1].startswith("451 4.3.0 <ann@mail.example.com>: Temporary lookup")


def test_postscreen_list_decides_before_smtpd(make_config: MakeConfig) -> None:
    lists = {"postscreen_access_list": "permit_mynetworks, cidr:{{203.0.113.0/24 reject}}"}
    for action, outcome in (("drop", "drop"), ("enforce", "reject"), ("ignore", "pass"), ("", "pass")):
        settings = {"postscreen_blacklist_action": action} if action else {}
        config = make_config(MASTER, **settings, **lists)
        screening = Postscreen(config.service("25", "inet")).screen(CLIENT, NOWHERE)
        assert screening.outcome == outcome
        replies = {
            "drop": "521 5.3.2 Service currently unavailable",
            "reject": "550 5.3.2 Service currently unavailable",
        }
        assert screening.reply == replies.get(outcome, "")
        assert [step.outcome for step in screening.steps][:2] == ["dunno", "reject"]


def test_postscreen_lists_of_dns_add_up(make_config: MakeConfig) -> None:
    lists = {
        "postscreen_dnsbl_sites": "one.example*2, two.example*-1",
        "postscreen_dnsbl_threshold": "2",
        "postscreen_dnsbl_action": "enforce",
    }
    service = Postscreen(make_config(MASTER, **lists).service("25", "inet"))
    for words, outcome in ((("listed", "unlisted"), "reject"), (("listed", "listed"), "pass")):
        names = ("dnsbl:one.example", "dnsbl:two.example")
        assumed = dict(parse_assumption(f"{name}={word}") for name, word in zip(names, words, strict=True))
        screening = service.screen(CLIENT, World(assumed))
        assert screening.outcome == outcome
        if outcome == "reject":
            text = "550 5.7.1 Service unavailable; client [203.0.113.7] blocked using one.example"
            assert screening.reply == text
