"""Twenty-three mistakes that were seeded into configurations: postconf(1) and `postfix check` are silent on most.

Each is found at the right place and with the right severity.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from check.examples import run

from tlsproxy.check.findings import Severity
from tlsproxy.check.rule import all_rules

RULES = [rule for rule in all_rules() if not rule.optional]
MASTER = "--- master.cf\ntlsmgr unix - - y 1000? 1 tlsmgr\n"
CERTIFIED = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n"

E, W = Severity.ERROR, Severity.WARNING

MISTAKES = [
    ("a comment behind a protocol list", "smtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1\n", "S002", E, "main.cf:1:38"),
    ("an unknown level", "smtpd_tls_security_level = mandatory\n", "V004", E, "main.cf:1:28"),
    ("a level of clients", "smtpd_tls_security_level = dane\n", "V004", E, "main.cf:1:28"),
    (
        "a missing certificate",
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /nonexistent.pem\n",
        "K001",
        E,
        "main.cf:2:23",
    ),
    (
        "a missing chain file",
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /nonexistent\n",
        "K002",
        E,
        "main.cf:2:25",
    ),
    ("a path in quotes", 'smtpd_tls_chain_files = "/etc/x.pem"\n', "S007", E, "main.cf:1:25"),
    (
        "a key behind its certificate",
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/cert-first.pem\n",
        "K004",
        E,
        "main.cf:2:25",
    ),
    (
        "chain files and older settings",
        "smtpd_tls_chain_files = /a.pem\nsmtpd_tls_cert_file = /b.pem\n",
        "K012",
        W,
        "main.cf:2:1",
    ),
    ("a bad boolean", "smtpd_tls_ask_ccert = maybe\n", "V001", E, "main.cf:1:23"),
    ("a bad log level", "smtpd_tls_loglevel = many\n", "V005", W, "main.cf:1:22"),
    ("a bad unit of time", "smtpd_starttls_timeout = 10y\n", "V003", E, "main.cf:1:26"),
    ("a time that is too short", "tlsproxy_watchdog_timeout = 1s\n", "V003", E, "main.cf:1:29"),
    ("a bad cipher grade", "smtpd_tls_ciphers = strong\n", "P006", E, "main.cf:1:21"),
    (
        "a comment behind a list of ciphers",
        "smtpd_tls_exclude_ciphers = aNULL MD5 #foo\n",
        "S002",
        E,
        "main.cf:1:39",
    ),
    ("an unknown digest", "smtpd_tls_fingerprint_digest = sha999\n", "L011", E, "main.cf:1:32"),
    ("a misspelled name", "smtpd_tls_security_leve = may\n", "N001", E, "main.cf:1:1"),
    ("a misspelled reference", "smtpd_tls_key_file = $smtpd_tls_cerfile\n", "N002", E, "main.cf:1:22"),
    (
        "a parameter twice",
        "smtpd_tls_security_level = may\nsmtpd_tls_security_level = none\n",
        "S011",
        E,
        "main.cf:2:1",
    ),
    ("a blank in front of the first line", " smtpd_tls_security_level = may\n", "S004", E, "main.cf:1:2"),
    ("an indented parameter", "relayhost =\n  smtpd_tls_security_level = may\n", "S003", E, "main.cf:2:3"),
    ("no equals sign", "smtpd_tls_security_level may\n", "S001", E, "main.cf:1:26"),
    ("a brace without an end", "myorigin = ${mydomain\n", "S006", E, "main.cf:1:12"),
    ("too few fields", MASTER + "smtp inet n - y - smtpd\n", "M001", E, "master.cf:2:1"),
    ("a limit for tlsproxy", MASTER + "tlsproxy unix - - y - 5 tlsproxy\n", "X001", E, "master.cf:2:23"),
    (
        "blanks around the sign in a service's setting",
        MASTER + "smtp inet n - y - - smtpd\n  -o smtpd_tls_security_level = may\n",
        "M002",
        E,
        "master.cf:3:6",
    ),
    (
        "a blank in the value of a service's setting",
        MASTER + "smtp inet n - y - - smtpd\n  -o smtpd_tls_protocols=!SSLv2, !SSLv3\n",
        "M002",
        E,
        "master.cf:3:6",
    ),
    (
        "a service twice",
        MASTER + "smtp inet n - y - - smtpd\nsmtp inet n - y - 1 postscreen\n",
        "M004",
        W,
        "master.cf:3:1",
    ),
    (
        "no tlsmgr",
        CERTIFIED + "--- master.cf\nsmtp inet n - y - - smtpd\n",
        "X003",
        E,
        "main.cf:1:28",
    ),
    (
        "connections to be reused, and no tlsproxy",
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n" + MASTER + "smtp unix - - y - - smtp\n",
        "X002",
        E,
        "main.cf:2:29",
    ),
    ("an old switch", "smtpd_use_tls = yes\n", "L001", W, "main.cf:1:1"),
]


@pytest.mark.parametrize("text, rule, severity, place", [each[1:] for each in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_seeded_mistake_is_found(
    text: str, rule: str, severity: Severity, place: str, tmp_path: Path, certificate_files: dict[str, bytes]
) -> None:
    for name, data in certificate_files.items():
        (tmp_path / name).write_bytes(data)
    found = {(each.rule, each.severity, str(each.span)) for each in run(text, RULES, tmp_path).findings}
    assert (rule, severity, place) in found
