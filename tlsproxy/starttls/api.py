"""STARTTLS for Python programs with their own protocol: hand a socket to the running proxy, and get plaintext back.

```python
tls = await starttls(sock, role="client", policy=policy)
tls.writer.write(b"EHLO …")  # asyncio streams
print(tls.context.cipher_name, tls.context.peer_CN)
```

The program speaks its protocol until TLS begins, and needs no key, certificate or TLS library: then the proxy has the
connection, and the program a UNIX socket with the plaintext. A client defines the acceptable servers by a `Policy`, and
gets no stream to another one. For a server, the proxy's configuration decides.

A socket that was handed over is closed here, also after a failed handshake, because the state of its peer is unknown.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Generator
from dataclasses import dataclass

from ..errors import TlsproxyError
from ..policy import Policy
from ..wire.attributes import AttributeReader, ProtocolError
from ..wire.messages import TlsContext
from ..wire.requests import read_announcement, read_context, read_status
from .request import Prepared, Proxy, Role, prepare

__all__ = [
    "HandshakeFailedError",
    "PeerNotVerifiedError",
    "PlaintextAheadError",
    "Proxy",
    "ProxyUnavailableError",
    "StarttlsError",
    "TlsContext",
    "TlsSocket",
    "TlsStreams",
    "detach",
    "starttls",
    "starttls_blocking",
]

_PEEK = 4096
_CLOSED = "the proxy has closed the connection"


class StarttlsError(TlsproxyError):
    """TLS has failed, and the socket is closed. The text has the reason."""


class ProxyUnavailableError(StarttlsError):
    """The proxy can't be reached, or does not have this role; its log has the reason."""


class HandshakeFailedError(StarttlsError):
    """The TLS handshake failed; the proxy's log has the reason."""


class PeerNotVerifiedError(StarttlsError):
    """The server does not match the policy. `context`: the TLS context of the session."""

    def __init__(self, context: TlsContext) -> None:
        super().__init__("Server certificate not verified")
        self.context = context


class PlaintextAheadError(StarttlsError):
    """The peer sent plaintext after STARTTLS, which an attacker may have injected (CVE-2011-0411)."""


@dataclass(frozen=True, slots=True)
class TlsStreams:
    """A session's plaintext as asyncio streams, and its TLS context."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    context: TlsContext


@dataclass(frozen=True, slots=True)
class TlsSocket:
    """A session's plaintext as a blocking socket, and its TLS context."""

    socket: socket.socket
    context: TlsContext


async def starttls(
    sock: socket.socket,
    *,
    role: Role,
    policy: Policy | None = None,
    proxy: Proxy | None = None,
    timeout: float = 300,
    idle_timeout: float = 600,
    remote_endpoint: str = "",
    ehlo: str = "",
) -> TlsStreams:
    """Start TLS on a connected socket, and return streams with the plaintext; `sock` is closed in any case.

    `sock`: for asyncio streams, `detach` returns it. `role`: ours, `client` or `server`. `policy`: required for the
    role `client`, and only for it. `proxy`: by default that of /etc/postfix. `timeout`: limit of the handshake in
    seconds. `idle_timeout`: limit of silence in the session, in seconds. `remote_endpoint`: name of the peer in logs,
    by default `[address]:port`. `ehlo`: name of the server in its reply to EHLO, a part of the key of cached sessions.

    Raise `ProxyUnavailableError`, `HandshakeFailedError`, `PeerNotVerifiedError`; TimeoutError after `timeout`;
    ValueError for contradictory parameters; and, without a `proxy`, the errors of `Proxy.of`.
    """
    with sock:
        request = prepare(
            sock,
            proxy or Proxy.of(),
            role=role,
            policy=policy,
            timeouts=(timeout, idle_timeout),
            remote_endpoint=remote_endpoint,
            ehlo=ehlo,
        )
        async with asyncio.timeout(timeout):
            reader, writer, local = await _connect(request)
            try:
                context = await _converse(request, reader, writer, local, sock)
            except BaseException:
                writer.close()
                raise
    return TlsStreams(reader, writer, context)


def starttls_blocking(
    sock: socket.socket,
    *,
    role: Role,
    policy: Policy | None = None,
    proxy: Proxy | None = None,
    timeout: float = 300,
    idle_timeout: float = 600,
    remote_endpoint: str = "",
    ehlo: str = "",
) -> TlsSocket:
    """Start TLS as `starttls` does, and return a blocking socket: for programs without asyncio."""
    with sock:
        request = prepare(
            sock,
            proxy or Proxy.of(),
            role=role,
            policy=policy,
            timeouts=(timeout, idle_timeout),
            remote_endpoint=remote_endpoint,
            ehlo=ehlo,
        )
        deadline = time.monotonic() + timeout
        local = _connect_blocking(request, timeout)
        try:
            context = _converse_blocking(request, local, sock, deadline)
        except BaseException:
            local.close()
            raise
    local.settimeout(None)
    return TlsSocket(local, context)


