"""What a ClientHello says about signatures (RFC 8446 §4.2.3), read from its bytes before OpenSSL sees them.

OpenSSL's binding does not tell which signature scheme a handshake has used. It can be watched (`openssl_hooks`), at the
price of a call into Python for each record of the session's whole life. Most can be foretold: with TLS 1.3 a curve has
one digest only, and OpenSSL takes the RSA-PSS scheme that the client names first.
"""

from __future__ import annotations

import socket
from struct import Struct

from ..openssl.binding import Key

_HANDSHAKE, _CLIENT_HELLO, _SIGNATURE_ALGORITHMS, _SESSION_TICKET = 22, 1, 13, 35
_RECORD_HEADER = 5
_MOST = 8192
"""Bytes of a hello that are looked at."""
_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_RANDOM_END = 43
"""Where the session id begins: behind two headers, the version and 32 random bytes."""
_RSA_PSS = {
    "RSA-PSS": {0x0804: 32, 0x0805: 48, 0x0806: 64},
    "RSASSA-PSS": {0x0809: 32, 0x080A: 48, 0x080B: 64},
}
"""Schemes and the sizes of their digests, for ordinary RSA keys and for those that are good for nothing else."""
_SCHEMES = {
    "prime256v1": 0x0403,
    "secp384r1": 0x0503,
    "secp521r1": 0x0603,
    "brainpoolP256r1": 0x081A,
    "brainpoolP384r1": 0x081B,
    "brainpoolP512r1": 0x081C,
}


def is_whole(hello: bytes) -> bool:
    """Is all of a ClientHello here, in one record?"""
    return (
        len(hello) > _RANDOM_END
        and hello[0] == _HANDSHAKE
        and hello[5] == _CLIENT_HELLO
        and 9 + int.from_bytes(hello[6:9]) <= min(len(hello), 5 + int.from_bytes(hello[3:5]))
    )


def peek(descriptor: int) -> bytes:
    """What a peer has sent so far, left where it is."""
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


def foretold_scheme(hello: bytes, key: Key) -> int:
    """The scheme with which OpenSSL signs a handshake of TLS 1.3 that began with this hello; 0 for one without digest.

    For keys on curves the hello is not needed.
    """
    algorithm, curve, bits = key
    sizes = _RSA_PSS.get(algorithm)
    if sizes is None:
        return _SCHEMES.get(curve, 0)
    room = (bits + 7) // 8 - 2 if bits else 128  # for twice the digest
    return next((each for each in signature_schemes(hello) if each in sizes and 2 * sizes[each] <= room), 0)


def signature_schemes(hello: bytes) -> list[int]:
    """The schemes that a client accepts, in its order; empty if they aren't there or the bytes aren't all here."""
    if hello[:1] != bytes([_HANDSHAKE]):
        return []
    algorithms = _extension(hello, _SIGNATURE_ALGORITHMS)[2:]
    return [int.from_bytes(algorithms[at : at + 2]) for at in range(0, len(algorithms), 2)]


def has_ticket(message: bytes) -> bool:
    """True if the client has a session ticket of TLS 1.2 (RFC 5077 §3.2). `message`: the hello without a record."""
    return bool(_extension(bytes(_RECORD_HEADER) + message, _SESSION_TICKET))


def _extension(hello: bytes, wanted: int) -> bytes:
    """The content of one extension; empty if it is not there."""
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


_EXTENSION = Struct(">HH").unpack_from
"""Kind and length."""
