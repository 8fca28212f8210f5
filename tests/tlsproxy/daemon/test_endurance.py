"""The daemon under reloads, floods and long work. Each test has a size for every day and one for `make soak`."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon.proxy import (
    Proxy,
    StartDaemon,
    client_context,
    hand_over,
    read_status,
    request_list,
    running,
    script,
    standalone,
    write_config,
)
from peers.real.postfix import PrivatePostfix
from peers.tools.children import PATIENCE, accepts, open_files, wait_until

pytestmark = pytest.mark.xdist_group("endurance")

SETTINGS = {
    "smtpd_tls_security_level": "may",
    "smtpd_tls_loglevel": "1",
    "smtp_tls_security_level": "may",
    "smtp_tls_connection_reuse": "yes",
    "smtp_connection_cache_destinations": "127.0.0.1",
    "smtp_tls_loglevel": "1",
    # Should TLS fail, mail is to be tried again within the test.
    "minimal_backoff_time": "2s",
    "queue_run_delay": "2s",
    "transport_retry_time": "1s",
}


class Held:
    """A session that is open, as long as it works."""

    def __init__(self, path: Path, context: ssl.SSLContext) -> None:
        self.local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.local.settimeout(PATIENCE)
        self.local.connect(str(path))
        assert self.local.recv(28, socket.MSG_WAITALL)
        self.local.sendall(request_list(flags=1, timeouts=(300, 300)))
        assert read_status(self.local) == 1
        self.remote = context.wrap_socket(hand_over(self.local))
        self.works()

    def works(self) -> None:
        self.remote.sendall(b"up")
        assert self.local.recv(2, socket.MSG_WAITALL) == b"up"
        self.local.sendall(b"down")
        assert self.remote.recv(4) == b"down"

    def close(self) -> None:
        self.works()
        self.local.close()
        assert self.remote.recv(1) == b""  # close_notify: the session has ended in good order
        self.remote.close()


def with_both_roles(root: Path, settings: dict[str, str] | None = None) -> PrivatePostfix:
    """An instance whose postscreen(8) and smtp(8) use our daemon."""
    write_config(root / "pki", {})
    (root / "pki" / "chain.pem").chmod(0o600)
    settings = SETTINGS | {"smtpd_tls_chain_files": f"{root}/pki/chain.pem"} | (settings or {})
    postfix = PrivatePostfix(root / "postfix", settings)
    postfix.configure(settings | {"default_transport": f"smtp:[127.0.0.1]:{postfix.ports['sink']}"})
    postfix.replace_daemon("tlsproxy", Path(script("tlsproxy")))
    return postfix


def send_mail(postfix: PrivatePostfix) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.ports["submission"], timeout=PATIENCE) as client:
        client.sendmail("a@private.test", ["b@private.test"], "Subject: one of many\r\n\r\nhello\r\n")


def wait_until_sent(postfix: PrivatePostfix, count: int) -> None:
    wait_until(lambda: postfix.log().count("status=sent (250 2.0.0 Ok: queued") >= count, explain=postfix.log)


@pytest.mark.postfix
@pytest.mark.parametrize(
    ("reloads", "sessions", "mails"),
    [(8, 40, 8), pytest.param(50, 200, 200, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])],
)
def test_reloads_of_postfix_lose_no_session_and_no_mail(
    public_path: Path, reloads: int, sessions: int, mails: int
) -> None:
    postfix = with_both_roles(public_path)
    path = postfix.queue / "private" / "tlsproxy"
    context = client_context()
    with postfix:
        held = deque(Held(path, context) for _ in range(sessions))
        sent = 0
        for turn in range(reloads):
            postfix.reload()
            for _ in range(max(1, sessions // 10)):  # a load of new ones
                held.popleft().close()
                held.append(Held(path, context))
            with starttls(postfix.ports["postscreen"]) as client:
                assert client.ehlo()[0] == 250
            while sent * reloads < mails * (turn + 1):
                send_mail(postfix)
                sent += 1
            for each in held:
                each.works()
        for each in held:
            each.close()
        wait_until_sent(postfix, mails)
        Held(path, context).close()  # so there is a process, however late the last reload was
        wait_until(lambda: len(postfix.processes("tlsproxy")) == 1, explain=postfix.log)
        log = postfix.log()
        postfix.stop()
        wait_until(lambda: not postfix.processes("tlsproxy"))
    assert "Traceback" not in log
    assert "throttling" not in log
    assert "status=bounced" not in log


@pytest.mark.postfix
@pytest.mark.parametrize("victim", ["tlsmgr", "postlogd"])
def test_mail_goes_out_over_tls_after_the_death_of_a_helper(public_path: Path, victim: str) -> None:
    with with_both_roles(public_path, {"smtp_tls_security_level": "encrypt"}) as postfix:
        send_mail(postfix)
        wait_until_sent(postfix, 1)
        for pid in postfix.processes(victim):
            os.kill(pid, signal.SIGKILL)
        send_mail(postfix)
        wait_until_sent(postfix, 2)
        assert "/tlsproxy[" in postfix.wait_for_log("TLS connection established to 127.0.0.1[127.0.0.1]")


@contextlib.contextmanager
def starttls(port: int) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.ehlo("client.private.test")
        assert client.starttls(context=client_context())[0] == 220
        yield client


@pytest.mark.parametrize(
    ("reloads", "sessions"),
    [(10, 40), pytest.param(50, 200, marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
def test_reloads_of_the_stand_alone_daemon_lose_no_session(
    start_daemon: StartDaemon, reloads: int, sessions: int
) -> None:
    context = client_context()
    daemon = start_daemon({}, "--workers", "2")
    held = deque(Held(daemon.socket, context) for _ in range(sessions))
    for turn in range(reloads):
        daemon.process.send_signal(1)
        for _ in range(max(1, sessions // 10)):
            held.popleft().close()
            held.append(Held(daemon.socket, context))
        daemon.wait_for_log("reloaded, generation", turn + 1)
    for each in held:
        each.close()
    wait_until(lambda: len(daemon.workers()) == 2)


def room_for(count: int) -> None:
    """Raise our own limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"needs {count} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def test_flood_of_bad_connections_does_not_stop_good_sessions(tmp_path: Path) -> None:
    room_for(4000)
    write_config(tmp_path, {})
    with running(tmp_path) as daemon, contextlib.ExitStack() as stack:
        before = Held(daemon.socket, client_context())
        for number in range(1200):
            kind = number % 6
            if kind < 3:  # says nothing at all
                stack.enter_context(silent_local(daemon))
            elif kind < 5:  # hands over a remote peer that says nothing
                for each in daemon.session(timeouts=(300, 300)):
                    stack.enter_context(each)
            else:
                local, remote = daemon.session()
                stack.enter_context(local)
                stack.enter_context(remote)
                with contextlib.suppress(OSError):
                    remote.sendall(os.urandom(600))
            if number % 100 == 0:
                Held(daemon.socket, client_context()).close()
        Held(daemon.socket, client_context()).close()
        before.close()
    assert daemon.log().count("TLS handshake failed") >= 200


