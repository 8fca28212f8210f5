"""Open-relay verdicts beside a real smtpd(8), for generated restriction sets."""

from __future__ import annotations

import random

import pytest
from peers.cases.access_cases import NEIGHBOUR
from peers.real.postfix import PrivatePostfix, free_ports, public_directory
from peers.real.xclient import XclientSession

from postconf.catalogue import release
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile
from tlsproxy.mail.access.relaying import CLIENTS, HELO_NAME, RECIPIENT, SENDER

_SETS = 60
_RULES = [rule for rule in all_rules() if rule.id == "R011"]
_ELEMENTS = (
    *(
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "permit_auth_destination",
        "permit_inet_interfaces",
        "insiders",
    ),
    *("reject_non_fqdn_sender", "reject_unlisted_recipient", "reject_non_fqdn_helo_hostname", "defer_if_reject"),
    *("check_sender_access inline:{stranger.example=OK}", "check_sender_access static:DUNNO", "static:OK"),
    *("check_client_access cidr:{{203.0.113.0/24 OK}}", "check_client_access inline:{stranger.example=permit}"),
    *("check_helo_access inline:{mail.stranger.example=insiders}", "check_recipient_access pcre:{{/elsewhere/ OK}}"),
    *("check_recipient_access inline:{elsewhere.example=REJECT}", "check_sender_access static:insiders", "guests"),
    *("warn_if_reject reject_unauth_destination", "check_client_access static:{permit_mynetworks, reject}"),
)
_CONTROLS = ("reject_unauth_destination", "defer_unauth_destination", "reject", "defer_if_permit", "defer")
_NETWORKS = (
    "127.0.0.0/8",
    "0.0.0.0/0",
    "9.0.0.0/8",
    "203.0.113.77",
    "cidr:{{0.0.0.0/0 x}}",
    "!203.0.113.0/24, 0.0.0.0/0",
)

