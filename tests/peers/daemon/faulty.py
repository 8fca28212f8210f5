"""The daemon where system calls fail and clocks go wrong: `faulty.py DIRECTORY tlsproxy ARGUMENTS…`.

While there is a file `no-fork` in the directory, there can be no new processes. The file `clock` has the error of the
time of day, in seconds.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

from tlsproxy.cli import main

_fork = os.fork
_time = time.time


def _make_faulty(directory: Path) -> None:
    no_fork, clock = directory / "no-fork", directory / "clock"

    def fork() -> int:
        if no_fork.exists():
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return _fork()

    def now() -> float:
        return _time() + (int(clock.read_text() or 0) if clock.exists() else 0)

    os.fork = fork
    time.time = now


if __name__ == "__main__":
    _make_faulty(Path(sys.argv[1]))
    sys.argv[:] = sys.argv[2:]
    sys.exit(main())
