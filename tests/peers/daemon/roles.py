"""The server role in this process: made from a few settings, served to one client at a time."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import postconf
from postconf.models import load
from tlsproxy.tls.openssl import binding
from tlsproxy.tls.server.role import ServerRole
from tlsproxy.wire.messages import Flag, Request, TlsContext

REQUEST = Request("[192.0.2.7]:4711", Flag.SERVER | Flag.SEND_CONTEXT, 30, 30, "smtpd")


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    def warning(self, text: str) -> None:
        self.lines.append(f"warning: {text}")

    error = warning


def make_role(directory: Path, settings: dict[str, str], log: Lines, *, version: str = "3.7.11") -> ServerRole:
    lines = [f"{name} = {value}\n" for name, value in {"smtpd_tls_security_level": "may", **settings}.items()]
    (directory / "main.cf").write_text("".join(lines))
    (directory / "master.cf").write_text("")
    return ServerRole.load(load(postconf.load(str(directory), version=version)), log)


def serve(role: ServerRole, descriptor: int) -> TlsContext | None:
    """Complete a handshake on a blocking descriptor and send a word; return None if it fails."""
    connection = role.plan(REQUEST, None).start(descriptor)
    try:
        if binding.SSL_do_handshake(connection.ssl) != 1:
            connection.log_failure()
            return None
        connection.finish_handshake()
        binding.SSL_write(connection.ssl, b"220", 3)  # fails where the client only said hello, and has gone
        binding.SSL_shutdown(connection.ssl)  # OpenSSL forgets the id of a session that has no proper end
        binding.clear_errors()
        return connection.tls_context()
    finally:
        connection.close()


@contextlib.contextmanager
def serving(role: ServerRole) -> Iterator[tuple[socket.socket, list[TlsContext | None]]]:
    """Serve the client at the other end of the stream; its TLS context is there at the end."""
    ours, theirs = socket.socketpair()
    contexts: list[TlsContext | None] = []
    server = Thread(target=lambda: contexts.append(serve(role, theirs.fileno())))
    server.start()
    try:
        yield ours, contexts
    finally:
        ours.close()
        server.join(20)
        theirs.close()


def connector(role: ServerRole, stack: contextlib.ExitStack) -> Callable[[], socket.socket]:
    """Return a function that makes connections, as `hello.ask` wants it. They end with the stack."""
    return lambda: stack.enter_context(serving(role))[0]


MakeServerRole = Callable[..., ServerRole]
"""The fixture `make_server_role`: settings, and the version of Postfix."""
