"""Bad values have the effect in Postfix that the table of kinds has: the real programs are given one of each kind."""

from __future__ import annotations

import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports
from peers.tools.children import PATIENCE

from postconf.catalogue import release
from postconf.kinds import Outcome, kind_of

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("kinds-effects")]

DIES, LATER, DEFERS, WARNS, IGNORES = (
    *(Outcome.DIES, Outcome.DIES_LATER, Outcome.DEFERS),
    *(Outcome.WARNS, Outcome.IGNORES),
)


class Case(NamedTuple):
    """A bad value of a parameter of a program, its outcome, the line that is logged, and settings that it needs."""

    program: str
    parameter: str
    value: str
    outcome: Outcome
    logged: str
    besides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.program}: {self.parameter} = {self.value}"


SASL = ("smtpd_sasl_auth_enable=yes",)
CLIENT_SASL = ("smtp_sasl_auth_enable=yes", "smtp_sasl_password_maps=static:x")
MILTER = ("smtpd_milters=unix:/nonexistent",)

CASES = [
    # words
    Case("smtpd", "smtpd_sasl_type", "dovcot", DIES, "unsupported SASL server implementation", SASL),
    Case("smtpd", "smtpd_forbid_bare_newline", "maybe", DIES, "bad parameter value: 'smtpd_forbid_bare_newline"),
    Case("smtpd", "reject_tempfail_action", "deferred", DIES, "bad configuration: unknown_helo_hostname"),
    Case("smtpd", "header_from_format", "std", DIES, 'invalid setting: "header_from_format = std"'),
    Case("smtpd", "smtpd_upstream_proxy_protocol", "haproxi", LATER, "unsupported smtpd_upstream_proxy_protocol"),
    Case("smtpd", "milter_default_action", "accpet", DEFERS, "unrecognized default action: accpet", MILTER),
    Case("smtpd", "milter_protocol", "7", DEFERS, "bad protocol information: 7", MILTER),
    Case(
        "smtp", "smtp_tls_servername", "a..b", DEFERS, "specifies an invalid hostname", ("smtp_tls_security_level=may",)
    ),
    Case("smtpd", "myorigin", "a..b", IGNORES, ""),
    Case("smtp", "smtp_address_preference", "ipv5", DIES, "bad smtp_address_preference value: ipv5"),
    Case("smtp", "smtp_address_verify_target", "rctp", DIES, "bad protocol stage"),
    Case("smtp", "smtp_dns_support_level", "on", DIES, 'invalid smtp_dns_support_level: "on"'),
    Case("smtp", "smtp_tls_dane_insecure_mx_policy", "maybe", DIES, "invalid smtp_tls_dane_insecure_mx_policy"),
    Case("smtp", "smtp_sasl_type", "cyru", DIES, "unsupported SASL client", CLIENT_SASL),
    Case("postscreen", "postscreen_greet_action", "enforced", DIES, "bad postscreen_greet_action value: enforced"),
    Case("postscreen", "postscreen_upstream_proxy_protocol", "haproxi", LATER, "unsupported postscreen_upstream"),
    Case("smtpd", "inet_protocols", "ipv5", DIES, 'unknown inet_protocols value "ipv5"'),
    Case("smtpd", "syslog_facility", "mial", DIES, "unrecognized value: mial"),
    # lists of words
    Case("smtpd", "notify_classes", "resource, sofware", DIES, 'unknown notify_classes value "sofware"'),
    Case("smtpd", "receive_override_options", "no_milter", DIES, "unknown receive_override_options value"),
    Case("smtpd", "smtpd_proxy_options", "speed", DIES, "unknown smtpd_proxy_options", ("smtpd_proxy_filter=x:1",)),
    Case("smtpd", "smtputf8_autodetect_classes", "smtp", LATER, "unknown smtputf8_autodetect_classes value"),
    Case(
        *("smtpd", "smtpd_sasl_security_options", "noanonymus", LATER, 'value "noanonymus"'),
        (*SASL, "smtpd_sasl_type=dovecot"),
    ),
    Case("cleanup", "canonical_classes", "sender", DIES, "unknown canonical_classes value"),
    Case("cleanup", "propagate_unmatched_extensions", "aliases", DIES, "unknown propagate_unmatched_extensions"),
    Case("local", "mailbox_delivery_lock", "dotlok", DIES, "unknown mailbox_delivery_lock value"),
    Case("local", "allow_mail_to_files", "includes", DIES, "unknown allow_mail_to_files value"),
    Case("smtp", "smtp_dns_resolver_options", "res_x", DIES, "unknown smtp_dns_resolver_options value"),
    Case("smtp", "smtp_host_lookup", "dns6", DIES, "unknown smtp_host_lookup", ("smtp_dns_support_level=enabled",)),
    Case("smtpd", "smtpd_discard_ehlo_keywords", "chunkng", IGNORES, ""),
    # networks and addresses
    Case("smtpd", "mynetworks", "172.17.0.0/12", DEFERS, "non-null host address bits"),
    Case("smtpd", "mynetworks", "192.0.2.0/33", DEFERS, "bad mask length"),
    Case("smtpd", "mynetworks", "::1/128", DIES, 'expecting "type:name" form instead of "::1/128"'),
    Case("smtpd", "mynetworks", "!", DIES, "no pattern after '!'"),
    Case("smtpd", "mynetworks", "10.0.", IGNORES, ""),
    Case("smtpd", "smtpd_client_event_limit_exceptions", "127.0.0.1/8", WARNS, "non-null host address bits"),
    Case("smtpd", "debug_peer_list", "127.0.0.1/8", WARNS, "non-null host address bits"),
    Case("smtpd", "inet_interfaces", "eth0", DIES, "host not found: eth0"),
    Case("smtpd", "inet_interfaces", "all, 127.0.0.1", DIES, "host not found: all"),
    Case("smtp", "smtp_bind_address", "198.51.100.256", LATER, "bad smtp_bind_address parameter"),
    Case("smtp", "smtp_bind_address", "[127.0.0.1", LATER, "malformed smtp_bind_address parameter"),
    Case("smtp", "smtp_bind_address", "::1", LATER, "Address family for hostname"),
    # hosts and domains
    Case("smtpd", "myhostname", "mail..example.com", DIES, "bad parameter value: mail..example.com"),
    Case("smtpd", "mydomain", "<DOMAIN>", DIES, "bad parameter value: <DOMAIN>"),
    Case("smtpd", "myorigin", "a.example, b.example", DIES, "must not contain multiple values"),
    Case("smtpd", "mydestination", "*.example.com", IGNORES, ""),
    Case("smtpd", "default_privs", "root", DIES, "privileged user ID"),
    # destinations
    Case("smtp", "nexthop", "[mail.example.com:587]", LATER, "valid hostname or network address required"),
    Case("smtp", "nexthop", "[mail.example.com]587", LATER, 'garbage after "]"'),
    Case("smtp", "nexthop", "[mail.example.com", LATER, 'missing "]"'),
    Case("smtp", "nexthop", "mail.example.com:70000", LATER, "bad network port: 70000"),
    Case("smtp", "nexthop", "mail.example.com:sumbission", LATER, "unknown service: sumbission"),
    Case("smtp", "smtp_tcp_port", "smpt", LATER, "unknown service: smpt"),
    Case("smtpd", "smtpd_proxy_filter", "localhost:10x", LATER, "garbage after numerical service"),
    Case("smtpd", "smtpd_proxy_filter", "inet:localhost", DEFERS, "host or service localhost not found"),
    # mail filters
    Case("smtpd", "smtpd_milters", "inet:localhost:portnumber", DEFERS, "host or service localhost:portnumber not"),
    Case("smtpd", "smtpd_milters", "tcp:localhost:8891", DEFERS, "invalid transport name: tcp"),
    Case("smtpd", "smtpd_milters", "/run/filter", DEFERS, "Milter service needs transport:endpoint"),
    Case("smtpd", "smtpd_milters", "inet:8891@localhost", LATER, "garbage after numerical service"),
    Case("smtpd", "smtpd_milters", "{ unix:/x, default_acton=accept }", DIES, "unknown option"),
    Case("smtpd", "smtpd_milters", "{ unix:/x, protocol = 6 }", DIES, "missing '=' after attribute name"),
    Case("smtpd", "smtpd_milters", "{ unix:/x, connect_timeout=5y }", DIES, "connect_timeout"),
    # DNS lists and access lists
    Case("postscreen", "postscreen_dnsbl_sites", "list.example.net*x", DIES, "bad DNSBL weight factor"),
    Case("postscreen", "postscreen_dnsbl_sites", "list.example.net=127.0.0.256", DIES, "bad DNSBL filter syntax"),
    Case("postscreen", "postscreen_dnsbl_sites", "list..example.net", DIES, "bad DNSBL domain name"),
    Case("postscreen", "postscreen_access_list", "permit_mynetwork", WARNS, "unknown command: permit_mynetwork"),
    Case("smtpd", "local_header_rewrite_clients", "permit_mynetwork", WARNS, "invalid request: permit_mynetwork"),
    # forms
    Case("smtpd", "default_verp_delimiters", "+", DIES, "bad string length 1 < 2"),
    Case("smtpd", "compatibility_level", "latest", DIES, "latest"),
    Case("smtpd", "known_tcp_ports", "smtp=25, submission", WARNS, 'not in "name = value" form'),
]
READ_AS = {"nexthop": "relayhost"}
"""The parameter that a destination of smtp(8) is read as: in the test it comes from a table, one for each service."""


