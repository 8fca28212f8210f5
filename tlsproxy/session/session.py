"""One TLS session, from the local peer's request to the end of both sides.

The rules (tlsproxy(8), as real postscreen(8) and smtp(8) rely on them):

- The local peer is told which protocol we speak. It sends its request; we answer whether its role is available; it
  passes the remote peer's descriptor in a message of one byte. Nothing may be read beyond that byte.
- During the handshake no plaintext is read or written.
- Then bytes pass both ways. A side that can't be written stops the other side from being read.
- When the local peer closes, the remote one gets close_notify; its own is not awaited.
- When the remote peer closes or fails, what it sent before still reaches the local peer; close_notify is not answered.
- Every state has a limit of inactivity. No input ends anything but this session.

States, each a pair of handlers, in the order of a good session:

    requesting → refused (waits for the local peer to close)
               → receiving descriptor → handshaking → relaying → shutting down (close_notify is still to be sent)
                                                               → draining      (only the local peer is still written)

An object of this class does the I/O of its own two descriptors and never waits; the time is given to it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from typing import Protocol

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
from ..tls.roles import ClientRole, Offer, Packets, Peer, RoleUnavailable, ServerRole, SessionRefused
from ..wire.attributes import AttributeReader, ProtocolError, Reading
from ..wire.messages import (
    ANNOUNCEMENT,
    ClientSettings,
    Flag,
    Generation,
    Request,
    ServerSettings,
    read_client_settings,
    read_request,
    read_server_settings,
    split_request,
    status_reply,
)
from .dump import PacketDump
from .relay import End, Relay

REQUEST_TIMEOUT = 100.0
"""Seconds that a local peer has until it begins its request, and then until it has passed a descriptor."""
_LISTS_TIMEOUT = 10.0
"""Seconds that a request may take which has begun: its writer has all of it at hand."""
_SESSION_GRACE = 10
"""Seconds that are added to the client's session limit, which is the client's own business to enforce."""
_MAX_TIMEOUT = 7 * 24 * 3600
_EITHER_ROLE = Flag.SERVER | Flag.CLIENT
_ROLES = {
    0: ("none", "(bogus_direction)"),
    Flag.SERVER: ("server", "from"),
    Flag.CLIENT: ("client", "to"),
    _EITHER_ROLE: ("none", "from"),
}
"""The role that a request's flags mean, and how the log says it."""
_ONE_DESCRIPTOR = socket.CMSG_LEN(4)


class Owner(Protocol):
    """Where a session lives: what it shares with the others."""

    loop: Loop
    log: Log
    server_role: ServerRole | None
    client_role: ClientRole | None
    generation: Generation

    def established(self, session: Session, agreed: Agreement, *, reused: bool) -> None:
        """Note that a session has done its handshake, and what has been agreed on."""

    def ended(self, session: Session) -> None:
        """Forget a session that is over."""


