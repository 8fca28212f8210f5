"""Sessions through a tlsproxy(8): plays postscreen(8) and the remote SMTP client at once, on the standard library."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

_PATIENCE = 30
_ANNOUNCEMENT = b"protocol\0tlsproxy_protocol\0\0"
_REQUEST = (
    b"remote_endpoint\0[192.0.2.7]:4711\0flags\0" + b"1\0timeout\0" + b"60\0timeout\0" + b"60\0serverid\0smtpd\0\0"
)
_WILLING = b"status\0" + b"1\0\0"


def client(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client of one protocol version, which trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    return context


class Session:
    """One session, from the request to both ends closed; `plain` is the local end, `secure` the remote one."""

    def __init__(self, path: Path, context: ssl.SSLContext, resume: ssl.SSLSession | None = None) -> None:
        """Go through the hand-off and the handshake."""
        self.plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.plain.settimeout(_PATIENCE)
        self.plain.connect(str(path))
        _expect(self.plain, _ANNOUNCEMENT)
        self.plain.sendall(_REQUEST)
        _expect(self.plain, _WILLING)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname(), _PATIENCE)
            theirs, _address = listener.accept()
        with theirs:
            for each in (ours, theirs):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            socket.send_fds(self.plain, [b"\0"], [theirs.fileno()])
        self.secure = context.wrap_socket(ours, session=resume)

    def ping(self, size: int = 64) -> None:
        """Send a few bytes from the remote end to the local one, and back."""
        data = bytes(size)
        self.secure.sendall(data)
        _expect(self.plain, data)
        self.plain.sendall(data)
        _expect(self.secure, data)

    def up(self, mebibytes: int, record: int = 16384) -> None:
        """Send from the remote end to the local one."""
        self._stream(self.secure, self.plain, mebibytes, record)

    def down(self, mebibytes: int) -> None:
        """Send from the local end to the remote one."""
        self._stream(self.plain, self.secure, mebibytes, 65536)

    def close(self) -> None:
        """End in good order: the local end closes first, the remote one gets close_notify."""
        self.plain.close()
        if self.secure.recv(1):
            raise ConnectionError("more than was sent")
        self.secure.close()

    @staticmethod
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
