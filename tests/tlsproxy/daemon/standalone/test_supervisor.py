"""The stand-alone daemon as a family of processes: workers, reloads, privileges, and the view from outside."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from peers.daemon.proxy import AS_ROOT, Proxy, StartDaemon, client_context, running, script, standalone, write_config
from peers.tools.children import PATIENCE, open_files, seen_from_inside, wait_until

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def has_ended(daemon: Proxy, worker: int) -> bool:
    return worker not in daemon.workers()


def has_been_replaced(daemon: Proxy, worker: int) -> bool:
    return has_ended(daemon, worker) and len(daemon.workers()) == 2


def shown_files(process: int) -> str:
    return str(open_files(process))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    directory = tmp_path_factory.mktemp("supervisor")
    write_config(directory, {})
    with running(directory, "--workers", "2") as daemon:
        yield daemon


def echo(local: socket.socket, remote: ssl.SSLSocket) -> None:
    """See that a session passes bytes both ways."""
    remote.sendall(b"up")
    assert local.recv(2, socket.MSG_WAITALL) == b"up"
    local.sendall(b"down")
    assert remote.recv(4) == b"down"


def serial(remote: ssl.SSLSocket) -> bytes:
    """Return the serial number of a session's certificate."""
    found = remote.getpeercert(binary_form=True)
    assert found
    return found


def ask(daemon: Proxy, page: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(PATIENCE)
        stream.connect(str(daemon.directory / "socket.control"))
        stream.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: stream.recv(65536), b""))
    return answer.decode()


def number(daemon: Proxy, metric: str) -> int:
    lines = [line for line in ask(daemon, "/metrics").splitlines() if line.startswith(metric + " ")]
    assert len(lines) == 1, metric
    return int(lines[0].split()[-1])


def new_certificate(directory: Path) -> None:
    """Renew the certificate as a client of an authority does: the file is replaced as a whole."""
    write_config(directory / "new", {})
    (directory / "new" / "chain.pem").rename(directory / "chain.pem")


def reload(daemon: Proxy, expected: str = "reloaded, generation") -> None:
    before = daemon.log().count(expected)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log(expected, before + 1)


def test_tickets_of_one_worker_are_good_for_the_others(daemon: Proxy) -> None:
    wait_until(lambda: len(daemon.workers()) == 2)
    context = client_context()
    session = None
    reused = 0
    held = []
    for _ in range(8):  # some open, so that both workers get their share
        local, raw = daemon.session()
        remote = context.wrap_socket(raw, session=session)
        echo(local, remote)
        reused += bool(remote.session_reused)
        session = session or remote.session
        held += [local, remote]
    for each in held:
        each.close()
    assert reused == 7


def test_killed_worker_is_replaced_and_no_client_refused(daemon: Proxy) -> None:
    for _ in range(2):
        wait_until(lambda: len(daemon.workers()) == 2)
        victim = daemon.workers()[0]
        os.kill(victim, signal.SIGKILL)
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)
        wait_until(partial(has_been_replaced, daemon, victim))
    assert "killed by signal 9" in daemon.log()


def test_reload_changes_the_certificate_of_new_sessions_only(daemon: Proxy) -> None:
    context = client_context()
    local, raw = daemon.session()
    remote = context.wrap_socket(raw)
    with local, remote:
        echo(local, remote)
        before = serial(remote)
        new_certificate(daemon.directory)
        reload(daemon)
        other_local, other_remote = daemon.tls_session()
        with other_local, other_remote:
            echo(other_local, other_remote)
            assert serial(other_remote) != before
        echo(local, remote)
        again, raw = daemon.session()
        resumed = context.wrap_socket(raw, session=remote.session)
        with again, resumed:
            echo(again, resumed)
            assert resumed.session_reused  # tickets are as good as before
    wait_until(lambda: len(daemon.workers()) == 2)


def test_changed_files_are_noticed_without_a_signal(daemon: Proxy) -> None:
    local, remote = daemon.tls_session()
    with local, remote:
        before = serial(remote)
    count = daemon.log().count("reloaded, generation")
    new_certificate(daemon.directory)
    daemon.wait_for_log("reloaded, generation", count + 1)
    local, remote = daemon.tls_session()
    with local, remote:
        assert serial(remote) != before


