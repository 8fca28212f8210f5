"""Sessions through a tlsproxy(8): plays its local client and the remote SMTP peer at once, on the standard library."""

from __future__ import annotations

import itertools
import os
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 60
_ANNOUNCEMENT = b"protocol\0tlsproxy_protocol\0\0"
_WILLING = b"status\0" + b"1\0\0"

SERVER_ROLE = (
    b"remote_endpoint\0[192.0.2.7]:4711\0flags\0" + b"1\0timeout\0" + b"60\0timeout\0" + b"60\0serverid\0smtpd\0\0"
)
"""Request of postscreen(8)."""


def client(version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client of one protocol version, which trusts every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


def server(version: ssl.TLSVersion, chain: Path) -> ssl.SSLContext:
    """Return a server of one protocol version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(chain)
    return context


@dataclass(frozen=True)
class Way:
    """Parameters of sessions: the socket, the request, and the peer's context."""

    socket: Path
    context: ssl.SSLContext
    request: bytes = SERVER_ROLE
    """Request of the server role, or of the client role without the TLS context; then the peer is a server."""


class Session:
    """One session, from the request to both ends closed; `plain` is the local end, `secure` the remote one."""

    def __init__(self, way: Way, resume: ssl.SSLSession | None = None) -> None:
        """Hand the descriptor over, and finish the handshake."""
        self.plain, ours = handed_over(way)
        if way.request is SERVER_ROLE:
            self.secure = way.context.wrap_socket(ours, session=resume)
        else:
            self.secure = way.context.wrap_socket(ours, server_side=True)

    def ping(self, size: int = 64) -> None:
        """Send a few bytes from the remote end to the local one, and back."""
        data = bytes(size)
        self.secure.sendall(data)
        _expect(self.plain, data)
        self.plain.sendall(data)
        _expect(self.secure, data)

    def up(self, mebibytes: int, record: int = 16384) -> None:
        """Send from the remote end to the local one."""
        _stream(self.secure, self.plain, mebibytes, record)

    def down(self, mebibytes: int) -> None:
        """Send from the local end to the remote one."""
        _stream(self.plain, self.secure, mebibytes, 65536)

    def close(self) -> None:
        """Close cleanly: the local end closes first, the remote one gets close_notify."""
        self.plain.close()
        if self.secure.recv(1):
            raise ConnectionError("more than was sent")
        self.secure.close()


def steps(way: Way, resume: ssl.SSLSession | None = None) -> Iterator[socket.socket]:
    """Run a whole session with a byte each way; yield the socket on which the daemon answers next."""
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.settimeout(_PATIENCE)
    plain.connect(str(way.socket))
    yield plain
    _expect(plain, _ANNOUNCEMENT)
    plain.sendall(way.request)
    yield plain
    _expect(plain, _WILLING)
    ours, theirs = _connection()
    with theirs:
        socket.send_fds(plain, [b"\0"], [theirs.fileno()])
    serving = way.request is not SERVER_ROLE
    secure = way.context.wrap_socket(ours, serving, do_handshake_on_connect=False, session=resume)
    secure.setblocking(False)
    incoming = select.poll()
    incoming.register(secure, select.POLLIN)
    while True:
        try:
            secure.do_handshake()
            break
        except ssl.SSLWantReadError:
            yield secure
            incoming.poll(_PATIENCE * 1000)
    secure.settimeout(_PATIENCE)
    secure.sendall(b"\0")
    yield plain
    _expect(plain, b"\0")
    plain.sendall(b"\0")
    yield secure
    _expect(secure, b"\0")
    plain.close()
    yield secure
    if secure.recv(1):
        raise ConnectionError("more than was sent")
    if resume and not secure.session_reused:
        raise ConnectionError("a session was not resumed")
    secure.close()


class Idle:
    """Idle session, which costs this process two descriptors."""

    def __init__(self, way: Way) -> None:
        session = Session(way)
        session.ping(1)
        self._descriptors = session.plain.detach(), session.secure.detach()

    def close(self) -> None:
        """Close both ends."""
        for descriptor in self._descriptors:
            os.close(descriptor)


def announced(path: Path) -> socket.socket:
    """Connect, and wait for the announcement."""
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.settimeout(_PATIENCE)
    plain.connect(str(path))
    _expect(plain, _ANNOUNCEMENT)
    return plain


def handed_over(way: Way) -> tuple[socket.socket, socket.socket]:
    """Hand the descriptor over; return the local end and the remote one, without TLS."""
    plain = announced(way.socket)
    plain.sendall(way.request)
    _expect(plain, _WILLING)
    ours, theirs = _connection()
    with theirs:
        socket.send_fds(plain, [b"\0"], [theirs.fileno()])
    return plain, ours


def hello(context: ssl.SSLContext) -> bytes:
    """Return the ClientHello."""
    said = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said).do_handshake()
    return said.read()


_listener: socket.socket | None = None
_lock = threading.Lock()
_sources = itertools.cycle(f"127.0.0.{number}" for number in range(1, 250))
"""Source addresses. Closed connections keep their ports for a minute, so one address has too few."""


def forked() -> None:
    """Close the inherited listener, so that no other process accepts its connections."""
    global _listener  # noqa: PLW0603
    _listener = None


def _connection() -> tuple[socket.socket, socket.socket]:
    global _listener  # noqa: PLW0603
    with _lock:
        if _listener is None:
            _listener = socket.create_server(("127.0.0.1", 0))
        ours = socket.create_connection(_listener.getsockname(), _PATIENCE, (next(_sources), 0))
        theirs, _address = _listener.accept()
    for each in (ours, theirs):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


def _stream(source: socket.socket, sink: socket.socket, mebibytes: int, piece: int) -> None:
    block = bytes(range(256)) * (piece // 256)
    count = mebibytes * 1048576 // len(block)

    def send() -> None:
        for _ in range(count):
            source.sendall(block)

    sender = threading.Thread(target=send)
    sender.start()
    buffer = bytearray(262144)
    missing = count * len(block)
    while missing:
        got = sink.recv_into(buffer, min(len(buffer), missing))
        if not got:
            raise ConnectionError("closed too early")
        missing -= got
    sender.join()


def _expect(stream: socket.socket, data: bytes) -> None:
    got = b""
    while len(got) < len(data):
        piece = stream.recv(len(data) - len(got))
        if not piece:
            raise ConnectionError("closed too early")
        got += piece
    if got != data:
        raise ConnectionError(f"unexpected: {got[:40]!r}")
