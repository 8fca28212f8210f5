"""One mistake is one finding: of two rules that could report it, the one with the remedy does."""

from __future__ import annotations

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES

ENCRYPT = "  -o smtpd_tls_security_level=encrypt\n"
ORPHAN = "  -o smtpd_tls_wrappermode=yes\n"
CASES = [
    ("smtpd_tls_mandatory_protocols = TLSv1, TLSv1.2\nsmtpd_tls_security_level = encrypt\n", "", "P003", "P002"),
    ("", f"587 inet n - y - - smtpd\n#smtps inet n - y - - smtpd\n{ORPHAN}", "M003", "M008"),
    ("", "submissions inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n", "M008", "M009"),
    ("smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destinatoin\n", "", "R001", "R010"),
    ("mynetworks = 0.0.0.0/0\n", "", "R011", "R012"),
    ("virtual_mailbox_domains = a.test\n", "", "Q009", "F004"),
    ("smtp_tls_security_level = verify\n", "", "L002", "L017"),
    ("smtpd_tls_security_level = dane\n", "", "V004", "K015"),
    ("smtpd_tls_security_level = dane\n", "", "V004", "L006"),
    ("smtpd_sender_restrictions = check_sender_access, permit\n", "", "R002", "T001"),
    ("smtpd_client_restrictions = check_policy_service { unix:private/policy, timeout=10s\n", "", "V030", "R013"),
    ("", f"10587 inet n - y - - smtpd\n#smtps inet n - y - - smtpd\n{ENCRYPT}", "M003", "K015"),
    ("", f"192.0.2.1:25 inet n - y - - smtpd\n#smtps inet n - y - - smtpd\n{ENCRYPT}", "M003", "L006"),
    ("", "slow unix - - y - 1 smtp -o other_destination_concurrency_limit=1\n", "M015", "N004"),
    ("", "10587 inet n - y - - smtpd\n  -o smtpd_tls_protocols=!SSLv2, !SSLv3\n", "M002", "P003"),
    ('smtpd_sender_restrictions = "permit_mynetworks, reject_unknown_sender_domain"\n', "", "S007", "R001"),
]
BOTH = [
    ("mynetworks = 192.0.2.0/24 10.0.0.0/8 8.0.0.0/7\nsmtpd_relay_restrictions = permit\n", "", {"R010", "R012"}),
    ("smtp_tls_security_level = verify\nsmtp_tls_CApath = /etc/ssl/certs\n", "", {"L017"}),
    ("relay_domains = a.test\nvirtual_mailbox_domains = b.test\n", "", {"F004", "Q009"}),
    ("smtpd_tls_protocols = SSLv3, TLSv1\n", "", {"P002", "P003"}),
    ("", f"587 inet n - y - - smtpd\n{ORPHAN}#smtps inet n - y - - smtpd\n  -o syslog_name=x\n", {"M003", "M008"}),
    ("smtpd_relay_restrictions = permit_mynetwroks\n", "", {"R001", "R010"}),
]


def found(main_cf: str, entries: str) -> set[str]:
    """Return the rules that report something."""
    return {each.rule for each in run(BASE + main_cf + MASTER + entries, RULES).findings}


@pytest.mark.parametrize("main_cf, entries, reported, silent", CASES)
def test_mistake_of_two_rules_is_reported_once(main_cf: str, entries: str, reported: str, silent: str) -> None:
    rules = found(main_cf, entries)
    assert reported in rules
    assert silent not in rules


@pytest.mark.parametrize("main_cf, entries, rules", BOTH)
def test_two_mistakes_of_one_place_are_both_reported(main_cf: str, entries: str, rules: set[str]) -> None:
    assert rules <= found(main_cf, entries)


@pytest.mark.parametrize("use", ["", "relay_clientcerts = inline:{a=b}\n"])
def test_digest_of_old_levels_is_listed_if_it_is_used(use: str) -> None:
    findings = run(f"compatibility_level = 2\n{use}{MASTER}", RULES).findings
    [message] = [each.message for each in findings if each.rule == "C002"]
    assert ("smtpd_tls_fingerprint_digest" in message) == bool(use)
    assert "smtp_tls_fingerprint_digest" not in message


def test_weak_default_digest_is_reported_where_it_is_used() -> None:
    main_cf = "smtpd_relay_restrictions = permit_tls_clientcerts, reject_unauth_destination\n"
    [finding] = [each for each in run(main_cf + MASTER, RULES).findings if each.rule == "L011"]
    assert (finding.span.line, finding.span.column) == (1, 28)
    assert finding.message.startswith("permit_tls_clientcerts ")


def test_relative_file_of_openssl_is_reported_once() -> None:
    findings = run("tls_config_file = openssl.cnf\n" + BASE + MASTER, RULES).findings
    assert [each.rule for each in findings if each.span.line == 1] == ["C005"]


def test_byte_order_mark_is_reported_once() -> None:
    findings = run(f"\ufeffmyhostname = a.test\ncompatibility_level = 3.6\n{MASTER}", RULES).findings
    assert [each.rule for each in findings] == ["S008"]


def test_network_of_two_open_services_is_reported_once() -> None:
    text = f"{BASE}mynetworks = 192.0.2.1 0.0.0.0/0\n{MASTER}2525 inet n - y - - smtpd -o smtpd_helo_required=yes\n"
    findings = [each for each in run(text, RULES).findings if each.rule in ("R011", "R012")]
    assert [(each.rule, str(each.span)) for each in findings] == [("R011", "main.cf:3:24")]


def test_proxymap_is_one_of_the_missing_services() -> None:
    main, _, master = f"{BASE}{MASTER}".partition("--- master.cf\n")
    some = "".join(line for line in master.splitlines(keepends=True) if not line.startswith(("rewrite", "proxymap")))
    findings = run(f"{main}--- master.cf\n{some}", RULES).findings
    assert [each.rule for each in findings] == ["M018"]
    assert "no service rewrite, proxymap:" in findings[0].message
