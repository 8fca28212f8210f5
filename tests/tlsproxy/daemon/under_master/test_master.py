"""Life as a child of the real master(8): sessions through postscreen(8), reloads, the end, and refusals at start."""

from __future__ import annotations

import json
import os
import pty
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from peers.daemon.proxy import client_context, script, write_config
from peers.daemon.under_master import StartPostfix
from peers.real.postfix import SBIN, PrivatePostfix
from peers.tools.children import PATIENCE, descriptors_of, open_files, seen_from_inside, wait_until

from tlsproxy.daemon.monitoring.asking import ask

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("master")]


def starttls(postfix: PrivatePostfix) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", postfix.ports["postscreen"], timeout=PATIENCE)
    client.ehlo("client.private.test")
    assert client.starttls(context=client_context())[0] == 220
    return client


def finish(client: smtplib.SMTP) -> None:
    assert client.ehlo("client.private.test")[0] == 250
    assert client.quit()[0] == 221
    client.close()


def daemons(postfix: PrivatePostfix) -> list[int]:
    """The processes of our service, those that finish their last sessions among them."""
    return postfix.processes("tlsproxy")


def wait_until_drained(postfix: PrivatePostfix, before: list[int]) -> None:
    """Wait until the processes that master(8) knew have gone; children of them have the sessions."""
    wait_until(lambda: not set(before) & set(daemons(postfix)), explain=postfix.log)


def test_postscreen_is_served_and_the_log_is_postfix_s_own(real_postfix: PrivatePostfix) -> None:
    finish(starttls(real_postfix))
    log = real_postfix.wait_for_log("tlsproxy[" + str(daemons(real_postfix)[0]) + "]: DISCONNECT [127.0.0.1]:")
    assert "]: CONNECT from [127.0.0.1]:" in log
    assert "Anonymous TLS connection established from [127.0.0.1]:" in log
    assert not [line for line in log.splitlines() if "warning" in line and ("tlsproxy[" in line or "screen[" in line)]


@pytest.mark.parametrize("chroot", ["y", "n"])
def test_process_serves_as_mail_owner_and_sees_nothing_private(
    public_path: Path, start_postfix: StartPostfix, chroot: str
) -> None:
    postfix = start_postfix(chroot=chroot)
    finish(starttls(postfix))
    (pid,) = daemons(postfix)
    assert Path(f"/proc/{pid}").stat().st_uid == Path(postfix.queue, "private").stat().st_uid
    assert Path(f"/proc/{pid}/root").readlink() == (postfix.queue if chroot == "y" else Path("/"))
    hidden = public_path / "pki" / "chain.pem", "/etc/shadow"
    expected = [*(f"{each}: hidden" for each in hidden), "root: refused", "directories: none"]
    assert seen_from_inside(pid, *hidden) == expected
    postfix.wait_for_log(f"/tlsproxy[{pid}]: DISCONNECT [127.0.0.1]:")  # the log is reached from inside the chroot


def control_of(postfix: PrivatePostfix) -> Path:
    return postfix.queue / "private" / "tlsproxy.control"


def test_status_and_metrics_are_served_from_the_chroot(public_path: Path, start_postfix: StartPostfix) -> None:
    postfix = start_postfix(chroot="y")
    client = starttls(postfix)
    (pid,) = daemons(postfix)
    command: list[str | Path] = [script("tlsproxy"), "--status", "-c", postfix.conf]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert f"process {pid}, up " in shown
    assert f"{public_path}/pki/chain.pem: " in shown
    control = control_of(postfix)
    assert control.stat().st_mode & 0o777 == 0o600
    wait_until(lambda: "tlsproxy_sessions 1\n" in ask(control, "/metrics"))
    finish(client)


def test_reload_keeps_sessions_and_gives_new_ones_a_new_process(real_postfix: PrivatePostfix) -> None:
    client = starttls(real_postfix)
    before = daemons(real_postfix)
    real_postfix.reload()
    wait_until_drained(real_postfix, before)
    finish(starttls(real_postfix))
    assert len(daemons(real_postfix)) == 2
    finish(client)
    wait_until(lambda: len(daemons(real_postfix)) == 1)