async def detach(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> socket.socket:
    """Take the socket out of asyncio streams, which can't be used afterwards.

    A server does this *before* it agrees to STARTTLS, and sends its reply with `loop.sock_sendall`; otherwise the
    streams would read the peer's next bytes. Raise `PlaintextAheadError` for data that the peer sent too early.
    """
    transport = writer.transport
    transport.set_write_buffer_limits(0)
    await writer.drain()
    transport.pause_reading()  # type: ignore[attr-defined]  # a writer's transport reads, too
    sock: socket.socket = writer.get_extra_info("socket").dup()
    sock.setblocking(False)
    transport.abort()  # closes a descriptor, not the connection: there is another one now
    if ahead := await reader.read():
        sock.close()
        raise PlaintextAheadError(f"{len(ahead)} bytes came ahead of TLS")
    return sock


# The conversation, which is the same with and without asyncio.

_HAND_OVER = b""
_Conversation = Generator[bytes | None, None, TlsContext]


def _conversation(request: Prepared, reader: AttributeReader) -> _Conversation:
    """Yield the next step: bytes to send, `_HAND_OVER` to pass the descriptor, or None to read up to a NUL byte.

    The caller throws its errors in here, where their meaning is known.
    """
    try:
        if request.announced:
            yield from read_announcement(reader)
        yield request.data
        available = yield from read_status(reader)
        if available:
            yield _HAND_OVER
    except (OSError, EOFError, ProtocolError) as error:
        raise ProxyUnavailableError(f"{request.path}: {error}") from error
    if not available:
        raise ProxyUnavailableError(f"{request.path}: the proxy does not have this role now; its log says why")
    try:
        context = yield from read_context(reader)
    except (OSError, EOFError, ProtocolError) as error:
        raise HandshakeFailedError(f"no TLS session: {error}; the log of {request.path} says why") from error
    if not request.admits(context):
        raise PeerNotVerifiedError(context)
    return context


def _advance(talk: _Conversation, failure: Exception | None) -> bytes | TlsContext | None:
    try:
        return next(talk) if failure is None else talk.throw(failure)
    except StopIteration as finished:
        context: TlsContext = finished.value
        return context


async def _connect(request: Prepared) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    """Connect; the socket is returned, too, because asyncio has no way to pass a descriptor."""
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    local.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(local, str(request.path))
        reader, writer = await asyncio.open_unix_connection(sock=local)
    except OSError as error:
        local.close()
        raise ProxyUnavailableError(f"{request.path}: {error.strerror or error}") from error
    except BaseException:
        local.close()
        raise
    return reader, writer, local


def _connect_blocking(request: Prepared, timeout: float) -> socket.socket:
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        local.settimeout(timeout)
        local.connect(str(request.path))
    except TimeoutError:
        local.close()
        raise
    except OSError as error:
        local.close()
        raise ProxyUnavailableError(f"{request.path}: {error.strerror or error}") from error
    return local


async def _converse(
    request: Prepared,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    local: socket.socket,
    sock: socket.socket,
) -> TlsContext:
    attributes = AttributeReader("tlsproxy")
    talk = _conversation(request, attributes)
    failure: Exception | None = None
    while not isinstance(step := _advance(talk, failure), TlsContext):
        failure = None
        try:
            if step is None:
                attributes.feed(await reader.readuntil(b"\0"))
            elif step == _HAND_OVER:
                socket.send_fds(local, [b"\0"], [sock.fileno()])
            else:
                writer.write(step)
                await writer.drain()
        except asyncio.IncompleteReadError:
            failure = EOFError(_CLOSED)
        except asyncio.LimitOverrunError:
            failure = ProtocolError("an attribute without an end")
        except (OSError, ProtocolError) as error:
            failure = error
    return step


def _converse_blocking(request: Prepared, local: socket.socket, sock: socket.socket, deadline: float) -> TlsContext:
    attributes = AttributeReader("tlsproxy")
    talk = _conversation(request, attributes)
    failure: Exception | None = None
    while not isinstance(step := _advance(talk, failure), TlsContext):
        failure = None
        local.settimeout(_left(deadline))
        try:
            if step is None:
                attributes.feed(_until_nul(local))
            elif step == _HAND_OVER:
                socket.send_fds(local, [b"\0"], [sock.fileno()])
            else:
                local.sendall(step)
        except TimeoutError:
            raise
        except (OSError, EOFError, ProtocolError) as error:
            failure = error
    return step


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _until_nul(local: socket.socket) -> bytes:
    """Read up to a NUL byte, or all available bytes; bytes after the last list belong to the session."""
    ahead = local.recv(_PEEK, socket.MSG_PEEK)
    if not ahead:
        raise EOFError(_CLOSED)
    return local.recv(ahead.find(0) + 1 or len(ahead))
