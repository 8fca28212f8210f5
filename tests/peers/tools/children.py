"""Looking at processes from outside, and starting one with the descriptors that master(8) gives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0
"""Seconds after which a test gives up: far more than anything takes on a machine that has a lot else to do."""


def wait_until(
    condition: Callable[[], object], *, patience: float = PATIENCE, explain: Callable[[], str] = lambda: ""
) -> None:
    """Come back when the condition holds; fail, with an explanation, when it does not in time."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to that: {explain()}"
        time.sleep(0.05)


def accepts(path: Path) -> bool:
    """Return True if a process listens at this UNIX socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def open_files(pid: int) -> dict[int, str]:
    """Return the target of each descriptor of a process."""
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(each.name)] = str(each.readlink())
        except OSError:  # closed meanwhile
            continue
    return found


def seen_from_inside(pid: int, *paths: str | Path) -> list[str]:
    """Look around with the user, groups and root directory of a process: for files, root's rights, open directories."""
    command = [sys.executable, "-c", _LOOK, str(pid), *map(str, paths)]
    looked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return looked.stdout.splitlines()


_LOOK = """
import os, sys
pid, *paths = sys.argv[1:]
status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
descriptors = [os.path.isdir(f"/proc/{pid}/fd/{each}") for each in os.listdir(f"/proc/{pid}/fd")]
os.chroot(f"/proc/{pid}/root")
os.chdir("/")
os.setgroups([int(each) for each in status["Groups"].split()])
os.setgid(int(status["Gid"].split()[0]))
os.setuid(int(status["Uid"].split()[0]))
for path in paths:
    try:
        open(path).close()
        print(f"{path}: visible")
    except OSError:
        print(f"{path}: hidden")
try:
    os.setuid(0)
    print("root: granted")
except OSError:
    print("root: refused")
print("directories: some" if any(descriptors) else "directories: none")
"""


@contextmanager
def descriptors_of(directory: Path) -> Iterator[Callable[[], None]]:
    """Return a `preexec_fn` that gives the process a status channel and a listening socket, as master(8) does."""
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(directory / "socket"))
        listener.listen()
        listener.setblocking(False)
        reading, writing = os.pipe()

        def place() -> None:
            # First out of the way of one another.
            high = [
                os.dup2(each, 100 + n) for n, each in enumerate((reading, writing, theirs.fileno(), listener.fileno()))
            ]
            for number, each in enumerate(high):
                os.dup2(each, 3 + number)
                os.close(each)

        try:
            yield place
        finally:
            os.close(reading)
            os.close(writing)