def test_sighup_to_the_daemon_is_a_reload_of_the_daemon(real_postfix: PrivatePostfix) -> None:
    client = starttls(real_postfix)
    before = daemons(real_postfix)
    os.kill(before[0], signal.SIGHUP)
    wait_until_drained(real_postfix, before)
    finish(starttls(real_postfix))
    finish(client)
    wait_until(lambda: len(daemons(real_postfix)) == 1)


@pytest.mark.parametrize("readable", [True, False], ids=["for all", "for root alone"])
def test_renewed_certificate_is_served_without_a_reload(
    public_path: Path, start_postfix: StartPostfix, readable: bool
) -> None:
    """The same process renews if it may read the key; else a new one, which reads it as root."""
    postfix = start_postfix()
    (public_path / "pki" / "chain.pem").chmod(0o644 if readable else 0o600)
    client = starttls(postfix)
    before, (pid,) = certificate(client), daemons(postfix)
    write_config(public_path / "new", {})
    (public_path / "new" / "chain.pem").chmod(0o644 if readable else 0o600)
    (public_path / "new" / "chain.pem").rename(public_path / "pki" / "chain.pem")
    said = "files with keys, certificates or tables changed"
    if readable:
        postfix.wait_for_log(said)
    else:
        postfix.wait_for_log(f"{said}: a new process reads them")
        wait_until_drained(postfix, [pid])
    other = starttls(postfix)
    assert certificate(other) != before
    assert (pid in daemons(postfix)) is readable
    finish(other)
    finish(client)
    assert postfix.log().count(said) == 1


def certificate(client: smtplib.SMTP) -> bytes | None:
    assert isinstance(client.sock, ssl.SSLSocket)
    return client.sock.getpeercert(binary_form=True)


def test_bad_renewal_keeps_the_certificate_and_is_logged_once(public_path: Path, start_postfix: StartPostfix) -> None:
    postfix = start_postfix()
    chain = public_path / "pki" / "chain.pem"
    chain.chmod(0o644)
    client = starttls(postfix)
    before = certificate(client)
    chain.write_text("damaged")
    postfix.wait_for_log("keeping the previous keys and certificates; correct the file")
    other = starttls(postfix)
    assert certificate(other) == before
    finish(other)
    finish(client)
    assert postfix.log().count("renewal failed: ") == 1
    command = [script("tlsproxy"), "--status", "-c", str(postfix.conf)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (shown.returncode, "degraded: reload_failed" in shown.stdout) == (3, True)


def test_kill_9_of_the_daemon_ends_its_sessions_only(real_postfix: PrivatePostfix) -> None:
    control = control_of(real_postfix)
    client = starttls(real_postfix)
    # A process that has counted the session has reported its use to master(8), too.
    wait_until(lambda: "tlsproxy_sessions 1\n" in ask(control, "/metrics"))
    (victim,) = daemons(real_postfix)
    os.kill(victim, signal.SIGKILL)
    wait_until_drained(real_postfix, [victim])
    client.close()
    finish(starttls(real_postfix))
    assert "throttling" not in real_postfix.log()


def test_end_of_tlsmgr_and_of_postlogd_is_not_felt(real_postfix: PrivatePostfix) -> None:
    finish(starttls(real_postfix))
    for name in ("tlsmgr", "postlogd"):
        for pid in real_postfix.processes(name):
            os.kill(pid, signal.SIGKILL)
    before = real_postfix.log().count("]: DISCONNECT")
    finish(starttls(real_postfix))
    # postscreen(8) says one, and so do we.
    wait_until(lambda: real_postfix.log().count("]: DISCONNECT") >= before + 2)


def test_daemon_without_master_ends_with_its_last_session(start_postfix: StartPostfix) -> None:
    postfix = start_postfix()
    client = starttls(postfix)
    before = daemons(postfix)
    os.kill(postfix.master_pid, signal.SIGKILL)
    assert client.sock is not None
    client.sock.settimeout(PATIENCE)
    wait_until_drained(postfix, before)
    assert len(daemons(postfix)) == 1
    client.close()
    wait_until(lambda: not daemons(postfix))


def test_postfix_stop_leaves_no_process(start_postfix: StartPostfix) -> None:
    postfix = start_postfix()
    client = starttls(postfix)
    before = daemons(postfix)
    postfix.reload()
    wait_until_drained(postfix, before)
    second = starttls(postfix)
    assert len(daemons(postfix)) == 2
    postfix.stop()
    wait_until(lambda: not daemons(postfix))
    client.close()
    second.close()


def test_idle_process_ends_and_is_not_started_without_need(start_postfix: StartPostfix) -> None:
    postfix = start_postfix({"max_idle": "2s"})
    client = starttls(postfix)
    assert daemons(postfix)
    finish(client)
    wait_until(lambda: not daemons(postfix))
    time.sleep(1)  # in which master(8) could start it fifty times
    assert not daemons(postfix)
    finish(starttls(postfix))


def test_process_that_has_served_max_use_hundred_peers_ends(start_postfix: StartPostfix) -> None:
    postfix = start_postfix({"max_use": "1"})
    finish(starttls(postfix))
    (pid,) = daemons(postfix)
    for _ in range(99):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(postfix.queue / "private" / "tlsproxy"))
            assert peer.recv(100)
    wait_until(lambda: pid not in daemons(postfix), explain=postfix.log)
    finish(starttls(postfix))
    assert "fatal" not in postfix.log()


