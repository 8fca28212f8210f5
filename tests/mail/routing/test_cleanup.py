"""Envelopes as cleanup(8) writes them: canonical and virtual tables, masquerading, BCC."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail.fixtures import MakeView

from postconf import ConfigError
from tlsproxy.mail.routing.cleanup import Cleanup, Envelope
from tlsproxy.mail.view import MailView

MAIL = st.text(st.sampled_from('ab@.:,;<>()[]"\\ !%+-|\tä'), max_size=25)
SITE = {"myorigin": "example.com", "recipient_delimiter": "+"}


def envelope(view: MailView, sender: str = "s@s.test", *recipients: str, mappings: bool = True) -> Envelope:
    return Cleanup(view).envelope(sender, *recipients, mappings=mappings)


def recipients(view: MailView, *addresses: str) -> list[str]:
    return list(envelope(view, "s@s.test", *addresses).recipients)


@pytest.mark.parametrize(
    ("table", "address", "expected"),
    [
        ("a@d.org=b@e.org", "a@d.org", ["b@e.org"]),
        ("{a@d.org=b@e.org, c@f.org}", "a@d.org", ["b@e.org", "c@f.org"]),
        ("a@d.org=b", "a@d.org", ["b@example.com"]),
        ("a@d.org=b@e.org", "a+x@d.org", ["b+x@e.org"]),
        ("{a@d.org=b@e.org, c@f.org}", "a+x@d.org", ["b+x@e.org", "c+x@f.org"]),
        ("a+x@d.org=b@e.org", "a+x@d.org", ["b@e.org"]),
        ("@d.org=b@e.org", "a+x@d.org", ["b@e.org"]),
        ("@d.org=@e.org", "a+x@d.org", ["a+x@e.org"]),
        ("{a@d.org=b@d.org}, {b@d.org=c@d.org}", "a@d.org", ["c@d.org"]),
        ("{a@d.org=a@d.org, b@e.org}", "a@d.org", ["a@d.org", "b@e.org"]),
        ('{a@d.org="x y"@e.org}', "a@d.org", ["x y@e.org"]),
        ('{"x y"@d.org=b@e.org}', "x y@d.org", ["b@e.org"]),
        ("a=b@e.org", "a", ["b@e.org"]),
        ("a@d.org=<>", "a@d.org", [""]),
        ("z=y", "a@d.org", ["a@d.org"]),
    ],
)
def test_virtual_aliases_expand_a_recipient(make_view: MakeView, table: str, address: str, expected: list[str]) -> None:
    assert recipients(make_view(**SITE, virtual_alias_maps=f"inline:{{{table}}}"), address) == expected


def test_extension_is_kept_where_it_is_propagated(make_view: MakeView) -> None:
    site = {**SITE, "virtual_alias_maps": "inline:{a@d.org=b@e.org}", "canonical_maps": "inline:{c@d.org=a@d.org}"}
    assert recipients(make_view(**site, propagate_unmatched_extensions=""), "c+x@d.org") == ["b@e.org"]
    assert recipients(make_view(**site, propagate_unmatched_extensions="canonical"), "c+x@d.org") == ["b@e.org"]
    assert recipients(make_view(**site), "c+x@d.org") == ["b+x@e.org"]


def test_same_result_of_one_recipient_is_written_once(make_view: MakeView) -> None:
    view = make_view(**SITE, virtual_alias_maps="inline:{{a@d.org=b@e.org, B@E.org, c@e.org}, {c@e.org=b@e.org}}")
    assert recipients(view, "a@d.org") == ["b@e.org"]


def test_duplicates_count_by_original_recipient(make_view: MakeView) -> None:
    site = {**SITE, "virtual_alias_maps": "static:b@e.org"}
    assert recipients(make_view(**site), "a@d.org", "c@d.org", "A@d.org") == ["b@e.org", "b@e.org"]
    assert recipients(make_view(**site, enable_original_recipient="no"), "a@d.org", "c@d.org") == ["b@e.org"]


@pytest.mark.parametrize(
    ("parameter", "limit", "table"),
    [
        ("virtual_alias_recursion_limit", "2", "{a@d.org=b@d.org}, {b@d.org=c@d.org}, {c@d.org=e@d.org}"),
        ("virtual_alias_expansion_limit", "2", "{a@d.org=b@d.org, c@d.org, e@d.org}"),
        ("virtual_alias_address_length_limit", "10", "{a@d.org=bbbbbbbb@d.org}"),
    ],
)
def test_alias_beyond_a_limit_refuses_the_message(make_view: MakeView, parameter: str, limit: str, table: str) -> None:
    view = make_view(**SITE, virtual_alias_maps=f"inline:{{{table}}}", **{parameter: limit})
    answer = envelope(view, "", "a@d.org", "other@d.org")
    assert answer.recipients == ()
    assert (answer.refusal.code, answer.refusal.text) == (451, "4.6.0 Alias expansion error")
    assert answer.refusal.error.parameter == parameter


def test_endless_alias_comes_to_an_end(make_view: MakeView) -> None:
    view = make_view(**SITE, virtual_alias_maps="pcre:{{/^(.*)@d.org$$/ x$${1}@d.org}}")
    assert envelope(view, "", "a@d.org").refusal is not None


@pytest.mark.parametrize("parameter", ["virtual_alias_maps", "canonical_maps", "recipient_canonical_maps"])
@pytest.mark.parametrize("table", ["fail:x", "static:;"])
def test_failing_table_refuses_the_message(make_view: MakeView, parameter: str, table: str) -> None:
    answer = envelope(make_view(**SITE, **{parameter: table}), "", "a@d.org")
    assert answer.recipients == ()
    assert (answer.refusal.code, answer.refusal.text) == (451, "4.3.0 Error: queue file write error")
    assert (answer.refusal.error.parameter, answer.refusal.error.table) == (parameter, table)


@pytest.mark.parametrize("parameter", ["sender_bcc_maps", "recipient_bcc_maps", "sender_canonical_maps"])
def test_other_failing_tables_refuse_it_too(make_view: MakeView, parameter: str) -> None:
    assert envelope(make_view(**SITE, **{parameter: "fail:x"}), "s@s.test", "a@d.org").refusal is not None


def test_canonical_maps_until_nothing_changes(make_view: MakeView) -> None:
    view = make_view(**SITE, canonical_maps="inline:{a@d.org=b@d.org, b@d.org=B@d.org}")
    answer = envelope(view, "a@d.org", "a@d.org")
    assert (answer.sender, answer.recipients) == ("B@d.org", ("B@d.org",))


def test_canonical_maps_hold_for_their_classes(make_view: MakeView) -> None:
    site = {
        **SITE,
        "canonical_maps": "static:c@c.org",
        "canonical_classes": "envelope_recipient",
        "sender_canonical_maps": "static:s@c.org",
        "recipient_canonical_maps": "static:r@c.org",
        "recipient_canonical_classes": "header_recipient",
    }
    answer = envelope(make_view(**site), "a@d.org", "a@d.org")
    assert (answer.sender, answer.recipients) == ("s@c.org", ("c@c.org",))


@pytest.mark.parametrize(
    ("domains", "address", "expected"),
    [
        ("else.test", "a@x.else.test", "a@else.test"),
        ("else.test", "a@else.test", "a@else.test"),
        ("else.test", "a@xelse.test", "a@xelse.test"),
        ("!x.else.test else.test", "a@y.x.else.test", "a@y.x.else.test"),
        ("x.else.test, else.test", "a@y.x.else.test", "a@x.else.test"),
        ("else.test", "root@x.else.test", "root@x.else.test"),
    ],
)
def test_masquerading_hides_subdomains(make_view: MakeView, domains: str, address: str, expected: str) -> None:
    view = make_view(
        **SITE,
        masquerade_domains=domains,
        masquerade_classes="envelope_recipient",
        masquerade_exceptions="root",
    )
    assert recipients(view, address) == [expected]


def test_masquerading_leaves_recipients_alone_by_default(make_view: MakeView) -> None:
    answer = envelope(make_view(**SITE, masquerade_domains="else.test"), "a@x.else.test", "b@x.else.test")
    assert (answer.sender, answer.recipients) == ("a@else.test", ("b@x.else.test",))


def test_bcc_recipients_are_added(make_view: MakeView) -> None:
    view = make_view(
        **SITE,
        sender_bcc_maps="inline:{{s@s.test=sb}}",
        recipient_bcc_maps="inline:{{@d.org=rb@x.org}}",
        always_bcc="all@x.org",
        virtual_alias_maps="inline:{a@d.org=b@e.org, all@x.org=archive@x.org}",
    )
    assert recipients(view, "a@d.org") == ["sb@example.com", "b@e.org", "rb@x.org", "archive@x.org"]
    assert envelope(view, "", "b@e.org").recipients == ("b@e.org", "archive@x.org")


def test_without_mappings_addresses_are_only_rewritten(make_view: MakeView) -> None:
    view = make_view(**SITE, canonical_maps="static:x@y", virtual_alias_maps="static:x@y", always_bcc="x@y")
    answer = envelope(view, "s", "a", mappings=False)
    assert (answer.sender, answer.recipients) == ("s@example.com", ("a@example.com",))


def test_local_mailer_daemon_sends_as_null(make_view: MakeView) -> None:
    view = make_view(**SITE)
    assert envelope(view, "Mailer-Daemon", "a@d.org").sender == ""
    assert envelope(view, "mailer-daemon@d.org", "a@d.org").sender == "mailer-daemon@d.org"


def test_null_recipient_is_the_mailer_daemon(make_view: MakeView) -> None:
    assert recipients(make_view(**SITE), "") == ["MAILER-DAEMON@example.com"]


def test_decisions_name_tables_and_lines(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "virtual"
    path.write_text("# aliases\na@d.org b@e.org\n")
    answer = envelope(make_view(**SITE, virtual_alias_maps=f"texthash:{path}"), "s", "a@d.org")
    steps = [(each.subject, each.value, each.parameter, str(each.place)) for each in answer.decisions]
    assert steps == [
        ("envelope_sender", "s@example.com", "myorigin", f"{tmp_path}/main.cf:8:12"),
        ("recipient", "b@e.org", "virtual_alias_maps", f"{path}:2"),
    ]


def test_unknown_class_is_an_error(make_view: MakeView) -> None:
    with pytest.raises(ConfigError, match='unknown canonical_classes value "envelope"'):
        Cleanup(make_view(**SITE, canonical_maps="static:x", canonical_classes="envelope"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MAIL, MAIL)
def test_any_message_gets_an_envelope(make_view: MakeView, sender: str, recipient: str) -> None:
    view = make_view(**SITE, virtual_alias_maps="inline:{{a=b}}", canonical_maps="inline:{{b=c}}")
    answer = envelope(view, sender, recipient)
    assert len(answer.recipients) == 1
