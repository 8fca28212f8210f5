"""`tlsproxy.starttls`: both roles, with and without asyncio, through our daemon and through the one of Postfix."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from peers.daemon.proxy import client_context, running, write_config
from peers.real.postfix import PrivatePostfix
from peers.tools.children import PATIENCE

import postconf
from postconf.values import SecurityLevel
from tlsproxy.policy import Destination, DnsName, Policies, Policy
from tlsproxy.starttls import (
    HandshakeFailedError,
    PeerNotVerifiedError,
    PlaintextAheadError,
    Proxy,
    ProxyUnavailableError,
    detach,
    starttls,
    starttls_blocking,
)
from tlsproxy.wire.attributes import write_list
from tlsproxy.wire.messages import ANNOUNCEMENT, PeerStatus, TlsContext

HOST = "mail.private.test"


class Running(NamedTuple):
    """A proxy, the CA of its certificate, and the CA that it trusts, which is the same."""

    proxy: Proxy
    ca: trustme.CA
    log: Callable[[], str]


def settings(directory: Path) -> dict[str, str]:
    return {
        "smtp_tls_security_level": "secure",
        "smtp_tls_CAfile": f"{directory}/ca.pem",
        "smtp_tls_loglevel": "1",
        "smtpd_tls_loglevel": "1",
    }


@pytest.fixture(scope="module", params=["ours", pytest.param("postfix", marks=pytest.mark.postfix)])
def peer(request: pytest.FixtureRequest, public_root: Path) -> Iterator[Running]:
    directory = public_root / request.param
    directory.mkdir()
    ca = write_config(directory / "proxy", settings(directory))
    ca.cert_pem.write_to_path(str(directory / "ca.pem"))
    with contextlib.ExitStack() as stack:
        if request.param == "ours":
            daemon = stack.enter_context(running(directory / "proxy", "--postfix-version", "3.7.11"))
            view = postconf.load(str(directory / "proxy"), version="3.7.11")
            yield (found := Running(Proxy.of(view, daemon.socket), ca, daemon.log))
        else:
            own = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": f"{directory}/proxy/chain.pem"}
            postfix = PrivatePostfix(directory / "postfix", settings(directory) | own)
            stack.enter_context(postfix)
            yield (found := Running(Proxy.of(str(postfix.conf)), ca, postfix.log))
        assert unexpected(found.log()) == []


def unexpected(log: str) -> list[str]:
    """Warnings, but for those of handshakes that are to fail, and of a tlsmgr(8) that is not there."""
    expected = "tlsmgr", "TLS library problem", "read/write timeout for "
    return [line for line in log.splitlines() if "warning: " in line and not any(each in line for each in expected)]


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname(), PATIENCE)
        theirs, _ = listener.accept()
    theirs.settimeout(PATIENCE)
    return ours, theirs


@contextlib.contextmanager
def remote(task: Callable[[], None]) -> Iterator[None]:
    """Play the remote peer in a thread; an error in it fails the test."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            task()
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not problems, problems


def echo_server(theirs: socket.socket, ca: trustme.CA, name: str = HOST) -> Callable[[], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)

    def serve() -> None:
        with theirs, contextlib.suppress(OSError), context.wrap_socket(theirs, server_side=True) as tls:
            tls.sendall(b"hello\r\n")  # at once, so that it comes with the end of the handshake
            while data := tls.recv(100):
                tls.sendall(data.upper())

    return serve


def echo_client(theirs: socket.socket) -> Callable[[], None]:
    def play() -> None:
        with client_context().wrap_socket(theirs, server_hostname=HOST) as tls:
            assert tls.recv(100) == b"hello\r\n"
            tls.sendall(b"ping\r\n")
            assert tls.recv(100) == b"PING\r\n"

    return play


def policy(peer: Running, host: str = HOST, **replaced: object) -> Policy:
    decided = Policies(peer.proxy.view).decide(Destination(f"[{host}]", host, DnsName(host)))
    return Policy(**{name: getattr(decided, name) for name in Policy.__slots__} | replaced)


async def as_client(peer: Running, ours: socket.socket, wanted: Policy) -> TlsContext:
    tls = await starttls(ours, role="client", policy=wanted, proxy=peer.proxy, timeout=PATIENCE)
    assert await tls.reader.readline() == b"hello\r\n"
    tls.writer.write(b"ping\r\n")
    assert await tls.reader.readline() == b"PING\r\n"
    tls.writer.close()
    return tls.context


async def as_server(peer: Running, ours: socket.socket) -> TlsContext:
    tls = await starttls(ours, role="server", proxy=peer.proxy, timeout=PATIENCE)
    tls.writer.write(b"hello\r\n")
    line = await tls.reader.readline()
    tls.writer.write(line.upper())
    await tls.writer.drain()
    assert await tls.reader.read() == b""
    tls.writer.close()
    return tls.context


