"""Effects that the rules claim, beside Postfix: real Postfix is given the mistakes, one service each.

The mistakes are made with -o settings of smtpd(8) services in one instance, where that can be done. Each case names its
rule, which has to find the mistake, too. `EFFECTS` is the matrix of rules and verified effects in docs/check.md.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from check.examples import run
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports
from peers.tools.children import PATIENCE

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
RULES = [rule for rule in all_rules() if not rule.optional]

NO_TLS = "454"
DROPPED = "220, then dropped"
DIES = "dies"
WARNS = "220, with a warning"

EFFECTS: list[tuple[str, str, str, str]] = [
    # rule, settings of the service, reply to a client, line in the log
    ("S002", "{smtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1}", NO_TLS, "Invalid TLS protocol list"),
    ("P001", "smtpd_tls_protocols=TLS1", NO_TLS, "Invalid TLS protocol list"),
    ("V004", "smtpd_tls_security_level=mandatory", DIES, "Invalid TLS level"),
    ("V004", "smtpd_tls_security_level=dane", DIES, "Invalid TLS level"),
    ("V004", "smtpd_tls_security_level=verify", WARNS, "unsupported TLS level"),
    ("K001", "smtpd_tls_cert_file=/nonexistent.pem", NO_TLS, "No such file or directory"),
    ("K002", "smtpd_tls_chain_files=/nonexistent", DROPPED, "No such file or directory"),
    (
        "K003",
        "smtpd_tls_cert_file={dir}/cert.pem smtpd_tls_key_file={dir}/other-key.pem",
        NO_TLS,
        "disabling TLS support",
    ),
    ("K004", "smtpd_tls_chain_files={dir}/cert-first.pem", NO_TLS, "key not first"),
    ("K005", "smtpd_tls_chain_files={dir}/two-keys.pem", NO_TLS, "not followed by a certificate"),
    ("K012", "smtpd_tls_chain_files={dir}/chain.pem smtpd_tls_cert_file={dir}/cert.pem", WARNS, "legacy"),
    ("K015", "smtpd_tls_cert_file= smtpd_tls_key_file=", NO_TLS, "No server certs available"),
    ("K016", "smtpd_tls_CAfile=/nonexistent.pem", NO_TLS, "disabling TLS support"),
    ("V001", "smtpd_tls_ask_ccert=maybe", DIES, "bad boolean configuration"),
    ("V002", "smtpd_tls_ccert_verifydepth=many", DIES, "bad numerical configuration"),
    ("V003", "smtpd_starttls_timeout=10y", DIES, "bad time value or unit"),
    ("V005", "smtpd_tls_loglevel=many", WARNS, "unknown smtpd_tls_loglevel value"),
    ("P006", "smtpd_tls_ciphers=strong", DROPPED, "invalid cipher grade"),
    ("P007", "smtpd_tls_exclude_ciphers=!aNULL", DROPPED, "invalid unary"),
    ("P011", "tls_eecdh_auto_curves=prime256v1,prime256v2", WARNS, "ignoring unknown ECDHE curve"),
    ("L008", "smtpd_tls_req_ccert=yes", WARNS, "Can't require client certs unless TLS is required"),
    ("L011", "smtpd_tls_fingerprint_digest=sha999", NO_TLS, "disabling TLS support"),
    ("M002", "smtpd_tls_security_level = may", DIES, "missing '='"),
    ("M002", "smtpd_tls_protocols=!SSLv2, !SSLv3", DIES, "unexpected command-line argument"),
    ("S012", "smtpd_tls_ciphers=", DIES, "bad string length 0 < 1: smtpd_tls_ciphers"),
    ("S012", "tls_medium_cipherlist=", DIES, "bad string length 0 < 1: tls_medium_cipherlist"),
    ("S007", '{smtpd_tls_cert_file = "/etc/x.pem"}', NO_TLS, "No such file or directory"),
    ("T001", "tls_server_sni_maps=hsh:/x", WARNS, "unsupported dictionary type"),
]

REFUSED_BY_POSTCONF: list[tuple[str, str, str]] = [
    ("S001", "smtpd_tls_cert_file /x\n", "missing '=' after attribute name"),
    ("S013", "{% if tls %}\nsmtp_tls_loglevel = 1\n{% endif %}\n", "missing '=' after attribute name"),
    ("S015", "<!DOCTYPE html>\n<html><body>\nnothing\n</body></html>\n", "missing '=' after attribute name"),
    ("S006", "myorigin = ${mydomain\n", "truncated macro reference"),
    ("V007", "mydestination = $mydomain\nmydomain = $mydestination\n", "unreasonable macro call nesting"),
    ("V009", "inet_protocols = IPv4\n", 'unknown inet_protocols value "IPv4"'),
    ("V031", "inet_protocols = ipv4\ninet_interfaces = [::1]\n", "host not found: [::1]"),
    ("V009", "mynetworks_style = net\n", "unknown mynetworks mask style value"),
    ("M001", "--- master.cf\nsmtp inet n - y - smtpd\n", "bad field count"),
    ("S013", "--- master.cf\n{% if tls %}\nsmtp inet n - y - - smtpd\n{% endif %}\n", "bad field count"),
    ("M005", "--- master.cf\nsmtp inet n - yes - - smtpd\n", "invalid chroot field"),
]

WARNED_OF_BY_POSTCONF: list[tuple[str, str, str]] = [
    ("N001", "smtpd_tls_security_leve = may\n", "unused parameter"),
    ("N002", "smtpd_tls_key_file = $smtpd_tls_cerfile\n", "undefined parameter"),
    ("N007", "service_name = smtp\n", "read-only parameter"),
    ("S004", " smtpd_tls_security_level = may\n", "must not start with whitespace"),
    ("S011", "smtpd_tls_security_level = may\nsmtpd_tls_security_level = none\n", "overriding earlier entry"),
]


@pytest.fixture(scope="module")
def postfix(public_root: Path, certificate_files: dict[str, bytes]) -> Iterator[tuple[PrivatePostfix, list[int]]]:
    """One instance with a service for each mistake; those that die would otherwise keep master(8) waiting."""
    root = public_root / "postfix"
    root.mkdir()
    for name, data in certificate_files.items():
        (root / name).write_bytes(data)
    ports = free_ports(len(EFFECTS))
    lines = [MASTER_CF]
    for port, (_, settings, _, _) in zip(ports, EFFECTS, strict=True):
        lines.append(f"127.0.0.1:{port} inet n - n - 1 smtpd\n  -o syslog_name=case{port}\n")
        lines += [f"  -o {escaped(each, root)}\n" for each in split(settings)]
    base = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": f"{root}/chain.pem"}
    instance = PrivatePostfix(root, base, "".join(lines))
    with instance:
        yield instance, ports


def escaped(setting: str, root: Path) -> str:
    """The setting for the template of master.cf."""
    return setting.replace("{dir}", str(root)).replace("{", "{{").replace("}", "}}")


def split(settings: str) -> list[str]:
    """The settings of a service; those with blanks that are meant to be wrong stay together."""
    if settings.startswith("{") or " = " in settings or ", " in settings:
        return [settings]
    return settings.split()


def starttls(port: int, patience: float = PATIENCE) -> str:
    """Return the reply to a client that wants TLS, and waits for so many seconds for each answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        lines = connection.makefile("rwb")
        try:
            if not lines.readline().startswith(b"220 "):
                return DIES
        except TimeoutError:
            return DIES
        lines.write(b"EHLO client.private.test\r\n")
        lines.flush()
        while (line := lines.readline())[3:4] == b"-":
            pass
        if not line:
            return DIES
        lines.write(b"STARTTLS\r\n")
        lines.flush()
        return lines.readline()[:3].decode()


