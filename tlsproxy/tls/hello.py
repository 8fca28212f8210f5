"""What a ClientHello says about signatures (RFC 8446 §4.2.3), read from its bytes before OpenSSL sees them.

OpenSSL's binding does not tell which signature scheme a handshake has used. It can be watched (`openssl.Schemes`), at
the price of a call into Python for each record of the session's whole life. For most clients it can be foretold: with
TLS 1.3 a curve has one digest only, and OpenSSL takes the RSA-PSS scheme that the client names first.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from struct import Struct

from .openssl import Key

_HANDSHAKE, _CLIENT_HELLO, _SIGNATURE_ALGORITHMS = 22, 1, 13
_MOST = 8192
"""Bytes of a hello that are looked at."""
_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_RANDOM_END = 43
"""Where the session id begins: behind two headers, the version and 32 random bytes."""
_RSA_PSS = (range(0x0804, 0x0807), range(0x0809, 0x080C))
"""For ordinary keys and for those that are good for nothing else; SHA-256, SHA-384, SHA-512 in turn."""

_SCHEMES = {
    "prime256v1": 0x0403,
    "secp384r1": 0x0503,
    "secp521r1": 0x0603,
    "brainpoolP256r1": 0x081A,
    "brainpoolP384r1": 0x081B,
    "brainpoolP512r1": 0x081C,
}
_RSA_PSS_SHA256 = 0x0804


def is_usual(hello: bytes) -> bool:
    """Is this a whole ClientHello, from a client that likes RSA-PSS with SHA-256 best?"""
    return _are_usual(_signature_algorithms(hello))


@lru_cache(maxsize=128)
def _are_usual(algorithms: bytes) -> bool:
    schemes = _schemes(algorithms)
    firsts = [next((each for each in schemes if each in kind), kind.start) for kind in _RSA_PSS]
    return bool(schemes) and firsts == [kind.start for kind in _RSA_PSS]


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


def usual_scheme(key: Key) -> int:
    """The scheme with which OpenSSL signs a handshake with a usual client; 0 for keys that have no digest."""
    algorithm, curve, _bits = key
    return _RSA_PSS_SHA256 if algorithm.startswith("RSA") else _SCHEMES.get(curve, 0)


def signature_schemes(hello: bytes) -> list[int]:
    """The schemes that a client accepts, in its order; empty if they aren't there or the bytes aren't all here."""
    return _schemes(_signature_algorithms(hello))


def _schemes(algorithms: bytes) -> list[int]:
    return [int.from_bytes(algorithms[at : at + 2]) for at in range(0, len(algorithms), 2)]


def _signature_algorithms(hello: bytes) -> bytes:
    """What the extension of that name says."""
    size = len(hello)
    if size < _RANDOM_END + 1 or hello[0] != _HANDSHAKE or hello[5] != _CLIENT_HELLO:
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
        if kind == _SIGNATURE_ALGORITHMS:
            return hello[position + 2 : position + length]
        position += length
    return b""


_EXTENSION = Struct(">HH").unpack_from
"""Kind and length."""