class Instance(NamedTuple):
    """The running Postfix, and the port of each case."""

    postfix: PrivatePostfix
    ports: dict[Case, int]


@pytest.fixture(scope="module")
def instance(public_root: Path) -> Iterator[Instance]:
    """One instance with a service for each case, and mail on its way to those that deliver."""
    root = public_root / "kinds"
    root.mkdir()
    ports = dict(zip(CASES, free_ports(len(CASES)), strict=True))
    lines, routes = [MASTER_CF], []
    for case, port in ports.items():
        lines.append(service(case, port))
        if case.program in ("smtp", "local"):
            hop = case.value if case.parameter == "nexthop" else f"[127.0.0.1]:{free_ports(1)[0]}"
            hop = "localhost" if case.parameter == "smtp_tcp_port" else hop
            routes.append(f"{{case{port}.test = {name_of(port)}:{hop if case.program == 'smtp' else ''}}}")
    settings = {"transport_maps": f"inline:{{{', '.join(routes)}}}", "lmtp_tcp_port": "24"}
    with PrivatePostfix(root, settings, "".join(lines)) as postfix:
        send(postfix, [port for case, port in ports.items() if case.program in ("smtp", "local")])
        yield Instance(postfix, ports)


def name_of(port: int) -> str:
    return f"case{port}"


