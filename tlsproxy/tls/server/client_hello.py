"""The ClientHello, read from its bytes before OpenSSL sees them (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2). No parser of TLS:
a part that can't be read counts as absent.
"""

from __future__ import annotations

import socket
from struct import Struct

_HANDSHAKE, _CLIENT_HELLO, _SIGNATURE_ALGORITHMS, _SESSION_TICKET = 22, 1, 13, 35
_RECORD_HEADER = 5
_MOST = 8192
"""Bytes of a hello that are looked at."""
_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_RANDOM_END = 43
"""The offset of the session id: behind two headers, the version and 32 random bytes."""
_EXTENSION = Struct(">HH").unpack_from
"""Kind and length."""


def is_whole(hello: bytes) -> bool:
    """Return True if all of a ClientHello is here, in one record."""
    return (
        len(hello) > _RANDOM_END
        and hello[0] == _HANDSHAKE
        and hello[5] == _CLIENT_HELLO
        and 9 + int.from_bytes(hello[6:9]) <= min(len(hello), 5 + int.from_bytes(hello[3:5]))
    )


def peek(descriptor: int) -> bytes:
    """Return the bytes that a peer has sent so far, and leave them where they are."""
    try:
        stream = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
    except OSError:
        return b""
    try:
        return stream.recv(_MOST, _PEEK)
    except OSError:
        return b""
    finally:
        stream.detach()


def signature_schemes(hello: bytes) -> list[int]:
    """Return the client's signature schemes in its order; empty if absent or incomplete."""
    if hello[:1] != bytes([_HANDSHAKE]):
        return []
    algorithms = _extension(hello, _SIGNATURE_ALGORITHMS)[2:]
    return [int.from_bytes(algorithms[at : at + 2]) for at in range(0, len(algorithms), 2)]


def has_ticket(message: bytes) -> bool:
    """Return True if the client has a TLS 1.2 ticket (RFC 5077 §3.2). `message`: the hello without a record."""
    return bool(_extension(bytes(_RECORD_HEADER) + message, _SESSION_TICKET))


def _extension(hello: bytes, wanted: int) -> bytes:
    """Return the content of one extension; empty if it is not there."""
    size = len(hello)
    if size < _RANDOM_END + 1 or hello[5] != _CLIENT_HELLO:
        return b""
    position = _RANDOM_END + 1 + hello[_RANDOM_END]
    position += 2 + int.from_bytes(hello[position : position + 2])
    if position >= size:
        return b""
    position += 1 + hello[position]
    end = position + 2 + int.from_bytes(hello[position : position + 2])
    position += 2
    if end > size:
        return b""
    while position + 4 <= end:
        kind, length = _EXTENSION(hello, position)
        position += 4
        if kind == wanted:
            return hello[position : position + length]
        position += length
    return b""
