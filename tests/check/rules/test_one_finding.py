"""One mistake is one finding: of two rules that could report it, the one with the remedy does."""

from __future__ import annotations

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES

ORPHAN = "  -o smtpd_tls_wrappermode=yes\n"
CASES = [
    ("smtpd_tls_mandatory_protocols = TLSv1, TLSv1.2\nsmtpd_tls_security_level = encrypt\n", "", "P003", "P002"),
    ("", f"587 inet n - y - - smtpd\n#smtps inet n - y - - smtpd\n{ORPHAN}", "M003", "M008"),
    ("", "submissions inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n", "M008", "M009"),
    ("smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destinatoin\n", "", "R001", "R010"),
]
BOTH = [
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
