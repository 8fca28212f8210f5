"""Faults around the daemon: processes, memory, descriptors, disks, clocks, sockets. It logs them and goes on."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon import faulty
from peers.daemon.proxy import AS_ROOT, Proxy, StartDaemon, client_context, running, script, standalone, write_config
from peers.daemon.under_master import StartPostfix
from peers.tools.children import PATIENCE, accepts, open_files, wait_until

FAULTY = Path(faulty.__file__)
HARD_LIMIT = 4096
YEAR = 365 * 24 * 3600


def in_faulty_world(directory: Path) -> tuple[str, ...]:
    return sys.executable, str(FAULTY), str(directory)


def limited(pid: int, what: str, value: int) -> None:
    """Change the soft limit of a process; `value` of `HARD_LIMIT` is the previous one."""
    subprocess.run(["prlimit", "--pid", str(pid), f"--{what}={value}:{HARD_LIMIT}"], check=True, timeout=PATIENCE)


@contextlib.contextmanager
def no_more_descriptors(pid: int) -> Iterator[None]:
    """Let a process have none but those that it has."""
    limited(pid, "nofile", max(open_files(pid)) + 1)
    try:
        yield
    finally:
        limited(pid, "nofile", HARD_LIMIT)


def echo(local: socket.socket, remote: ssl.SSLSocket) -> None:
    remote.sendall(b"up")
    assert local.recv(2, socket.MSG_WAITALL) == b"up"
    local.sendall(b"down")
    assert remote.recv(4) == b"down"


def certificate(daemon: Proxy) -> bytes | None:
    """Return the certificate that a new session is shown."""
    local, remote = daemon.tls_session()
    with local, remote:
        echo(local, remote)
        return remote.getpeercert(binary_form=True)


def new_certificate(directory: Path) -> None:
    write_config(directory / "new", {})
    (directory / "new" / "chain.pem").rename(directory / "chain.pem")


def test_reload_waits_until_processes_can_be_forked(tmp_path: Path, start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, "--workers", "2", prefix=in_faulty_world(tmp_path))
    local, remote = daemon.tls_session()
    with local, remote:
        before = certificate(daemon)
        workers = daemon.workers()
        (tmp_path / "no-fork").touch()
        new_certificate(tmp_path)
        daemon.process.send_signal(signal.SIGHUP)
        log = daemon.wait_for_log("cannot fork; old workers continue")
        assert "warning: fork: Resource temporarily unavailable" in log
        assert daemon.workers() == workers
        assert certificate(daemon) == before
        (tmp_path / "no-fork").unlink()
        daemon.wait_for_log("reloaded, generation 2")
        assert certificate(daemon) != before
        echo(local, remote)


def test_clock_that_is_set_moves_no_limit(tmp_path: Path) -> None:
    write_config(tmp_path, {"smtpd_tls_loglevel": "2"})
    clock = tmp_path / "clock"
    with running(tmp_path, prefix=in_faulty_world(tmp_path)) as daemon:
        context = client_context()
        local, remote = daemon.tls_session(context)
        with local, remote:
            echo(local, remote)
            waiting = daemon.session(timeouts=(300, 300))
            for jump in (YEAR, -YEAR):
                clock.write_text(str(jump))
                echo(local, remote)
                again, raw = daemon.session()
                with again, context.wrap_socket(raw, session=remote.session) as resumed:
                    echo(again, resumed)
                    assert resumed.session_reused  # the keys of tickets have not aged
            # A limit that is reached with the clock set back by two years.
            short, silent = daemon.session(timeouts=(1, 1))
            with short, silent:
                assert short.recv(1) == b""
            with waiting[0], context.wrap_socket(waiting[1]) as patient:
                echo(waiting[0], patient)
        assert "timeout" not in daemon.log().replace("ciphertext read/write timeout", "", 1)


def test_process_without_descriptors_lets_clients_wait(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    (worker,) = daemon.workers()
    local, remote = daemon.tls_session()
    with local, remote, socket.socket(socket.AF_UNIX) as late:
        echo(local, remote)
        with no_more_descriptors(worker):
            late.connect(str(daemon.socket))
            daemon.wait_for_log("warning: accept connection: Too many open files")
            echo(local, remote)
        late.settimeout(PATIENCE)
        assert late.recv(8) == b"protocol"
    assert daemon.workers() == [worker]
    certificate(daemon)


def test_parent_without_descriptors_keeps_its_workers(tmp_path: Path, start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    (worker,) = daemon.workers()
    before = certificate(daemon)
    with socket.socket(socket.AF_UNIX) as curious:
        curious.settimeout(PATIENCE)
        with no_more_descriptors(daemon.process.pid):
            curious.connect(str(tmp_path / "socket.control"))
            curious.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            new_certificate(tmp_path)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.wait_for_log("reload failed")
            assert certificate(daemon) == before
            os.kill(worker, signal.SIGKILL)
            daemon.wait_for_log("warning: fork: Too many open files")
        assert curious.recv(100).startswith(b"HTTP/1.0 200")
    assert certificate(daemon) == before
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log("reloaded, generation")
    assert certificate(daemon) != before


def test_sessions_without_memory_end_and_others_go_on(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    with contextlib.ExitStack() as held:
        (worker,) = daemon.workers()
        local, remote = daemon.tls_session()
        with local, remote:
            echo(local, remote)
            # Less than it has: no more than it has got.
            subprocess.run(["prlimit", "--pid", str(worker), "--as=1000000:unlimited"], check=True)
            failed = 0
            while failed < 5:
                try:
                    for each in daemon.tls_session():
                        held.enter_context(each)
                except (OSError, AssertionError):
                    failed += 1
            echo(local, remote)
            subprocess.run(["prlimit", "--pid", str(worker), "--as=unlimited"], check=True)
            certificate(daemon)
        assert daemon.workers() == [worker]


def test_stopped_worker_holds_up_no_other_and_goes_on(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, "--workers", "2")
    local, remote = daemon.tls_session()
    with local, remote:
        workers = daemon.workers()
        for each in workers:
            os.kill(each, signal.SIGSTOP)
            for _ in range(5):
                certificate(daemon)
            os.kill(each, signal.SIGCONT)
            echo(local, remote)
    assert daemon.workers() == workers


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/nonexistent/directory/socket", "No such file or directory"),
        ("/dev/null", "this file is not a socket"),
        ("/sys/socket", "Operation not permitted|Permission denied|Read-only file system"),
        (f"/tmp/{'x' * 200}", "AF_UNIX path too long"),
    ],
)
def test_place_where_no_socket_can_be_is_refused_with_a_reason(tmp_path: Path, place: str, reason: str) -> None:
    write_config(tmp_path, {})
    command: list[str | Path] = [script("tlsproxy"), "--standalone", "-c", tmp_path, "--socket", place, *AS_ROOT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert re.search(f"fatal: can't listen on {place}: ({reason})(;.*)?$", result.stderr, re.MULTILINE)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_directory_without_room_for_a_socket_is_said(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    (tmp_path / "full").mkdir()
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o nr_inodes=1 none {tmp_path}/full"
    if unshare is None or subprocess.run([unshare, "--mount", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    daemon = f"{script('tlsproxy')} --standalone -c {tmp_path} --socket {tmp_path}/full/socket --user root"
    command = [unshare, "--mount", "sh", "-c", f"{mount} && exec {daemon}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert f"can't listen on {tmp_path}/full/socket: No space left on device" in result.stderr


def test_socket_without_a_listener_is_replaced(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "socket"))
    with running(tmp_path) as daemon:
        certificate(daemon)


def test_killed_daemon_has_a_successor_while_sessions_go_on(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with (tmp_path / "first.log").open("w") as log:
        killed = subprocess.Popen(standalone(tmp_path), stderr=log)
    first = Proxy(tmp_path, killed)
    wait_until(lambda: accepts(first.socket), explain=(tmp_path / "first.log").read_text)
    local, remote = first.tls_session()
    with local, remote:
        killed.kill()
        killed.wait(PATIENCE)
        wait_until(lambda: not accepts(first.socket))
        with running(tmp_path) as second:
            certificate(second)
            echo(local, remote)


def test_draining_daemon_makes_room_for_its_successor(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with (tmp_path / "first.log").open("w") as log:
        leaving = subprocess.Popen(standalone(tmp_path), stderr=log)
    first = Proxy(tmp_path, leaving)
    wait_until(lambda: accepts(first.socket), explain=(tmp_path / "first.log").read_text)
    local, remote = first.tls_session()
    with local, remote:
        leaving.send_signal(signal.SIGQUIT)
        wait_until(lambda: not first.socket.exists())
        with running(tmp_path) as second:
            echo(local, remote)
            local.close()
            assert leaving.wait(PATIENCE) == 0
            certificate(second)  # whose socket is still there


def test_role_that_could_not_be_made_is_there_after_a_reload(tmp_path: Path) -> None:
    write_config(tmp_path, {"smtp_tls_security_level": "may"})
    good = (tmp_path / "chain.pem").read_bytes()
    (tmp_path / "chain.pem").write_text("damaged")
    with running(tmp_path) as daemon:
        local, status = daemon.request()
        with local:
            assert status == 0
        (tmp_path / "chain.pem").write_bytes(good)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_log("reloaded, generation 2")
        certificate(daemon)


@pytest.mark.postfix
@pytest.mark.xdist_group("master")
def test_drain_waits_and_serves_while_fork_fails(public_path: Path, start_postfix: StartPostfix) -> None:
    program = public_path / "faulty-tlsproxy"
    program.write_text(
        f"#!{sys.executable}\n"
        "import runpy, sys\n"
        f"sys.argv[1:1] = [{str(public_path)!r}, sys.argv[0]]\n"
        f"runpy.run_path({str(FAULTY)!r}, run_name='__main__')\n"
    )
    program.chmod(0o755)
    postfix = start_postfix(program=program)
    client = smtplib.SMTP("127.0.0.1", postfix.ports["postscreen"], timeout=PATIENCE)
    client.ehlo("client.private.test")
    assert client.starttls(context=client_context())[0] == 220
    (pid,) = postfix.processes("tlsproxy")
    (public_path / "no-fork").touch()
    os.kill(pid, signal.SIGHUP)
    postfix.wait_for_log("warning: fork: Resource temporarily unavailable")
    assert client.ehlo("client.private.test")[0] == 250
    (public_path / "no-fork").unlink()
    wait_until(lambda: pid not in postfix.processes("tlsproxy"), explain=postfix.log)
    assert client.ehlo("client.private.test")[0] == 250
    client.close()
