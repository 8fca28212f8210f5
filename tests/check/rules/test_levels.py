"""Rules that depend on a level take the resulting one: obsolete switches count only where no level is set."""

from __future__ import annotations

import pytest
from check.examples import run

from tlsproxy.check.rule import all_rules

RULES = [rule for rule in all_rules() if not rule.optional]
MANDATORY = "smtpd_tls_mandatory_protocols = >=TLSv1.2\n"
MASTER = "--- master.cf\nsmtp inet n - y - - smtpd\n"


def places(text: str, rule: str) -> list[str]:
    return [str(each.span) for each in run(text, RULES).findings if each.rule == rule]


@pytest.mark.parametrize(
    ("settings", "entry", "is_reported"),
    [
        ("smtpd_tls_security_level = may\n", "", True),
        ("smtpd_tls_security_level = may\nsmtpd_enforce_tls = yes\n", "", True),
        ("smtpd_enforce_tls = yes\n", "", False),
        ("smtpd_use_tls = yes\n", "", True),
        ("smtpd_tls_security_level = Encrypt\n", "", False),
        ("smtpd_tls_security_level = may\n", "smtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n", False),
    ],
)
def test_mandatory_setting_without_a_level_has_no_effect(settings: str, entry: str, *, is_reported: bool) -> None:
    assert bool(places(settings + MANDATORY + MASTER + entry, "P005")) is is_reported


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("smtpd_use_tls = no\nsmtpd_tls_security_level = may\n", "main.cf:2"),
        ("smtpd_tls_security_level =\nsmtpd_use_tls = yes\n", "main.cf:2"),
        ("smtpd_use_tls = no\nsmtpd_enforce_tls = yes\n", "main.cf:2"),
        ("smtpd_tls_security_level = none\nsmtpd_tls_wrappermode = yes\n", "main.cf:2"),
    ],
)
def test_level_without_certificate_is_reported_where_it_is_set(settings: str, place: str) -> None:
    (found,) = places(settings + MASTER, "K015")
    assert found.startswith(place)
