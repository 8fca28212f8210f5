"""The relay of one session: bytes between its two sides, after the handshake.

"Up" is from the remote peer (ciphertext) to the local one (plaintext), "down" the other way. No byte is held back while
it can be written. The rest is kept, and its side is not read again until it is gone: that is the whole flow control.
All sessions of a process share one buffer, so an idle session owns none.

The loop itself calls the handlers of the steady state. Each does its work in one call, and none looks at a state: an
interpreter's calls cost as much as the work (docs/performance.md).
"""

from __future__ import annotations

import socket
from enum import Enum, auto
from typing import Any, Protocol

from ..loop import GONE, IN, OUT, Loop
from ..tls.openssl.binding import (
    ERROR_SSL,
    ERROR_WANT_READ,
    ERROR_WANT_WRITE,
    SSL_get_error,
    SSL_read,
    SSL_write,
    buffer,
    from_buffer,
)

_RECORD = 16384
_SHORT = 4096
"""A record below this size is taken for the last one of a burst: it is passed on without asking for more."""
_UP_LIMIT = 6 * _RECORD
"""So much is passed on at once, and a record more: less makes for more turns of the loop, more is more than sockets
take."""
_DOWN_LIMIT = 131072
"""So much is read at once; OpenSSL makes records of it, and writes them one by one."""
_FEW_RECORDS = 2 * _RECORD
"""Larger writes are corked (tcp(7), TCP_CORK), so that TLS records share full segments: fewer segments save more than
the two setsockopt(2) calls cost."""

_data, _view = buffer(_DOWN_LIMIT)


class End(Enum):
    """Why a session can't go on."""

    REMOTE_CLOSED = auto()
    """The remote peer has ended the session, in order or not."""
    REMOTE_FAILED = auto()
    """OpenSSL has reported an error; its queue has it."""
    LOCAL_CLOSED = auto()
    """The local peer has closed its side."""


class RelayOwner(Protocol):
    """The session that a relay works for."""

    def relay_ended(self, end: End) -> None:
        """Go on when the relay can't."""


