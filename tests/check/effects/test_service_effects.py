"""Effects in real Postfix of mistakes that concern its services as a whole, each in an instance of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from check.examples import run
from peers.real.postfix import MASTER_CF, SBIN, PrivatePostfix, free_ports
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

from tlsproxy.check.rule import all_rules

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]
RULES = [rule for rule in all_rules() if not rule.optional]


def rules_of(main_cf: str, master_cf: str = "", directory: Path | None = None) -> set[str]:
    text = f"{main_cf}--- master.cf\n{master_cf}" if master_cf else main_cf
    return {finding.rule for finding in run(text, RULES, directory).findings}


def literally(entry: str) -> str:
    """An entry for the template of master.cf."""
    return entry.replace("{", "{{").replace("}", "}}")


def old(path: Path, text: str) -> Path:
    """Write a file of which Postfix believes that it is complete."""
    path.write_text(text)
    os.utime(path, (1, 1))
    return path


@pytest.mark.parametrize("setting", ["{ smtpd_banner = x", "{ smtpd_banner = x }y"])
def test_braces_that_do_not_match_stop_the_master(setting: str, public_path: Path) -> None:
    entry = f"127.0.0.1:{free_ports(1)[0]} inet n - n - - smtpd\n  -o {setting}\n"
    old(public_path / "main.cf", "")
    old(public_path / "master.cf", entry)
    shown = subprocess.run(["postconf", "-c", public_path, "-M"], capture_output=True, text=True, timeout=20)
    assert shown.returncode == 0
    assert "warning: master.cf: " in shown.stderr
    instance = PrivatePostfix(public_path / "postfix", {}, MASTER_CF + literally(entry))
    started = subprocess.run([SBIN / "master", "-c", instance.conf, "-w"], cwd=instance.queue, timeout=60)
    assert started.returncode == 1
    assert "S006" in rules_of("", entry)


def test_of_two_entries_the_last_one_counts(public_path: Path) -> None:
    [port] = free_ports(1)
    entries = "".join(
        f"127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_banner={word}\n" for word in ("first", "last")
    )
    with PrivatePostfix(public_path / "postfix", {}, MASTER_CF + entries) as instance:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            assert connection.makefile("r").readline() == "220 last\n"
        instance.reload()  # at its start, master(8) has no process yet that writes its log
        instance.wait_for_log("duplicate master.cf entry for service")
    assert "M004" in rules_of("", entries)


def test_two_services_on_one_port_take_turns(public_path: Path) -> None:
    [port] = free_ports(1)
    entries = "".join(
        f"{host}:{port} inet n - n - - smtpd\n  -o smtpd_banner={host}\n"
        for host in ("0.0.0.0", "127.0.0.1", "localhost")
    )
    greetings = set()
    with PrivatePostfix(public_path / "postfix", {"inet_protocols": "ipv4"}, MASTER_CF + entries):
        for _ in range(60):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                greetings.add(connection.makefile("r").readline())
    assert greetings == {"220 127.0.0.1\n", "220 localhost\n"}
    found = run(f"--- master.cf\n{entries}", [rule for rule in RULES if rule.id == "M004"]).findings
    assert [each.span.line for each in found] == [5]


def test_services_that_are_missing_or_limited(public_path: Path, certificate_files: dict[str, bytes]) -> None:
    (public_path / "chain.pem").write_bytes(certificate_files["chain.pem"])
    [port] = free_ports(1)
    master_cf = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith("tlsmgr"))
    master_cf = re.sub(r"(?m)^(tlsproxy .*)0  tlsproxy$", r"\g<1>5  tlsproxy", master_cf)
    master_cf += f"127.0.0.1:{port} inet n - n - - smtpd\n"
    settings = {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": f"{public_path}/chain.pem"}
    with PrivatePostfix(public_path / "postfix", settings, master_cf) as instance:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            lines = connection.makefile("rw", newline="\r\n")
            lines.readline()
            lines.write("STARTTLS\r\n")
            lines.flush()
            assert lines.readline().startswith("454 ")
        instance.wait_for_log("disabling TLS support")  # X003
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.path.relpath(instance.queue / "private" / "tlsproxy"))
            instance.wait_for_log("requires a process limit of 0")  # X001
        main_cf = "".join(f"{name} = {value}\n" for name, value in settings.items())
        written = (instance.conf / "master.cf").read_text()
    assert {"X001", "X003"} <= rules_of(main_cf, written)


def test_mail_without_the_proxy_is_deferred_then_sent_in_clear(
    public_path: Path, certificate_files: dict[str, bytes]
) -> None:
    (public_path / "chain.pem").write_bytes(certificate_files["chain.pem"])
    master_cf = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith("tlsproxy"))
    instance = PrivatePostfix(public_path / "postfix", {}, master_cf)
    client = {"smtp_tls_security_level": "may", "smtp_tls_connection_reuse": "yes"}
    loglevel = {"smtp_tls_loglevel": "1", "smtpd_tls_loglevel": "1"}
    # After a shorter pause smtp(8) may still have the message open: then qmgr(8) skips it, and comes back after hours.
    again = {"minimal_backoff_time": "4s", "maximal_backoff_time": "4s", "queue_run_delay": "1s"}
    server = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{public_path}/chain.pem"}
    instance.configure({**client, **again, **loglevel, **server, "relayhost": f"[127.0.0.1]:{instance.ports['sink']}"})
    with instance:
        command = ["smtp-source", "-f", "s@example.test", "-t", "u@example.test"]
        subprocess.run([*command, f"127.0.0.1:{instance.ports['submission']}"], check=True, timeout=60)
        log = instance.wait_for_log("status=sent (250 ")
    assert "status=deferred (Cannot start TLS: handshake failure)" in log
    assert "TLS connection established" not in log
    main_cf = "".join(f"{name} = {value}\n" for name, value in client.items())
    assert "X002" in rules_of(main_cf, (instance.conf / "master.cf").read_text())


def test_exclusions_can_leave_only_the_clients_with_tls_1_3(public_path: Path) -> None:
    identity = Identity(name("mail.example.com"))
    (public_path / "chain.pem").write_bytes(identity.key_pem + identity.pem)
    ports = free_ports(4)
    settings = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{public_path}/chain.pem"}
    not_smtpds = "aECDSA -o smtpd_tls_session_cache_database=${x?{y} -o smtpd_tls_session_cache_timeout=${x?{y}"
    entries = [
        f"127.0.0.1:{port} inet n - n - - smtpd\n  -o smtpd_tls_exclude_ciphers={excluded}\n"
        for port, excluded in zip(ports, ("aECDSA", "aRSA", not_smtpds, "aECDSAA"), strict=True)
    ]

    def succeeds(port: int, version: str) -> bool:
        command = ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", "-brief", version]
        done = subprocess.run(command, input="QUIT\r\n", capture_output=True, text=True, timeout=60)
        return "CONNECTION ESTABLISHED" in done.stdout + done.stderr

    with PrivatePostfix(public_path / "postfix", settings, MASTER_CF + literally("".join(entries))):
        assert [succeeds(port, "-tls1_3") for port in ports] == [True, True, True, True]
        assert [succeeds(port, "-tls1_2") for port in ports] == [False, True, False, True]
    main_cf = "".join(f"{name} = {value}\n" for name, value in settings.items())
    assert ["P009" in rules_of(main_cf, entry, public_path) for entry in entries] == [True, False, True, False]
    assert "P014" in rules_of(main_cf, entries[3], public_path)


@pytest.mark.parametrize("owner, mode, trusted", [(0, 0o644, True), (65534, 0o644, False), (0, 0o664, False)])
def test_list_of_plug_ins_has_to_be_roots_own(owner: int, mode: int, trusted: bool, public_path: Path) -> None:
    plugin = "pcre /usr/lib/postfix/postfix-pcre.so dict_pcre_open\n"
    file = old(public_path / "dynamicmaps.cf", plugin)
    os.chown(file, owner, -1)
    file.chmod(mode)
    main_cf = f"compatibility_level = 3.6\nmeta_directory = {public_path}\n"
    old(public_path / "main.cf", main_cf)
    command: list[str | Path] = ["postmap", "-c", public_path, "-q", "x", "pcre:{{/x/ y}}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0) is trusted
    assert ("skipping this file" in done.stderr) is not trusted
    assert ("T007" in rules_of(main_cf, directory=public_path)) is not trusted