def test_client_gets_plaintext_and_the_verdict(peer: Running) -> None:
    ours, theirs = pair()
    with remote(echo_server(theirs, peer.ca)):
        context = asyncio.run(as_client(peer, ours, policy(peer)))
    assert context.level == SecurityLevel.SECURE
    assert PeerStatus(context.peer_status) & (PeerStatus.MATCHED | PeerStatus.TRUSTED | PeerStatus.SECURED)
    assert context.cipher_protocol == "TLSv1.3"
    assert context.peer_CN == HOST
    assert context.namaddr.startswith(f"{HOST}[127.0.0.1]:")
    assert ours.fileno() == -1


def test_server_gets_plaintext_and_facts_of_its_client(peer: Running) -> None:
    ours, theirs = pair()
    with remote(echo_client(theirs)):
        context = asyncio.run(as_server(peer, ours))
    assert context.cipher_protocol == "TLSv1.3"
    assert not context.peer_status
    assert ours.fileno() == -1


def test_both_roles_without_asyncio(peer: Running) -> None:
    ours, theirs = pair()
    with remote(echo_client(theirs)):
        tls = starttls_blocking(ours, role="server", proxy=peer.proxy, timeout=PATIENCE)
        with tls.socket:
            tls.socket.sendall(b"hello\r\n")
            tls.socket.sendall(tls.socket.recv(100).upper())
            assert tls.socket.recv(100) == b""
    ours, theirs = pair()
    with remote(echo_server(theirs, peer.ca)):
        tls = starttls_blocking(ours, role="client", policy=policy(peer), proxy=peer.proxy, timeout=PATIENCE)
        with tls.socket:
            assert tls.socket.recv(100) == b"hello\r\n"
            tls.socket.sendall(b"ping")
            assert tls.socket.recv(100) == b"PING"


@pytest.mark.parametrize("blocking", [False, True])
def test_server_with_another_name_gets_no_plaintext(peer: Running, blocking: bool) -> None:
    ours, theirs = pair()
    wanted = policy(peer, "other.private.test")
    with remote(echo_server(theirs, peer.ca)), pytest.raises(PeerNotVerifiedError) as caught:
        if blocking:
            starttls_blocking(ours, role="client", policy=wanted, proxy=peer.proxy, timeout=PATIENCE)
        else:
            asyncio.run(as_client(peer, ours, wanted))
    assert caught.value.context.peer_status & PeerStatus.PRESENT
    assert not caught.value.context.peer_status & PeerStatus.MATCHED
    assert ours.fileno() == -1


def test_unknown_authority_is_enough_for_encrypt_not_for_verify(peer: Running) -> None:
    ours, theirs = pair()
    with remote(echo_server(theirs, trustme.CA())):
        context = asyncio.run(as_client(peer, ours, policy(peer, level=SecurityLevel.ENCRYPT)))
    assert context.peer_status == PeerStatus.PRESENT
    ours, theirs = pair()
    with remote(echo_server(theirs, trustme.CA())), pytest.raises(PeerNotVerifiedError):
        asyncio.run(as_client(peer, ours, policy(peer)))


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("blocking", [False, True])
def test_peer_that_does_not_speak_tls_fails_the_handshake(peer: Running, role: str, blocking: bool) -> None:
    ours, theirs = pair()
    options: dict[str, Any] = {"role": role, "proxy": peer.proxy, "timeout": PATIENCE}
    if role == "client":
        options["policy"] = policy(peer)
    with theirs, pytest.raises(HandshakeFailedError):
        theirs.sendall(b"QUIT\r\n" * 10)
        theirs.shutdown(socket.SHUT_WR)
        if blocking:
            starttls_blocking(ours, **options)
        else:
            asyncio.run(starttls(ours, **options))
    assert ours.fileno() == -1


@pytest.mark.parametrize("blocking", [False, True])
def test_peer_that_says_nothing_costs_no_more_than_the_timeout(peer: Running, blocking: bool) -> None:
    ours, theirs = pair()
    with theirs, pytest.raises((TimeoutError, HandshakeFailedError)):
        if blocking:
            starttls_blocking(ours, role="server", proxy=peer.proxy, timeout=0.5)
        else:
            asyncio.run(starttls(ours, role="server", proxy=peer.proxy, timeout=0.5))
    assert ours.fileno() == -1


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.9", "3.10", "3.11", "3.12"])
def test_every_generation_of_the_protocol_is_spoken(tmp_path: Path, version: str) -> None:
    ca = write_config(tmp_path / "proxy", settings(tmp_path))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    view = postconf.load(str(tmp_path / "proxy"), version=version)
    with running(tmp_path / "proxy", "--postfix-version", version) as daemon:
        peer = Running(Proxy.of(view, daemon.socket), ca, daemon.log)
        ours, theirs = pair()
        with remote(echo_server(theirs, ca)):
            assert asyncio.run(as_client(peer, ours, policy(peer))).peer_status & PeerStatus.MATCHED
        ours, theirs = pair()
        with remote(echo_client(theirs)):
            assert asyncio.run(as_server(peer, ours)).cipher_protocol == "TLSv1.3"
        assert unexpected(daemon.log()) == []


