"""A TLS client that only says hello, byte by byte, and reads a server's answer in the clear (RFC 5246, RFC 8446).

It depends on no TLS library, so it can offer values that none would, and see fields that none would show.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

TLS10, TLS11, TLS12, TLS13 = 0x301, 0x302, 0x303, 0x304
SSL3 = 0x300
TLS13_SUITES = (0x1302, 0x1303, 0x1301)
GROUPS = {
    "secp192r1": 19,
    "secp224r1": 21,
    "secp256r1": 23,
    "secp384r1": 24,
    "secp521r1": 25,
    "brainpoolP256r1": 26,
    "x25519": 29,
    "x448": 30,
    "ffdhe2048": 256,
    "ffdhe3072": 257,
    "X25519MLKEM768": 0x11EC,
}
NO_GROUPS: tuple[int, ...] = ()
# RSA-PKCS1, RSA-PSS, ECDSA with SHA-1 to SHA-512, EdDSA, DSA
SIGNATURES = (
    *(0x0401, 0x0501, 0x0601, 0x0201, 0x0804, 0x0805, 0x0806, 0x0809),
    *(0x0403, 0x0503, 0x0603, 0x0203, 0x0807, 0x0808, 0x0402, 0x0202),
)
CCM8 = frozenset((0xC0A0, 0xC0A1, 0xC0A2, 0xC0A3, 0xC0AE, 0xC0AF))
"""Of high grade in OpenSSL 3, and of medium grade in 4."""
SUITES = tuple({*range(0x0001, 0x0100), *range(0xC001, 0xC0FF), *range(0xCCA8, 0xCCAF)} - {0x00FF} - CCM8)
_ALERT, _HANDSHAKE = 21, 22


@dataclass(frozen=True)
class Hello:
    """The offer of the client. Version 1.3 is offered without a key share: the answer is a retry request at best."""

    version: int = TLS12
    suites: Sequence[int] = SUITES
    groups: Sequence[int] = (29, 23, 24, 25, 30)
    signatures: Sequence[int] = SIGNATURES
    name: str = ""
    tickets: bool = True

    def encode(self) -> bytes:
        suites = b"".join(each.to_bytes(2, "big") for each in self.suites)
        extensions = b""
        if self.name:
            host = self.name.encode("latin-1")
            extensions += _extension(0, _vector(2, b"\0" + _vector(2, host)))
        if self.groups:
            extensions += _extension(10, _vector(2, b"".join(each.to_bytes(2, "big") for each in self.groups)))
            extensions += _extension(11, b"\1\0")
        if self.version >= TLS12:
            extensions += _extension(13, _vector(2, b"".join(each.to_bytes(2, "big") for each in self.signatures)))
        if self.tickets:
            extensions += _extension(35, b"")
        if self.version >= TLS13:
            extensions += _extension(43, _vector(1, self.version.to_bytes(2, "big")))
            extensions += _extension(45, b"\1\1") + _extension(51, _vector(2, b""))
        version = min(self.version, TLS12).to_bytes(2, "big")
        body = version + os.urandom(32) + _vector(1, b"") + _vector(2, suites) + b"\1\0" + _vector(2, extensions)
        message = b"\1" + len(body).to_bytes(3, "big") + body
        return b"\x16\x03\x01" + _vector(2, message)


@dataclass
class Answer:
    """The answer of the server, as far as it can be read."""

    version: int = 0
    suite: int = 0
    group: int = 0
    """Of the retry request, or of the server's key; of finite fields the number of bits."""
    signature: int = 0
    """The scheme of the server's key exchange (TLS 1.2)."""
    session_id: bool = False
    name_acknowledged: bool = False
    ticket_promised: bool = False
    certificates: tuple[str, ...] = ()
    """Their fingerprints."""
    asks: bool = False
    asked_signatures: tuple[int, ...] = ()
    authorities: tuple[bytes, ...] = ()
    alert: int | None = None
    """The description of the alert, or -1 if the connection ended without one."""