_RELAY, _RECIPIENT = "smtpd_relay_restrictions", "smtpd_recipient_restrictions"
_UNUSUAL: list[dict[str, str]] = [
    {_RELAY: "", _RECIPIENT: "permit_mynetworks, reject_unauth_destination"},
    {_RELAY: "defer_unauth_destination"},
    {_RELAY: "permit_mx_backup, reject_unauth_destination"},
    {_RELAY: "", _RECIPIENT: "permit_mx_backup, reject_unauth_destination", "permit_mx_backup_networks": "0.0.0.0/0"},
    {_RELAY: "check_client_access static:w, reject", "smtpd_restriction_classes": "w", "w": "permit"},
    {
        _RELAY: "check_client_access static:w, reject_unauth_destination",
        "smtpd_restriction_classes": "w v",
        "w": "v",
        "v": "check_helo_access static:OK",
    },
    {_RELAY: "check_sender_access static:permit_mynetworks, reject_unauth_destination"},
    {_RELAY: "check_recipient_access inline:{elsewhere.example=OK}, reject_unauth_destination"},
    {_RELAY: "check_recipient_access inline:{{elsewhere.example=permit_mynetworks, permit}}, reject"},
    {_RELAY: "permit_tls_clientcerts, reject", "relay_clientcerts": "static:x", "smtpd_tls_ask_ccert": "yes"},
    {_RELAY: "permit_tls_all_clientcerts, reject", "smtpd_tls_ask_ccert": "yes"},
    {_RELAY: "check_client_access static:OK, reject"},
    {_RELAY: "check_client_access cidr:{{0.0.0.0/0 OK}}, reject"},
    {_RELAY: "check_client_access cidr:{{!203.0.113.0/24 OK}}, reject"},
    {_RELAY: "check_client_access inline:{{203.0.113.77=OK}}, reject"},
    {_RELAY: "check_client_access inline:{203=OK}, reject"},
    {_RELAY: "check_client_access inline:{9.9=relay}, reject"},
    {_RELAY: "check_sender_access inline:{partner.example=OK}, reject_unauth_destination"},
    {_RELAY: "check_sender_access inline:{partner.example=123}, reject_unauth_destination"},
    {_RELAY: "check_sender_access inline:{{<>=OK}}, reject_unauth_destination"},
    {_RELAY: "check_sender_access inline:{{someone@=OK}}, reject_unauth_destination"},
    {_RELAY: "check_sender_access regexp:{{/@partner.example$$/ OK}}, reject_unauth_destination"},
    {_RELAY: "check_helo_access regexp:{{/./ OK}}, reject"},
    {_RELAY: "check_helo_access inline:{example=OK}, reject"},
    {_RELAY: "reject_unauth_destination", "smtpd_end_of_data_restrictions": "permit"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": "inline:{203.0.113.77=x}"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": "static:x"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": "regexp:{{/./ x}}"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": "!9.9.9.9, 0.0.0.0/0"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": "192.0.0.0/3"},
    {_RELAY: "permit_mynetworks, reject", "mynetworks": ".stranger.example"},
    {_RELAY: "permit_inet_interfaces, reject"},
    {_RELAY: "permit_auth_destination, reject"},
    {_RELAY: "permit_auth_destination, permit, reject", _RECIPIENT: "reject"},
    {_RELAY: "reject_unauth_destination, permit", _RECIPIENT: "permit"},
    {_RELAY: "permit", _RECIPIENT: "reject_unauth_destination"},
    {_RELAY: "permit", _RECIPIENT: "permit_mynetworks, check_sender_access static:OK, reject_unauth_destination"},
    {_RELAY: "check_sender_access static:OK, reject_unauth_destination", _RECIPIENT: "reject_unauth_destination"},
    {_RELAY: "check_sender_access static:DEFER_IF_PERMIT, reject_unauth_destination"},
    {_RELAY: "warn_if_reject reject_unauth_destination, defer_if_permit"},
    {
        _RELAY: "warn_if_reject reject_unauth_destination, permit_mynetworks, reject_non_fqdn_sender",
        _RECIPIENT: "defer_if_permit",
    },
    {_RELAY: "reject_non_fqdn_recipient, warn_if_reject reject", _RECIPIENT: "defer_if_permit"},
    {_RELAY: "check_recipient_access static:HOLD, reject_unauth_destination"},
    {_RELAY: "check_recipient_access static:FILTER:x, reject_unauth_destination"},
    {_RELAY: "check_recipient_access inline:{{elsewhere.example=REDIRECT a@b.test}}, reject_unauth_destination"},
    {
        _RELAY: "check_client_access static:OK, reject_unauth_destination",
        "smtpd_client_restrictions": "reject_unknown_client_hostname",
    },
    {
        _RELAY: "check_client_access static:OK, reject_unauth_destination",
        "smtpd_helo_restrictions": "check_helo_access static:REJECT",
    },
    {
        _RELAY: "check_client_access static:OK, reject_unauth_destination",
        "smtpd_sender_restrictions": "check_sender_access inline:{stranger.example=REJECT}",
    },
    {_RELAY: "check_client_access static:OK, reject_unauth_destination", "smtpd_data_restrictions": "reject"},
    {_RELAY: "check_client_access static:OK, reject_unauth_destination", "smtpd_end_of_data_restrictions": "reject"},
    {
        _RELAY: "check_client_access static:OK, reject_unauth_destination",
        _RECIPIENT: "check_recipient_access static:REJECT",
    },
    {
        _RELAY: "check_client_access static:OK, reject_unauth_destination",
        "smtpd_relay_before_recipient_restrictions": "no",
        _RECIPIENT: "permit_mynetworks,reject",
    },
    {_RELAY: "check_reverse_client_hostname_access static:OK, reject"},
    {_RELAY: "check_sender_access static:OK reject_unauth_destination", "smtpd_delay_reject": "no"},
    {_RELAY: "PERMIT_MYNETWORKS, Check_Client_Access static:ok, REJECT"},
    {_RELAY: "static:OK, reject"},
    {_RELAY: "check_sender_access static:401, reject_unauth_destination"},
    {_RELAY: "check_sender_access static:200, reject_unauth_destination"},
    {_RELAY: "check_ccert_access static:OK, reject", "smtpd_tls_ask_ccert": "yes"},
    {_RELAY: "check_sasl_access static:OK, reject"},
    {_RELAY: "check_etrn_access static:OK, reject"},
    {_RELAY: "check_recipient_access pcre:{{/^someone@/ OK}}, reject"},
    {_RELAY: "check_recipient_access cidr:{{0.0.0.0/0 OK}}, reject"},
    {_RELAY: "check_client_access unionmap:{{static:OK,inline:{{a=b}}}}, reject"},
    {_RELAY: "check_client_access pipemap:{{static:a,inline:{{a=OK}}}}, reject"},
    {_RELAY: "check_client_access randmap:{OK}, reject"},
    {_RELAY: "check_relay_domains"},
    {_RELAY: "reject_unlisted_recipient, check_client_access static:OK, reject"},
    {_RELAY: "reject_unauth_pipelining, reject_plaintext_session, check_client_access static:OK, reject"},
    {_RELAY: "defer_if_reject, check_client_access static:OK, reject"},
    {_RELAY: "sleep 0, check_client_access static:OK, reject"},
]
"""Sets that the generator does not make."""


def _settings(chance: random.Random) -> dict[str, str]:
    def some(most: int) -> list[str]:
        return chance.choices(_ELEMENTS, k=chance.randrange(most))

    relay, recipient = some(4), some(4)
    place = chance.choice([relay, relay, recipient])
    place.insert(chance.randrange(len(place) + 1), chance.choice(_CONTROLS))
    return {
        "smtpd_relay_restrictions": ", ".join(relay),
        "smtpd_recipient_restrictions": ", ".join(recipient),
        "mynetworks": chance.choice(_NETWORKS),
        "smtpd_delay_reject": chance.choice(["yes", "yes", "no"]),
        "smtpd_relay_before_recipient_restrictions": chance.choice(["yes", "no"]),
        "smtpd_sender_restrictions": chance.choice(["", "", "permit", "check_sender_access static:REJECT"]),
        "smtpd_restriction_classes": "insiders, guests",
        "insiders": chance.choice(["permit", "permit_mynetworks", "check_helo_access static:OK", "reject"]),
        "guests": "check_sender_access inline:{stranger.example=insiders}, permit_auth_destination",
    }


def _relays(port: int) -> bool:
    """Return True if the real smtpd(8) relays for one of the strangers."""
    clients = [client for client in CLIENTS if ":" not in client.address]  # the instance has no IPv6
    records = [(client, SENDER) for client in clients] + [(clients[0], ""), (clients[0], "someone@partner.example")]
    for client, sender in records:
        record = {"client": client.address, "client_name": HELO_NAME, "helo": HELO_NAME, "sasl_user": ""}
        replies = XclientSession(port, NEIGHBOUR).hold(record | {"sender": sender, "recipients": [RECIPIENT]})
        if any(command == "RCPT" and code == 250 for command, code, _ in replies):
            return True
    return False


@pytest.mark.postfix
@pytest.mark.parametrize("seed", range(5))
def test_open_relay_verdicts_are_those_of_postfix(seed: int) -> None:
    chance = random.Random(seed)
    _compare([_settings(chance) for _ in range(_SETS)])


@pytest.mark.postfix
def test_open_relay_verdicts_of_unusual_sets_are_the_same() -> None:
    _compare(_UNUSUAL)


@pytest.mark.postfix
@pytest.mark.parametrize(
    "relay_domains",
    [
        "static:x",
        "regexp:{{/./ x}}",
        "!x.test, static:y",
        "/nonexistent",
        "r.test",
        "inline:{r.test=x}",
        "example",
        ".example",
    ],
)
def test_relay_domains_that_have_all_make_an_open_relay(relay_domains: str) -> None:
    with public_directory() as root:
        main = {"smtpd_authorized_xclient_hosts": "127.0.0.0/8", "relay_domains": relay_domains}
        main |= {_RELAY: "permit_mynetworks, reject_unauth_destination"}
        postfix = PrivatePostfix(root / "postfix", main)
        text = (postfix.conf / "main.cf").read_text()
        found = check(MainFile("main.cf", text), None, _RULES, release("3.7"), FileSystem()).findings
        with postfix:
            assert bool(found) == _relays(postfix.ports["submission"])


def _compare(sets: list[dict[str, str]]) -> None:
    """Compare the verdict on each set with the replies of a service that has it."""
    ports = free_ports(len(sets))
    with public_directory() as root:
        main = {
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "compatibility_level": "3.6",
            "mydestination": "x.test",
        }
        postfix = PrivatePostfix(root / "postfix", main)
        path = postfix.conf / "master.cf"
        entries = []
        for port, settings in zip(ports, sets, strict=True):
            options = "".join(f"  -o {{ {name} = {value} }}\n" for name, value in settings.items())
            entries.append(f"127.0.0.1:{port} inet n - n - 1 smtpd\n{options}")
        path.write_text(path.read_text() + "".join(entries))
        main_cf = MainFile("main.cf", (postfix.conf / "main.cf").read_text())
        found = check(main_cf, MasterFile("master.cf", path.read_text()), _RULES, release("3.7"), FileSystem())
        named = " ".join(each.message for each in found.findings)
        with postfix:
            for port, settings in zip(ports, sets, strict=True):
                assert (f":{port}/inet" in named) == _relays(port), settings


def test_sender_that_a_table_permits_can_be_claimed_by_anybody() -> None:
    lists = "permit_mynetworks, check_sender_access inline:{partner.example=OK}, reject_unauth_destination"
    text = f"compatibility_level = 3.6\nsmtpd_relay_restrictions =\nsmtpd_recipient_restrictions = {lists}\n"
    found = check(MainFile("main.cf", text), None, _RULES, release("3.7"), FileSystem(enabled=False)).findings
    assert [(each.span.line, "<someone@partner.example>" in each.message) for each in found] == [(3, True)]
