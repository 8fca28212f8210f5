"""Bytes between the two sides of one session, after the handshake.

"Up" is from the remote peer (ciphertext) to the local one (plaintext), "down" the other way. Nothing is held back while
it can be written; what can't is kept, and its side is not read again until it is gone: that is the whole flow control.
All sessions of a process share one buffer, so an idle session owns none.
"""

from __future__ import annotations

import socket
from enum import Enum, auto
from typing import Any

from ..tls.openssl import (
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
_UP_LIMIT = 49152
_DOWN_LIMIT = 131072

_data, _view = buffer(_DOWN_LIMIT)


class End(Enum):
    """Why a session can't go on. Moving bytes returns one, or None."""

    REMOTE_CLOSED = auto()
    """The remote peer has ended the session, in order or not."""
    REMOTE_FAILED = auto()
    """OpenSSL has reported an error; its queue says which."""
    LOCAL_CLOSED = auto()
    """The local peer has closed its side."""


def closed_or_failed(error: int) -> End:
    """Tell an end, in order or by a reset, from an error that OpenSSL can explain."""
    return End.REMOTE_FAILED if error == ERROR_SSL else End.REMOTE_CLOSED


class Relay:
    """Moves the bytes of one session; does all I/O on two non-blocking descriptors and never waits.

    `up_pending` and `down_pending` hold what could not be written yet; empty means that the side may be read.
    """

    __slots__ = ("_receive", "_send", "_ssl", "down_pending", "up_pending")

    def __init__(self, local: socket.SocketType, ssl: Any) -> None:
        self._receive = local.recv_into
        self._send = local.send
        self._ssl = ssl
        self.up_pending: bytes | memoryview = b""
        self.down_pending = b""

    def read_remote(self) -> End | None:
        """Decrypt what has come from the remote peer and pass it on."""
        used = 0
        end: End | None = None
        ssl = self._ssl
        while used < _UP_LIMIT:
            count = SSL_read(ssl, _data + used, _RECORD)
            if count > 0:
                used += count
                if count < _SHORT:
                    break
                continue
            error = SSL_get_error(ssl, count)
            if error not in (ERROR_WANT_READ, ERROR_WANT_WRITE):
                end = closed_or_failed(error)
            break
        if used:
            try:
                sent = self._send(_view[:used])
            except BlockingIOError:
                sent = 0
            except OSError:
                return End.LOCAL_CLOSED
            if sent < used:
                self.up_pending = memoryview(bytes(_view[sent:used]))
        return end

    def write_local(self) -> End | None:
        """Go on with what the local peer would not take."""
        try:
            self.up_pending = self.up_pending[self._send(self.up_pending) :]
        except BlockingIOError:
            pass
        except OSError:
            return End.LOCAL_CLOSED
        return None

    def read_local(self) -> End | None:
        """Encrypt what has come from the local peer and pass it on."""
        try:
            count = self._receive(_view)
        except BlockingIOError:
            return None
        except OSError:
            return End.LOCAL_CLOSED
        if count == 0:
            return End.LOCAL_CLOSED
        written = SSL_write(self._ssl, _data, count)
        if written > 0:
            return None
        error = SSL_get_error(self._ssl, written)
        if error not in (ERROR_WANT_WRITE, ERROR_WANT_READ):
            return closed_or_failed(error)
        self.down_pending = bytes(_view[:count])
        return None

    def write_remote(self) -> End | None:
        """Go on with what the remote peer would not take: the same bytes, as SSL_write demands."""
        pending = self.down_pending
        written = SSL_write(self._ssl, from_buffer(pending), len(pending))
        if written > 0:
            self.down_pending = b""
            return None
        error = SSL_get_error(self._ssl, written)
        return None if error in (ERROR_WANT_WRITE, ERROR_WANT_READ) else closed_or_failed(error)