async def serve_starttls(peer: Running, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
    reader, writer = streams
    assert await reader.readline() == b"STARTTLS\r\n"
    sock = await detach(reader, writer)
    await asyncio.get_running_loop().sock_sendall(sock, b"220 go on\r\n")
    tls = await starttls(sock, role="server", proxy=peer.proxy, timeout=PATIENCE)
    line = await tls.reader.readline()
    tls.writer.close()
    return line


def test_asyncio_streams_are_taken_over_within_a_session(peer: Running) -> None:
    ours, theirs = pair()
    ours.setblocking(False)

    def play() -> None:
        theirs.sendall(b"STARTTLS\r\n")
        assert theirs.recv(100) == b"220 go on\r\n"
        with client_context().wrap_socket(theirs, server_hostname=HOST) as tls:
            tls.sendall(b"inside\r\n")

    async def serve() -> bytes:
        return await serve_starttls(peer, await asyncio.open_connection(sock=ours))

    with remote(play):
        assert asyncio.run(serve()) == b"inside\r\n"


def test_plaintext_injected_before_tls_ends_the_session(peer: Running) -> None:
    ours, theirs = pair()
    ours.setblocking(False)
    theirs.sendall(b"STARTTLS\r\nRSET\r\n")

    async def serve() -> bytes:
        return await serve_starttls(peer, await asyncio.open_connection(sock=ours))

    with theirs, pytest.raises(PlaintextAheadError):
        asyncio.run(serve())


# Sockets of programs that are no proxies.


@pytest.fixture
def config(tmp_path: Path) -> postconf.Config:
    write_config(tmp_path, {}, certificate=False)
    return postconf.load(str(tmp_path), version="3.7.11")


def test_missing_proxy_closes_the_socket_and_names_its_path(config: postconf.Config, tmp_path: Path) -> None:
    proxy = Proxy.of(config, tmp_path / "nobody")
    for call in (starttls_blocking, lambda *args, **options: asyncio.run(starttls(*args, **options))):
        ours, theirs = pair()
        with theirs, pytest.raises(ProxyUnavailableError, match="nobody: No such file or directory"):
            call(ours, role="server", proxy=proxy)
        assert ours.fileno() == -1


ANSWERS = {
    "another service": (b"protocol\0tlsmgr_protocol\0\0", "unexpected protocol tlsmgr_protocol"),
    "the end": (b"", "has closed the connection"),
    "no such role": (ANNOUNCEMENT + write_list([("status", 0)]), "does not have this role"),
    "nonsense": (b"\xff\0\0", "unexpected attribute"),
    "endless": (b"x" * 9_000_000, "more than|without an end"),
    "half a list": (ANNOUNCEMENT[:-1], "has closed the connection"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("blocking", [False, True])
def test_socket_of_another_program_is_an_error(
    config: postconf.Config, tmp_path: Path, answer: str, blocking: bool
) -> None:
    data, words = ANSWERS[answer]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()

        def play() -> None:
            local, _ = listener.accept()
            with local, contextlib.suppress(OSError):
                local.sendall(data)
                local.shutdown(socket.SHUT_WR)
                local.recv(65536)

        ours, theirs = pair()
        proxy = Proxy.of(config, tmp_path / "socket")
        with theirs, remote(play), pytest.raises(ProxyUnavailableError, match=words):
            if blocking:
                starttls_blocking(ours, role="server", proxy=proxy, timeout=PATIENCE)
            else:
                asyncio.run(starttls(ours, role="server", proxy=proxy, timeout=PATIENCE))
        assert ours.fileno() == -1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"role": "client"}, "a client needs a policy"),
        ({"role": "both"}, "the role is"),
        ({"role": "server", "policy": Policy(SecurityLevel.MAY, Destination.parse("x"))}, "for the role of a client"),
        ({"role": "client", "policy": Policy(SecurityLevel.NONE, Destination.parse("x"))}, "that wants TLS"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    config: postconf.Config, options: dict[str, object], words: str
) -> None:
    ours, theirs = pair()
    with theirs, pytest.raises(ValueError, match=words):
        starttls_blocking(ours, proxy=Proxy.of(config), **options)  # type: ignore[arg-type]
