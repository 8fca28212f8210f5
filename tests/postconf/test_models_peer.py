"""The daemon itself dies of the settings that we refuse, with the same words; the first problem is the same one."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from peers.real.postfix import MASTER_CF, PrivatePostfix

import postconf
from postconf import models
from postconf.models import InvalidSettingsError

BAD = [
    ["smtpd_tls_ask_ccert=maybe"],
    ["smtpd_use_tls=maybe", "tlsproxy_use_tls=yes"],
    ["tlsproxy_use_tls=$nowhere"],
    ["smtp_tls_scert_verifydepth=1x"],
    ["tlsproxy_watchdog_timeout=5"],
    ["tlsproxy_watchdog_timeout=1y"],
    ["tlsproxy_watchdog_timeout=soon"],
    ["smtpd_tls_security_level=dane"],
    ["tlsproxy_client_security_level=halfdane"],
    ["smtpd_tls_ciphers="],
    ["tlsproxy_tls_fingerprint_digest=", "tlsproxy_tls_ccert_verifydepth=99999999999"],
    ["smtpd_tls_security_level=may", "tlsproxy_tls_cert_file=none", "tls_daemon_random_bytes=0"],
    ["smtpd_tls_security_level=may", "tlsproxy_tls_cert_file=none", "tls_low_cipherlist=", "tls_preempt_cipherlist=x"],
    ["syslog_facility=nowhere"],
    [
        "tls_daemon_random_bytes=none",
        "smtpd_tls_security_level=bogus",
        "tlsproxy_client_security_level=bogus",
        "tlsproxy_watchdog_timeout=later",
        "tlsproxy_use_tls=perhaps",
        "smtp_use_tls=perhaps",
        "tlsproxy_client_fingerprint_digest=",
    ],
    ["tls_daemon_random_bytes=none", "smtpd_tls_security_level=bogus", "tlsproxy_watchdog_timeout=later"],
]


@pytest.mark.postfix
def test_daemon_dies_of_the_same_problem(public_path: Path) -> None:
    services = {f"bad{number}": settings for number, settings in enumerate(BAD)}
    entries = [
        f"{name} unix - - n - 0 tlsproxy -o syslog_name={name} " + " ".join(f"-o {setting}" for setting in settings)
        for name, settings in services.items()
    ]
    with PrivatePostfix(public_path / "postfix", master_cf=MASTER_CF + "\n".join(entries) + "\n") as postfix:
        for name in services:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(postfix.queue / "private" / name))
        deadline = time.monotonic() + 30
        while len(fatal := fatal_errors(postfix.log())) < len(services) and time.monotonic() < deadline:
            time.sleep(0.1)
    config = postconf.load(postfix.conf, version="3.7")
    for name, settings in services.items():
        with pytest.raises(InvalidSettingsError) as caught:
            models.load(config.service(name, "unix"))
        tag = "postfix" if "syslog_facility=nowhere" in settings else name  # too early for its syslog_name
        assert (settings, caught.value.message) == (settings, fatal.get(tag))
        assert caught.value.place is not None


def fatal_errors(log: str) -> dict[str, str]:
    """The first fatal error of each service's tlsproxy."""
    errors: dict[str, str] = {}
    for line in log.splitlines():
        tag, _, text = line.partition(": fatal: ")
        if text and "/tlsproxy[" in tag:
            errors.setdefault(tag.rpartition(" ")[2].partition("/")[0], text)
    return errors
