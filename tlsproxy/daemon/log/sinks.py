"""Outputs of log lines: standard error, postlogd(8), syslogd(8). None of them blocks the program."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable

_CHUNK = 4096
"""Linux's PIPE_BUF: a pipe that is ready for writing takes as much at once. So much of a datagram postlogd(8) reads."""
_STDERR = 2
_LATER = {errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

SYSLOG_SOCKET = "/dev/log"


class _StandardError:
    """Writer of lines to standard error; if that is closed, lines are discarded."""

    def __init__(self) -> None:
        self._rest = b""
        """Rest of a line of which a full disk has accepted a part; the line counts as written."""

    def __call__(self, lines: list[bytes]) -> int:
        """Write as many lines as are taken now."""
        poll = select.poll()
        poll.register(_STDERR, select.POLLOUT)
        done = 0
        while self._rest or done < len(lines):
            count, chunk = (0, self._rest) if self._rest else _chunk(lines, done, b"\n")
            if not poll.poll(0):
                break
            try:
                written = os.write(_STDERR, chunk)
            except OSError as error:
                if error.errno in _LATER:
                    break
                self._rest = b""
                return len(lines)
            self._rest = chunk[written:]
            done += count
        return done


stderr: Callable[[list[bytes]], int] = _StandardError()


def also_to_stderr(sink: Callable[[list[bytes]], int]) -> Callable[[list[bytes]], int]:
    """Return a sink that also shows on standard error the lines that another one has taken."""

    def both(lines: list[bytes]) -> int:
        taken = sink(lines)
        stderr(lines[:taken])
        return taken

    return both


def _chunk(lines: list[bytes], start: int, end_of_last: bytes = b"") -> tuple[int, bytes]:
    """Return the number of whole lines that fit, and these lines."""
    size = len(lines[start]) + 1
    end = start + 1
    while end < len(lines) and size + len(lines[end]) < _CHUNK:
        size += len(lines[end]) + 1
        end += 1
    return end - start, b"\n".join(lines[start:end]) + end_of_last


class Datagrams:
    """Datagrams to a UNIX socket, also after a restart of the receiver."""

    def __init__(self, path: str, *, together: bool = False) -> None:
        """`path`: a path that is valid before and after chroot(2), because the receiver may be restarted.

        `together`: True if a datagram may have several lines. postlogd(8) writes datagrams unchanged, wakes up less
        often then, and its queue of eleven datagrams (on Linux) holds hundreds of lines.
        """
        self._path = path
        self._together = together
        self._socket: socket.socket | None = None
        self.connect()

    def connect(self) -> bool:
        """Connect if that has not been done; return True if there is a receiver."""
        if self._socket is None:
            try:
                new = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            except OSError:  # no descriptors are left
                return False
            try:
                new.connect(self._path)
            except OSError:
                new.close()
                return False
            self._socket = new
        return True

    def __call__(self, lines: list[bytes]) -> int:
        """Send lines until the receiver takes no more."""
        done = 0
        while done < len(lines):
            count, datagram = _chunk(lines, done) if self._together else (1, lines[done])
            if not self._send(datagram):
                break
            done += count
        return done

    def _send(self, datagram: bytes) -> bool:
        for _ in range(2):
            if not self.connect() or self._socket is None:
                return False
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                return False
            except OSError:  # the receiver has gone; perhaps there is a new one
                self._socket.close()
                self._socket = None
            else:
                return True
        return False