@pytest.mark.parametrize("damage", ["empty", "garbage", "key of another", "gone"])
def test_bad_renewal_keeps_the_old_certificate_and_says_why(daemon: Proxy, damage: str) -> None:
    chain = daemon.directory / "chain.pem"
    good = chain.read_bytes()
    local, remote = daemon.tls_session()
    with local, remote:
        before = serial(remote)
    write_config(daemon.directory / "other", {})
    other = (daemon.directory / "other" / "chain.pem").read_bytes()
    key, certificates = good[: good.index(b"-----BEGIN CERT")], other[other.index(b"-----BEGIN CERT") :]
    if damage == "gone":
        chain.unlink()
    else:
        chain.write_bytes({"empty": b"", "garbage": b"\xff" * 100, "key of another": key + certificates}[damage])
    start = len(daemon.log())
    reload(daemon, "reload failed")
    local, remote = daemon.tls_session()
    with local, remote:
        echo(local, remote)
        assert serial(remote) == before
    said = daemon.log()[start:]
    assert str(chain) in said
    assert said.count("reload failed") == 1
    chain.write_bytes(good)
    reload(daemon)


def test_bad_main_cf_keeps_the_old_settings_until_it_is_good(daemon: Proxy) -> None:
    main_cf = daemon.directory / "main.cf"
    good = main_cf.read_text()
    main_cf.write_text(good.replace("security_level = may", "security_level = sometimes"))
    reload(daemon, "reload failed")
    assert 'Invalid TLS level "sometimes"' in daemon.log()
    local, remote = daemon.tls_session()
    with local, remote:
        echo(local, remote)
    main_cf.write_text(good + "tlsproxy_tls_protocols = TLSv1.2\n")
    reload(daemon)
    local, remote = daemon.tls_session()
    with local, remote:
        assert remote.version() == "TLSv1.2"
    main_cf.write_text(good)
    reload(daemon)


