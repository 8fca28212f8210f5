"""Misspelled words in lists of excluded ciphers, and the known ones beside them."""

from __future__ import annotations

import subprocess

import pytest
from check.examples import run
from check.rules.test_reviewed_mistakes import BASE, MASTER, RULES

from tlsproxy.check.findings import Severity

MISSPELLED = [
    ("aNUL", "aNULL"),
    ("anull", "aNULL"),
    ("PSD", "PSK"),
    ("EDH-RSA-DES-CDB3-SHA", "EDH-RSA-DES-CBC3-SHA"),
    ("KRB5-DE5 CBC3-SHA", "KRB5-DES-CBC3-SHA"),
    ("KRB5-DES, CBC3-SHA", "KRB5-DES-CBC3-SHA"),
    ("AES125-SHA", "AES128-SHA"),
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


@pytest.mark.parametrize(
    "words", ["kDHr EXPORT56 aFZA KRB5 TLSv1.2", "DSS+SHA1 kECDHe SEED", "KRB5-DES-CBC3-SHA IDEA-CBC-MD5 MAGMA"]
)
def test_exclusion_that_some_openssl_knows_is_fine(words: str) -> None:
    assert suggestions(f"smtpd_tls_exclude_ciphers = {words}\n") == []


@pytest.mark.parametrize("word", ["HMQV", "RC5", "MD2"])
def test_exclusion_that_resembles_no_cipher_is_a_hint(word: str) -> None:
    findings = run(f"{BASE}smtpd_tls_exclude_ciphers = {word}\n{MASTER}", RULES).findings
    [(severity, help_)] = [(each.severity, each.help) for each in findings if each.rule == "P014"]
    assert (severity, help_) == (Severity.INFO, "remove it")


@pytest.mark.parametrize("part, whole", [("CBC3-SHA", "DES-CBC3-SHA"), ("DHE-RSA", "DHE-RSA-SEED-SHA")])
def test_part_of_a_name_excludes_nothing(part: str, whole: str) -> None:
    assert suggestions(f"smtpd_tls_exclude_ciphers = MD5 {part} RC4\n") == [f'write whole names, such as "{whole}"']


def test_suite_of_tls_1_3_is_no_exclusion() -> None:
    findings = run(f"{BASE}smtpd_tls_exclude_ciphers = MD5, TLS_AES_128_GCM_SHA256\n{MASTER}", RULES).findings
    assert [str(each.span) for each in findings if each.rule == "P014"] == ["main.cf:3:34"]
    command = ["openssl", "ciphers", "-s", "-tls1_3", "ALL:!TLS_AES_128_GCM_SHA256"]
    suites = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    assert "TLS_AES_128_GCM_SHA256" in suites


def test_standard_names_of_older_suites_are_not_judged() -> None:
    assert suggestions("smtpd_tls_exclude_ciphers = TLS_RSA_WITH_AES_128_CBC_SHA\n") == []


def test_unknown_names_change_nothing_in_openssl() -> None:
    def suites(exclusions: str) -> str:
        command = ["openssl", "ciphers", "-tls1_2", f"ALL:COMPLEMENTOFALL:@SECLEVEL=0{exclusions}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout

    words = [each for word, _ in MISSPELLED for each in word.replace(",", "").split()]
    assert suites("".join(f":!{word}" for word in words)) == suites("")


def test_suites_of_the_installed_openssl_are_known() -> None:
    command = ["openssl", "ciphers", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    suites = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    assert ":" in suites
    assert suggestions(f"smtpd_tls_exclude_ciphers = {suites}\n") == []
