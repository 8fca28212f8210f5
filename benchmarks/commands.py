#!/usr/bin/env python3
"""postconf(1) and tlsproxy-postconf, compared with an idle Python: benchmarks/commands.py.

Prints milliseconds of CPU time of whole processes, as the kernel counts them: the best of several rounds, in turn. Then
it prints the number of configurations that one process loads and expands per second of CPU time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import rules
from measure import cpu

import postconf

ROUNDS = 30
CONFIGURATIONS = 1000
REAL = "postconf"
OURS = str(Path(sys.executable).parent / "tlsproxy-postconf")
NOTHING = [sys.executable, "-c", "pass"]
MODES = (["-n"], ["-d"], ["-h", "smtpd_tls_protocols"], ["-M"], ["-P"], ["-x"])
CONDITION = "smtpd_error_sleep_time = ${stress?{0}:{1s}}"
"""Condition that no built-in default has; those of defaults are already parsed."""

MAIN_CF = """\
# A mail server as many are: 60 lines.
compatibility_level = 3.6
myhostname = mail.example.com
mydomain = example.com
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain, localhost
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
relayhost =
inet_interfaces = all
inet_protocols = all
smtpd_banner = $myhostname ESMTP $mail_name
biff = no
append_dot_mydomain = no
readme_directory = no
recipient_delimiter = +
mailbox_size_limit = 0
message_size_limit = 52428800
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases

# TLS
cert_directory = /etc/letsencrypt/live/$myhostname
smtpd_tls_chain_files = $cert_directory/privkey.pem, $cert_directory/fullchain.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = $smtpd_tls_protocols
smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_tls_security_level = dane
smtp_dns_support_level = dnssec
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtp_tls_loglevel = 1
tls_preempt_cipherlist = no

# Virtual users
virtual_mailbox_domains = lmdb:/etc/postfix/domains
virtual_mailbox_maps = lmdb:/etc/postfix/mailboxes
virtual_alias_maps = lmdb:/etc/postfix/aliases
virtual_transport = lmtp:unix:private/dovecot-lmtp
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = no

# Who may send what
smtpd_helo_required = yes
disable_vrfy_command = yes
smtpd_sender_restrictions = reject_unknown_sender_domain
smtpd_relay_restrictions =
    permit_mynetworks
    permit_sasl_authenticated
    reject_unauth_destination
smtpd_recipient_restrictions =
    reject_unknown_recipient_domain
    check_policy_service unix:private/policy
smtpd_milters = inet:localhost:11332
non_smtpd_milters = $smtpd_milters
milter_default_action = accept

smtpd_client_connection_rate_limit = 60
smtpd_error_sleep_time = 1s
"""
MASTER_CF = """\
smtp      inet  n       -       y       -       1       postscreen
smtpd     pass  -       -       y       -       -       smtpd
dnsblog   unix  -       -       y       -       0       dnsblog
tlsproxy  unix  -       -       y       -       0       tlsproxy
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
bounce    unix  -       -       y       -       0       bounce
defer     unix  -       -       y       -       0       bounce
trace     unix  -       -       y       -       0       bounce
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
  -o syslog_name=postfix/$service_name
showq     unix  n       -       y       -       -       showq
error     unix  -       -       y       -       -       error
retry     unix  -       -       y       -       -       error
discard   unix  -       -       y       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       y       -       -       lmtp
anvil     unix  -       -       y       -       1       anvil
scache    unix  -       -       y       -       1       scache
policy    unix  -       n       n       -       0       spawn
  user=policy argv=/usr/bin/policy
"""


def write(directory: Path, text: str) -> None:
    """Write a configuration."""
    (directory / "main.cf").write_text(text)
    (directory / "master.cf").write_text(MASTER_CF)


def commands(directory: Path) -> None:
    """Print a line of figures for each mode."""
    programs = [OURS, *([REAL] if shutil.which(REAL) else [])]
    print(f"{'':24}{'ours':>8}{'pass':>8}{'ratio':>7}{'postconf':>10}{'ratio':>7}")
    for arguments in (*MODES, ["-n", "-o", CONDITION], ["-x", "-o", CONDITION]):
        lines = [NOTHING, *([program, "-c", str(directory), *arguments] for program in programs)]
        rounds = [[cpu(line, directory)[0] * 1000 for line in lines] for _ in range(ROUNDS)]
        nothing, ours, *real = map(min, zip(*rounds, strict=True))
        cells = f"{ours:8.1f}{nothing:8.1f}{ours / nothing:7.1f}"
        for milliseconds in real:
            cells += f"{milliseconds:10.1f}{ours / milliseconds:7.1f}"
        label = " ".join(arguments).replace(f"-o {CONDITION}", "(a condition)")
        print(f"{label:24}{cells}", flush=True)


def many_configurations(root: Path) -> tuple[float, float]:
    """Return configurations per second of CPU time: with the settings of main.cf expanded, and with all parameters."""
    directories = []
    for number in range(CONFIGURATIONS):
        directories.append(root / str(number))
        directories[-1].mkdir()
        write(directories[-1], f"{MAIN_CF}mail_name = host {number}\n")
    speeds = []
    for everything in (False, True):
        started = time.process_time()
        for directory in directories:
            config = postconf.load(directory, version="3.7")
            for name in config if everything else config.main:
                config[name]
        speeds.append(CONFIGURATIONS / (time.process_time() - started))
    return speeds[0], speeds[1]


def main() -> None:
    """Measure both."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed modules are compiled
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), MAIN_CF)
        time.sleep(2)  # postconf(1) rereads a file that was changed within the last second
        commands(Path(name))
        set_values, all_values = many_configurations(Path(name))
        print(
            f"\n{CONFIGURATIONS} configurations in one process: {set_values:.0f} per second with all settings expanded,"
        )
        print(f"{all_values:.0f} per second with all {len(list(postconf.load(name)))} parameters expanded")
        print()
        rules.prepare(Path(name))
        rules.many_rules(Path(name))


if __name__ == "__main__":
    main()