def test_retirement_is_a_drain(start_postfix: StartPostfix) -> None:
    postfix = start_postfix(command="tlsproxy -r 2")
    client = starttls(postfix)
    # It may have retired by now: only the log is sure to know which process it was.
    first = int(postfix.wait_for_log("/tlsproxy[").partition("/tlsproxy[")[2].partition("]")[0])
    wait_until_drained(postfix, [first])
    finish(starttls(postfix))
    finish(client)


def test_configuration_error_is_logged_with_a_pause(start_postfix: StartPostfix) -> None:
    postfix = start_postfix(command="tlsproxy -o tlsproxy_tls_security_level=sometimes")
    client = smtplib.SMTP("127.0.0.1", postfix.ports["postscreen"], timeout=PATIENCE)
    client.ehlo("client.private.test")
    log = postfix_with_code(client, postfix)
    assert "fatal: " in log
    assert 'Invalid TLS level "sometimes"' in log
    assert log.count("bad command startup -- throttling") == 1


def postfix_with_code(client: smtplib.SMTP, postfix: PrivatePostfix) -> str:
    client.putcmd("STARTTLS")
    log = postfix.wait_for_log("throttling")
    client.close()
    return log


def test_missing_certificate_refuses_the_role_only(start_postfix: StartPostfix) -> None:
    postfix = start_postfix({"smtpd_tls_chain_files": "/nonexistent/chain.pem"})
    client = smtplib.SMTP("127.0.0.1", postfix.ports["postscreen"], timeout=PATIENCE)
    client.ehlo("client.private.test")
    assert client.docmd("STARTTLS")[0] == 454
    client.close()
    assert len(daemons(postfix)) == 1
    postfix.wait_for_log("error opening chain file: /nonexistent/chain.pem")


