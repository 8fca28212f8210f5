"""Where log lines go: standard error, postlogd(8), syslogd(8). None of them can make the program wait."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable

_CHUNK = 4096
"""POSIX's least PIPE_BUF that Linux has: a pipe that is ready for writing takes as much at once."""
_STDERR = 2

SYSLOG_SOCKET = "/dev/log"


def stderr(lines: list[bytes]) -> int:
    """Write lines to standard error; who has closed it does not want them."""
    poll = select.poll()
    poll.register(_STDERR, select.POLLOUT)
    done = 0
    while done < len(lines):
        count, chunk = _chunk(lines, done)
        if not poll.poll(0):
            return done
        try:
            os.write(_STDERR, chunk)
        except BlockingIOError:
            return done
        except OSError:
            return len(lines)  # closed, or the disk is full
        done += count
    return done


def also_to_stderr(sink: Callable[[list[bytes]], int]) -> Callable[[list[bytes]], int]:
    """Show on standard error what another sink has taken."""

    def both(lines: list[bytes]) -> int:
        taken = sink(lines)
        stderr(lines[:taken])
        return taken

    return both


def _chunk(lines: list[bytes], start: int) -> tuple[int, bytes]:
    """As many whole lines as fit."""
    size = len(lines[start]) + 1
    end = start + 1
    while end < len(lines) and size + len(lines[end]) < _CHUNK:
        size += len(lines[end]) + 1
        end += 1
    return end - start, b"\n".join([*lines[start:end], b""])


class Datagrams:
    """One datagram for each line to a UNIX socket; a receiver that was started anew is found again."""

    def __init__(self, path: str) -> None:
        """`path` should hold before and after chroot(2), for the day when the receiver is started anew."""
        self._path = path
        self._socket: socket.socket | None = None
        self.connect()

    def connect(self) -> bool:
        """Connect where that has not been done; say whether there is a receiver."""
        if self._socket is None:
            new = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            new.setblocking(False)
            try:
                new.connect(self._path)
            except OSError:
                new.close()
                return False
            self._socket = new
        return True

    def __call__(self, lines: list[bytes]) -> int:
        """Send lines until the receiver takes no more."""
        for sent, line in enumerate(lines):
            if not self._send(line):
                return sent
        return len(lines)

    def _send(self, line: bytes) -> bool:
        for _ in range(2):
            if not self.connect() or self._socket is None:
                return False
            try:
                self._socket.send(line)
            except BlockingIOError:
                return False
            except OSError:  # the receiver has gone; perhaps there is a new one
                self._socket.close()
                self._socket = None
            else:
                return True
        return False
