"""systemd: status notifications (sd_notify(3)), and sockets from socket activation (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

from ...log import FatalError
from .listening import Listener

_FIRST = 3


class Notifier:
    """Status notifications for systemd; without systemd, they have no effect."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take the variables for this process out of the environment."""
        path = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        interval = environment.pop("WATCHDOG_USEC", "")
        meant_for = environment.pop("WATCHDOG_PID", "")
        is_ours = interval.isdigit() and meant_for in ("", str(os.getpid()))
        self._interval = int(interval) / 2e6 if is_ours else 0.0
        self._next = 0.0

    def ready(self, status: str) -> None:
        """Report that a start or a reload is done."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Report that a reload has begun."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon is stopping."""
        self._send("STOPPING=1")

    def alive(self, now: float) -> None:
        """Send WATCHDOG=1 at systemd's interval (periodic task)."""
        if self._interval and now >= self._next:
            self._next = now + self._interval
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),  # it will ask by other means
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify,
        ):
            notify.sendto(message.encode(), self._address)


def activated_socket(environment: MutableMapping[str, str]) -> Listener | None:
    """Return the listening socket that systemd has opened for us, if it has; raise `FatalError` if it is of no use."""
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "0")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return None
    if count != "1":
        raise FatalError(f"socket activation: {count} sockets instead of one")
    os.set_inheritable(_FIRST, False)
    listener = socket.socket(fileno=_FIRST)
    if listener.family != socket.AF_UNIX or listener.type != socket.SOCK_STREAM:
        raise FatalError("socket activation: not a UNIX stream socket (ListenStream= with a path)")
    return Listener(listener)
