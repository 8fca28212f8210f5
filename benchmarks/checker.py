"""Benchmark of the checker: one configuration of 500 lines, 1,000 of 60 lines, and 1,000 samples in one run.

python benchmarks/checker.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import trustme

from postconf.catalogue import release
from tlsproxy.check.command.cli import main
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile

LINES = 500
SHORT = 60
CONFIGURATIONS = 1000
AUTHORITY = trustme.CA()
MASTER_CF = """\
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
tlsproxy  unix  -       -       y       -       0       tlsproxy
"""


def long_main_cf() -> str:
    """Return a main.cf of 500 lines: all kinds of parameters with their defaults, and some settings of TLS."""
    known = release("3.7")
    text = "compatibility_level = 3.7\nsmtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n"
    names = [name for name in known.defaults if known.defaults[name] and known.kinds[name] not in ("computed", "adhoc")]
    for name in names[: LINES - 3]:
        text += f"{name} = {known.defaults[name]}\n"
    return text


def one_long_configuration() -> float:
    """Return the CPU seconds for one configuration, after all rules have been imported."""
    rules = [rule for rule in all_rules() if not rule.optional]
    known = release("3.7")
    text = long_main_cf()
    started = time.process_time()
    for _ in range(10):
        check(
            MainFile("main.cf", text),
            MasterFile("master.cf", MASTER_CF),
            rules,
            known,
            FileSystem(enabled=False),
            options=Options(directory="/etc/postfix"),
        )
    return (time.process_time() - started) / 10


def short_main_cf(number: int) -> str:
    """Return a main.cf of 60 lines: names of its own, and other parameters than its neighbours, with their defaults."""
    known = release("3.7")
    text = (
        f"compatibility_level = 3.7\nmyhostname = mx{number}.example.org\nrelayhost = [relay{number}.example.org]:587\n"
    )
    names = [name for name in known.defaults if known.defaults[name] and known.kinds[name] not in ("computed", "adhoc")]
    rest = SHORT - text.count("\n")
    step = len(names) // rest
    chosen = names[number % step :: step][:rest]
    return text + "".join(f"{name} = {known.defaults[name]}\n" for name in chosen)


def short_configurations(master_cf: str) -> float:
    """Return configurations of 60 lines per second of CPU time, in one run; `master_cf`: empty for main.cf alone."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = []
        for number in range(CONFIGURATIONS):
            each = Path(directory, str(number))
            each.mkdir()
            (each / "main.cf").write_text(short_main_cf(number))
            if master_cf:
                (each / "master.cf").write_text(master_cf)
            arguments += ["-c", str(each)]
        started = time.process_time()
        main([*arguments, "--no-fs", "--postfix-version", "3.7", "--format", "jsonl:/dev/null"])
        return CONFIGURATIONS / (time.process_time() - started)


def many_configurations(*, files: bool) -> float:
    """Return configurations per second of CPU time, in one run; `files`: True if each has a key and certificate."""
    text = Path(__file__).parent.parent.joinpath("samples/starttls/main.cf").read_text()
    with tempfile.TemporaryDirectory() as directory:
        arguments = []
        for number in range(CONFIGURATIONS):
            each = Path(directory, str(number))
            each.mkdir()
            (each / "main.cf").write_text(f"{text}mail_name = host {number}\n")
            (each / "master.cf").write_text(MASTER_CF)
            if files:
                leaf = AUTHORITY.issue_cert("mail.example.com")
                leaf.private_key_and_cert_chain_pem.write_to_path(str(each / "chain.pem"))
            arguments += ["-c", str(each)]
        started = time.process_time()
        arguments += [] if files else ["--no-fs"]
        main([*arguments, "--postfix-version", "3.7", "--format", "jsonl:/dev/null"])
        return CONFIGURATIONS / (time.process_time() - started)


if __name__ == "__main__":
    print(f"{1000 * one_long_configuration():.1f} ms of CPU time for a configuration of {LINES} lines")
    print(f"{short_configurations(''):.0f} main.cf of {SHORT} lines per second in one run of {CONFIGURATIONS}")
    print(f"{short_configurations(MASTER_CF):.0f} with a master.cf of 6 services each")
    print(f"{many_configurations(files=False):.0f} configurations per second in one run of {CONFIGURATIONS}")
    print(f"{many_configurations(files=True):.0f} with a key and a certificate each, which the daemon's loader judges")