def ask(connect: Callable[[], socket.socket], hello: Hello) -> Answer:
    """Say hello on a new connection, and return the answer."""
    answer = Answer()
    with connect() as remote:
        remote.sendall(hello.encode())
        stream = remote.makefile("rb")
        messages = b""
        try:
            while not answer.alert:
                header = stream.read(5)
                if len(header) < 5:
                    answer.alert = -1
                    break
                data = stream.read(int.from_bytes(header[3:], "big"))
                if header[0] == _ALERT:
                    answer.alert = data[1]
                    break
                if header[0] != _HANDSHAKE:
                    break
                messages += data
                while len(messages) >= 4 and len(messages) >= 4 + (size := int.from_bytes(messages[1:4], "big")):
                    kind, body, messages = messages[0], messages[4 : 4 + size], messages[4 + size :]
                    _read_message(answer, kind, body)
                    if kind == 14 or (kind == 2 and answer.version == TLS13):
                        return answer
        except OSError:
            answer.alert = -1
    return answer


def _read_message(answer: Answer, kind: int, body: bytes) -> None:
    if kind == 2:
        _read_server_hello(answer, _Reader(body))
    elif kind == 11:
        chain, certificates = _Reader(_Reader(body).vector(3)), []
        while chain.rest:
            certificates.append(sha256(chain.vector(3)).hexdigest())
        answer.certificates = tuple(certificates)
    elif kind == 12:
        _read_key_exchange(answer, _Reader(body))
    elif kind == 13:
        answer.asks = True
        request = _Reader(body)
        request.vector(1)
        if answer.version == TLS12:
            answer.asked_signatures = _numbers(request.vector(2))
        names, authorities = _Reader(request.vector(2)), []
        while names.rest:
            authorities.append(names.vector(2))
        answer.authorities = tuple(authorities)


def _read_server_hello(answer: Answer, hello: _Reader) -> None:
    answer.version = hello.number(2)
    hello.take(32)
    answer.session_id = bool(hello.vector(1))
    answer.suite = hello.number(2)
    hello.take(1)
    extensions = _Reader(hello.vector(2) if hello.rest else b"")
    while extensions.rest:
        kind, data = extensions.number(2), extensions.vector(2)
        if kind == 0:
            answer.name_acknowledged = True
        elif kind == 35:
            answer.ticket_promised = True
        elif kind == 43:
            answer.version = int.from_bytes(data, "big")
        elif kind == 51:
            answer.group = int.from_bytes(data[:2], "big")


def _read_key_exchange(answer: Answer, exchange: _Reader) -> None:
    if exchange.rest[0] == 3 and exchange.rest[3] in (
        32,
        49,
        56,
        57,
        65,
        97,
        129,
        133,
    ):  # a named curve, and a point of its size
        exchange.take(1)
        answer.group = exchange.number(2)
        exchange.vector(1)
    else:
        answer.group = len(exchange.vector(2)) * 8
        exchange.vector(2)
        exchange.vector(2)
    if answer.version == TLS12 and exchange.rest:
        answer.signature = exchange.number(2)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))


def suites_in_order(connect: Callable[[], socket.socket], hello: Hello) -> tuple[int, ...]:
    """The suites that a server chooses one after the other, when its earlier choices are not offered again."""
    chosen: list[int] = []
    suites = list(hello.suites)
    while suites:
        answer = ask(connect, replace(hello, suites=suites))
        if answer.suite not in suites:
            break
        chosen.append(answer.suite)
        suites.remove(answer.suite)
    return tuple(chosen)


def groups_in_order(connect: Callable[[], socket.socket], hello: Hello, groups: Iterable[int]) -> tuple[int, ...]:
    """The same for key exchange groups, for version 1.3."""
    chosen: list[int] = []
    offered = list(groups)
    while offered:
        answer = ask(connect, replace(hello, groups=offered))
        if answer.group not in offered:
            break
        chosen.append(answer.group)
        offered.remove(answer.group)
    return tuple(chosen)


def _vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(2, data)


def _numbers(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
