"""One TLS session, from the local peer's request to the end of both sides.

The rules (tlsproxy(8), as real postscreen(8) and smtp(8) rely on them):

- We announce the protocol. The local peer sends its request; we answer whether its role is available; it passes
  the remote peer's descriptor in a message of one byte. Nothing may be read beyond that byte.
- During the handshake no plaintext is read or written.
- Then bytes pass both ways. A side that can't be written stops the other side from being read.
- When the local peer closes, the remote one gets close_notify; its own is not awaited.
- When the remote peer closes or fails, its last bytes still reach the local peer; close_notify is not answered.
- Every state has a limit of inactivity. No input ends anything but this session.

`states` has the table of states; the handlers that it names are methods here. An object of this class does the I/O of
its own two descriptors and never waits; the time is given to it.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Protocol

from ..log import Log
from ..loop import EDGE, GONE, IN, OUT, Loop
from ..tls.openssl.binding import (
    ERROR_SSL,
    ERROR_WANT_READ,
    ERROR_WANT_WRITE,
    SSL_do_handshake,
    SSL_get_error,
    SSL_shutdown,
    clear_errors,
    first_error,
    log_errors,
)
from ..tls.report.summary import Agreement
from ..tls.roles import Packets, RoleUnavailableError, SessionPlan, SessionRefusedError, TlsConnection
from ..wire.attributes import ProtocolError
from ..wire.messages import ANNOUNCEMENT, Flag, Generation, Request, status_reply
from . import descriptor, states
from .dump import PacketDump
from .relay import End, Relay
from .request import EITHER_ROLE, RequestReader
from .states import State

if TYPE_CHECKING:  # roles are made where there are privileges, and loaded there
    from ..tls.client.role import ClientRole
    from ..tls.server.role import ServerRole

_ROLES = {
    0: ("none", "(bogus_direction)"),
    Flag.SERVER: ("server", "from"),
    Flag.CLIENT: ("client", "to"),
    EITHER_ROLE: ("none", "from"),
}
"""By a request's flags: the role, and the direction in the log."""
_NO_REQUEST = Request("", 0, 0, 0, "")


class Owner(Protocol):
    """The process that a session lives in, and shares with others."""

    loop: Loop
    log: Log
    server_role: ServerRole | None
    client_role: ClientRole | None
    generation: Generation

    def established(self, session: Session, agreed: Agreement, *, reused: bool) -> None:
        """Note the end of a session's handshake, and the protocol and cipher that it has agreed on."""

    def ended(self, session: Session) -> None:
        """Forget a session that is over."""


