"""Descriptors that the starter of a process has left open, and that are not for it."""

from __future__ import annotations

import os
from collections.abc import Mapping

FIRST = 3
"""The first one that is no standard stream; systemd's sockets begin here (sd_listen_fds(3))."""
_LAST = (1 << 31) - 1


def passed_by_systemd(environment: Mapping[str, str]) -> int:
    """Return the number of sockets that systemd's variables name for this process (sd_listen_fds(3))."""
    count = environment.get("LISTEN_FDS", "")
    is_ours = environment.get("LISTEN_PID") == str(os.getpid())
    return int(count) if is_ours and count.isascii() and count.isdigit() else 0


def close_from(first: int) -> None:
    """Close all descriptors from a number on: a pipe or a file of the starter would stay open as long as we run."""
    os.closerange(first, _LAST)
