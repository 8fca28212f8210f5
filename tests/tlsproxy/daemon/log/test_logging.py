"""Log lines get out when they can, in order, and their absence holds up nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from peers.tools.children import PATIENCE

from tlsproxy.daemon.log.json_lines import JsonForm
from tlsproxy.daemon.log.lines import LogSeverity, PostfixForm, PostfixLog, SyslogForm
from tlsproxy.daemon.log.sinks import Datagrams

FORM = PostfixForm("postfix/tlsproxy", "mail.private.test")


def texts(lines: list[bytes]) -> list[str]:
    return [line.decode().partition("]: ")[2] for line in lines]


def receiver(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.setblocking(False)
    return made


def received(stream: socket.socket) -> list[bytes]:
    lines = []
    try:
        while True:
            lines.append(stream.recv(4096))
    except BlockingIOError:
        return lines


def test_undeliverable_lines_are_kept_up_to_a_bound_and_counted() -> None:
    taken: list[bytes] = []
    open_ = False

    def sink(lines: list[bytes]) -> int:
        if not open_:
            return 0
        taken.extend(lines)
        return len(lines)

    log = PostfixLog(FORM, sink)
    for number in range(10_500):
        log.info(f"line {number}")
        log.flush()
    assert log.lost == 500
    open_ = True
    log.flush()
    log.flush()
    assert texts(taken)[:10_000] == [f"line {number}" for number in range(10_000)]
    assert texts(taken)[10_000:] == ["warning: 500 lines of this log were lost: it was not taken for too long"]


def test_restarted_receiver_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = PostfixLog(FORM, Datagrams(str(path)))
    log.info("before there is anyone")
    log.flush()
    with receiver(path) as first:
        log.info("one")
        log.flush()
        assert texts(received(first)) == ["before there is anyone", "one"]
    path.unlink()
    log.info("two")
    log.flush()
    with receiver(path) as second:
        log.info("three")
        log.flush()
        assert texts(received(second)) == ["two", "three"]


def test_receiver_that_does_not_read_gets_lines_later_in_order(tmp_path: Path) -> None:
    with receiver(tmp_path / "log") as slow:
        log = PostfixLog(FORM, Datagrams(str(tmp_path / "log")))
        for number in range(3000):
            log.info(str(number))
        got: list[bytes] = []
        while len(got) < 3000:
            log.flush()
            new = received(slow)
            assert new
            got += new
        assert texts(got) == [str(number) for number in range(3000)]


@pytest.mark.parametrize("together", [True, False])
def test_lines_are_joined_only_for_receivers_that_split_them(tmp_path: Path, *, together: bool) -> None:
    with receiver(tmp_path / "log") as stream:
        log = PostfixLog(FORM, Datagrams(str(tmp_path / "log"), together=together))
        expected = [str(number) + "x" * (37 * number % 1990) for number in range(200)]
        for text in expected:
            log.info(text)
        datagrams: list[bytes] = []
        lines: list[bytes] = []
        while len(lines) < 200:
            log.flush()
            datagrams += received(stream)
            lines = [line for each in datagrams for line in each.split(b"\n")]
        assert texts(lines) == expected
        assert max(map(len, datagrams)) <= 4096
        assert len(datagrams) < 100 if together else len(datagrams) == 200


def test_short_queue_is_drained_and_a_gone_receiver_left_alone() -> None:
    taken: list[bytes] = []
    asked = 0
    room = 11

    def sink(lines: list[bytes]) -> int:
        nonlocal asked
        asked += 1
        taken.extend(lines[:room])
        return len(lines[:room])

    log = PostfixLog(FORM, sink)
    for number in range(1000):
        log.info(str(number))
    now = 0.0
    while len(taken) < 1000:
        now += log.flush_when_due(now)
    assert now < 2
    assert texts(taken) == [str(number) for number in range(1000)]
    room = asked = 0
    log.info("to nobody")
    gone = now
    while now < gone + 60:
        now += log.flush_when_due(now)
    assert 50 < asked < 80


def test_forms() -> None:
    text = "a\nb\x7fcé"
    postfix = FORM.line(LogSeverity.WARNING, text).decode()
    assert re.fullmatch(r"\w{3} \d\d \d\d:\d\d:\d\d mail postfix/tlsproxy\[\d+\]: warning: a\?b\?cé", postfix)
    syslog = SyslogForm("postfix/tlsproxy", "mail").line(LogSeverity.INFO, text).decode()
    assert re.fullmatch(r"<22>\w{3} \d\d \d\d:\d\d:\d\d postfix/tlsproxy\[\d+\]: a\?b\?cé", syslog)
    fields = json.loads(JsonForm("postfix/tlsproxy").line(LogSeverity.FATAL, text))
    assert (fields["severity"], fields["text"]) == ("fatal", text)
    assert len(FORM.line(LogSeverity.INFO, "x" * 5000)) < 2100


FULL = """
import resource, signal
from tlsproxy.daemon.log.lines import PostfixForm, PostfixLog
from tlsproxy.daemon.log.sinks import stderr
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
log = PostfixLog(PostfixForm("postfix/tlsproxy", "mail"), stderr)
for number in range(300):
    log.info(f"line {number}")
    log.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.flush()
"""


def test_lines_without_room_are_written_later(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        subprocess.run([sys.executable, "-c", FULL], stderr=file, check=True, timeout=PATIENCE)
    assert texts((tmp_path / "log").read_bytes().splitlines()) == [f"line {number}" for number in range(300)]


STUCK = """
import signal, time
from tlsproxy.daemon.log.lines import PostfixForm, PostfixLog
from tlsproxy.daemon.log.sinks import stderr
from tlsproxy.daemon.process.watchdog import Watchdog
watchdog = Watchdog(PostfixLog(PostfixForm("postfix/tlsproxy", "mail"), stderr), 1)
def stuck():
    watchdog.rest()
    {}
stuck()
"""


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("while True: pass", "fatal: watchdog timeout in stuck, line"),
        # As in a function of a library that does not come back: no handler of Python's runs.
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(20)", "Timeout (0:00:03)!"),
    ],
)
def test_watchdog_ends_a_process_that_is_stuck(work: str, said: str) -> None:
    command = [sys.executable, "-c", STUCK.format(work)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1
    assert said in ended.stderr


def test_process_that_was_only_stopped_is_not_bitten() -> None:
    turning = "\n    ".join(("import sys", "while True:", "    print('turned', flush=True)", "    watchdog.rest()"))
    command = [sys.executable, "-c", STUCK.format(turning).replace("stderr), 1)", "stderr), 3)")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        try:
            process.stdout.readline()
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(4)  # longer than the limit
            os.kill(process.pid, signal.SIGCONT)
            for _ in range(10_000):  # more than the pipe held
                assert process.stdout.readline() == b"turned\n"
        finally:
            process.kill()
