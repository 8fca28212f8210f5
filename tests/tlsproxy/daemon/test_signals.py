"""Signals that mean nothing end nothing, and a process keeps no descriptor of its starter."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from peers.daemon.proxy import Proxy, standalone, write_config
from peers.tools.children import PATIENCE, accepts, open_files, wait_until

MEANINGLESS = [
    *("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPIPE", "SIGPWR", "SIGSTKFLT"),
    *("SIGWINCH", "SIGURG", "SIGCONT", "SIGRTMIN", "SIGRTMAX"),
]
NUMBERS = {"SIGSTKFLT": 16}


@pytest.mark.parametrize("name", MEANINGLESS)
def test_meaningless_signal_ends_no_process_and_no_session(daemon: Proxy, name: str) -> None:
    number = NUMBERS.get(name) or getattr(signal, name)
    processes = [daemon.process.pid, *daemon.workers()]
    local, remote = daemon.tls_session()
    with local, remote:
        for pid in processes:
            os.kill(pid, number)
        if name in ("SIGUSR1", "SIGUSR2"):
            daemon.wait_for_log(f"warning: {name}: no effect; SIGHUP reloads", len(processes))
        remote.sendall(b"up")
        assert local.recv(2) == b"up"
    assert daemon.process.poll() is None
    assert [daemon.process.pid, *daemon.workers()] == processes
    assert "killed by signal" not in daemon.log()


def test_sighup_during_start_is_a_reload_afterwards(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(standalone(tmp_path), stderr=log)
    try:
        status = Path(f"/proc/{process.pid}/status")

        def has_come_to_signals() -> bool:
            blocked = next(line for line in status.read_text().splitlines() if line.startswith("SigBlk:"))
            return bool(int(blocked.split()[1], 16) & 1 << signal.SIGHUP - 1)

        wait_until(lambda: has_come_to_signals() or accepts(tmp_path / "socket"))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded, generation 2" in (tmp_path / "log").read_text())
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_descriptors_of_starter_are_not_kept(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    reading, writing = os.pipe()
    high = os.dup2(writing, 251)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(standalone(tmp_path), stderr=log, pass_fds=(writing, high))
    os.close(writing)
    os.close(high)
    try:
        daemon = Proxy(tmp_path, process)
        wait_until(lambda: accepts(tmp_path / "socket") and len(daemon.workers()) == 1)
        for pid in (process.pid, *daemon.workers()):
            assert 251 not in open_files(pid)
        assert os.read(reading, 1) == b""  # no process has the other end
        local, status = daemon.request()
        with local:
            assert status == 1
    finally:
        os.close(reading)
        process.terminate()
        process.wait(PATIENCE)