class Relay:
    """Moves bytes between two non-blocking descriptors, and never waits. The session closes them."""

    __slots__ = (
        "_down_pending",
        "_local",
        "_loop",
        "_receive_down",
        "_remote",
        "_remote_socket",
        "_send_up",
        "_ssl",
        "session",
        "touched",
        "up_pending",
    )

    def __init__(self, session: RelayOwner, loop: Loop, local: socket.SocketType, remote: int, ssl: Any) -> None:
        """`remote` is the descriptor that `ssl` reads and writes."""
        self.session = session
        self.touched = loop.now
        """When something last happened, by the loop's clock."""
        self.up_pending: bytes | memoryview = b""
        """Bytes that the local peer has not taken yet."""
        self._down_pending = b""
        self._loop = loop
        self._local = local.fileno()
        self._receive_down = local.recv_into
        self._send_up = local.send
        self._remote = remote
        self._remote_socket: socket.SocketType | None = None
        self._ssl = ssl

    def watch(self) -> None:
        """Wait for bytes from either side; but read no side whose bytes can't be passed on."""
        up, down = self.up_pending, self._down_pending
        watch = self._loop.watch
        watch(
            self._local,
            (0 if down else IN) | (OUT if up else 0),
            self._on_blocked_local if up else self._on_local,
        )
        watch(
            self._remote,
            (0 if up else IN) | (OUT if down else 0),
            self._on_blocked_remote if down else self._on_remote,
        )

    def close(self) -> None:
        """Give up the descriptors, before the session closes them."""
        if self._remote_socket is not None:
            self._remote_socket.detach()  # or else it would close a descriptor that is another file's by then
            self._remote_socket = None

    def describe_stall(self) -> str:
        """Return the operation that the relay is waiting for, as Postfix logs it at the limit."""
        if self.up_pending:
            return "deadlock on plaintext stream"
        return "deadlock on ciphertext stream" if self._down_pending else "ciphertext read/write timeout"

    def write_local(self) -> End | None:
        """Write the bytes that the local peer would not take."""
        try:
            self.up_pending = self.up_pending[self._send_up(self.up_pending) :]
        except BlockingIOError:
            pass
        except OSError:
            return End.LOCAL_CLOSED
        return None

    # -- the steady state: nothing is pending

    def _on_remote(self, _events: int) -> None:
        """Decrypt bytes of the remote peer and pass them on."""
        self.touched = self._loop.now
        used = SSL_read(self._ssl, _data, _RECORD)
        end = None
        if not 0 < used < _SHORT:
            used, end = self._read_on(used)
        if used:
            try:
                sent = self._send_up(_view[:used])
            except BlockingIOError:
                sent = 0
            except OSError:
                self.session.relay_ended(End.LOCAL_CLOSED)
                return
            if sent < used:
                self.up_pending = memoryview(bytes(_view[sent:used]))
        if end is not None or self.up_pending:
            self._go_on(end)

    def _read_on(self, count: int) -> tuple[int, End | None]:
        """Read as long as there are full records, after a first call that has returned `count`; return all there is."""
        used = 0
        while count > 0:
            used += count
            if count < _SHORT or used >= _UP_LIMIT:
                return used, None
            count = SSL_read(self._ssl, _data + used, _RECORD)
        error = SSL_get_error(self._ssl, count)
        return used, None if error in (ERROR_WANT_READ, ERROR_WANT_WRITE) else _closed_or_failed(error)

    def _on_local(self, _events: int) -> None:
        """Encrypt bytes of the local peer and pass them on."""
        self.touched = self._loop.now
        try:
            count = self._receive_down(_view)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self.session.relay_ended(End.LOCAL_CLOSED)
            return
        written = SSL_write(self._ssl, _data, count) if count <= _FEW_RECORDS else self._write_many(count)
        if written > 0:
            return
        error = SSL_get_error(self._ssl, written)
        if error in (ERROR_WANT_WRITE, ERROR_WANT_READ):
            self._down_pending = bytes(_view[:count])
            self.watch()
        else:
            self.session.relay_ended(_closed_or_failed(error))

    def _write_many(self, count: int) -> int:
        """Encrypt and pass on more than a few records; return the result of SSL_write."""
        if self._remote_socket is None:
            self._remote_socket = socket.SocketType(fileno=self._remote)
        set_option = self._remote_socket.setsockopt
        try:
            set_option(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        except OSError:  # not TCP
            return int(SSL_write(self._ssl, _data, count))
        written: int = SSL_write(self._ssl, _data, count)
        set_option(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        return written

    # -- something is pending

    def _on_blocked_local(self, events: int) -> None:
        """Write the bytes that the local peer has not taken; it may send some all the same."""
        if events & (OUT | GONE):
            self.touched = self._loop.now
            self._go_on(self.write_local())
        else:
            self._on_local(events)

    def _on_blocked_remote(self, events: int) -> None:
        """Write the bytes that the remote peer has not taken; it may send some all the same."""
        if events & (OUT | GONE):
            self.touched = self._loop.now
            self._go_on(self._write_remote())
        else:
            self._on_remote(events)

    def _write_remote(self) -> End | None:
        """Write the bytes that the remote peer would not take: the same ones, as SSL_write demands."""
        pending = self._down_pending
        written = SSL_write(self._ssl, from_buffer(pending), len(pending))
        if written > 0:
            self._down_pending = b""
            return None
        error = SSL_get_error(self._ssl, written)
        return None if error in (ERROR_WANT_WRITE, ERROR_WANT_READ) else _closed_or_failed(error)

    def _go_on(self, end: End | None) -> None:
        if end is None:
            self.watch()
        else:
            self.session.relay_ended(end)


def _closed_or_failed(error: int) -> End:
    """Distinguish an end, in order or by a reset, from an error that OpenSSL can explain."""
    return End.REMOTE_FAILED if error == ERROR_SSL else End.REMOTE_CLOSED
