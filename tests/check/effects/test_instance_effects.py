"""Effects in real Postfix of settings that two instances share, and of instances that do nothing."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from check.effects.test_server_effects import rules_of
from peers.real.postfix import PrivatePostfix
from peers.tools.children import PATIENCE

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]

_GREETINGS = 100
"""Connections of which one instance gets all with a probability of 2 ** -99."""


def _rules(directory: Path, primary: PrivatePostfix, second: PrivatePostfix) -> set[str]:
    """Return the rules that report something about two instances."""
    main_cf = (primary.conf / "main.cf").read_text() + f"multi_instance_directories = {second.conf}\n"
    return rules_of(f"{main_cf}--- master.cf\n{(primary.conf / 'master.cf').read_text()}", directory)


def _postmulti(directory: Path, main_cf: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run postmulti(1) where /etc/postfix has this main.cf."""
    etc = directory / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "main.cf").write_text(main_cf)
    os.utime(etc / "main.cf", (1, 1))
    mount = 'mount --bind "$0" /etc/postfix && exec postmulti "$@"'
    command: list[str | Path] = ["unshare", "--mount", "sh", "-c", mount, etc, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def _second(directory: Path, settings: str) -> Path:
    """Write main.cf of another instance; return its directory."""
    (directory / "out").mkdir(exist_ok=True)
    base = f"compatibility_level = 3.6\nqueue_directory = {directory}/queue\ndata_directory = {directory}/data\n"
    (directory / "out/main.cf").write_text(base + settings)
    os.utime(directory / "out/main.cf", (1, 1))
    return directory / "out"


@pytest.mark.parametrize("shared", ["queue_directory", "data_directory"])
def test_instances_can_not_share_a_directory(shared: str, public_path: Path) -> None:
    with PrivatePostfix(public_path / "a") as instance:
        directory = {"queue_directory": instance.queue, "data_directory": instance.root / "data"}[shared]
        second = PrivatePostfix(public_path / "b", {shared: str(directory)})
        master: list[str | Path] = [second.root / "libexec/master", "-c", second.conf, "-w"]
        assert subprocess.run(master, cwd=second.queue, timeout=PATIENCE, check=False).returncode != 0
        assert "Q004" in _rules(public_path, instance, second)


def test_of_instances_on_one_port_chance_takes_one(public_path: Path) -> None:
    first = PrivatePostfix(public_path / "a")
    second = PrivatePostfix(public_path / "b", {"myhostname": "second.test"})
    port = first.ports["submission"]
    master_cf = (second.conf / "master.cf").read_text()
    (second.conf / "master.cf").write_text(master_cf.replace(f":{second.ports['submission']} ", f":{port} "))
    with first, second:
        greetings = set()
        for _ in range(_GREETINGS):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                greetings.add(connection.makefile().readline().split()[1])
            if len(greetings) > 1:
                break
    assert greetings == {"mail.private.test", "second.test"}
    assert "Q004" in _rules(public_path, first, second)


def test_caches_of_one_file_kill_their_programs(public_path: Path) -> None:
    data = public_path / "a/data"
    settings = {
        "smtp_tls_session_cache_database": f"btree:{data}/tls",
        "smtpd_tls_session_cache_database": f"btree:{data}/tls",
        "postscreen_cache_map": f"btree:{data}/cache",
        "address_verify_map": f"btree:{data}/cache",
    }
    with PrivatePostfix(public_path / "a", settings) as instance:
        with socket.create_connection(("127.0.0.1", instance.ports["postscreen"]), timeout=PATIENCE) as connection:
            connection.recv(1)
        for service in ("tlsmgr", "verify"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(instance.queue / "private" / service))
        instance.wait_for_line(r"postfix/tlsmgr\[\d+\]: fatal: do not use the same TLS cache file")
        instance.wait_for_line(r"postfix/verify\[\d+\]: fatal: .* unable to get exclusive lock")
    for names in (list(settings)[:2], list(settings)[2:]):
        assert "Q010" in rules_of("".join(f"{name} = {settings[name]}\n" for name in names))


@pytest.mark.parametrize(
    "primary, second",
    [
        ("multi_instance_name = postfix-x\n", "multi_instance_name = postfix-x\n"),
        ("queue_directory = /tmp\n", "data_directory = /tmp\n"),
        ("", None),
    ],
)
def test_postmulti_refuses_instances_that_conflict(primary: str, second: str | None, public_path: Path) -> None:
    directory = public_path / "none" if second is None else _second(public_path, second)
    main_cf = f"compatibility_level = 3.6\nmulti_instance_directories = {directory}\n"
    assert _postmulti(public_path, main_cf + primary, "-l").returncode == 1
    assert "Q004" in rules_of(main_cf + primary, public_path)


def test_instance_that_is_not_enabled_is_not_started(public_path: Path) -> None:
    directory = _second(public_path, "multi_instance_enable = yes\n")
    wrapper = "multi_instance_wrapper = ${command_directory}/postmulti -p --\n"
    main_cf = f"compatibility_level = 3.6\nmulti_instance_directories = {directory}\n{wrapper}"
    lines = _postmulti(public_path, main_cf, "-l").stdout.splitlines()
    assert [line.split()[2:] for line in lines] == [["n", "/etc/postfix"], ["y", str(directory)]]
    assert "Q011" in rules_of(main_cf, public_path)


def test_new_instance_takes_no_mail(public_path: Path) -> None:
    settings = {"master_service_disable": "inet", "authorized_submit_users": "", "multi_instance_enable": "yes"}
    with PrivatePostfix(public_path / "postfix", settings) as instance:
        command: list[str | Path] = ["sendmail", "-C", instance.conf, "root"]
        done = subprocess.run(command, input="x\n", capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert "is not allowed to submit mail" in done.stderr + instance.log()
        for port in instance.ports.values():
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                pass
    assert "Q011" in rules_of("".join(f"{name} = {value}\n" for name, value in settings.items()))
