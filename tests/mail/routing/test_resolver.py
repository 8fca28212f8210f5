"""From address to class, transport and next hop (trivial-rewrite(8))."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail.fixtures import MakeView

from postconf import ConfigError
from tlsproxy.mail.routing.resolver import AddressClass, AddressResolver
from tlsproxy.mail.routing.transport import Hop
from tlsproxy.mail.view import MailView

MAIL = st.text(st.sampled_from('ab@.:,;<>()[]"\\ !%+-|\tä'), max_size=25)
SITE = {
    "mydestination": "example.com, localhost",
    "virtual_alias_domains": "alias.test",
    "virtual_alias_maps": "inline:{a@alias.test=b}",
    "virtual_mailbox_domains": "box.test",
    "relay_domains": "relay.test",
    "recipient_delimiter": "+",
}


def resolve(view: MailView, address: str, sender: str = "") -> tuple[AddressClass | None, str, str]:
    answer = AddressResolver(view).resolve(sender, address)
    return answer.address_class, answer.transport, answer.nexthop


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("joe", (AddressClass.LOCAL, "local", "mail.example.com")),
        ("joe@example.com", (AddressClass.LOCAL, "local", "mail.example.com")),
        ("joe@[127.0.0.1]", (AddressClass.LOCAL, "local", "mail.example.com")),
        ("a@alias.test", (AddressClass.VIRTUAL_ALIAS, "error", "5.1.1 User unknown in virtual alias table")),
        ("a@box.test", (AddressClass.VIRTUAL_MAILBOX, "virtual", "box.test")),
        ("a@relay.test", (AddressClass.RELAY, "relay", "relay.test")),
        ("a@sub.relay.test", (AddressClass.RELAY, "relay", "sub.relay.test")),
        ("a@else.test", (AddressClass.DEFAULT, "smtp", "else.test")),
        ("a@[192.0.2.1]", (AddressClass.DEFAULT, "smtp", "[192.0.2.1]")),
    ],
)
def test_domain_decides_class_and_hop(
    make_view: MakeView, address: str, expected: tuple[AddressClass, str, str]
) -> None:
    assert resolve(make_view(**SITE, myorigin="example.com"), address) == expected


@pytest.mark.parametrize(
    ("address", "recipient", "routed"),
    [
        ("u%else.test@example.com", "u@else.test", False),
        ("else.test!u@example.com", "u@else.test", False),
        ("u@else.test@example.com", "u@else.test", False),
        ("u%example.com@localhost", "u@example.com", False),
        ("u%other.test@else.test", "u%other.test@else.test", True),
        ("u@other.test@else.test", "u@other.test@else.test", True),
        ("@example.com", "MAILER-DAEMON@example.com", False),
        ("u@example.com.", "u@example.com", False),
    ],
)
def test_local_routing_is_stripped(make_view: MakeView, address: str, recipient: str, routed: bool) -> None:
    answer = AddressResolver(make_view(**SITE)).resolve("", address)
    assert (answer.recipient, answer.is_routed) == (recipient, routed)


@pytest.mark.parametrize(
    "address", ["u@a..b", "u@-bad.test", "u@1.2.3.4", "u@[bad]", "u@", "-u@else.test", "u@\udcff.org"]
)
def test_bad_address_has_no_class(make_view: MakeView, address: str) -> None:
    answer = AddressResolver(make_view(**SITE)).resolve("", address)
    assert (answer.address_class, answer.is_bad, answer.has_failed) == (None, True, False)


@pytest.mark.parametrize(
    ("setting", "address", "recipient"),
    [
        ({"allow_min_user": "yes"}, "-u@else.test", "-u@else.test"),
        ({"resolve_numeric_domain": "yes"}, "u@192.0.2.1", "u@[192.0.2.1]"),
        ({"resolve_null_domain": "yes"}, "u@", "u@mail.example.com"),
        ({"resolve_dequoted_address": "no"}, "u@else.test@example.com", "u@else.test@example.com"),
        ({"empty_address_recipient": "root"}, "@example.com", "root@example.com"),
    ],
)
def test_settings_let_odd_addresses_pass(
    make_view: MakeView, setting: dict[str, str], address: str, recipient: str
) -> None:
    assert AddressResolver(make_view(**SITE | setting)).resolve("", address).recipient == recipient


@pytest.mark.parametrize(
    ("setting", "sender", "expected"),
    [
        ({"relayhost": "[smart.test]:587"}, "", ("smtp", "[smart.test]:587")),
        ({"default_transport": "smtp:[gate.test]", "relayhost": "x"}, "", ("smtp", "[gate.test]")),
        ({"sender_dependent_relayhost_maps": "inline:{{@me.test=[me.test]}}"}, "a@me.test", ("smtp", "[me.test]")),
        ({"sender_dependent_relayhost_maps": "inline:{{<>=[null.test]}}"}, "", ("smtp", "[null.test]")),
        ({"sender_dependent_relayhost_maps": "static:dunno", "relayhost": "x.test"}, "", ("smtp", "x.test")),
        ({"sender_dependent_default_transport_maps": "static:slow:"}, "", ("slow", "else.test")),
        ({"sender_dependent_default_transport_maps": "static:DUNNO"}, "", ("smtp", "else.test")),
        ({"transport_maps": "inline:{else.test=smtp:[t.test]}", "relayhost": "x"}, "", ("smtp", "[t.test]")),
        ({"transport_maps": "inline:{{*=:}}", "relayhost": "x"}, "", ("smtp", "x")),
        ({"transport_maps": "inline:{{*=lmtp}}", "relayhost": "x"}, "", ("lmtp", "else.test")),
        ({"transport_maps": "static:error"}, "", ("error", "Address is undeliverable")),
        ({"relocated_maps": "inline:{a@else.test=b@new.test}"}, "", ("error", "5.1.6 User has moved to b@new.test")),
    ],
)
def test_tables_override_the_hop(
    make_view: MakeView, setting: dict[str, str], sender: str, expected: tuple[str, ...]
) -> None:
    assert resolve(make_view(**SITE | setting), "a@else.test", sender)[1:] == expected


@pytest.mark.parametrize(
    ("version", "prefix", "value", "nexthop", "warned"),
    [
        ("3.11", "no", "5.1.6 gone to b@new.test", "5.1.6 gone to b@new.test", False),
        ("3.11", "no", "gone", "5.2.0 Mailbox is unavailable", True),
        ("3.11", "no", "5.1.6", "5.2.0 Mailbox is unavailable", True),
        ("3.11", "yes", "b@new.test", "5.1.6 User has moved to b@new.test", False),
        ("3.10", "no", "b@new.test", "5.1.6 User has moved to b@new.test", False),
    ],
)
def test_relocated_reason_can_be_the_table_s_own(
    make_view: MakeView, version: str, prefix: str, value: str, nexthop: str, warned: bool
) -> None:
    view = make_view(
        version=version, **SITE, relocated_prefix_enable=prefix, relocated_maps=f"inline:{{{{a@else.test={value}}}}}"
    )
    answer = AddressResolver(view).resolve("", "a@else.test")
    assert (answer.transport, answer.nexthop, bool(answer.warnings)) == ("error", nexthop, warned)


@pytest.mark.parametrize(
    ("value", "hop"),
    [
        (":", Hop("old", "next")),
        (":[other.test]", Hop("old", "[other.test]")),
        ("smtp:", Hop("smtp", "d.test")),
        ("smtp:[x]:26", Hop("smtp", "[x]:26")),
        ("retry:4.7.1 later", Hop("retry", "4.7.1 later")),
        ("discard:", Hop("discard", "d.test")),
        ("error:", Hop("error", "Address is undeliverable")),
    ],
)
def test_transport_entry_overrides_only_its_parts(value: str, hop: Hop) -> None:
    assert Hop("old", "next").overridden(value, "d.test") == hop


def test_virtual_alias_domains_have_no_transport(make_view: MakeView) -> None:
    view = make_view(**SITE, transport_maps="static:smtp:x")
    assert resolve(view, "a@alias.test")[1] == "error"


@pytest.mark.parametrize(
    "parameter",
    [
        *("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"),
        *("transport_maps", "relocated_maps", "sender_dependent_relayhost_maps"),
        "sender_dependent_default_transport_maps",
    ],
)
def test_failing_table_fails_the_answer(make_view: MakeView, parameter: str) -> None:
    answer = AddressResolver(make_view(**{**SITE, parameter: "fail:x"})).resolve("s@s.test", "a@else.test")
    assert (answer.address_class, answer.has_failed) == (None, True)
    assert (answer.failure.parameter, answer.failure.table) == (parameter, "fail:x")


def test_null_transport_fails_with_a_warning(make_view: MakeView) -> None:
    answer = AddressResolver(make_view(**SITE, default_transport=":x")).resolve("", "a@else.test")
    assert answer.has_failed
    assert "parameter default_transport: null transport is not allowed" in answer.warnings[0]


def test_decisions_name_their_setting_or_table(make_view: MakeView, tmp_path: Path) -> None:
    path = tmp_path / "transport"
    path.write_text("# mail\nelse.test smtp:[t.test]\n")
    answer = AddressResolver(make_view(**SITE, relayhost="x", transport_maps=f"texthash:{path}")).resolve(
        "", "a@else.test"
    )
    steps = [(each.subject, each.value, each.parameter, each.table, each.key) for each in answer.decisions]
    assert steps == [
        ("class", "default", "", "", ""),
        ("transport", "smtp", "default_transport", "", ""),
        ("nexthop", "else.test", "default_transport", "", ""),
        ("nexthop", "x", "relayhost", "", ""),
        ("nexthop", "[t.test]", "transport_maps", f"texthash:{path}", "else.test"),
    ]
    assert str(answer.decisions[-1].place) == f"{path}:2"
    assert answer.decisions[-2].place.path == str(tmp_path / "main.cf")
    assert answer.decisions[1].place is None


def test_class_names_the_pattern(make_view: MakeView) -> None:
    step = AddressResolver(make_view(**SITE)).resolve("", "a@sub.relay.test").decisions[0]
    assert (step.value, step.parameter, step.table, step.key) == ("relay", "relay_domains", "relay.test", "relay.test")


def test_literal_of_an_own_address_is_local(make_view: MakeView) -> None:
    view = make_view(**SITE, proxy_interfaces="192.0.2.1")
    steps = [AddressResolver(view).resolve("", f"a@[{each}]").decisions[0] for each in ("127.0.0.1", "192.0.2.1")]
    assert [(each.value, each.parameter, each.key) for each in steps] == [
        ("local", "inet_interfaces", "127.0.0.1"),
        ("local", "proxy_interfaces", "192.0.2.1"),
    ]
    assert AddressResolver(view).resolve("", "a@[192.0.2.2]").address_class is AddressClass.DEFAULT


def test_domain_in_two_classes_is_warned_of(make_view: MakeView) -> None:
    view = make_view(**SITE | {"relay_domains": "example.com, box.test, alias.test"})
    warnings = [
        AddressResolver(view).resolve("", f"a@{each}").warnings for each in ("example.com", "box.test", "alias.test")
    ]
    assert warnings == [
        (),
        ("do not list domain box.test in BOTH virtual_mailbox_domains and relay_domains",),
        ("do not list domain alias.test in BOTH virtual_alias_domains and relay_domains",),
    ]


def test_bad_setting_is_an_error(make_view: MakeView) -> None:
    with pytest.raises(ConfigError, match="bad boolean configuration: swap_bangpath = maybe"):
        AddressResolver(make_view(**SITE, swap_bangpath="maybe"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MAIL, MAIL)
def test_any_address_gets_an_answer(make_view: MakeView, sender: str, address: str) -> None:
    answer = AddressResolver(make_view(**SITE, append_dot_mydomain="yes")).resolve(sender, address)
    assert answer.is_bad or answer.address_class is not None