def handshake(port: int) -> bool:
    command = ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", "-brief"]
    result = subprocess.run(command, input="QUIT\r\n", capture_output=True, text=True, timeout=PATIENCE)
    return "CONNECTION ESTABLISHED" in result.stdout + result.stderr


@pytest.mark.parametrize("case", range(len(EFFECTS)), ids=[f"{each[0]}-{each[1]}" for each in EFFECTS])
def test_mistake_has_the_effect_that_its_rule_claims(postfix: tuple[PrivatePostfix, list[int]], case: int) -> None:
    instance, ports = postfix
    rule, settings, effect, logged = EFFECTS[case]
    port = ports[case]
    # Of one that dies nothing is heard; that it has died is seen in the log.
    seen = starttls(port, patience=3 if effect == DIES else PATIENCE)
    if seen == "220":
        seen = WARNS if handshake(port) else DROPPED
    assert seen == effect
    name = "postfix" if logged == "missing '='" else f"case{port}"  # the settings were not read to their end
    instance.wait_for_line(rf"{name}/smtpd.*{re.escape(logged)}")
    text = "".join(f"  -o {each}\n" for each in split(settings)).replace("{dir}", str(instance.root))
    main_cf = f"smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {instance.root}/chain.pem\n"
    if rule == "K012":  # looks at main.cf only
        main_cf += "\n".join(each.replace("{dir}", str(instance.root)) for each in split(settings)) + "\n"
    example = f"{main_cf}--- master.cf\nsmtp inet n - n - - smtpd\n{text}tlsmgr unix - - n 1000? 1 tlsmgr\n"
    assert rule in {finding.rule for finding in run(example, RULES, instance.root).findings}


def postconf(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    main_cf, _, master_cf = text.partition("--- master.cf\n")
    (directory / "main.cf").write_text(main_cf)
    (directory / "master.cf").write_text(master_cf)
    for name in ("main.cf", "master.cf"):
        os.utime(directory / name, (1, 1))
    command = ["postconf", "-c", str(directory), "-n"] if main_cf.strip() else ["postconf", "-c", str(directory), "-M"]
    command += ["-x"] if "$" in text else []
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("rule, text, message", REFUSED_BY_POSTCONF, ids=[each[0] for each in REFUSED_BY_POSTCONF])
def test_postconf_refuses(rule: str, text: str, message: str, tmp_path: Path) -> None:
    result = postconf(text, tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert rule in {finding.rule for finding in run(text, RULES).findings}


@pytest.mark.parametrize("rule, text, message", WARNED_OF_BY_POSTCONF, ids=[each[0] for each in WARNED_OF_BY_POSTCONF])
def test_postconf_only_warns(rule: str, text: str, message: str, tmp_path: Path) -> None:
    result = postconf(text, tmp_path)
    assert result.returncode == 0
    assert message in result.stderr
    assert rule in {finding.rule for finding in run(text, RULES).findings}


def test_empty_host_name_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("myhostname =\n")
    os.utime(tmp_path / "main.cf", (1, 1))
    command = ["postmap", "-c", str(tmp_path), "-q", "x", "static:x"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert "bad string length 0 < 1: myhostname" in result.stderr
    assert "S012" in {finding.rule for finding in run("myhostname =\n", RULES).findings}


def test_indented_setting_becomes_part_of_the_one_before(tmp_path: Path) -> None:
    text = "relayhost =\n smtpd_tls_security_level = may\n"
    result = postconf(text, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "relayhost = smtpd_tls_security_level = may" in result.stdout
    assert "S003" in {finding.rule for finding in run(text, RULES).findings}
