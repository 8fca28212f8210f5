"""SMTP servers on TCP ports whose TLS is made by services of a proxy, for scanners of mail servers.

The dialogue up to STARTTLS is ours, as postscreen(8) has it; then the descriptor goes to the proxy.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from peers.daemon.side_by_side import Service, Side

_PATIENCE = 30.0
_LONGEST_LINE = 1000


class SmtpFronts:
    """One listener for each service of a side; a context manager."""

    def __init__(self, side: Side, services: Sequence[str]) -> None:
        self._side = side
        self._listeners = {name: socket.create_server(("127.0.0.1", 0), backlog=100) for name in services}

    @property
    def ports(self) -> dict[str, int]:
        """The port of each service."""
        return {name: each.getsockname()[1] for name, each in self._listeners.items()}

    def __enter__(self) -> SmtpFronts:
        for name, listener in self._listeners.items():
            threading.Thread(target=self._accept, args=(name, listener), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._listeners.values():
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # ends accept() in its thread
            each.close()

    def _accept(self, name: str, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(name, client), daemon=True).start()

    def _serve(self, name: str, client: socket.socket) -> None:
        client.settimeout(_PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, suppress(OSError):
            client.sendall(b"220 mail.private.test ESMTP\r\n")
            while line := _line(client):
                verb = line[:4].upper()
                if verb == b"EHLO":
                    client.sendall(b"250-mail.private.test\r\n250 STARTTLS\r\n")
                elif verb == b"STAR":
                    self._start(name, client)
                    return
                else:
                    client.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                    if verb == b"QUIT":
                        return

    def _start(self, name: str, client: socket.socket) -> None:
        local, status = Service(self._side.sockets / name).request(endpoint="[127.0.0.1]:25")
        with local:
            if not status:
                client.sendall(b"454 4.7.0 TLS not available due to local problem\r\n")
                return
            client.sendall(b"220 2.0.0 Ready to start TLS\r\n")
            socket.send_fds(local, [b"\0"], [client.fileno()])
            client.close()
            while line := _line(local):
                local.sendall(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 ok\r\n")
                if line[:4].upper() == b"QUIT":
                    return


def _line(stream: socket.socket) -> bytes:
    """Read one line, and no byte behind it."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        byte = stream.recv(1)
        if not byte:
            break
        line += byte
    return line
