"""The state of a daemon: reports, causes of alerts, and replies that a client believes."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.daemon.proxy import AS_ROOT, StartDaemon, client_context, running, script, write_config
from peers.real.postfix import public_directory
from peers.tools.children import PATIENCE, wait_until
from peers.tools.users import unprivileged

from tlsproxy.daemon.monitoring.asking import DaemonStatus, ask
from tlsproxy.log import FatalError

GOOD = {
    "version": "0.1.0",
    "openssl": "OpenSSL 4.0.3",
    "postfix": "3.7.11",
    "mode": "standalone",
    "state": "ok",
    "problems": [],
    "pid": 1,
    "uptime_seconds": 2.5,
    "generation": 1,
    "reload": {"state": "none", "time": None},
    "roles": {"server": "served"},
    "workers": [{"pid": 2, "generation": 1, "leaving": False, "sessions": 0, "beginning": 0}],
    "certificates": [{"file": "f", "subject": "s", "sha256": "", "expires": None, "seconds_left": None}],
}
HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


@contextmanager
def answering(path: Path, answer: bytes | Callable[[socket.socket], None]) -> Iterator[None]:
    """Something that sits at a control socket and answers everything alike."""

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                try:
                    if callable(answer):
                        answer(peer)
                    else:
                        peer.recv(1000)
                        peer.sendall(answer)
                except OSError:
                    pass

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


def status(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [script("tlsproxy"), "--status", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def endless(peer: socket.socket) -> None:
    peer.sendall(HEAD)
    while True:
        peer.sendall(b" " * 65536)


BAD_ANSWERS: dict[str, bytes | Callable[[socket.socket], None]] = {
    "empty": b"",
    "no http": b"hello",
    "garbage": os.urandom(1000),
    "another status": b"HTTP/1.0 404 Not Found\r\n\r\n",
    "no body": HEAD,
    "empty object": HEAD + b"{}",
    "list": HEAD + b"[]",
    "number": HEAD + b"1",
    "not utf-8": HEAD + b'{"version": "\xff"}',
    "nested": HEAD + b"[" * 100_000,
    "huge number": HEAD + json.dumps(GOOD).replace("2.5", "1e999").encode(),
    "many digits": HEAD + json.dumps(GOOD).replace("2.5", "9" * 5000).encode(),
    "not a number": HEAD + json.dumps(GOOD).replace("2.5", "NaN").encode(),
    "wrong type": HEAD + json.dumps(GOOD | {"workers": "many"}).encode(),
    "endless": endless,
}


@pytest.mark.parametrize("kind", sorted(BAD_ANSWERS))
def test_bad_answer_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    with answering(tmp_path / "s.control", BAD_ANSWERS[kind]):
        ended = status("--socket", tmp_path / "s")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(
        rf"tlsproxy: fatal: {tmp_path}/s\.control: .*: the reply is not from tlsproxy\(8\)\n", ended.stderr
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_answer_never_reaches_the_terminal_as_it_is(tmp_path: Path, *, as_json: bool) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\u202e\u2028\x9b31m\r\ud800"
    fields: dict[str, object] = GOOD | {"version": evil, "state": evil, "roles": {evil: evil}, "problems": [evil]}
    fields["reload"] = {"state": evil, "time": evil}
    fields["certificates"] = [{"file": evil, "subject": evil, "sha256": evil, "expires": evil, "seconds_left": 5}]
    with answering(tmp_path / "s.control", HEAD + json.dumps(fields).encode()):
        ended = status("--socket", tmp_path / "s", *(["--json"] if as_json else []))
    assert ended.returncode == 3
    assert ended.stderr == ""
    assert all(line.isprintable() for line in ended.stdout.split("\n"))
    assert "owned" in ended.stdout


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()
) | st.fixed_dictionaries({}, optional={
    name: st.none() | st.integers() | st.floats() | st.text() | st.just(value) | st.lists(st.just(value))
    for name, value in GOOD.items()
}).map(lambda fields: json.dumps(GOOD | fields).encode()))  # fmt: skip
def test_any_answer_is_shown_printable_or_refused(data: bytes) -> None:
    try:
        answer = DaemonStatus(data.decode("utf-8", "replace"), Path("s"))
    except FatalError as error:
        assert str(error).isprintable()
        return
    assert all(line.isprintable() for line in answer.lines())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_socket_out_of_reach_names_the_user_to_ask_as(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with (
        unprivileged(),
        pytest.raises(FatalError, match="Permission denied; ask as root or as the account of the daemon"),
    ):
        ask(tmp_path / "control", "/status")


def test_answer_of_another_account_is_not_believed() -> None:
    with public_directory() as directory:
        other = pwd.getpwnam("nobody")
        os.chown(directory, other.pw_uid, other.pw_gid)
        child = os.fork()
        if child == 0:
            os.setgid(other.pw_gid)
            os.setuid(other.pw_uid)
            with answering(directory / "s.control", HEAD + json.dumps(GOOD).encode()):
                signal.pause()
        try:
            wait_until((directory / "s.control").exists)
            refused = status("--socket", directory / "s")
            believed = status("--socket", directory / "s", "--user", "nobody")
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert refused.returncode == 1
    assert (
        "account nobody has replied, and is not trusted; if it is the daemon's account, add --user nobody"
        in refused.stderr
    )
    assert believed.returncode == 0


def test_failed_reload_shows_in_status_metrics_and_exit_code(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    chain = tmp_path / "chain.pem"
    good = chain.read_bytes()
    with running(tmp_path) as daemon:

        def metric(name: str) -> float:
            metrics = ask(tmp_path / "socket.control", "/metrics")
            return float(re.search(rf"^tlsproxy_{name} (\S+)$", metrics, re.MULTILINE)[1])  # type: ignore[index]

        assert status("--socket", daemon.socket).returncode == 0
        assert metric("last_reload_successful") == 1
        started = metric("last_reload_success_timestamp_seconds")
        chain.write_bytes(b"damaged")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_log("reload failed")
        failed = status("--socket", daemon.socket, "--json")
        fields = json.loads(failed.stdout)
        assert failed.returncode == 3
        assert (fields["state"], fields["problems"]) == ("degraded", ["reload_failed"])
        assert fields["reload"]["state"] == "failed"
        assert "degraded: reload_failed" in status("--socket", daemon.socket).stdout
        assert metric("last_reload_successful") == 0
        assert metric("last_reload_success_timestamp_seconds") == started
        assert ask(tmp_path / "socket.control", "/healthz") == "degraded reload_failed\n"  # and 200: it serves
        chain.write_bytes(good)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_log("reloaded, generation")
        wait_until(lambda: status("--socket", daemon.socket).returncode == 0)
        assert metric("last_reload_successful") == 1


def test_failed_handshakes_are_counted_by_reason(tmp_path: Path, start_daemon: StartDaemon) -> None:
    control = tmp_path / "socket.control"
    daemon = start_daemon({"smtpd_tls_protocols": "TLSv1.3", "smtpd_tls_mandatory_ciphers": "high"})
    for first_bytes in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
        local, remote = daemon.session()
        with local, remote:
            remote.sendall(first_bytes)
            remote.shutdown(socket.SHUT_WR)
            assert local.recv(1) == b""
    context = client_context()
    context.maximum_version = context.maximum_version.TLSv1_2
    local, remote = daemon.session()
    with local, pytest.raises(OSError):
        context.wrap_socket(remote)
    daemon.wait_for_log("DISCONNECT", 4)
    metrics = ask(control, "/metrics")
    counts = dict(re.findall(r'^tlsproxy_handshake_failures_total{role="server",reason="(\w+)"} (\d+)$', metrics, re.M))
    assert counts["not_tls"] == "1"
    assert counts["protocol_version"] == "1"
    assert counts["connection_lost"] == "1"
    assert sum(map(int, counts.values())) == 4


def test_descriptors_are_counted_against_their_limit(tmp_path: Path, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()

    def numbers() -> tuple[int, int]:
        found = re.findall(r"^tlsproxy_(?:open|max)_descriptors (\d+)$", ask(control, "/metrics"), re.MULTILINE)
        return int(found[0]), int(found[1])

    control = tmp_path / "socket.control"
    (worker,) = daemon.workers()
    wait_until(lambda: numbers()[0] == len(list(Path(f"/proc/{worker}/fd").iterdir())))
    limit = Path(f"/proc/{worker}/limits").read_text()
    assert str(numbers()[1]) in re.search("Max open files.*", limit)[0]  # type: ignore[index]
    before, _ = numbers()
    local, remote = daemon.tls_session()
    with local, remote:
        wait_until(lambda: numbers()[0] == before + 2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_metrics_port_in_use_ends_nothing_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(tmp_path, {})
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with closing(taken), running(tmp_path, "--metrics", str(port)) as daemon:
        assert f"warning: metrics on 127.0.0.1:{port}: Address already in use: sessions are served" in daemon.log()
        local, remote = daemon.tls_session()
        local.close()
        remote.close()
        taken.close()
        daemon.wait_for_log(f"tlsproxy[{daemon.process.pid}]: metrics on 127.0.0.1:{port}\n")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert (answer.status, answer.read()) == (200, b"ok\n")
    assert daemon.log().count("Address already in use") == 1


def test_metrics_with_a_port_alone_are_for_this_machine_only(start_daemon: StartDaemon) -> None:
    port = free_port()
    daemon = start_daemon({}, "--metrics", str(port))
    daemon.wait_for_log(f"metrics on 127.0.0.1:{port}")
    inode = re.search(rf"0100007F:{port:04X} .* 0A .*", Path("/proc/net/tcp").read_text())
    assert inode, "it listens on the loopback address"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--statsu"], 'unrecognized option --statsu (did you mean "--status"?)'),
        (["--standalone", "--workers", "-3"], "--workers: -3 is not a number from 0 to 1024"),
        (["--standalone", "--workers", "x"], "--workers: x is not a number from 0 to 1024"),
        (["--standalone", "--metrics", "127.0.0.1:99999"], "--metrics: 127.0.0.1:99999: the port is not a number"),
        (["--standalone", "--metrics", "localhost"], "--metrics: localhost: the port is not a number"),
        (["--standalone", "--metrics", ":9125"], "--metrics: :9125 has no address: use 127.0.0.1:9125"),
        (["--standalone", "--metrics", "::1:9125"], "--metrics: ::1:9125: an IPv6 address is written in brackets"),
        (["--standalone", "--log", "jsn"], '--log: there is no jsn (did you mean "json"?)'),
        (["--standalone", "-o", "foo"], "-o: foo is not NAME=VALUE"),
        (["--standalone", "--postfix-version", "2.11"], "--postfix-version: "),
        (["--standalone", "stray"], "unexpected argument stray"),
        (["--standalone", "--json"], "--json goes with --status"),
        (["-c", "/etc/postfix"], "nothing to do: use one of --standalone, --check, --status"),
        (["-c", "/etc/postfix", "--chroot"], "nothing to do: use one of --standalone, --check, --status"),
    ],
)
def test_options_are_judged_before_any_file_is_read(arguments: list[str], message: str) -> None:
    command = [script("tlsproxy"), "-c", "/nonexistent", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"tlsproxy: {message}")
    assert ended.stderr.endswith("; see tlsproxy --help\n")
    assert ended.stderr.count("\n") == 1


def test_version_before_a_bad_option_is_printed() -> None:
    command = [script("tlsproxy"), "-c", "/nonexistent", "--version", "--chrot"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("tlsproxy ")


def test_file_in_place_of_directory_is_a_usage_error(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    ended = status("-c", tmp_path / "main.cf")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"is a file; use its directory: -c {tmp_path};" in ended.stderr


def test_start_error_is_reported_once_with_the_parameter_to_set(tmp_path: Path) -> None:
    write_config(tmp_path, {"smtpd_tls_security_level": ""})
    command = [script("tlsproxy"), "--standalone", *AS_ROOT, "-c", str(tmp_path), "--socket", str(tmp_path / "s")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert ended.stderr.count("nothing to serve") == 1
    assert "set smtpd_tls_security_level = may (server role, for postscreen(8))" in ended.stderr
    assert f"in {tmp_path}/main.cf" in ended.stderr


@pytest.mark.parametrize(
    ("settings", "code", "expected"),
    [
        ({}, 0, "server role: served"),
        ({"smtpd_tls_chain_files": "/nonexistent"}, 1, "server role: failed"),
        ({"smtpd_tls_security_level": "sometimes"}, 1, "Invalid TLS level"),
        ({"smtpd_tls_security_level": ""}, 1, "nothing to serve"),
        ({"smtp_tls_security_level": "may", "smtp_tls_cert_file": "/nonexistent"}, 3, "client role: limited"),
        ({"smtp_tls_security_level": "may", "smtpd_tls_chain_files": "/nonexistent"}, 3, "server role: failed"),
    ],
)
def test_check_loads_everything_and_exits_as_a_start_would(
    tmp_path: Path, settings: dict[str, str], code: int, expected: str
) -> None:
    write_config(tmp_path, settings)
    command = [script("tlsproxy"), "--check", "-c", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
    assert expected in ended.stdout + ended.stderr
    assert ("the configuration can be served" in ended.stdout) == (code == 0)


def test_check_judges_the_entry_of_master_cf(tmp_path: Path) -> None:
    write_config(tmp_path, {"daemon_directory": str(tmp_path)})
    program = tmp_path / "tlsproxy-py"
    program.write_text("#!/bin/sh\n")
    (tmp_path / "master.cf").write_text("tlsproxy unix - - y - 1 tlsproxy-py\n")
    command = [script("tlsproxy"), "--check", "-c", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert f"error: {tmp_path}/master.cf:1: the process limit is 1: the service does not start; write 0" in ended.stdout
    (tmp_path / "master.cf").write_text("tlsproxy unix - - y - 0 tlsproxy-py\n")
    program.chmod(0o755)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stdout
    assert f"{tmp_path}/master.cf:1: service tlsproxy unix, run by {program}" in ended.stdout
