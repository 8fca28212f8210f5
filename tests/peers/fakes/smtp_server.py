"""SMTP servers with STARTTLS and nothing else, each with a certificate chain of its own, in threads."""

from __future__ import annotations

import contextlib
import socket
import ssl

from ..tools.children import PATIENCE
from .listener import Listening


class SmtpServer(Listening):
    """Listens on a loopback port until the end of the context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        super().__init__(listener, self._talk_twice)

    def _talk_twice(self, stream: socket.socket) -> None:
        stream.settimeout(PATIENCE)
        with contextlib.suppress(OSError), stream:
            stream.sendall(b"220 mx.example.test ESMTP\r\n")
            if not self._talk(stream, offer=True):
                return
            with self._context.wrap_socket(stream, server_side=True) as tls:
                self._talk(tls, offer=False)

    def _talk(self, stream: socket.socket, *, offer: bool) -> bool:
        """Answer commands; True for STARTTLS, False for the end."""
        lines = stream.makefile("rb")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"STAR" and offer:
                stream.sendall(b"220 Ready\r\n")
                return True
            if verb in (b"EHLO", b"HELO"):
                stream.sendall(b"250-mx.example.test\r\n250 STARTTLS\r\n" if offer else b"250 mx.example.test\r\n")
            else:
                stream.sendall(b"221 Bye\r\n" if verb == b"QUIT" else b"250 Ok\r\n")
            if verb == b"QUIT":
                return False
        return False
