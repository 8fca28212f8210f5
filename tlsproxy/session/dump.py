"""Dump of the bytes between a remote peer and TLS in the log, for log levels 3 and 4.

OpenSSL reads and writes descriptors by itself, and its callback for that is not bound. So TLS gets one end of a socket
pair, and the bytes at its other end are moved by hand: slow, but never in the way of other sessions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress

from ..log import Log
from ..loop import GONE, IN, OUT, Loop
from ..tls.report.packet_dump import dump, heading

_CHUNK = 16384


class PacketDump:
    """Moves bytes between a remote peer, which it owns, and `descriptor`, which the session uses in its place."""

    def __init__(self, loop: Loop, log: Log, remote: int) -> None:
        """`remote` is non-blocking."""
        inner, outer = socket.socketpair()
        inner.setblocking(False)
        outer.setblocking(False)
        self.descriptor = outer.detach()
        self.enabled = True
        self._loop = loop
        self._log = log
        self._remote = _End(remote, "read from")
        self._inner = _End(inner.detach(), "write to")
        self._watch()

    def _on_remote(self, events: int) -> None:
        self._move(self._remote, self._inner, events)

    def _on_inner(self, events: int) -> None:
        self._move(self._inner, self._remote, events)

    def _move(self, here: _End, there: _End, events: int) -> None:
        """Write or read `here`, as its events allow, and pass the bytes to `there`."""
        try:
            if events & OUT:
                here.write()
            if events & (IN | GONE) and not there.pending and not here.ended:
                self._show(here, there.take_from(here))
                there.write()
        except OSError:
            self._close()
            return
        if self._inner.ended and not self._remote.pending:
            self._close()  # the session is over
        else:
            self._watch()

    def _show(self, end: _End, data: bytes) -> None:
        if self.enabled and data:
            self._log.info(heading(end.verb, self.descriptor, len(data)))
            for line in dump(data):
                self._log.info(line)

    def _watch(self) -> None:
        for here, there, handler in (
            (self._remote, self._inner, self._on_remote),
            (self._inner, self._remote, self._on_inner),
        ):
            events = (OUT if here.pending else 0) | (0 if here.ended or there.pending else IN)
            self._watch_end(here, events, handler)

    def _watch_end(self, end: _End, events: int, handler: Callable[[int], None]) -> None:
        self._loop.watch(end.descriptor, events, handler)

    def _close(self) -> None:
        self._loop.close(self._remote.descriptor, shared=True)
        self._loop.close(self._inner.descriptor)


class _End:
    """One of the two ends: the bytes that wait for it, and its end."""

    def __init__(self, descriptor: int, verb: str) -> None:
        self.descriptor = descriptor
        self.verb = verb
        self.pending = b""
        self.ended = False

    def take_from(self, other: _End) -> bytes:
        """Read from the other end the bytes for this one."""
        try:
            self.pending = os.read(other.descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        if not self.pending:
            other.ended = True
            with socket.socket(fileno=os.dup(self.descriptor)) as this:
                this.shutdown(socket.SHUT_WR)
        return self.pending

    def write(self) -> None:
        """Write as many pending bytes as the descriptor takes."""
        if self.pending:
            with suppress(BlockingIOError):
                self.pending = self.pending[os.write(self.descriptor, self.pending) :]