def silent_local(daemon: Proxy) -> socket.socket:
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.connect(str(daemon.socket))
    return local


def test_silent_clients_make_room_where_descriptors_are_few(start_daemon: StartDaemon) -> None:
    limit = shutil.which("prlimit")
    if limit is None:
        pytest.skip("no prlimit(1)")
    daemon = start_daemon(prefix=(limit, "--nofile=140:140"))
    # More than there is room for; the rest waits in the socket's queue.
    silent = [silent_local(daemon) for _ in range(30)]
    Held(daemon.socket, client_context()).close()
    for each in silent:
        each.close()
    Held(daemon.socket, client_context()).close()


@pytest.mark.parametrize(
    "handshakes", [1500, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
def test_handshakes_leave_neither_memory_nor_descriptors_behind(start_daemon: StartDaemon, handshakes: int) -> None:
    context = client_context()
    daemon = start_daemon({"smtpd_tls_loglevel": "0"})

    def work(count: int) -> None:
        for _ in range(count):
            local, remote = daemon.tls_session(context)
            remote.sendall(b"x")
            assert local.recv(1) == b"x"
            local.close()
            remote.close()

    work(handshakes // 5)
    (worker,) = daemon.workers()
    memory, files = resident(worker), len(open_files(worker))
    work(handshakes - handshakes // 5)
    wait_until(lambda: len(open_files(worker)) <= files)
    assert daemon.workers() == [worker]
    assert resident(worker) - memory < 2048, "KiB"


def resident(pid: int) -> int:
    """Memory in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_stuck_log_holds_up_nothing(tmp_path: Path) -> None:
    """The log is a pipe without a reader, then a broken one."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 65536)
    os.set_blocking(writing, True)
    write_config(tmp_path, {})
    process = subprocess.Popen(standalone(tmp_path), stderr=writing)
    os.close(writing)
    daemon = Proxy(tmp_path, process)
    wait_until(lambda: accepts(daemon.socket))
    try:
        for _ in range(20):
            Held(daemon.socket, client_context()).close()
        os.close(reading)
        Held(daemon.socket, client_context()).close()
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_full_disk_holds_up_nothing(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with Path("/dev/full").open("wb") as log:
        process = subprocess.Popen(standalone(tmp_path), stderr=log)
    path = tmp_path / "socket"
    wait_until(lambda: accepts(path))
    try:
        for _ in range(20):
            Held(path, client_context()).close()
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
