"""Cost of processes: CPU time, memory, system calls (Linux, /proc)."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_OTHERS = {"master", "tlsmgr", "postlogd"}
"""Processes of an instance that are not the daemon."""


def cpu(command: list[str], directory: Path, keys: bytes = b"") -> tuple[float, bytes]:
    """Run a command; return its CPU seconds and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, input=keys, stdout=subprocess.PIPE, cwd=directory, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


class Daemon:
    """Daemon under a master process: all child processes except Postfix's own helpers."""

    def __init__(self, name: str, master: int) -> None:
        self.name = name
        self._master = master

    def processes(self) -> list[int]:
        """Return the current process ids."""
        children: dict[int, list[int]] = {}
        names: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                text = (entry / "stat").read_text()
                names[int(entry.name)] = text[text.index("(") + 1 : text.rindex(")")]
                parent = int(text[text.rindex(")") + 2 :].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
        found, todo = [], [self._master]
        while todo:
            pid = todo.pop()
            todo += children.get(pid, [])
            if names.get(pid) and names[pid] not in _OTHERS:
                found.append(pid)
        return found

    def cpu(self) -> float:
        """Return the seconds of CPU time, user and system, of the processes that are there."""
        return sum(_run_time(pid) for pid in self.processes())

    def reaped(self) -> float:
        """Return the seconds of CPU time of children of master(8) that have ended."""
        fields = _stat(self._master)
        return (int(fields[13]) + int(fields[14])) / _TICK

    def reload(self) -> None:
        """Make master(8) end all processes, as `postfix reload` does, and wait for their exit."""
        os.kill(self._master, signal.SIGHUP)
        while self.processes():
            time.sleep(0.05)

    def memory(self) -> float:
        """Resident memory in KiB."""
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                found = re.search(r"^Rss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                total += int(found[1]) if found else 0
        return total

    @contextlib.contextmanager
    def on_this_cpu(self) -> Iterator[None]:
        """Pin the daemon and this process to one CPU, so that wake-ups between CPUs don't count."""
        everywhere = os.sched_getaffinity(0)
        one = {min(everywhere)}
        self._pin(one)
        os.sched_setaffinity(0, one)
        try:
            yield
        finally:
            os.sched_setaffinity(0, everywhere)
            self._pin(everywhere)

    @contextlib.contextmanager
    def on_another_cpu(self) -> Iterator[None]:
        """Pin the daemon to one CPU, and this process to the others."""
        everywhere = os.sched_getaffinity(0)
        self._pin({min(everywhere)})
        os.sched_setaffinity(0, {max(everywhere)})
        try:
            yield
        finally:
            os.sched_setaffinity(0, everywhere)
            self._pin(everywhere)

    def _pin(self, cpus: set[int]) -> None:
        for pid in (self._master, *self.processes()):  # children inherit the CPU of their parent
            with contextlib.suppress(OSError):
                os.sched_setaffinity(pid, cpus)

    @contextlib.contextmanager
    def traced(self) -> Iterator[dict[str, int]]:
        """Count the daemon's system calls by name; the result is complete when the block has ended. Needs strace."""
        calls: dict[str, int] = {}
        with tempfile.NamedTemporaryFile("r") as report:
            pids = [word for pid in self.processes() for word in ("-p", str(pid))]
            tracer = subprocess.Popen(
                ["strace", "-f", "-c", "-o", report.name, *pids], stderr=subprocess.PIPE, start_new_session=True
            )
            time.sleep(0.7)
            try:
                yield calls
                time.sleep(0.3)
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.communicate(timeout=20)
            for line in report.read().splitlines():
                fields = line.split()
                if re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+\d+", line) and fields[-1] != "total":
                    calls[fields[-1]] = int(fields[3])


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def _run_time(pid: int) -> float:
    """Return the CPU time by the scheduler's own clock, which is finer than that of `stat`."""
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