def service(case: Case, port: int) -> str:
    """The lines of master.cf that a case needs."""
    name = name_of(port)
    settings = [*case.besides, f"syslog_name={name}"]
    if case.parameter != "nexthop":
        settings.append(f"{{{{ {case.parameter} = {case.value.replace('{', '{{').replace('}', '}}')} }}}}")
    options = "".join(f"  -o {each}\n" for each in settings)
    if case.program in ("smtpd", "postscreen"):
        return f"127.0.0.1:{port} inet n - n - 1 {case.program}\n{options}"
    if case.program == "cleanup":
        client = f"127.0.0.1:{port} inet n - n - 1 smtpd\n  -o cleanup_service_name={name}\n"
        return f"{client}{name} unix n - n - 0 cleanup\n{options}"
    return f"{name} unix - n n - - {case.program}\n{options}"


def send(postfix: PrivatePostfix, ports: list[int]) -> None:
    """Send a message to the domain of each case that is about delivery."""
    with smtplib.SMTP("127.0.0.1", postfix.ports["submission"], timeout=PATIENCE) as client:
        client.sendmail("sender@example.test", [f"user@case{port}.test" for port in ports], "Subject: x\n\nx\n")


def talk(port: int, patience: float) -> list[str]:
    """The replies of a server to a session that goes as far as it can; each can take so many seconds."""
    replies: list[str] = []
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
            stream = connection.makefile("rwb")
            for command in (b"", b"EHLO client.test", b"MAIL FROM:<a@b.test>", b"RCPT TO:<b@c.test>", b"DATA"):
                if command:
                    stream.write(command + b"\r\n")
                    stream.flush()
                while (line := stream.readline())[3:4] == b"-":
                    pass
                if not line:
                    break
                replies.append(line[:3].decode())
    except OSError:
        pass
    return replies


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_value_has_the_outcome_of_its_kind(case: Case) -> None:
    kind = kind_of(READ_AS.get(case.parameter, case.parameter), release("3.7"))
    assert kind is not None
    assert [each.outcome for each in kind.read(case.value).problems] == [case.outcome]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_postfix_treats_the_value_as_documented(case: Case, instance: Instance) -> None:
    postfix, port = instance.postfix, instance.ports[case]
    replies = [] if case.program in ("smtp", "local") else talk(port, 0.5 if case.outcome is DIES else PATIENCE)
    if case.logged:
        log = wait_for(postfix, case, port)
        assert (" fatal: " in log) == (case.outcome in (DIES, LATER)), log
    if case.program != "smtpd":
        return
    if case.outcome is DIES:
        assert replies == []
    elif case.outcome is LATER:
        assert "354" not in replies
    elif case.outcome is DEFERS:
        assert any(each.startswith("4") for each in replies)
    elif case.parameter != "mynetworks":
        assert replies == ["220", "250", "250", "250", "354"]


def wait_for(postfix: PrivatePostfix, case: Case, port: int) -> str:
    """The lines of the log that are about a case, as soon as the expected one is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = [each for each in postfix.log().splitlines() if name_of(port) in each or case.logged in each]
        if any(case.logged in each for each in lines):
            return "\n".join(each for each in lines if case.logged in each or "fatal" in each)
        time.sleep(0.1)
    raise AssertionError(f"{case.logged!r} is not in the log:\n" + "\n".join(lines))
