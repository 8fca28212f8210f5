"""Servers that break TLS: odd answers to a ClientHello, and changes of a good server's bytes on their way.

Each takes a stream on which a hello is to come, and leaves when it has sent its bytes.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from ..cases.bad_hellos import message, record, vector
from .smtp_client import server_context

Serve = Callable[[socket.socket], None]
Change = Callable[[bytes], bytes]
VERSIONS = {"12": ssl.TLSVersion.TLSv1_2, "13": ssl.TLSVersion.TLSv1_3}
_ALERT, _HANDSHAKE, _DATA = 21, 22, 23
_CERTIFICATE = 11


def _alert(level: int, description: int, version: int = 0x303) -> bytes:
    return record(bytes([level, description]), version, _ALERT)


def _server_hello(
    version: int = 0x303, suite: int = 0xC02F, *, session_id: bytes = b"", extensions: bytes = b"", compression: int = 0
) -> bytes:
    head = version.to_bytes(2, "big") + bytes(32) + vector(1, session_id) + suite.to_bytes(2, "big")
    return record(message(head + bytes([compression]) + vector(2, extensions), kind=2), 0x303)


ANSWERS = {
    "nothing": b"",
    "refusal": b"454 4.7.0 TLS not available\r\n",
    "greeting": b"220 ready\r\n" * 3,
    "http": b"HTTP/1.0 400 Bad Request\r\n\r\n",
    "zeros": bytes(100),
    **{f"alert-{number}": _alert(2, number) for number in (20, 48, 70, 80, 112, 238)},
    "alert-close": _alert(1, 0),
    "alert-warning": _alert(1, 112),
    "alert-warnings": _alert(1, 112) * 10,
    "suite-not-offered": _server_hello(suite=1),
    "suite-null": _server_hello(suite=0),
    **{f"version-{number:x}": _server_hello(number) for number in (0x200, 0x300, 0x305)},
    "hello-short": record(message(b"\3\3", kind=2), 0x303),
    "hello-only": _server_hello(),
    "extension-not-asked-for": _server_hello(extensions=b"\0\x10\0\2\0\0"),
    "extension-broken": _server_hello(extensions=b"\0\x10\0\xff"),
    "version-13-with-old-suite": _server_hello(extensions=b"\0\x2b\0\2\3\4"),
    "hello-request": record(message(b"", kind=0), 0x303),
    "client-hello": record(message(b"\3\3" + bytes(40), kind=1), 0x303),
    "certificate-first": record(message(vector(3, b""), kind=_CERTIFICATE), 0x303),
    "message-huge": record(b"\2\xff\xff\xff" + bytes(100), 0x303),
    "data": record(b"x" * 50, 0x303, _DATA),
    "change-cipher-spec": record(b"\1", 0x303, 20),
    "change-cipher-specs": record(b"\1", 0x303, 20) * 40,
    "records-empty": record(b"", 0x303) * 40,
    "sslv2": b"\x80\x2e\x04" + bytes(50),
    "record-version-0": record(bytes(4), 0),
}
"""Answers in place of a good one."""

FLIGHTS: dict[str, Change] = {
    "first-byte": lambda data: bytes([data[0] ^ 0xFF]) + data[1:],
    "last-byte": lambda data: _flip(data, len(data) - 1),
    "truncated": lambda data: data[:-3],
    "half": lambda data: data[: len(data) // 2],
    "twice": lambda data: data * 2,
    "without-the-last": lambda data: b"".join(records_of(data)[:-1]),
    "without-the-first": lambda data: b"".join(records_of(data)[1:]),
}
"""Changes to the first data of a server."""

SECRETS: dict[str, Change] = {
    "key": lambda data: _flip(data, 100),
    "middle": lambda data: _flip(data, len(data) // 2),
}
"""The same where it is encrypted, so that the byte that is hit is not left to chance (TLS 1.3)."""

CERTIFICATES: dict[str, Change] = {
    "none": lambda _: vector(3, b""),
    "empty": lambda _: b"",
    "garbage": lambda _: _chain(b"garbage certificate"),
    "without-content": lambda _: _chain(b""),
    "too-long": lambda body: b"\0\xff\xff" + body[3:],
    "too-short": lambda body: b"\0\0\5" + body[3:],
    "trailing": lambda body: body + b"x",
    "truncated": lambda body: _chain(_leaf(body)[:-10]),
    "hundred": lambda body: _chain(*[_leaf(body)] * 100),
    "huge": lambda body: _chain(_leaf(body), bytes(150_000)),
    "garbage-issuer": lambda body: _chain(_leaf(body), b"not a certificate"),
}
"""Changes to a chain of certificates (TLS 1.2)."""


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _chain(*certificates: bytes) -> bytes:
    return vector(3, b"".join(vector(3, each) for each in certificates))


def _leaf(body: bytes) -> bytes:
    return body[6 : 6 + int.from_bytes(body[3:6], "big")]


def records_of(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        found.append(data[:end])
        data = data[end:]
    return found


def with_certificates(change: Change) -> Change:
    """Change the Certificate message in a flight."""

    def changed(flight: bytes) -> bytes:
        out = b""
        for each in records_of(flight):
            messages = each[5:]
            if each[0] != _HANDSHAKE:
                out += each
                continue
            while messages:
                end = 4 + int.from_bytes(messages[1:4], "big")
                one, messages = messages[:end], messages[end:]
                if one[0] == _CERTIFICATE:
                    one = message(change(one[4:]), kind=_CERTIFICATE)
                out += b"".join(record(one[at : at + 16384], 0x303) for at in range(0, len(one), 16384))
        return out

    return changed


def answering(data: bytes) -> Serve:
    def serve(stream: socket.socket) -> None:
        _read_hello(stream)
        stream.sendall(data)

    return serve


def changing(chain: Path, version: ssl.TLSVersion, change: Change) -> Serve:
    """A good server whose first words are changed on their way."""

    def serve(stream: socket.socket) -> None:
        context = server_context(chain)
        context.minimum_version = context.maximum_version = version
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(_read_hello(stream))
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            stream.sendall(change(outgoing.read()))

    return serve


def _read_hello(stream: socket.socket) -> bytes:
    with stream.makefile("rb") as file:
        header = file.read(5)
        return header + file.read(int.from_bytes(header[3:], "big"))


def servers(chain: Path) -> dict[str, Serve]:
    """All of them; `chain` is a file of a key and its certificates."""
    found = {name: answering(data) for name, data in ANSWERS.items()}
    for label, version in VERSIONS.items():
        found |= {f"{name}-{label}": changing(chain, version, change) for name, change in FLIGHTS.items()}
    found |= {f"{name}-13": changing(chain, VERSIONS["13"], change) for name, change in SECRETS.items()}
    for name, change in CERTIFICATES.items():
        found[f"certificate-{name}"] = changing(chain, VERSIONS["12"], with_certificates(change))
    return found
