"""OpenSSL's callbacks, with state and handlers for each connection.

A callback belongs to the library and knows an `SSL *` only; the `Hooks` of that connection are found by its address.
A connection without any costs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

from ...errors import TlsproxyError
from .binding import begin, require
from .peers import UNSPECIFIED, PeerCertificate, borrowed

require(
    *("SSL_CTX_set_msg_callback", "SSL_CTX_set_tlsext_servername_callback", "SSL_CTX_set_verify", "SSL_get_servername"),
    *("SSL_get_ex_data_X509_STORE_CTX_idx", "SSL_set_SSL_CTX", "SSL_set_info_callback", "TLSEXT_NAMETYPE_host_name"),
    *("X509_STORE_CTX_get_current_cert", "X509_STORE_CTX_get_error", "X509_STORE_CTX_get_error_depth"),
    *("X509_STORE_CTX_get_ex_data", "X509_STORE_CTX_set_error"),
)

Step = Callable[[bool, int, int, PeerCertificate | None], int]
"""Called with OpenSSL's result, error and depth, and the certificate; returns the error to keep (0: none)."""


class Hooks:
    """State and handlers of OpenSSL's callbacks for a connection, in use from `hook` to `unhook`."""

    __slots__ = (
        "context",
        "hello",
        "in_doubt",
        "keeps_hello",
        "on_fault",
        "on_server_name",
        "on_step",
        "on_ticket",
        "on_verify",
        "own_scheme",
        "peer_scheme",
    )

    def __init__(self) -> None:
        self.own_scheme = 0
        """The signature scheme (RFC 8446 §4.2.3) that we have signed with; 0 where none was used."""
        self.peer_scheme = 0
        """That of the peer."""
        self.keeps_hello = False
        """True if the client's hello is of interest."""
        self.hello = b""
        """The last hello of the client, as a handshake message; empty until it has come."""
        self.on_ticket: Callable[[], None] | None = None
        """Called when a ticket is issued or arrives: a session can be saved as soon as SSL_read has returned."""
        self.on_server_name: Callable[[bytes], SSL.Context | None] | None = None
        """Called with the name that a client asks for; returns the context that has a certificate for it, or None to
        decline, or raises `NameRefusedError`."""
        self.context: SSL.Context | None = None
        """The one that the name has led to."""
        self.on_verify: Step | None = None
        """The judge of the peer's chain."""
        self.on_fault: Callable[[], None] | None = None
        """Called in the handler of an exception that the judge has raised, to log it; verification goes on."""
        self.in_doubt = False
        """True as soon as the judge has raised an exception: no later step can make the chain a good one."""
        self.on_step: Callable[[int, int], None] | None = None
        """Called at each step of the handshake and for each alert, with SSL_CTX_set_info_callback(3)'s arguments."""


_hooks: dict[int, Hooks] = {}


def hook(ssl: Any, hooks: Hooks) -> None:
    """Let callbacks find the hooks of a connection."""
    _hooks[_address(ssl)] = hooks
    if hooks.on_step is not None:
        lib.SSL_set_info_callback(ssl, _on_step)


def unhook(ssl: Any) -> None:
    """Forget the hooks of a connection: its address will be used again."""
    hooks = _hooks.pop(_address(ssl), None)
    if hooks is not None:
        # They refer to the hooks.
        hooks.on_ticket = hooks.on_server_name = hooks.on_verify = hooks.on_fault = hooks.on_step = None


def _address(ssl: Any) -> int:
    return int(ffi.cast("uintptr_t", ssl))


# Messages: the only way to learn a signature's scheme, and of tickets.

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_NEW_SESSION_TICKET = 4
_CERTIFICATE_VERIFY = 15


@ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
def _on_message(write: int, _version: int, kind: int, data: Any, size: int, ssl: Any, _argument: Any) -> None:
    """See each message of a connection."""
    if kind != _HANDSHAKE or size < 6:
        return
    start = ffi.buffer(data, 6)[:]
    if start[0] == _CERTIFICATE_VERIFY:
        hooks = _hooks.get(_address(ssl))
        if hooks is not None:
            setattr(hooks, "own_scheme" if write else "peer_scheme", start[4] << 8 | start[5])
    elif start[0] == _NEW_SESSION_TICKET:
        hooks = _hooks.get(_address(ssl))
        if hooks is not None and hooks.on_ticket is not None:
            hooks.on_ticket()
    elif start[0] == _CLIENT_HELLO and not write:
        hooks = _hooks.get(_address(ssl))
        if hooks is not None and hooks.keeps_hello:
            hooks.hello = ffi.buffer(data, size)[:]


