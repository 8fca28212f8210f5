"""Misspelled words in lists of excluded ciphers, and the known ones beside them."""

from __future__ import annotations

import subprocess

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES

MISSPELLED = [
    ("aNUL", "aNULL"),
    ("anull", "aNULL"),
    ("KRB5-DE5", "KRB5-DES"),
    ("EDH-RSA-DES-CDC3-SHA", "EDH-RSA-DES-CBC3-SHA"),
    ("aNUL+AES", "aNULL+AES"),
]
PLACES = [
    "smtpd_tls_exclude_ciphers = MD5, {}\n",
    "smtp_tls_mandatory_exclude_ciphers = MD5 {}\n",
    "tlsproxy_tls_exclude_ciphers = MD5:{}\n",
]


def suggestions(main_cf: str) -> list[str]:
    """Return the suggestions for ciphers."""
    findings = run(BASE + main_cf + MASTER, RULES).findings
    return [each.help for each in findings if "OpenSSL knows no cipher" in each.message]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("word, meant", MISSPELLED)
def test_misspelled_exclusion_is_reported_with_its_name(place: str, word: str, meant: str) -> None:
    assert suggestions(place.format(word)) == [f'did you mean "{meant}"?']


def test_misspelled_exclusion_of_a_policy_is_reported() -> None:
    table = "smtp_tls_policy_maps = inline:{ {a.example = encrypt exclude=MD5:%s} }\n"
    assert suggestions(table % "aNUL") == ['did you mean "aNULL"?']
    assert suggestions(table % "aNULL") == []


@pytest.mark.parametrize("words", ["kDHr EXPORT56 aFZA KRB5 TLSv1.2", "DSS+SHA1 kECDHe SEED", "HMQV xyz RC5"])
def test_exclusion_that_some_openssl_knows_is_fine(words: str) -> None:
    assert suggestions(f"smtpd_tls_exclude_ciphers = {words}\n") == []


def test_suites_of_the_installed_openssl_are_known() -> None:
    command = ["openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    suites = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    assert ":" in suites
    assert suggestions(f"smtpd_tls_exclude_ciphers = {suites}\n") == []