def test_nothing_is_left_open_for_or_by_the_daemon(real_postfix: PrivatePostfix) -> None:
    finish(starttls(real_postfix))
    (pid,) = daemons(real_postfix)
    before = open_files(pid)
    for _ in range(5):
        finish(starttls(real_postfix))
    wait_until(lambda: len(open_files(pid)) <= len(before))
    assert not [each for each in open_files(pid).values() if each.startswith("/") and each != "/dev/null"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-t", "unix", "-u"],
        ["-l", "-t", "unix", "-u"],
        ["-z", "-u"],
        ["-z", "-t", "foo"],
        ["-z", "-t", "unix", "-x"],
        ["-z", "-t", "unix", "-o", "bogus"],
        ["-z", "-t", "unix", "-s", "0"],
        ["-z", "-t", "unix", "-r", "x"],
        ["-z", "-t", "unix", "-r", "0"],
        ["-z", "-t", "unix", "-r", "-1"],  # would end, and be started again, without end
        ["-z", "-t", "unix", "-i", "x"],
        ["-z", "-t", "unix", "-i", "0"],
        ["-z", "-t", "unix", "-m", "x"],
        ["-z", "-t", "unix", "-o", "tlsproxy_watchdog_timeout=5"],
        ["-z", "-t", "unix", "-o", "smtpd_tls_ask_ccert=maybe"],
    ],
)
def test_fatal_start_has_the_message_of_postfix(tmp_path: Path, arguments: list[str]) -> None:
    write_config(tmp_path, {"queue_directory": str(tmp_path), "maillog_file": "/var/log/x"})
    os.utime(tmp_path / "main.cf", (time.time() - 60,) * 2)
    with ThreadPoolExecutor() as pool:  # each waits for a second before it ends
        their = pool.submit(last_words, [str(SBIN / "tlsproxy")], arguments, tmp_path / "theirs")
        our = pool.submit(last_words, [sys.executable, script("tlsproxy")], arguments, tmp_path / "ours")
    assert their.result()
    assert our.result().startswith(their.result())  # and perhaps has the remedy


def test_start_by_hand_is_refused_with_advice() -> None:
    said = []
    for command in ([str(SBIN / "tlsproxy")], [sys.executable, script("tlsproxy")]):
        ours, theirs = pty.openpty()
        process = subprocess.run([*command, "-z", "-t", "unix"], stdin=theirs, stderr=theirs, timeout=PATIENCE)
        os.close(theirs)
        said.append((process.returncode, os.read(ours, 4096)))
        os.close(ours)
    assert said[0] == said[1] == (1, b"tlsproxy: fatal: do not run this command by hand\r\n")


def last_words(command: list[str], arguments: list[str], directory: Path) -> str:
    """Return the lines that a daemon that does not start sends to postlogd(8)."""
    (directory / "public").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as postlog, descriptors_of(directory) as descriptors:
        postlog.bind(str(directory / "public" / "postlog"))
        postlog.settimeout(PATIENCE)
        environment = {
            "PATH": os.environ["PATH"],
            "MAIL_CONFIG": str(directory.parent),
            "POSTLOG_SERVICE": str(directory / "public" / "postlog"),
            "POSTLOG_HOSTNAME": "mail.private.test",
        }
        command = [*command, *arguments, "-o", f"queue_directory={directory}"]
        process = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=PATIENCE,
            preexec_fn=descriptors,
            close_fds=False,
        )
        assert process.returncode == 1
        text = postlog.recv(4096).decode()
    return text.partition("fatal: ")[2]


def test_idle_service_is_no_error_and_logs_as_the_program(start_postfix: StartPostfix) -> None:
    postfix = start_postfix(command="tlsproxy-py")
    command = [script("tlsproxy"), "--status", "-c", str(postfix.conf)]

    def status(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], capture_output=True, text=True, timeout=PATIENCE)

    idle = status()
    assert (idle.returncode, idle.stderr) == (0, "")
    master = f"idle: no process runs, and master(8), process {postfix.master_pid}, starts one"
    assert idle.stdout.startswith(master)
    assert json.loads(status("--json").stdout)["idle"] is True
    finish(starttls(postfix))
    postfix.wait_for_line(r" postfix/tlsproxy\[\d+\]: DISCONNECT \[127\.0\.0\.1\]:")
    assert "/tlsproxy-py[" not in postfix.log()
    served = status()
    assert "under master(8): not reloaded since the start" in served.stdout
    assert served.returncode == 0
    postfix.stop()
    stopped = status()
    assert stopped.returncode == 1
    assert "the daemon does not answer" in stopped.stderr


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGIO, signal.SIGRTMIN])
def test_meaningless_signal_leaves_child_of_master_alone(real_postfix: PrivatePostfix, number: int) -> None:
    client = starttls(real_postfix)
    before = daemons(real_postfix)
    for pid in before:
        os.kill(pid, number)
    finish(client)
    assert daemons(real_postfix) == before