def test_status_shows_workers_sessions_and_certificates(daemon: Proxy) -> None:
    wait_until(lambda: len(daemon.workers()) == 2)  # those of reloads before have gone
    local, remote = daemon.tls_session()
    with local, remote:
        wait_until(lambda: sum(each["sessions"] for each in json.loads(_body(ask(daemon, "/status")))["workers"]) >= 1)
        status = json.loads(_body(ask(daemon, "/status")))
        assert status["pid"] == daemon.process.pid
        assert sorted(each["pid"] for each in status["workers"]) == sorted(daemon.workers())
        assert status["roles"]["server"] == "served"
        (certificate,) = status["certificates"]
        assert certificate["file"] == str(daemon.directory / "chain.pem")
        assert certificate["seconds_left"] > 0
    shown = subprocess.run(
        [script("tlsproxy"), "--status", "--socket", daemon.socket],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout
    assert f"process {daemon.process.pid}" in shown
    assert "chain.pem: " in shown
    assert "expires in" in shown


def _body(answer: str) -> str:
    return answer.partition("\r\n\r\n")[2]


def test_metrics_count_by_outcome_version_and_resumption(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, "--workers", "2")
    count_four_sessions(daemon)


def count_four_sessions(daemon: Proxy) -> None:
    established = 'tlsproxy_sessions_ended_total{role="server",outcome="established"}'
    full = 'tlsproxy_handshakes_total{role="server",version="TLSv1.3",resumed="no"}'
    resumed = 'tlsproxy_handshakes_total{role="server",version="TLSv1.3",resumed="yes"}'
    failed = 'tlsproxy_sessions_ended_total{role="server",outcome="handshake_failed"}'
    names = established, full, resumed, failed
    context = client_context()
    local, raw = daemon.session()
    with local, context.wrap_socket(raw) as remote:
        echo(local, remote)
        session = remote.session
    local, raw = daemon.session()
    with local, context.wrap_socket(raw, session=session) as remote:
        echo(local, remote)
    local, raw = daemon.session()
    with local, raw:
        raw.sendall(b"EHLO\r\n\r\n")
        local.recv(1)
    wait_until(lambda: [number(daemon, each) for each in names] == [2, 1, 1, 1])
    text = _body(ask(daemon, "/metrics"))
    assert 'tlsproxy_ciphers_total{cipher="TLS_AES_256_GCM_SHA384"}' in text
    assert f'tlsproxy_certificate_expiry_timestamp_seconds{{file="{daemon.directory}/chain.pem"}}' in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2


@pytest.mark.parametrize("question", ["POST /metrics", "GET /", "GET", "", "GET /../etc/passwd"])
def test_other_questions_get_no_answer_and_do_no_harm(daemon: Proxy, question: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(PATIENCE)
        stream.connect(str(daemon.directory / "socket.control"))
        stream.sendall(question.encode() + b"\r\n\r\n")
        assert stream.recv(1000).startswith((b"HTTP/1.0 404 ", b"HTTP/1.0 405 "))
    assert "tlsproxy_sessions" in ask(daemon, "/metrics")


def test_workers_hold_no_descriptors_but_those_of_their_work(daemon: Proxy) -> None:
    reload(daemon)
    wait_until(lambda: len(daemon.workers()) == 2)
    for worker in daemon.workers():
        wait_until(partial(holds_its_own, worker, daemon), explain=partial(shown_files, worker))


def holds_its_own(worker: int, daemon: Proxy) -> bool:
    """The listener, the channel, the loop, the pipe of its signals; and descriptors that were there before."""
    kinds = [each.split(":")[0] for each in open_files(worker).values()]
    inherited = len(open_files(daemon.process.pid)) - len(_supervisor_s_own(daemon))
    return kinds.count("socket") == 2 and kinds.count("anon_inode") == 1 and len(kinds) == inherited


def _supervisor_s_own(daemon: Proxy) -> list[str]:
    """Descriptors that only the parent has: the control socket, and a channel for each worker but one."""
    return ["control", *["channel"] * (len(daemon.workers()) - 1)]


def test_workers_without_parent_end_with_their_last_session(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with (tmp_path / "log").open("w") as log:
        parent = subprocess.Popen(standalone(tmp_path), stderr=log)
    daemon = Proxy(tmp_path, parent)
    daemon.wait_for_log("listening on")
    local, remote = daemon.tls_session()
    (worker,) = daemon.workers()
    parent.kill()
    parent.wait()
    with local, remote:
        time.sleep(0.5)
        echo(local, remote)
    wait_until(lambda: not Path(f"/proc/{worker}").exists() or _is_zombie(worker))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_sigquit_ends_with_the_last_session(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    local, remote = daemon.tls_session()
    daemon.process.send_signal(signal.SIGQUIT)
    with local, remote:
        time.sleep(0.5)
        echo(local, remote)
        assert daemon.process.poll() is None
    assert daemon.process.wait(PATIENCE) == 0


def test_workers_that_die_at_start_are_restarted_with_backoff(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"tlsproxy_watchdog_timeout": "10s"})
    while "workers keep exiting at startup" not in daemon.log():
        wait_until(daemon.workers)
        victim = daemon.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(partial(has_ended, daemon, victim))
    local, remote = daemon.tls_session()
    with local, remote:
        echo(local, remote)


@root_only
def test_workers_have_no_privileges_and_see_nothing_private(public_path: Path) -> None:
    """Looks from inside a worker: with its user, groups and root directory."""
    queue = public_path / "queue"
    (queue / "private").mkdir(parents=True)
    write_config(public_path, {"queue_directory": str(queue), "mail_owner": "nobody"})
    (public_path / "chain.pem").chmod(0o600)
    with running(public_path, "--chroot", user=()) as daemon:
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)
        (worker,) = daemon.workers()
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines() if ":\t" in line
        )
        nobody = pwd.getpwnam("nobody")
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert "0" not in status["Groups"].split()
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert Path(f"/proc/{worker}/root").readlink() == queue
        hidden = public_path / "chain.pem", "../main.cf", "/etc/shadow"
        expected = [*(f"{each}: hidden" for each in hidden), "root: refused", "directories: none"]
        assert seen_from_inside(worker, *hidden) == expected
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)
        # Keys are read with the parent's privileges, also later.
        new_certificate(public_path)
        (public_path / "chain.pem").chmod(0o600)
        reload(daemon)
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)


