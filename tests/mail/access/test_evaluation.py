"""Evaluation of restriction lists: classes, warnings, deferrals that wait, mistakes, and decisions of the world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail.fixtures import MakeConfig

import postconf
from tlsproxy.mail.access.restrictions.table import RESTRICTIONS, STAGES
from tlsproxy.mail.access.smtp.facts import SmtpClient, SmtpSession, Tls
from tlsproxy.mail.access.smtp.replies import fix_status, printable, rejection, split_status
from tlsproxy.mail.access.smtp.session import Exchange, converse
from tlsproxy.mail.access.smtpd import open_service
from tlsproxy.mail.access.world import AssumptionError, World, parse_assumption

MASTER = "smtp inet n - n - - smtpd\n"
CLIENT = SmtpClient.named("203.0.113.7", "mx.partner.example")
OWN = "ann@mail.example.com"


def rcpt(
    make_config: MakeConfig,
    world: Any = None,
    recipient: str = OWN,
    sender: str = "joe@else.example",
    helo: str = "mx.partner.example",
    **settings: str,
) -> Exchange:
    smtpd = open_service(make_config(MASTER, local_recipient_maps="", **settings), "smtp/inet")
    conversation = converse(smtpd, SmtpSession(CLIENT, helo, sender, (recipient,)), world or World())
    return next(each for each in conversation.exchanges if each.command == "RCPT")


def text(exchange: Exchange) -> str:
    return str(exchange.reply)


def assume(*texts: str) -> World:
    return World(dict(parse_assumption(each) for each in texts))


def test_class_ends_the_outer_list(make_config: MakeConfig) -> None:
    settings = {"smtpd_restriction_classes": "inner", "inner": "permit_auth_destination, reject"}
    found = rcpt(make_config, smtpd_recipient_restrictions="inner, defer", **settings)
    assert text(found) == "250 2.1.5 Ok"
    assert [step.restriction for step in found.steps][:2] == ["permit_mynetworks", "permit_sasl_authenticated"]
    assert [(step.depth, step.restriction) for step in found.steps[-2:]] == [
        (0, "inner"),
        (1, "permit_auth_destination"),
    ]


def test_class_names_are_case_sensitive(make_config: MakeConfig) -> None:
    settings = {"smtpd_restriction_classes": "inner", "inner": "permit"}
    assert text(rcpt(make_config, smtpd_recipient_restrictions="INNER", **settings)).startswith("451 4.3.5")
    assert text(rcpt(make_config, smtpd_recipient_restrictions="PERMIT, nonsense")) == "250 2.1.5 Ok"


def test_class_that_contains_itself_ends_the_session(make_config: MakeConfig) -> None:
    settings = {"smtpd_restriction_classes": "again", "again": "permit_mynetworks again"}
    found = rcpt(make_config, smtpd_recipient_restrictions="again", **settings)
    assert found.reply.code == 0
    assert "crashes" in found.steps[-1].note


def test_classes_that_multiply_end_the_session(make_config: MakeConfig) -> None:
    names = [f"c{number}" for number in range(40)]
    settings = {name: f"{after} {after}" for name, after in zip(names, [*names[1:], "permit_mynetworks"], strict=True)}
    found = rcpt(make_config, smtpd_recipient_restrictions="c0", smtpd_restriction_classes=" ".join(names), **settings)
    assert found.reply.code == 0


def test_warn_if_reject_changes_the_next_restriction_only(make_config: MakeConfig) -> None:
    found = rcpt(make_config, smtpd_recipient_restrictions="warn_if_reject reject, reject")
    assert [step.outcome for step in found.steps[-2:]] == ["warn", "reject"]
    assert found.steps[-2].reply.startswith("554 5.7.1")


def test_warn_if_reject_does_not_change_mistakes(make_config: MakeConfig) -> None:
    assert text(rcpt(make_config, smtpd_recipient_restrictions="warn_if_reject nonsense")).startswith("451 4.3.5")


def test_defer_if_permit_waits_for_the_end(make_config: MakeConfig) -> None:
    lists = {"smtpd_sender_restrictions": "defer_if_permit", "smtpd_recipient_restrictions": "permit"}
    found = rcpt(make_config, **lists)
    assert text(found) == "450 4.7.0 <joe@else.example>: Sender address rejected: defer_if_permit requested"
    assert found.decided_by.restriction == "defer_if_permit"
    lists["smtpd_recipient_restrictions"] = "reject"
    assert text(rcpt(make_config, **lists)).startswith("554 5.7.1")


def test_defer_if_reject_softens_a_later_reject(make_config: MakeConfig) -> None:
    found = rcpt(make_config, smtpd_recipient_restrictions="defer_if_reject, reject")
    assert text(found) == f"450 4.7.0 <{OWN}>: Recipient address rejected: defer_if_reject requested"


def test_table_without_name_needs_a_default_check(make_config: MakeConfig) -> None:
    assert text(rcpt(make_config, smtpd_helo_restrictions="inline:{partner.example=REJECT}")).startswith("554 5.7.1")
    config = make_config(MASTER, smtpd_data_restrictions="inline:{x=OK}", local_recipient_maps="")
    smtpd = open_service(config, "smtp/inet")
    last = converse(smtpd, SmtpSession(CLIENT, "x", "a@else.example", (OWN,)), World()).exchanges[-1]
    assert (last.command, last.reply.code) == ("DATA", 451)


@pytest.mark.parametrize("argument", ["", " permit", " noncolon"])
def test_missing_or_bad_argument_is_a_mistake(make_config: MakeConfig, argument: str) -> None:
    assert text(rcpt(make_config, smtpd_client_restrictions=f"check_client_access{argument}")).startswith("451 4.3.5")


def test_dns_list_decides_or_depends(make_config: MakeConfig) -> None:
    lists = {"smtpd_client_restrictions": "reject_rbl_client list.example=127.0.0.[2..4]"}
    found = rcpt(make_config, **lists)
    assert (text(found), found.depends) == ("250 2.1.5 Ok", ("dnsbl:list.example=127.0.0.[2..4]",))
    listed = rcpt(make_config, assume("dnsbl:list.example=127.0.0.[2..4]=listed:bad host"), **lists)
    assert text(listed) == (
        "554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using list.example; bad host"
    )
    assert listed.depends == ()
    assert rcpt(make_config, recipient="x@else.example", **lists).depends == ("dnsbl:list.example=127.0.0.[2..4]",)


def test_dependence_is_not_claimed_where_all_answers_agree(make_config: MakeConfig) -> None:
    lists = "warn_if_reject reject_rbl_client a.example, reject_unknown_sender_domain"
    found = rcpt(make_config, smtpd_client_restrictions=lists, smtpd_relay_restrictions="reject")
    assert found.depends == ("domain:else.example",)
    found = rcpt(make_config, smtpd_client_restrictions=f"warn_if_reject {lists.partition(',')[0][15:]}")
    assert found.depends == ()


def test_many_questions_are_cut_off_and_all_depend(make_config: MakeConfig) -> None:
    services = ", ".join(f"check_policy_service unix:private/p{number}" for number in range(12))
    found = rcpt(make_config, smtpd_recipient_restrictions=services)
    assert text(found) == "250 2.1.5 Ok"
    assert len(found.depends) == 12


def test_policy_answer_is_a_table_result(make_config: MakeConfig) -> None:
    lists = {"smtpd_recipient_restrictions": "check_policy_service unix:private/policy"}
    world = assume("policy:unix:private/policy=550 5.1.8 no")
    assert text(rcpt(make_config, world, **lists)) == f"550 5.1.2 <{OWN}>: Recipient address rejected: no"
    failed = rcpt(make_config, assume("policy:unix:private/policy=failed"), **lists)
    assert text(failed) == f"451 4.3.5 <{OWN}>: Recipient address rejected: Server configuration problem"


def test_policy_service_has_options_of_its_own(make_config: MakeConfig) -> None:
    argument = "{ unix:private/policy, { default_action = DEFER 4.9.9 later }, policy_context=x }"
    lists = {"smtpd_recipient_restrictions": f"check_policy_service {argument}"}
    found = rcpt(make_config, assume("policy:unix:private/policy=failed"), **lists)
    assert text(found) == f"450 4.9.9 <{OWN}>: Recipient address rejected: later"


def test_failing_name_server_defers_by_its_action(make_config: MakeConfig) -> None:
    world = assume("domain:else.example=failed")
    found = rcpt(make_config, world, smtpd_sender_restrictions="reject_unknown_sender_domain")
    assert text(found) == "450 4.1.8 <joe@else.example>: Sender address rejected: Domain not found"
    assert found.decided_by.outcome == "defer_if_permit"
    at_once = {"unknown_address_tempfail_action": "defer"}
    found = rcpt(make_config, world, smtpd_sender_restrictions="reject_unknown_sender_domain", **at_once)
    assert found.decided_by.outcome == "defer"


def test_null_mx_is_rejected_in_both_directions(make_config: MakeConfig) -> None:
    world = assume("domain:else.example=nullmx")
    found = rcpt(make_config, world, smtpd_sender_restrictions="reject_unknown_sender_domain")
    assert text(found).startswith(
        "550 5.7.27 <joe@else.example>: Sender address rejected: Domain else.example does not"
    )


def test_servers_of_a_domain_are_looked_up(make_config: MakeConfig) -> None:
    lists = {
        "smtpd_sender_restrictions": "check_sender_mx_access inline:{{spam.example=REJECT mx}, {192.0.2=REJECT net}}"
    }
    by_name = rcpt(make_config, assume("servers:mx/else.example=a.spam.example 10.0.0.1"), **lists)
    assert text(by_name).endswith("Sender address rejected: mx")
    by_address = rcpt(make_config, assume("servers:mx/else.example=b.example 192.0.2.9"), **lists)
    assert text(by_address).endswith("Sender address rejected: net")
    assert rcpt(make_config, **lists).depends == ("servers:mx/else.example",)


def test_removed_restrictions_are_mistakes_in_later_releases(make_config: MakeConfig, tmp_path: Path) -> None:
    make_config(MASTER, smtpd_relay_restrictions="check_relay_domains", local_recipient_maps="")
    answers = {}
    for version in ("3.7.11", "3.9.14"):
        smtpd = open_service(postconf.load(tmp_path, version=version), "smtp/inet")
        session = SmtpSession(CLIENT, "x", "a@else.example", ("b@else.example",))
        answers[version] = converse(smtpd, session, World()).exchanges[-1].reply.code
    assert answers == {"3.7.11": 554, "3.9.14": 451}


@pytest.mark.parametrize("text", ["", "x=y", "dnsbl:=listed", "dnsbl:x=maybe", "policy:x=", "domain:a", "filter:m=x"])
def test_bad_assumption_is_an_error(text: str) -> None:
    with pytest.raises(AssumptionError):
        parse_assumption(text)


@given(st.integers(0, 999), st.text(max_size=40), st.text(max_size=600), st.booleans())
def test_rejection_is_always_a_reply(code: int, status: str, words: str, utf8: bool) -> None:
    reply = rejection(code, status, words, utf8=utf8)
    assert reply[0] in "45"
    assert reply[0] == reply[4]
    assert len(reply.encode("utf-8", "surrogateescape")) <= 510
    assert printable(reply, "?", utf8=utf8) == reply


@given(
    st.sampled_from(["5.1.1", "4.1.10", "5.7.1", "2.1.8"]),
    st.sampled_from(["Sender address", "Recipient address", "x"]),
)
def test_fixed_status_keeps_its_class(status: str, subject: str) -> None:
    assert fix_status(status, subject)[0] == status[0]
    assert split_status("5.7.1", f"{status} text") == (status, "text")


_ODD_WORDS = """
inline:{{a=b}} static:REJECT fail:x { } {} {static:x,{y=z}} {unix:p,a=b} : a: hash:/no/such pcre:{{/x/ OK}}
regexp:/etc/passwd
cidr:{{0.0.0.0/0 OK}} 1 -1 \u00e9 $x list= list.example=127.0.0.[1.. unix:private/x one ONE proxy:static:ok
unionmap:{static:a} texthash:
"""
_WORDS = st.sampled_from([*RESTRICTIONS, *_ODD_WORDS.split()])


@hypothesis.settings(max_examples=150, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([each.parameter for each in STAGES]), st.lists(_WORDS, max_size=6), max_size=4))
def test_any_list_gets_an_answer_or_a_start_up_error(make_config: MakeConfig, lists: dict[str, list[str]]) -> None:
    settings = {name: " ".join(words) for name, words in lists.items()}
    settings["smtpd_sasl_auth_enable"] = "yes"
    settings["smtpd_restriction_classes"] = "one"
    try:
        config = make_config(MASTER, one="check_client_access static:one", local_recipient_maps="", **settings)
        smtpd = open_service(config, "smtp/inet")
    except postconf.ConfigError:
        return
    tls = Tls("AA", "BB", False, "joe")
    session = SmtpSession(CLIENT, "mx.partner.example", "a@else.example", (OWN, "b@far.example"), "joe", tls)
    conversation = converse(smtpd, session, World())
    assert [each.command for each in conversation.exchanges][:3] == ["CONNECT", "HELO", "MAIL"]
    assert all(each.reply.code == 0 or 200 <= each.reply.code <= 599 for each in conversation.exchanges)
