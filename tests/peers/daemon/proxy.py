"""The daemon as a process, and its local peers: postscreen(8) and smtp(8) on the UNIX socket."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import trustme

from tlsproxy.wire.attributes import AttributeReader, write_list
from tlsproxy.wire.messages import ANNOUNCEMENT

from ..tools.children import PATIENCE

AS_ROOT = ["--user", "root"] if os.geteuid() == 0 else []
"""Temporary directories are for us alone."""
ENDPOINT = "[192.0.2.7]:4711"


def script(name: str) -> str:
    """The installed command."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def standalone(directory: Path, user: Sequence[str] = tuple(AS_ROOT)) -> list[str]:
    """Return the command that starts the daemon on a directory with main.cf; its socket will be there, too."""
    return [script("tlsproxy"), "--standalone", *user, "-c", str(directory), "--socket", str(directory / "socket")]


def write_config(directory: Path, settings: dict[str, str], *, certificate: bool = True) -> trustme.CA:
    """Write main.cf with these settings and a chain.pem for mail.private.test; return its CA."""
    ca = trustme.CA()
    directory.mkdir(parents=True, exist_ok=True)
    if certificate:
        leaf = ca.issue_cert("mail.private.test")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(directory / "chain.pem"))
    base = {
        "compatibility_level": "3.6",
        "myhostname": "mail.private.test",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": "$config_directory/chain.pem",
        "smtpd_tls_loglevel": "1",
    }
    lines = [f"{name} = {value}\n" for name, value in (base | settings).items()]
    (directory / "main.cf").write_text("".join(lines))
    (directory / "master.cf").write_text("tlsproxy unix - - y - 0 tlsproxy\n")
    return ca


class Proxy:
    """A running daemon: its socket, its log."""

    announces = True

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.socket = directory / "socket"
        self.process = process

    def workers(self) -> list[int]:
        """The processes that serve, those that finish their last sessions among them."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(each) for each in children.read_text().split()]

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def wait_for_log(self, text: str, count: int = 1) -> str:
        deadline = time.monotonic() + PATIENCE
        while (log := self.log()).count(text) < count:
            assert time.monotonic() < deadline, f"{text!r} did not appear {count} times in the log:\n{log}"
            time.sleep(0.02)
        return log

    def connect(self) -> socket.socket:
        """Connect, and take the announcement, which Postfix 3.5 does not have."""
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        local.settimeout(PATIENCE)
        local.connect(str(self.socket))
        if self.announces:
            assert local.recv(len(ANNOUNCEMENT), socket.MSG_WAITALL) == ANNOUNCEMENT
        return local

    def request(
        self, *, flags: int = 1, timeouts: tuple[int, int] = (30, 30), endpoint: str = ENDPOINT
    ) -> tuple[socket.socket, int]:
        """Send a request without further settings; return the stream and the status."""
        local = self.connect()
        local.sendall(request_list(flags=flags, timeouts=timeouts, endpoint=endpoint))
        return local, read_status(local)

    def session(
        self, *, flags: int = 1, timeouts: tuple[int, int] = (30, 30), endpoint: str = ENDPOINT
    ) -> tuple[socket.socket, socket.socket]:
        """Hand over one end of a TCP connection; return the plaintext stream and the remote end."""
        local, status = self.request(flags=flags, timeouts=timeouts, endpoint=endpoint)
        assert status == 1
        return local, hand_over(local)

    def tls_session(
        self, context: ssl.SSLContext | None = None, **options: object
    ) -> tuple[socket.socket, ssl.SSLSocket]:
        """The same, with the remote end through its handshake."""
        local, remote = self.session(**options)  # type: ignore[arg-type]
        return local, (context or client_context()).wrap_socket(remote, server_hostname="mail.private.test")


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new TCP connection; the second is to be handed over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        remote = socket.create_connection(listener.getsockname(), PATIENCE)
        accepted, _ = listener.accept()
    # Otherwise each small write may wait for the acknowledgement of the one before.
    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return remote, accepted


def hand_over(local: socket.socket) -> socket.socket:
    """Pass one end of a new TCP connection to the proxy; return the other one."""
    remote, accepted = tcp_pair()
    socket.send_fds(local, [b"\0"], [accepted.fileno()])
    accepted.close()
    return remote


def request_list(*, flags: int, timeouts: tuple[int, int] = (30, 30), endpoint: str = ENDPOINT) -> bytes:
    return write_list(
        [
            ("remote_endpoint", endpoint),
            ("flags", flags),
            ("timeout", timeouts[0]),
            ("timeout", timeouts[1]),
            ("serverid", "smtpd"),
        ]
    )


def read_status(local: socket.socket) -> int:
    reader = AttributeReader("proxy")
    reading = reader.integer("status")
    while True:
        try:
            next(reading)
        except StopIteration as finished:
            assert local.recv(1) == b"\0"  # the end of the list
            status: int = finished.value
            return status
        data = local.recv(1)
        assert data, "the proxy closed the connection"
        reader.feed(data)


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def running(
    directory: Path,
    *arguments: str,
    user: Sequence[str] = tuple(AS_ROOT),
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Proxy]:
    """Start the daemon on a directory with main.cf; end it, and see that it ends well."""
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([*prefix, *standalone(directory, user), *arguments], stderr=log, env=environment)
    proxy = Proxy(directory, process)
    try:
        deadline = time.monotonic() + PATIENCE
        while "listening on" not in proxy.log():
            assert process.poll() is None, f"the daemon did not start:\n{proxy.log()}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield proxy
    finally:
        process.terminate()
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert status == 0, proxy.log()
    assert "Traceback" not in proxy.log()


StartDaemon = Callable[..., Proxy]
"""The fixture `start_daemon`: settings, arguments, and the options of `running`."""