def see_messages(context: SSL.Context) -> None:
    """Let the messages of all connections that are made of this context be seen.

    It has its price: OpenSSL calls back for each record of such a connection, to its end.
    """
    lib.SSL_CTX_set_msg_callback(context._context, _on_message)


def begin_watched(context: SSL.Context, descriptor: int, *, server: bool) -> Any:
    """Make a connection as `binding.begin` does, and let the messages of this one be seen.

    A connection takes the callback over from its context when it is made; the binding can't set it later.
    """
    see_messages(context)
    try:
        return begin(context, descriptor, server=server)
    finally:
        lib.SSL_CTX_set_msg_callback(context._context, ffi.NULL)


# Server names.


class NameRefusedError(TlsproxyError):
    """Raised to end a handshake for the server name that a client asks for."""


_ACKNOWLEDGED, _FATAL, _NOT_ACKNOWLEDGED = 0, 2, 3
_INTERNAL_ERROR = 80


@ffi.callback("int(SSL *, int *, void *)", error=_FATAL)  # type: ignore[untyped-decorator]
def _on_server_name(ssl: Any, alert: Any, _argument: Any) -> int:
    """Let a session choose another context for the name that its client asks for."""
    alert[0] = _INTERNAL_ERROR
    name = lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)
    hooks = _hooks.get(_address(ssl))
    if name == ffi.NULL or hooks is None or hooks.on_server_name is None:
        return _NOT_ACKNOWLEDGED
    try:
        context = hooks.on_server_name(ffi.string(name))
    except NameRefusedError:
        return _FATAL
    if context is None:
        return _NOT_ACKNOWLEDGED
    if context is not hooks.context:
        hooks.context = context
        lib.SSL_set_SSL_CTX(ssl, context._context)
    return _ACKNOWLEDGED


def serve_names(context: SSL.Context) -> None:
    """Let connections of this context choose another one by server name (RFC 6066 §3)."""
    lib.SSL_CTX_set_tlsext_servername_callback(context._context, _on_server_name)


# Verification.

_MOST_INT = 2**31 - 1


@ffi.callback("int(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def _on_verify(ok: int, store_context: Any) -> int:
    """Let a connection's judge have the last word; without one, or after an exception, verification has failed."""
    error, hooks = UNSPECIFIED, None
    try:
        index = lib.SSL_get_ex_data_X509_STORE_CTX_idx()
        hooks = _hooks[_address(lib.X509_STORE_CTX_get_ex_data(store_context, index))]
        if hooks.on_verify is not None and not hooks.in_doubt:
            hooks.in_doubt = True
            reported = lib.X509_STORE_CTX_get_error(store_context)
            depth = lib.X509_STORE_CTX_get_error_depth(store_context)
            current = lib.X509_STORE_CTX_get_current_cert(store_context)
            error = hooks.on_verify(bool(ok), reported, depth, borrowed(current))
            hooks.in_doubt = False
    except Exception:
        if hooks is None or hooks.on_fault is None:
            raise  # which ends the verification, and is printed by cffi
        hooks.on_fault()
    finally:
        lib.X509_STORE_CTX_set_error(store_context, error)
    return 1


def judge_chains(context: SSL.Context, depth: int) -> None:
    """Let the chains that peers send be judged; the handshake goes on after each verdict.

    `depth` is the limit on intermediate certificates, in Postfix's counting.
    """
    lib.SSL_CTX_set_verify(context._context, SSL.VERIFY_NONE, _on_verify)
    context.set_verify_depth(depth + 1 if depth < _MOST_INT else -_MOST_INT - 1)  # as C's sum does


# Steps of the handshake.


@ffi.callback("void(*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def _on_step(ssl: Any, where: int, result: int) -> None:
    """Report a handshake step or an alert."""
    hooks = _hooks.get(_address(ssl))
    if hooks is not None and hooks.on_step is not None:
        hooks.on_step(where, result)