@root_only
def test_root_serves_sessions_only_on_request(tmp_path: Path) -> None:
    write_config(tmp_path, {"mail_owner": "no-such-user"})
    command: list[str | Path] = [script("tlsproxy"), "--standalone", "-c", tmp_path, "--socket", tmp_path / "socket"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert "unknown user: no-such-user" in result.stderr
    assert "--user" in result.stderr


@root_only
def test_socket_has_the_owner_and_mode_of_master(public_path: Path) -> None:
    (public_path / "queue" / "private").mkdir(parents=True)
    write_config(public_path, {"queue_directory": str(public_path / "queue"), "mail_owner": "nobody"})
    with running(public_path, user=()) as daemon:
        found = daemon.socket.stat()
        assert found.st_mode & 0o777 == 0o666
        assert daemon.socket.owner() == "nobody"
        assert (public_path / "socket.control").stat().st_mode & 0o777 == 0o600


def test_systemd_is_notified_of_start_reload_end_and_watchdog(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(PATIENCE)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
        with running(tmp_path, environment=environment) as daemon:
            assert notify.recv(1000).startswith(b"READY=1\n")
            assert notify.recv(1000) == b"WATCHDOG=1"
            daemon.process.send_signal(signal.SIGHUP)
            assert other_than_watchdog(notify).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert other_than_watchdog(notify).startswith(b"READY=1\n")
        assert other_than_watchdog(notify) == b"STOPPING=1"


def other_than_watchdog(notify: socket.socket) -> bytes:
    """The next message that says something new."""
    while (message := notify.recv(1000)) == b"WATCHDOG=1":
        pass
    return message


def test_socket_of_systemd_is_used_and_left_alone(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        starter = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3, inheritable=True); "
            "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}; os.execv(sys.argv[2], sys.argv[2:])"
        )
        os.set_inheritable(listener.fileno(), True)
        command = [sys.executable, "-c", starter, str(listener.fileno()), script("tlsproxy"), "--standalone", "-c"]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, tmp_path, "--socket", tmp_path / "socket", *AS_ROOT], stderr=log, close_fds=False
            )
        daemon = Proxy(tmp_path, process)
        daemon.wait_for_log("listening on the socket of systemd")
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert daemon.socket.exists()


def test_print_config_shows_effective_settings(tmp_path: Path) -> None:
    write_config(tmp_path, {"tlsproxy_tls_ciphers": "high"})
    command: list[str | Path] = [
        script("tlsproxy"),
        "--print-config",
        "-c",
        tmp_path,
        "-o",
        "tlsproxy_tls_protocols=TLSv1.3",
    ]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.splitlines()
    assert "tlsproxy_tls_ciphers = high" in printed
    assert "tlsproxy_tls_protocols = TLSv1.3" in printed
    assert f"tlsproxy_tls_chain_files = {tmp_path}/chain.pem" in printed
    assert printed == sorted(printed)


@root_only
def test_process_1_ends_on_sigterm_and_reaps_orphans(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("no process namespaces here")
    command: list[str | Path] = [
        unshare,
        "--pid",
        "--fork",
        "--mount-proc",
        script("tlsproxy"),
        "--standalone",
        "-c",
        tmp_path,
    ]
    with (tmp_path / "log").open("w") as log:
        outside = subprocess.Popen([*command, "--socket", tmp_path / "socket", *AS_ROOT], stderr=log)
    daemon = Proxy(tmp_path, outside)
    daemon.wait_for_log("tlsproxy[1]: listening on")
    (first,) = daemon.workers()  # of unshare(1): the daemon
    orphan = ["nsenter", "--target", str(first), "--pid", sys.executable, "-c", ORPHAN]
    subprocess.run(orphan, check=True, timeout=PATIENCE)
    local, remote = daemon.tls_session()
    with local, remote:
        echo(local, remote)
    children = Path(f"/proc/{first}/task/{first}/children")
    wait_until(lambda: len(children.read_text().split()) == 1)
    os.kill(first, signal.SIGTERM)
    assert outside.wait(PATIENCE) == 0
    assert not daemon.socket.exists()


ORPHAN = "import os, time; os.fork() or (time.sleep(0.3), os._exit(0))"


def test_log_that_is_postfix_s_may_be_had_with_relative_paths(tmp_path: Path) -> None:
    (tmp_path / "queue" / "public").mkdir(parents=True)
    write_config(tmp_path, {"queue_directory": str(tmp_path / "queue"), "maillog_file": "/var/log/mail.log"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as postlog:
        postlog.bind(str(tmp_path / "queue" / "public" / "postlog"))
        postlog.settimeout(PATIENCE)
        command = [script("tlsproxy"), "--standalone", "-c", ".", "--socket", "socket", "--log", "mail", *AS_ROOT]
        daemon = subprocess.Popen(command, cwd=tmp_path)
        try:
            assert postlog.recv(4096).decode().endswith(f"listening on {tmp_path}/socket")
            daemon.send_signal(signal.SIGHUP)
            assert b"reloaded, generation 2" in postlog.recv(4096)
        finally:
            daemon.terminate()
            assert daemon.wait(PATIENCE) == 0
