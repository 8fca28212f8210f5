"""Routes of a whole configuration: services, content filters, delivery agents and their sessions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mail.fixtures import MakeConfig, MakeRouter

from tlsproxy.mail.routing import Router
from tlsproxy.mail.routing.delivery import Delivery
from tlsproxy.mail.routing.sessions import Credentials, DeliverySession

MASTER = """\
smtp inet n - n - - smtpd
submission inet n - n - - smtpd
  -o cleanup_service_name=subcleanup
reinject inet n - n - - smtpd
  -o receive_override_options=no_address_mappings
filtered inet n - n - - smtpd
  -o content_filter=scan:[127.0.0.1]:10025
cleanup unix n - n - 0 cleanup
subcleanup unix n - n - 0 cleanup
  -o { canonical_maps = static:masked@example.org }
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
smtp unix - - n - - smtp
relay unix - - n - - smtp
  -o smtp_tls_security_level=encrypt
lmtp unix - - n - - lmtp
local unix - n n - - local
scan unix - - n - 10 smtp
"""


@pytest.fixture
def make_router(make_config: MakeConfig) -> Iterator[MakeRouter]:
    """Return a router for main.cf with these settings and the services above."""
    routers = []

    def make(master: str = MASTER, **settings: str) -> Router:
        routers.append(Router(make_config(master, **settings)))
        return routers[-1]

    yield make
    for router in routers:
        router.close()


DOCUMENTATION = Path(__file__).parents[3] / "docs" / "mail.md"


def test_examples_of_the_documentation_run(
    make_config: MakeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_config(MASTER, virtual_alias_maps="inline:{{info@example.com=joe@example.org}}", relayhost="[smart.test]")
    namespace: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", DOCUMENTATION.read_text(), re.MULTILINE | re.DOTALL):
        exec(block.replace("/etc/postfix", str(tmp_path)), namespace)
    printed = capsys.readouterr().out
    assert "smtp [smart.test]" in printed
    assert "('joe@example.org',)" in printed


def deliver(router: Router, recipient: str, sender: str = "s@s.test", service: str = "") -> Delivery:
    (delivery,) = router.deliveries(router.route(sender, recipient, service))
    return delivery


def session(router: Router, recipient: str = "a@else.test", sender: str = "s@s.test") -> DeliverySession:
    return deliver(router, recipient, sender).sessions[0]


def test_route_goes_from_path_to_agent(make_router: MakeRouter, tmp_path: Path) -> None:
    router = make_router(virtual_alias_maps="inline:{{jane@mail.example.com=a@else.test}}")
    route = router.route("", "@relay.test:jane(comment)@mail.example.com")
    assert json.loads(json.dumps(route.as_json())) == {
        "recipient": "@relay.test:jane(comment)@mail.example.com",
        "class": "local",
        "transport": "local",
        "nexthop": "mail.example.com",
        "final_recipients": ["a@else.test"],
    }
    (delivery,) = router.deliveries(route)
    assert (delivery.recipient, *delivery.hop) == ("a@else.test", "smtp", "else.test")
    assert (delivery.agent.name, delivery.agent.program) == ("smtp", "smtp")
    assert delivery.agent.place.path == str(tmp_path / "master.cf")
    assert delivery.agent.place.line == 13


def test_failed_route_has_no_class(make_router: MakeRouter) -> None:
    assert make_router().route("", "a@-bad.test").as_json()["class"] is None


def test_service_chooses_its_cleanup(make_router: MakeRouter) -> None:
    router = make_router()
    assert router.route("", "a@else.test", "smtp/inet").envelope.recipients == ("a@else.test",)
    assert router.route("", "a@else.test", "submission/inet").envelope.recipients == ("masked@example.org",)


def test_service_can_leave_addresses_alone(make_router: MakeRouter) -> None:
    router = make_router(virtual_alias_maps="static:x@y.test")
    assert router.route("", "a@else.test", "smtp/inet").envelope.recipients == ("x@y.test",)
    assert router.route("", "a@else.test", "reinject/inet").envelope.recipients == ("a@else.test",)


def test_unknown_service_is_a_key_error(make_router: MakeRouter) -> None:
    with pytest.raises(KeyError):
        make_router().route("", "a@else.test", "smtps/inet")


def test_options_of_smtpd_are_not_for_the_resolver(make_router: MakeRouter) -> None:
    router = make_router("smtp inet n - n - - smtpd\n  -o mydestination=else.test\n")
    assert router.route("", "a@else.test", "smtp/inet").as_json()["class"] == "default"


def test_content_filter_takes_all_mail(make_router: MakeRouter) -> None:
    delivery = deliver(make_router(), "joe@localhost", service="filtered/inet")
    assert (*delivery.hop, delivery.agent.name) == ("scan", "[127.0.0.1]:10025", "scan")
    assert delivery.address_class is None


@pytest.mark.parametrize(
    ("settings", "nexthop"),
    [({}, "else.test"), ({"default_filter_nexthop": "[filter.test]"}, "[filter.test]")],
)
def test_content_filter_without_next_hop_gets_one(
    make_router: MakeRouter, settings: dict[str, str], nexthop: str
) -> None:
    assert deliver(make_router(content_filter="scan:", **settings), "a@else.test").hop.nexthop == nexthop


def test_transport_without_service_has_no_program(make_router: MakeRouter) -> None:
    agent = deliver(make_router(transport_maps="static:nothing:"), "a@else.test").agent
    assert (agent.name, agent.program, agent.place) == ("nothing", "", None)


def test_deferred_transport_waits(make_router: MakeRouter) -> None:
    delivery = deliver(make_router(defer_transports="smtp lmtp"), "a@else.test")
    assert delivery.hop == ("retry", "4.3.2 deferred transport")
    assert delivery.decisions[-1].parameter == "defer_transports"


def test_own_bounces_of_bounces_are_discarded(make_router: MakeRouter) -> None:
    assert deliver(make_router(), "double-bounce@localhost").hop.transport == "discard"


def test_alias_to_a_bad_address_is_an_error(make_router: MakeRouter) -> None:
    router = make_router(virtual_alias_maps="static:a@-bad-.test")
    assert deliver(router, "a@else.test").hop == ("error", "5.1.3 bad address syntax")


def test_failing_table_makes_mail_wait(make_router: MakeRouter) -> None:
    router = make_router(virtual_alias_maps="inline:{{a@mail.example.com=a@else.test}}", relay_domains="fail:x")
    delivery = deliver(router, "a@mail.example.com")
    assert delivery.hop == ("retry", "4.3.0 address resolver failure")


@pytest.mark.parametrize(
    ("settings", "recipient", "level"),
    [
        ({}, "a@else.test", "none"),
        ({"smtp_tls_security_level": "may"}, "a@else.test", "may"),
        ({"relay_domains": "else.test"}, "a@else.test", "encrypt"),
        ({"smtp_tls_policy_maps": "inline:{{else.test=secure}}"}, "a@else.test", "secure"),
        ({"transport_maps": "static:lmtp:unix:private/x", "lmtp_tls_security_level": "may"}, "a@else.test", "none"),
        ({"transport_maps": "static:lmtp:inet:localhost:24", "lmtp_tls_security_level": "may"}, "a@else.test", "may"),
    ],
)
def test_session_has_the_tls_level_of_its_service(
    make_router: MakeRouter, settings: dict[str, str], recipient: str, level: str
) -> None:
    assert session(make_router(**settings), recipient).level == level


def test_dane_depends_on_dns(make_router: MakeRouter) -> None:
    found = session(make_router(smtp_tls_security_level="dane", smtp_dns_support_level="dnssec"))
    assert (found.level, found.depends) == ("dane", ("TLSA records of else.test",))


@pytest.mark.parametrize(
    "settings",
    [
        {"smtp_tls_policy_maps": "static:nonsense"},
        {"smtp_tls_policy_maps": "fail:x"},
        {"smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": ""},
        {"smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": "fail:x"},
        {"relayhost": "[smart.test]:nothing"},
    ],
)
def test_session_that_can_not_be_has_a_problem(make_router: MakeRouter, settings: dict[str, str]) -> None:
    found = session(make_router(**settings))
    assert found.problem
    assert found.credentials is None


def test_credentials_are_found_and_never_shown(make_router: MakeRouter, tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text("[smart.test]:587 user:secret\n")
    router = make_router(
        relayhost="[smart.test]:587",
        smtp_sasl_auth_enable="yes",
        smtp_sasl_password_maps=f"texthash:{path}",
    )
    found = session(router)
    parameter = "smtp_sasl_password_maps"
    assert found.credentials is not None
    assert found.credentials[:3] == (parameter, f"texthash:{path}", "[smart.test]:587")
    assert found.credentials.place.line == 1
    assert isinstance(found.credentials, Credentials)
    assert "secret" not in repr(found)
    assert "user" not in repr(found)


@pytest.mark.parametrize(
    ("settings", "sender", "key", "depends"),
    [
        ({"relayhost": "[smart.test]"}, "s@s.test", "smart.test", ()),
        ({"relayhost": "smart.test"}, "s@s.test", "smart.test", ("the mail exchangers of smart.test",)),
        ({"relayhost": "smart.test", "disable_dns_lookups": "yes"}, "s@s.test", "smart.test", ()),
        ({"smtp_sender_dependent_authentication": "yes"}, "me@s.test", "me@s.test", ()),
        ({"smtp_sender_dependent_authentication": "yes", "relayhost": "[smart.test]"}, "", "smart.test", ()),
        ({"relayhost": "[other.test]"}, "me@s.test", None, ()),
    ],
)
def test_credentials_are_looked_up_by_sender_and_server(
    make_router: MakeRouter, settings: dict[str, str], sender: str, key: str | None, depends: tuple[str, ...]
) -> None:
    passwords = "inline:{smart.test=u:p, me@s.test=u:p}"
    router = make_router(smtp_sasl_auth_enable="yes", smtp_sasl_password_maps=passwords, **settings)
    found = session(router, sender=sender)
    assert (found.credentials and found.credentials.key) == key
    assert found.depends == depends


def test_next_hops_in_a_list_are_sessions_of_their_own(make_router: MakeRouter) -> None:
    router = make_router(
        relayhost="[one.test], [two.test]:587", smtp_tls_policy_maps="inline:{{[two.test]:587=secure}}"
    )
    sessions = deliver(router, "a@else.test").sessions
    assert [(each.destination, each.level) for each in sessions] == [
        ("[one.test]", "none"),
        ("[two.test]:587", "secure"),
    ]


def test_local_agent_has_no_sessions(make_router: MakeRouter) -> None:
    assert deliver(make_router(), "joe@localhost").sessions == ()
