"""The remote peer's descriptor, which a local peer passes in a message of one byte (unix_recv_fd(3))."""

from __future__ import annotations

import socket
import sys

_ROOM_FOR_ONE = socket.CMSG_LEN(4)


def receive(local: socket.SocketType) -> int:
    """Return the descriptor that comes with the next byte of a local peer.

    Raises BlockingIOError if no byte has come yet, and OSError with the reason if no descriptor comes with it.
    """
    # Exactly one byte, as plaintext may follow. The kernel closes descriptors for which there is no room.
    # socket.recv_fds() ignores its flags (Python 3.11): programs that this process starts would have the descriptor.
    data, ancillary, _flags, _address = local.recvmsg(1, _ROOM_FOR_ONE, socket.MSG_CMSG_CLOEXEC)
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(payload) >= 4:
            return int.from_bytes(payload[:4], sys.byteorder)
    raise OSError("no descriptor came with it" if data else "end of input")