class Session:
    """A session, in one of the states of the table."""

    __slots__ = (
        "_connection",
        "_dump",
        "_handshake_queued",
        "_limit",
        "_local",
        "_log",
        "_loop",
        "_owner",
        "_plan",
        "_reader",
        "_relay",
        "_remote",
        "_request",
        "_state",
        "_touched",
        "failure",
        "outcome",
        "role",
    )
    _plan: SessionPlan  # known from the state `preparing` on

    def __init__(self, owner: Owner, local: socket.SocketType) -> None:
        """Take over `local`, a non-blocking UNIX stream."""
        self._owner = owner
        self._loop = owner.loop
        self._log = owner.log
        self._local = local
        self._remote = -1
        self._dump: PacketDump | None = None
        self._reader: RequestReader | None = RequestReader(owner.generation)
        self._request = _NO_REQUEST
        self._connection: TlsConnection | None = None
        self._relay: Relay | None = None
        self._handshake_queued = False
        self._state = states.REQUESTING
        self._limit = states.REQUEST_TIMEOUT
        self._touched = owner.loop.now
        self.role = "none"
        """The role that is asked for: server, client or none."""
        self.outcome = "bad_request"
        """The outcome so far (`daemon.monitoring.metrics.OUTCOMES`)."""
        self.failure = ""
        """Why its handshake has failed: timeout, refused, connection_lost, or OpenSSL's reason."""

    def start(self) -> None:
        """Greet the local peer, if it knows that."""
        if self._owner.generation < Generation.V3_6 or self._send(ANNOUNCEMENT):
            self._enter(states.REQUESTING)

    def check(self, now: float) -> None:
        """Act on the limit of the present state, if it has passed."""
        touched = self._touched if self._relay is None else max(self._touched, self._relay.touched)
        if now - touched >= self._limit:
            self.time_out()

    def time_out(self) -> None:
        """Act as if the limit of the present state had passed."""
        getattr(self, self._state.at_limit)()

    def abort(self) -> None:
        """End at once, in any state, after an exception that was not expected."""
        if self._local.fileno() >= 0:
            self.end()

    def _enter(self, state: State) -> None:
        """Enter a state: its limit begins, and its handlers get the events."""
        self._state = state
        self._touched = self._loop.now
        self._limit = states.seconds(state.limit, self._request)
        if state.local is not None:
            self._loop.watch(self._local.fileno(), state.local_events, getattr(self, state.local))
        if state.remote is not None:
            self._loop.watch(self._remote, state.remote_events, getattr(self, state.remote))

    # -- requesting, reading settings

    def on_request(self, _events: int) -> None:
        """Take bytes of the request; act on it when it is whole."""
        try:
            data = self._local.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        reader = self._reader
        if reader is None:
            return
        try:
            if not data:
                raise reader.end()
            is_whole = reader.feed(data)
        except ProtocolError as error:
            self._note_request(reader.request)
            self._end_request(error)
            return
        self._note_request(reader.request)
        if is_whole:
            self._reader = None  # a kilobyte
            self._act_on_request(reader)
        elif self._state is states.REQUESTING:
            self._enter(states.READING_SETTINGS)

    def on_half_request(self) -> None:
        """End a session whose request does not go on."""
        if self._reader is not None:
            self._end_request(self._reader.end("timeout"))

    def _note_request(self, request: Request | None) -> None:
        """Log the first list, as soon as it is there."""
        if request is not None and self._request is _NO_REQUEST:
            self._request = request
            self.role, direction = _ROLES[request.flags & EITHER_ROLE]
            self._log.info(f"CONNECT {direction} {request.remote_endpoint}")

    def _end_request(self, error: ProtocolError) -> None:
        part = "client TLS settings" if self._request.remote_endpoint else "request attributes"
        self._log.warning(f"tlsp_get_request_event: receive {part}: {error}")
        self.end()

    def _act_on_request(self, reader: RequestReader) -> None:
        request, owner = self._request, self._owner
        if self.role == "none":
            self._log.warning(f"tlsp_get_request_event: bad request flags: {request.flags:#x}")
            self._refuse()
        elif request.flags & Flag.PROBE_ONLY:
            role = owner.client_role if self.role == "client" else owner.server_role
            self._refuse(available=role is not None)
        else:
            plan = self._plan_client(reader) if self.role == "client" else self._plan_server(reader)
            if plan is None:
                self._refuse()
            else:
                self._plan = plan
                state = self._state
                plan.when_ready(self._promise)
                if self._state is state and self._local.fileno() >= 0:  # neither answered nor ended
                    self._enter(states.PREPARING)

    def _plan_client(self, reader: RequestReader) -> SessionPlan | None:
        role = self._owner.client_role
        if role is None or reader.client is None:
            self._log.warning("TLS client role is disabled by configuration")
            return None
        try:
            return role.plan(self._request, reader.client)
        except RoleUnavailableError:
            return None

    def _plan_server(self, reader: RequestReader) -> SessionPlan | None:
        role = self._owner.server_role
        if role is None:
            return None
        try:
            return role.plan(self._request, reader.server)
        except RoleUnavailableError:
            return None

    # -- preparing, refused

    def _promise(self) -> None:
        """Answer that the session will be served, unless the local peer has not waited for it."""
        if self._local.fileno() < 0:
            return
        self.outcome = "no_descriptor"
        if self._send(status_reply(available=True)):
            self._enter(states.AWAITING)

    def _refuse(self, *, available: bool = False) -> None:
        """Answer, and wait for the local peer to close."""
        self.outcome = "refused"
        if self._send(status_reply(available)):
            self._enter(states.REFUSED)

    def on_unexpected(self, _events: int) -> None:
        """End: a local peer that closes, or that speaks out of turn."""
        self.end()

    # -- awaiting the descriptor

    def on_descriptor(self, _events: int) -> None:
        """Take the remote peer's descriptor, and begin TLS or wait for its hello."""
        try:
            self._remote = descriptor.receive(self._local)
            os.set_blocking(self._remote, False)
            if self._plan.packets is not Packets.NONE:
                self._dump = PacketDump(self._loop, self._log, self._remote)
                self._remote = self._dump.descriptor
            self._enter(states.GREETED if self._plan.hello_decides else states.HANDSHAKING)
        except BlockingIOError:
            return
        except OSError as error:  # no descriptor, or not that of a socket
            reason = error.strerror or str(error)
            self._log.warning(f"tlsp_get_fd_event: receive remote SMTP peer file descriptor: {reason}")
            self.end()
            return
        self.outcome = "abandoned"
        if self._state is states.HANDSHAKING and self._start_tls() and self._request.flags & Flag.CLIENT:
            self._queue_handshake()  # we speak first

    # -- greeted, handshaking

    def on_hello(self, _events: int) -> None:
        """Begin TLS now that the client has sent something to look at."""
        self._enter(states.HANDSHAKING)
        if self._start_tls():
            self._queue_handshake()

    def _start_tls(self) -> bool:
        """Make the TLS connection; return False after ending the session, if that is refused."""
        try:
            self._connection = self._plan.start(self._remote)
        except SessionRefusedError:
            self._log_failed_handshake()
            self.outcome, self.failure = "handshake_failed", "refused"
            self.end()
            return False
        return True

    def on_early_local(self, events: int) -> None:
        """Leave early plaintext where it is, and the end of it; end for a local peer that has gone away."""
        try:
            nothing = not self._local.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            nothing = True
        if nothing and events & GONE:
            self._log_failed_handshake()
            self.end()
        else:
            self._loop.watch(self._local.fileno(), 0, self.on_unexpected)

    def on_handshake(self, _events: int) -> None:
        """Go on with the handshake when its turn comes."""
        self._touched = self._loop.now
        self._queue_handshake()

    def _queue_handshake(self) -> None:
        """Queue the handshake: private-key operations are slow, and sessions with data go first."""
        if not self._handshake_queued:
            self._handshake_queued = True
            self._loop.queue(self._handshake)

    def _handshake(self) -> None:
        self._handshake_queued = False
        connection = self._connection
        if self._remote < 0 or connection is None:  # ended while it was waiting in the queue
            return
        clear_errors()
        result = SSL_do_handshake(connection.ssl)
        if result == 1:
            self._handshake_done(connection)
            return
        error = SSL_get_error(connection.ssl, result)
        if error == ERROR_WANT_READ:
            self._loop.watch(self._remote, IN | EDGE, self.on_handshake)
        elif error == ERROR_WANT_WRITE:
            self._loop.watch(self._remote, OUT | EDGE, self.on_handshake)
        else:
            self._handshake_failed("handshake_failed")

    def on_handshake_limit(self) -> None:
        """Give up a handshake that takes too long."""
        self._log.warning(f"ciphertext read/write timeout for {self._request.remote_endpoint}")
        self._handshake_failed("handshake_timeout")

    def _handshake_failed(self, outcome: str) -> None:
        self.outcome = outcome
        self.failure = "timeout" if outcome == "handshake_timeout" else first_error() or "connection_lost"
        if self._connection is not None:
            self._connection.log_failure()
        self._log_failed_handshake()
        self.end()

    def _log_failed_handshake(self) -> None:
        request = self._request
        self._log.info(f"TLS handshake failed for service={request.serverid} peer={request.remote_endpoint}")

    def _handshake_done(self, connection: TlsConnection) -> None:
        agreed = connection.finish_handshake()
        if self._dump is not None:
            self._dump.enabled = self._plan.packets is Packets.ALL
        self.outcome = "established"
        self._owner.established(self, agreed, reused=connection.reused)
        self._relay = relay = Relay(self, self._loop, self._local, self._remote, connection.ssl)
        self._enter(states.RELAYING)
        if self._request.flags & Flag.SEND_CONTEXT:
            relay.up_pending = memoryview(connection.tls_context().encode(self._plan.generation))
            if relay.write_local() is not None:
                self._log.warning("cannot send TLS context: Broken pipe")
                self.end()
                return
        relay.watch()

    # -- relaying, shutting down, draining

    def relay_ended(self, end: End) -> None:
        """Leave the relaying state."""
        if end is End.LOCAL_CLOSED:
            self.on_shutdown(0)
            return
        if end is End.REMOTE_FAILED:
            log_errors(self._log)
        clear_errors()
        if self._relay is not None and self._relay.up_pending:
            self._enter(states.DRAINING)
        else:
            self.end()

    def on_session_limit(self) -> None:
        """End a session in which nothing has happened for too long."""
        if self._relay is not None:
            self._log.warning(f"{self._relay.describe_stall()} for {self._request.remote_endpoint}")
        self.end()

    def on_shutdown(self, _events: int) -> None:
        """Send close_notify; the remote peer's reply to it is not awaited."""
        clear_errors()
        if self._connection is not None:
            result = SSL_shutdown(self._connection.ssl)
            error = SSL_get_error(self._connection.ssl, result) if result < 0 else 0
            if error in (ERROR_WANT_READ, ERROR_WANT_WRITE):
                if self._state is not states.SHUTTING_DOWN:
                    self._enter(states.SHUTTING_DOWN)
                return
            if error == ERROR_SSL:
                clear_errors()
        self.end()

    def on_drain(self, _events: int) -> None:
        """Write the last bytes of the remote peer to the local one."""
        self._touched = self._loop.now
        if self._relay is None or self._relay.write_local() is not None or not self._relay.up_pending:
            self.end()

    # -- the end

    def end(self) -> None:
        """Close both sides; safe to call at any time, once."""
        loop = self._loop
        if self._relay is not None:
            self._relay.close()
            self._relay = None  # which refers to the session
        if self._remote >= 0:
            loop.close(self._remote, shared=True)
            self._remote = -1
        if self._connection is not None:
            self._connection.close()
        loop.close(self._local.detach())
        if self._request.remote_endpoint:
            self._log.info(f"DISCONNECT {self._request.remote_endpoint}")
        self._limit = float("inf")
        self._owner.ended(self)

    def _send(self, message: bytes) -> bool:
        """Send a few bytes of the protocol; return False after ending the session, if that fails."""
        try:
            sent = self._local.send(message)
        except OSError:
            sent = 0
        if sent == len(message):
            return True
        self.end()
        return False
