"""Each parameter has a language, its readers find words and mistakes where they are, and accept built-in defaults."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postconf.catalogue import RAW, Release, kind_rows, release, releases, upstream_releases
from postconf.config import Config
from postconf.kinds import Outcome, Problem, kind_of
from postconf.kinds.kind import TEXT
from postconf.machine.host import FixedHost
from postconf.models.ssl_options import OPTIONS, WORKAROUNDS
from postconf.syntax.mastercf import Master

ROOT = Path(__file__).parents[2]
NEWEST = release(upstream_releases()[-1])
SAMPLES = {kind.name: name for name in NEWEST.kinds if (kind := kind_of(name, NEWEST))}
"""Kind → a parameter of it."""

BAD: list[tuple[str, str, str, str, Outcome]] = [
    # parameter, value, word that the problem is about, part of the suggestion, outcome
    ("smtp_address_preference", "ipv5", "ipv5", '"ipv', Outcome.DIES),
    ("smtp_address_verify_target", "rctp", "rctp", '"rcpt"', Outcome.DIES),
    ("smtp_tls_dane_insecure_mx_policy", "maybe", "maybe", '"may"', Outcome.DIES),
    ("smtp_dns_resolver_options", "res_defnames, res_nosuch", "res_nosuch", "res_d", Outcome.DIES),
    ("lmtp_dns_support_level", "no", "no", "disabled", Outcome.DIES),
    ("smtp_host_lookup", "dns6, native", "dns6", '"dns"', Outcome.DIES),
    ("smtpd_sasl_type", "dovcot", "dovcot", '"dovecot"', Outcome.DIES),
    ("smtpd_sasl_type", "Dovecot", "Dovecot", '"dovecot"', Outcome.DIES),
    ("milter_default_action", "accpet", "accpet", '"accept"', Outcome.DEFERS),
    ("milter_protocol", "6, no_body_reply", "no_body_reply", "no_header_reply", Outcome.DEFERS),
    ("milter_protocol", "2 6", "6", "remove 6", Outcome.DEFERS),
    ("postscreen_greet_action", "enforced", "enforced", '"enforce"', Outcome.DIES),
    ("notify_classes", "resource, sofware", "sofware", '"software"', Outcome.DIES),
    ("notify_classes", "Resource", "Resource", '"resource"', Outcome.DIES),
    ("receive_override_options", "no_unknown_recipient_check", "no_unknown_recipient_check", "checks", Outcome.DIES),
    ("smtpd_discard_ehlo_keywords", "STARTTLS, CHUNKNG", "CHUNKNG", '"chunking"', Outcome.IGNORES),
    ("mynetworks_style", "host subnet", "subnet", "remove", Outcome.DIES),
    ("smtpd_sasl_security_options", "noanonymus", "noanonymus", '"noanonymous"', Outcome.DIES_LATER),
    ("mynetworks", "127.0.0.0/8 172.17.0.0/12", "172.17.0.0/12", "172.16.0.0/12", Outcome.DEFERS),
    ("mynetworks", "127.0.0.0/8 192.0.2.0/33", "192.0.2.0/33", "0 to 32", Outcome.DEFERS),
    ("mynetworks", "192.0.2.0/255.255.255.0", "192.0.2.0/255.255.255.0", "192.0.2.0/24", Outcome.DEFERS),
    ("mynetworks", "127.0.0.0/8, ::1/128", "::1/128", "[::1]/128", Outcome.DIES),
    ("mynetworks", "[2001:db8::1]/64", "[2001:db8::1]/64", "[2001:db8::]/64", Outcome.DEFERS),
    ("mynetworks", "192.168.1.", "192.168.1.", "192.168.1.0/24", Outcome.IGNORES),
    ("mynetworks", "[mail]", "[mail]", "", Outcome.IGNORES),
    ("mynetworks", "10.0.0.1 !", "!", "remove", Outcome.DIES),
    ("inet_interfaces", "all, 192.0.2.7", "all", "remove all", Outcome.DIES),
    ("inet_interfaces", "eth0", "eth0", "address", Outcome.DIES),
    ("inet_interfaces", "10.0.0.300", "10.0.0.300", "", Outcome.DIES),
    ("smtp_bind_address", "198.51.100.256", "198.51.100.256", "", Outcome.DIES_LATER),
    ("smtp_bind_address", "2001:db8::1", "2001:db8::1", "smtp_bind_address6", Outcome.DIES_LATER),
    ("smtp_bind_address6", "[2001:db8::1", "[2001:db8::1", "without brackets", Outcome.DIES_LATER),
    ("relayhost", "[mail.example.com:587]", "[mail.example.com:587]", "[mail.example.com]:587", Outcome.DIES_LATER),
    ("relayhost", "[mail.example.com]587", "[mail.example.com]587", "[mail.example.com]:587", Outcome.DIES_LATER),
    ("relayhost", "[mail.example.com", "[mail.example.com", "[mail.example.com]", Outcome.DIES_LATER),
    ("relayhost", "smtps://smtp.example.com", "smtps://smtp.example.com", "[smtp.example.com]:465", Outcome.DIES_LATER),
    ("relayhost", "mail.example.com:70000", "70000", "65535", Outcome.DIES_LATER),
    ("relayhost", "mail.example.com:sumbission", "sumbission", "submission", Outcome.DIES_LATER),
    ("smtp_tcp_port", "smpt", "smpt", "smtp", Outcome.DIES_LATER),
    ("content_filter", "[127.0.0.1]:10024", "[127.0.0.1]:10024", "smtp:[127.0.0.1]:10024", Outcome.DEFERS),
    ("default_transport", "smtp:[192.0.2.1:25]", "[192.0.2.1:25]", "[192.0.2.1]:25", Outcome.DIES_LATER),
    ("default_transport", ":example.com", ":example.com", "smtp", Outcome.DEFERS),
    ("smtpd_proxy_filter", "inet:localhost", "localhost", "localhost:port", Outcome.DEFERS),
    ("smtpd_milters", "inet:localhost:portnumber", "portnumber", "number", Outcome.DEFERS),
    ("smtpd_milters", "tcp:localhost:8891", "tcp", "inet", Outcome.DEFERS),
    ("smtpd_milters", "/run/filter.sock", "/run/filter.sock", "unix:/run/filter.sock", Outcome.DEFERS),
    ("smtpd_milters", "{ inet:localhost:8891, default_acton=accept }", "default_acton", "default_action", Outcome.DIES),
    ("smtpd_milters", "{ unix:/run/x, connect_timeout=5y }", "5y", "30s", Outcome.DIES),
    ("smtpd_milters", "{ unix:/x, protocol = 6 }", "protocol = 6", "protocol=6", Outcome.DIES),
    ("smtpd_milters", "{ unix:/x, { command_timeout = 5y } }", "5y", "30s", Outcome.DIES),
    ("mynetworks", "2001:db8::1/128", "2001:db8::1/128", "[2001:db8::1]/128", Outcome.DEFERS),
    ("smtpd_milters", "{ unix:/run/x, default_action=accpet }", "accpet", "accept", Outcome.DEFERS),
    ("smtpd_milters", "{ unix:/run/x", "{ unix:/run/x", "}", Outcome.DIES),
    ("postscreen_dnsbl_sites", "zen.example.org*x", "x", "whole number", Outcome.DIES),
    ("postscreen_dnsbl_sites", "zen.example.org=127.0.0.[2..11*2", "127.0.0.[2..11", "127.0.0.[2..11]", Outcome.DIES),
    ("postscreen_dnsbl_sites", "zen.example.org=127.0.0.256", "127.0.0.256", "", Outcome.DIES),
    ("postscreen_dnsbl_sites", "zen..example.org", "zen..example.org", "", Outcome.DIES),
    ("postscreen_access_list", "permit_mynetwork, reject", "permit_mynetwork", "permit_mynetworks", Outcome.WARNS),
    ("mydestination", "localhost *.example.com", "*.example.com", ".example.com", Outcome.IGNORES),
    ("relay_domains", "user@example.com", "user@example.com", "write example.com", Outcome.IGNORES),
    ("mydestination", "etc/domains", "etc/domains", "full path", Outcome.IGNORES),
    ("myhostname", "<SERVERNAME>", "<SERVERNAME>", "mail.example.com", Outcome.DIES),
    ("myhostname", "mäil.example.com", "mäil.example.com", "", Outcome.DIES),
    ("myhostname", "mail..example.com", "mail..example.com", "", Outcome.DIES),
    ("myorigin", "example.com, example.org", "example.org", "remove", Outcome.DIES),
    ("always_bcc", "a@example.com, b@example.com", "b@example.com", "one address", Outcome.IGNORES),
    ("address_verify_sender", "probe@", "probe@", "write probe", Outcome.DIES_LATER),
    ("known_tcp_ports", "smtp=25, submission", "submission", "number", Outcome.WARNS),
    ("master_service_disable", "smtp", "smtp", "smtp/inet", Outcome.IGNORES),
    ("default_destination_concurrency_positive_feedback", "2", "2", "concurrency", Outcome.WARNS),
    ("slow_destination_concurrency_negative_feedback", "1/x", "1/x", "concurrency", Outcome.WARNS),
    ("slow_destination_rate_delay", "10y", "10y", "unit", Outcome.DIES),
    ("default_verp_delimiters", "+", "+", "+=", Outcome.DIES),
    ("maillog_file_permissions", "0666", "0666", "0644", Outcome.WARNS),
    ("smtpd_tls_security_level", "mandatory", "mandatory", "", Outcome.DIES),
    ("smtpd_tls_security_level", "verify", "verify", "encrypt", Outcome.WARNS),
    ("smtpd_tls_protocols", "!SSLv2, !TLSv1.O", "!TLSv1.O", "TLSv1.", Outcome.NO_TLS),
    ("smtp_tls_ciphers", "strong", "strong", "", Outcome.NO_TLS),
    ("smtpd_tls_exclude_ciphers", "MD5:!aNULL", "!aNULL", "aNULL", Outcome.NO_TLS),
    ("tls_ssl_options", "NO_COMPRESION", "NO_COMPRESION", "no_compression", Outcome.WARNS),
    ("smtp_tls_fingerprint_cert_match", "12:34:XY", "12:34:XY", "", Outcome.IGNORES),
    ("smtpd_tls_cert_file", "./chain.pem", "./chain.pem", "full path", Outcome.NO_TLS),
]

GOOD: list[tuple[str, str]] = [
    ("smtp_address_preference", "IPv6"),
    ("smtp_dns_support_level", ""),
    ("mynetworks", "127.0.0.0/8 [::1]/128 [::ffff:127.0.0.0]/104 !10.0.0.1 cidr:/etc/x /etc/nets .example.com host"),
    ("mynetworks", "[2001:db8::/32] 0.0.0.0/0, hash:$config_directory/network_table"),
    ("inet_interfaces", "loopback-only"),
    ("inet_interfaces", "127.0.0.1, [::1] mail.example.com"),
    ("smtp_bind_address6", "[2001:db8::1]"),
    ("relayhost", "[mail.example.com]:submission, mail.example.org:2525 [2001:db8::1]:25 [IPv6:2001:db8::1]"),
    ("relayhost", "пошта.example"),
    ("virtual_transport", "lmtp:unix:private/dovecot-lmtp"),
    ("default_transport", "error:5.7.1 no mail from here, sorry"),
    ("mailbox_transport", "lmtp:inet:localhost:24"),
    ("smtpd_proxy_filter", ":10025"),
    ("smtpd_proxy_filter", "10025"),
    ("smtpd_proxy_filter", "unix:/run/filter"),
    (
        "smtpd_milters",
        "inet:localhost:8891, unix:run/x { inet:[::1]:11332, connect_timeout=10s, default_action=accept }",
    ),
    ("smtpd_milters", "{ unix:/run/x, {protocol = 6}, command_timeout=5 }"),
    (
        "postscreen_dnsbl_sites",
        "zen.example.org=127.0.0.[2..11]*3 list.example.net=[127.0.[1;3..5].1]*-2, plain.example",
    ),
    ("postscreen_access_list", "permit_mynetworks, cidr:{{192.0.2.1 reject}} REJECT"),
    ("local_header_rewrite_clients", "permit_mynetworks check_address_map hash:/etc/x permit_inet_interfaces"),
    ("mydestination", "example.com, .example.org /etc/domains hash:/etc/x !no.example [192.0.2.1] пример.example"),
    ("myorigin", "/etc/mailname"),
    ("known_tcp_ports", "lmtp=24, smtps = submissions = 465"),
    ("master_service_disable", "smtp/inet, submission.inet !relay/unix inet"),
    ("default_destination_concurrency_positive_feedback", "1/sqrt_concurrency"),
    ("smtp_tls_verify_cert_match", "hostname:.example.com, nexthop"),
    ("tls_ssl_options", "0x40, No_Ticket"),
    ("smtpd_tls_loglevel", "summary, untrusted"),
    ("smtpd_forbidden_commands", "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}"),
    ("import_environment", "TZ { X = a b } LANG=C"),
    ("tls_dane_digests", "sha512=2 sha256"),
    ("milter_default_action", "Quarantine"),
    ("compatibility_level", "3.6"),
]


def problems(parameter: str, value: str, version: Release = NEWEST) -> list[Problem]:
    """Return the problems of a value."""
    kind = kind_of(parameter, version)
    assert kind is not None
    return kind.read(value).problems


@pytest.mark.parametrize("name", releases())
def test_every_parameter_of_a_release_has_a_kind(name: str) -> None:
    catalogue = release(name)
    for parameter in catalogue.kinds:
        assert kind_of(parameter, catalogue) is not None, parameter


def test_no_parameter_is_free_text_without_a_reason() -> None:
    free = [name for name in NEWEST.kinds if (kind := kind_of(name, NEWEST)) and kind.name == TEXT and not kind.reason]
    assert free == []


@pytest.mark.parametrize("name", releases())
def test_built_in_defaults_read_without_a_problem(name: str) -> None:
    catalogue = release(name)
    config = Config("/etc/postfix", catalogue, {}, Master("master.cf", []), host=FixedHost("mail.example.com"))
    for parameter, kind in catalogue.kinds.items():
        text = catalogue.defaults[parameter] if kind == RAW else config.get(parameter) or ""
        assert problems(parameter, text, catalogue) == [], (parameter, text)


@pytest.mark.parametrize(("parameter", "value", "word", "suggestion", "outcome"), BAD)
def test_bad_word_is_found_at_its_place(
    parameter: str, value: str, word: str, suggestion: str, outcome: Outcome
) -> None:
    found = problems(parameter, value)
    assert [value[each.start : each.end] for each in found] == [word]
    assert suggestion in found[0].suggestion
    assert found[0].outcome is outcome
    assert found[0].effect


@pytest.mark.parametrize(("parameter", "value"), GOOD)
def test_good_value_has_no_problem(parameter: str, value: str) -> None:
    assert problems(parameter, value.replace("$config_directory", "/etc/postfix")) == []


@pytest.mark.parametrize(
    ("parameter", "value", "known", "unknown"),
    [
        ("smtpd_forbid_bare_newline", "note", ("3.9", "3.10.0"), ("3.8", "3.7.11")),
        ("milter_default_action", "shutdown", ("3.7.20", "3.8.15", "3.10.8", "3.11"), ("3.6", "3.7.19", "3.10.7")),
        ("smtpd_tls_loglevel", "dane", ("3.6",), ("3.5",)),
    ],
)
def test_word_is_known_from_its_release_on(
    parameter: str, value: str, known: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    assert [each for each in known if problems(parameter, value, release(each))] == []
    assert [each for each in unknown if not problems(parameter, value, release(each))] == []


def test_class_of_restrictions_is_read_as_restrictions() -> None:
    kind = kind_of("insiders", NEWEST, classes=frozenset({"insiders"}))
    assert kind is not None
    words = kind.read("check_client_access cidr:/etc/x, reject_rbl_client zen.example.org permit").words
    assert [(each.text, each.role) for each in words] == [
        ("check_client_access", "restriction"),
        ("cidr:/etc/x", "table"),
        ("reject_rbl_client", "restriction"),
        ("zen.example.org", "argument"),
        ("permit", "restriction"),
    ]


def test_policy_service_in_braces_has_options() -> None:
    kind = kind_of("smtpd_client_restrictions", NEWEST)
    assert kind is not None
    words = kind.read("check_policy_service { unix:private/policy, timeout=10s } warn_if_reject hash:/etc/x").words
    assert [(each.text, each.role) for each in words] == [
        ("check_policy_service", "restriction"),
        ("unix:private/policy", "argument"),
        ("timeout=10s", "option"),
        ("warn_if_reject", "restriction"),
        ("hash:/etc/x", "table"),
    ]


def test_name_of_no_parameter_has_no_kind() -> None:
    assert kind_of("no_such_parameter", NEWEST) is None
    assert kind_of("_destination_rate_delay", NEWEST) is None


@pytest.mark.parametrize("parameter", SAMPLES.values(), ids=list(SAMPLES))
@given(value=st.text(alphabet="ab1.:/[]{}!*=@,- \t$<>xé²", max_size=40) | st.text(max_size=20))
def test_any_text_is_read_with_right_places(parameter: str, value: str) -> None:
    kind = kind_of(parameter, NEWEST)
    assert kind is not None
    reading = kind.read(value)
    for word in reading.words:
        assert value[word.start : word.end] == word.text or word.role == "reference"
    for problem in reading.problems:
        assert 0 <= problem.start <= problem.end <= len(value)
        assert problem.message


def test_page_of_kinds_is_current() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "make_kind_page.py"))["page"]()
    assert (ROOT / "docs" / "parameter-kinds.md").read_text() == made, "run tools/make_kind_page.py"


def test_table_of_kinds_has_no_line_without_a_parameter() -> None:
    known = {name for each in releases() for name in release(each).kinds}
    assert {row[0] for row in kind_rows()} <= known


def test_listing_does_not_load_the_kinds() -> None:
    code = "import sys, postconf.config, postconf.command.cli; sys.exit('postconf.kinds' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("name", "names"), [("tls_ssl_options", OPTIONS), ("tls_disable_workarounds", WORKAROUNDS)])
def test_kinds_know_the_options_that_models_read(name: str, names: dict[str, int]) -> None:
    kind = kind_of(name, NEWEST)
    assert kind is not None
    assert set(kind.words) == {each.lower() for each in names}