class Session(Relay):
    """A session in one of the states above."""

    __slots__ = (
        "_close_peer",
        "_dump",
        "_endpoint",
        "_handshake_queued",
        "_local",
        "_offer",
        "_owner",
        "_peer",
        "_reader",
        "_reading",
        "_request",
        "_tell_of_failure",
        "_timed_out",
        "_timeout",
        "failure",
        "outcome",
        "role",
    )
    # Known from the state that needs them on.
    _request: Request
    _offer: Offer
    _peer: Peer

    def __init__(self, owner: Owner, local: socket.SocketType) -> None:
        """Take over `local`, a non-blocking UNIX stream."""
        self._owner = owner
        self._loop = owner.loop
        self._local = local
        self._remote = -1
        self._remote_socket = None
        self._dump: PacketDump | None = None
        self._endpoint = ""
        self._tell_of_failure: Callable[[], None] = _nothing
        self._close_peer: Callable[[], None] = _nothing
        self._handshake_queued = False
        self._reader = AttributeReader()
        self._reading: Reading[None] | None = None
        self._touched = owner.loop.now
        self._timeout = REQUEST_TIMEOUT
        self._timed_out: Callable[[], None] = self._end
        self.role = "none"
        """Which one is asked for: server, client or none."""
        self.outcome = "bad_request"
        """How far it has come (`daemon.metrics.OUTCOMES`)."""
        self.failure = ""
        """Why its handshake has failed: timeout, refused, connection_lost, or OpenSSL's reason."""

    def start(self) -> None:
        """Greet the local peer, if it knows that."""
        if not self._is_announced or self._send(ANNOUNCEMENT):
            self._watch_local(IN, self._on_request)

    # -- requesting

    def _on_request(self, _events: int) -> None:
        try:
            data = self._local.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            if not data:
                raise self._reader.end_of_input()
            if self._reading is None:
                request, data = split_request(data)
                if request is not None and self._take_request(request):
                    self._has_request()
                    return
                self._reading = self._read_lists(self._reader, request)
            self._reader.feed(data)
            next(self._reading)
            if self._timeout != _LISTS_TIMEOUT:
                self._touched = self._loop.now
                self._timeout = _LISTS_TIMEOUT
                self._timed_out = self._lists_timed_out
        except StopIteration:
            self._has_request()
        except ProtocolError as error:
            self._bad_request(error)

    def _take_request(self, request: Request) -> bool:
        """Note the first list, and act on it if that is the whole request; return whether it was."""
        self._request = request
        self._endpoint = request.remote_endpoint
        role = request.flags & _EITHER_ROLE
        self.role, direction = _ROLES[role]
        self._log.info(f"CONNECT {direction} {request.remote_endpoint}")
        if role not in (Flag.CLIENT, Flag.SERVER):
            self._log.warning(f"tlsp_get_request_event: bad request flags: {request.flags:#x}")
            self._refuse_or_probe(available=False)
        elif request.flags & Flag.PROBE_ONLY:
            asked = self._owner.client_role if role == Flag.CLIENT else self._owner.server_role
            self._refuse_or_probe(asked is not None)
        elif role == Flag.CLIENT or self._owner.generation >= Generation.V3_12:
            return False
        else:
            self._prepare_server(None)
        return True

    def _read_lists(self, reader: AttributeReader, request: Request | None) -> Reading[None]:
        """Read the whole request, or what is missing of it, and act on it."""
        if request is None:
            request = yield from read_request(reader)
            if self._take_request(request):
                return
        if self.role == "client":
            self._prepare_client((yield from read_client_settings(reader, announced=self._is_announced)))
        else:
            self._prepare_server((yield from read_server_settings(reader)))

    def _has_request(self) -> None:
        """Go on without what has read the request."""
        self._reading = _NOTHING_TO_READ
        del self._reader  # a kilobyte
        self._touched = self._loop.now
        if self._timeout == _LISTS_TIMEOUT and self._timed_out == self._lists_timed_out:  # it has not ended
            self._timeout = REQUEST_TIMEOUT
            self._timed_out = self._end

    def _lists_timed_out(self) -> None:
        self._bad_request(self._reader.end_of_input("timeout"))

    def _bad_request(self, error: ProtocolError) -> None:
        part = "client TLS settings" if self._endpoint else "request attributes"
        self._log.warning(f"tlsp_get_request_event: receive {part}: {error}")
        self._end()

    def _prepare_client(self, settings: ClientSettings) -> None:
        role = self._owner.client_role
        if role is None:
            self._log.warning("TLS client role is disabled by configuration")
            self._refuse_or_probe(available=False)
            return
        self._prepare(lambda: role.offer(self._request, settings))

    def _prepare_server(self, settings: ServerSettings | None) -> None:
        role = self._owner.server_role
        if role is None:
            self._refuse_or_probe(available=False)
            return
        self._prepare(lambda: role.offer(self._request, settings))

    def _prepare(self, make_offer: Callable[[], Offer]) -> None:
        try:
            self._offer = make_offer()
        except RoleUnavailable:
            self._refuse_or_probe(available=False)
            return
        self._expect(self._on_refused)  # nothing is to come before our answer
        self._offer.when_ready(self._promise)

    def _promise(self) -> None:
        """Answer that the session will be served, unless the local peer has not waited for it."""
        if self._local.fileno() < 0:
            return
        self.outcome = "no_descriptor"
        if self._send(status_reply(available=True)):
            self._expect(self._on_descriptor)

    def _refuse_or_probe(self, available: bool) -> None:
        """Answer, and wait for the local peer to close."""
        self.outcome = "refused"
        if self._send(status_reply(available)):
            self._expect(self._on_refused)

    def _on_refused(self, _events: int) -> None:
        self._end()

    # -- receiving the descriptor

    def _on_descriptor(self, _events: int) -> None:
        try:
            # Exactly one byte, and room for one descriptor: the kernel closes any others.
            data, ancillary, _flags, _address = self._local.recvmsg(1, _ONE_DESCRIPTOR, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError as error:
            self._no_descriptor(error.strerror or str(error))
            return
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(payload) >= 4:
                self._remote = int.from_bytes(payload[:4], sys.byteorder)
        if self._remote < 0:
            self._no_descriptor("no descriptor came with it" if data else "end of input")
            return
        try:
            os.set_blocking(self._remote, False)
            if self._offer.packets is not Packets.NONE:
                self._dump = PacketDump(self._loop, self._log, self._remote)
                self._remote = self._dump.descriptor
            if self._offer.hello_decides:
                self._loop.watch(self._remote, IN | EDGE, self._on_hello)
            else:
                self._start_tls()
        except SessionRefused:
            self._refuse_session()
            return
        except OSError as error:  # not a socket
            self._no_descriptor(error.strerror or str(error))
            return
        self._touched = self._loop.now
        self.outcome = "abandoned"
        self._expect(self._on_early_local)
        request = self._request
        self._timeout = _bounded(request.handshake_timeout)
        self._timed_out = self._handshake_timed_out
        if request.flags & Flag.CLIENT:  # we speak first
            self._queue_handshake()

    def _refuse_session(self) -> None:
        """Give up before the first byte of TLS; why has been logged."""
        self.outcome = "handshake_failed"
        self.failure = "refused"
        self._log_failed_handshake()
        self._end()

    def _no_descriptor(self, reason: str) -> None:
        self._log.warning(f"tlsp_get_fd_event: receive remote SMTP peer file descriptor: {reason}")
        self._end()

    # -- handshaking

    def _on_hello(self, _events: int) -> None:
        """Begin TLS now that the client has sent something to look at."""
        self._touched = self._loop.now
        try:
            self._start_tls()
        except SessionRefused:
            self._refuse_session()
            return
        self._queue_handshake()

    def _start_tls(self) -> None:
        # Once for each piece that comes: a handshake may stand in the queue for many turns.
        self._loop.watch(self._remote, IN | EDGE, self._on_handshake)
        self._peer = peer = self._offer.start(self._remote)
        self._tell_of_failure = peer.failed
        self._close_peer = peer.close
        self._ssl = peer.ssl

    def _on_early_local(self, events: int) -> None:
        """Leave early plaintext where it is, and the end of it; end for a local peer that has gone away."""
        try:
            nothing = not self._local.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            nothing = True
        if nothing and events & GONE:
            self._log_failed_handshake()
            self._end()
        else:
            self._watch_local(0)

    def _on_handshake(self, _events: int) -> None:
        self._touched = self._loop.now
        self._queue_handshake()

    def _queue_handshake(self) -> None:
        """A private-key operation takes long: let sessions that only move data go first."""
        if not self._handshake_queued:
            self._handshake_queued = True
            self._loop.queue(self._handshake)

    def _handshake(self) -> None:
        self._handshake_queued = False
        if self._remote < 0:  # ended while it was waiting in the queue
            return
        clear_errors()
        result = SSL_do_handshake(self._ssl)
        if result == 1:
            self._handshake_done()
            return
        error = SSL_get_error(self._ssl, result)
        if error == ERROR_WANT_READ:
            self._loop.watch(self._remote, IN | EDGE, self._on_handshake)
        elif error == ERROR_WANT_WRITE:
            self._loop.watch(self._remote, OUT | EDGE, self._on_handshake)
        else:
            self._handshake_failed()

    def _handshake_timed_out(self) -> None:
        self._log.warning(f"ciphertext read/write timeout for {self._endpoint}")
        self._handshake_failed("handshake_timeout")

    def _handshake_failed(self, outcome: str = "handshake_failed") -> None:
        self.outcome = outcome
        self.failure = "timeout" if outcome == "handshake_timeout" else first_error() or "connection_lost"
        self._tell_of_failure()
        self._log_failed_handshake()
        self._end()

    def _log_failed_handshake(self) -> None:
        self._log.info(f"TLS handshake failed for service={self._request.serverid} peer={self._endpoint}")

    def _handshake_done(self) -> None:
        request = self._request
        peer = self._peer
        agreed = peer.complete()
        if self._dump is not None:
            self._dump.enabled = self._offer.packets is Packets.ALL
        self.outcome = "established"
        self._owner.established(self, agreed, reused=peer.reused)
        self._start_relay(self._local)
        self._timeout = _bounded(request.session_timeout) + _SESSION_GRACE
        self._timed_out = self._relay_timed_out
        if request.flags & Flag.SEND_CONTEXT:
            self._up_pending = memoryview(peer.told().encode(self._offer.generation))
            if self._write_local() is not None:
                self._log.warning("cannot send TLS context: Broken pipe")
                self._end()
                return
        self._set_interest()

    # -- relaying

    def _moved(self, end: End | None) -> None:
        """Go on when something has become pending, or at the end."""
        if end is None:
            self._set_interest()
        else:
            self._after(end)

    def _on_blocked_local(self, events: int) -> None:
        """Go on with what the local peer has not taken; it may have something to say all the same."""
        if events & (OUT | GONE):
            self._touched = self._loop.now
            self._moved(self._write_local())
        else:
            self._on_local(events)

    def _on_blocked_remote(self, events: int) -> None:
        """Go on with what the remote peer has not taken; it may have something to say all the same."""
        if events & (OUT | GONE):
            self._touched = self._loop.now
            self._moved(self._write_remote())
        else:
            self._on_remote(events)

    def _set_interest(self) -> None:
        up, down = self._up_pending, self._down_pending
        local, remote = (0 if down else IN) | (OUT if up else 0), (0 if up else IN) | (OUT if down else 0)
        self._watch_local(local, self._on_blocked_local if up else self._on_local)
        self._loop.watch(self._remote, remote, self._on_blocked_remote if down else self._on_remote)

    def _relay_timed_out(self) -> None:
        if self._up_pending:
            self._log.warning(f"deadlock on plaintext stream for {self._endpoint}")
        elif self._down_pending:
            self._log.warning(f"deadlock on ciphertext stream for {self._endpoint}")
        else:
            self._log.warning(f"ciphertext read/write timeout for {self._endpoint}")
        self._end()

    # -- ending

    def _after(self, end: End) -> None:
        """Leave the relaying state."""
        if end is End.LOCAL_CLOSED:
            self._shut_down(0)
            return
        if end is End.REMOTE_FAILED:
            log_errors(self._log)
        clear_errors()
        if self._up_pending:
            self._loop.watch(self._remote, 0, self._on_remote)
            self._watch_local(OUT, self._on_drain)
        else:
            self._end()

    def _shut_down(self, _events: int) -> None:
        """Send close_notify; what the remote peer says to it is not awaited."""
        clear_errors()
        result = SSL_shutdown(self._ssl)
        if result < 0:
            error = SSL_get_error(self._ssl, result)
            if error in (ERROR_WANT_READ, ERROR_WANT_WRITE):
                self._watch_local(0)
                self._loop.watch(self._remote, OUT, self._shut_down)
                return
            if error == ERROR_SSL:
                clear_errors()
        self._end()

    def _on_drain(self, _events: int) -> None:
        """Write out what the remote peer sent before it left."""
        self._touched = self._loop.now
        if self._write_local() is not None or not self._up_pending:
            self._end()

    def _end(self) -> None:
        """Close both sides; safe to call at any time, once."""
        loop = self._loop
        if self._remote_socket is not None:
            self._remote_socket.detach()  # or else it would close what is closed below
        if self._remote >= 0:
            loop.close(self._remote, shared=True)
            self._remote = -1
        self._close_peer()
        loop.close(self._local.detach())
        if self._endpoint:
            self._log.info(f"DISCONNECT {self._endpoint}")
        self._reading = _NOTHING_TO_READ  # which else refers to the session
        self._timed_out = _nothing
        self._owner.ended(self)

    def abort(self) -> None:
        """End at once, whatever the state: something unforeseen has happened."""
        if self._local.fileno() >= 0:
            self._end()

    # -- common

    @property
    def _is_announced(self) -> bool:
        """Do local peers wait for us to speak first?"""
        return self._owner.generation >= Generation.V3_6

    @property
    def _log(self) -> Log:
        return self._owner.log

    def check(self, now: float) -> None:
        """Act on the limit of the present state, if it has passed."""
        if now - self._touched >= self._timeout:
            self._timed_out()

    def time_out(self) -> None:
        """Act as if the limit of the present state had passed."""
        self._timed_out()

    def _expect(self, handler: Callable[[int], None]) -> None:
        """Let another handler have what comes from the local peer, which is watched for that."""
        self._loop.handlers[self._local.fileno()] = handler

    def _watch_local(self, events: int, handler: Callable[[int], None] | None = None) -> None:
        self._loop.watch(self._local.fileno(), events, handler or self._on_local)

    def _send(self, message: bytes) -> bool:
        """Send a few bytes of the protocol; a local peer that can't take even those is gone."""
        try:
            sent = self._local.send(message)
        except OSError:
            sent = 0
        if sent == len(message):
            return True
        self._end()
        return False


_NOTHING_TO_READ: Reading[None] = (None for _ in ())


def _bounded(seconds: int) -> float:
    """A limit that a peer asks for; nonsense (negative) means at once, as 0 does."""
    if seconds < 0:
        return 0
    return seconds if seconds < _MAX_TIMEOUT else _MAX_TIMEOUT


def _nothing() -> None:
    """Stand in for an action that has no object."""
