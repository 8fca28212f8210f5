"""Bytes between the two sides of one session, after the handshake.

"Up" is from the remote peer (ciphertext) to the local one (plaintext), "down" the other way. Nothing is held back while
it can be written; what can't is kept, and its side is not read again until it is gone: that is the whole flow control.
All sessions of a process share one buffer, so an idle session owns none.
"""

from __future__ import annotations

import socket
from enum import Enum, auto
from typing import Any

from ..loop import Loop
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
"""Of a larger write the kernel is told when it begins and ends (tcp(7), TCP_CORK): it then fills its segments across
the records. There are fewer of them, and each costs more than telling it."""

_data, _view = buffer(_DOWN_LIMIT)


class End(Enum):
    """Why a session can't go on."""

    REMOTE_CLOSED = auto()
    """The remote peer has ended the session, in order or not."""
    REMOTE_FAILED = auto()
    """OpenSSL has reported an error; its queue says which."""
    LOCAL_CLOSED = auto()
    """The local peer has closed its side."""


class Relay:
    """The part of a session that moves bytes, on two non-blocking descriptors, and never waits.

    `_on_remote` and `_on_local` handle events while nothing is pending for the other side, each in one call: an
    interpreter's calls cost as much as the work. When something has become pending, or the session can't go on, they
    call `_moved`. `_up_pending` and `_down_pending` hold what could not be written yet.
    """

    __slots__ = (
        "_down_pending",
        "_loop",
        "_receive_down",
        "_remote",
        "_remote_socket",
        "_send_up",
        "_ssl",
        "_touched",
        "_up_pending",
    )
    _loop: Loop
    _remote: int
    """The descriptor that `_ssl` reads and writes."""
    _remote_socket: socket.SocketType | None
    """The same, once it has been needed; it must not close it."""
    _touched: float
    """When something last happened, by the loop's clock."""
    _ssl: Any

    def _start_relay(self, local: socket.SocketType) -> None:
        self._receive_down = local.recv_into
        self._send_up = local.send
        self._up_pending: bytes | memoryview = b""
        self._down_pending = b""

    def _moved(self, end: End | None) -> None:
        """Go on when it is not as before: something is pending, or this is the end."""
        raise NotImplementedError

    def _on_remote(self, _events: int) -> None:
        """Decrypt what has come from the remote peer and pass it on."""
        self._touched = self._loop.now
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
                self._moved(End.LOCAL_CLOSED)
                return
            if sent < used:
                self._up_pending = memoryview(bytes(_view[sent:used]))
        if end is not None or self._up_pending:
            self._moved(end)

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
        """Encrypt what has come from the local peer and pass it on."""
        self._touched = self._loop.now
        try:
            count = self._receive_down(_view)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._moved(End.LOCAL_CLOSED)
            return
        written = SSL_write(self._ssl, _data, count) if count <= _FEW_RECORDS else self._write_many(count)
        if written > 0:
            return
        error = SSL_get_error(self._ssl, written)
        if error in (ERROR_WANT_WRITE, ERROR_WANT_READ):
            self._down_pending = bytes(_view[:count])
            self._moved(None)
        else:
            self._moved(_closed_or_failed(error))

    def _write_many(self, count: int) -> int:
        """Encrypt and pass on more than a few records; return what SSL_write has."""
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

    def _write_local(self) -> End | None:
        """Go on with what the local peer would not take."""
        try:
            self._up_pending = self._up_pending[self._send_up(self._up_pending) :]
        except BlockingIOError:
            pass
        except OSError:
            return End.LOCAL_CLOSED
        return None

    def _write_remote(self) -> End | None:
        """Go on with what the remote peer would not take: the same bytes, as SSL_write demands."""
        pending = self._down_pending
        written = SSL_write(self._ssl, from_buffer(pending), len(pending))
        if written > 0:
            self._down_pending = b""
            return None
        error = SSL_get_error(self._ssl, written)
        return None if error in (ERROR_WANT_WRITE, ERROR_WANT_READ) else _closed_or_failed(error)


def _closed_or_failed(error: int) -> End:
    """Tell an end, in order or by a reset, from an error that OpenSSL can explain."""
    return End.REMOTE_FAILED if error == ERROR_SSL else End.REMOTE_CLOSED
