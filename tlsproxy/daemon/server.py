"""Server: accepts local clients and keeps their sessions, with one loop, one log, two roles, and limits.

Unauthenticated sessions are cheap for an attacker, so handshakes in progress have their own limit; at the limit the
oldest one past its grace period is dropped. At the limit of sessions no client is refused, because smtp(8) would then
continue in plaintext: new clients wait in the accept queue.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..log import Log
from ..loop import IN, Loop
from ..session.relay import Relay
from ..session.session import Owner, Session
from ..tls.report.summary import Agreement
from ..wire.messages import Generation
from .monitoring.metrics import (
    ACCEPTED,
    BEGINNING,
    ENDED,
    MOST_OPEN,
    OPEN,
    PAUSES,
    SESSIONS,
    Numbers,
    count_failure,
    count_handshake,
    own_numbers,
)
from .process import gc_policy

if TYPE_CHECKING:
    from ..tls.client.role import ClientRole
    from ..tls.server.role import ServerRole

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 1.0
_PATIENCE = 2.0
"""Seconds that each peer has for its handshake even when others wait for its place."""
_MOST_SESSIONS = 20_000
_RESERVE = 64
"""Descriptors that are not for sessions: log, tables, channels."""


def capacity() -> int:
    """Raise the limit of open files to the hard limit; return the number of sessions (two descriptors each)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_SESSIONS
    return max(1, min((soft - _RESERVE) // 2, _MOST_SESSIONS))


def _open_descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208  one of them is of this list
    except OSError:
        return 0


class Server:
    """All sessions of one process. A session's failure is not seen by the others."""

    def __init__(
        self,
        loop: Loop,
        log: Log,
        listener: socket.socket,
        server_role: ServerRole | None,
        client_role: ClientRole | None,
        *,
        generation: Generation = Generation.V3_6,
        max_sessions: int = _MOST_SESSIONS,
        numbers: Numbers | None = None,
        shared: bool = False,
        make_session: Callable[[Owner, socket.SocketType], Session] = Session,
    ) -> None:
        """Make a server that does not listen yet.

        `generation`: of the local peers, where they don't show it; `numbers`: the counters of this process; `shared`:
        True if other processes listen at the same socket; `make_session`: makes sessions, if their log is of
        another kind.
        """
        self.loop = loop
        self.log = log
        self.server_role: ServerRole | None = None
        self.client_role: ClientRole | None = None
        self.use(server_role, client_role)
        self.generation = generation
        self.sessions: set[Session] = set()
        self.used = 0
        """Number of sessions that have ended."""
        self.idle_since = loop.now
        """Time at which the last session ended; without meaning while there are sessions."""
        self.full = False
        """True at the limit of sessions: no client is accepted."""
        self._beginning: dict[Session, float] = {}  # in the order of their start
        self._max_sessions = max_sessions
        self._max_beginning = max(1, max_sessions // 2)
        self.numbers = own_numbers() if numbers is None else numbers
        self._descriptors = _open_descriptors()
        self._other_descriptors = 0
        self.numbers[MOST_OPEN] = max(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])  # negative: no limit
        self._listener = listener
        self._listening = False
        self._shared = shared
        self._make_session = make_session
        # One process is woken for a connection, not all.
        self._listen_for = IN | (select.EPOLLEXCLUSIVE if shared else 0)
        self._resume_at = 0.0
        listener.setblocking(False)
        loop.periodic_tasks.append(self._periodic_task)
        loop.on_failure = self._on_failure

    def use(self, server_role: ServerRole | None, client_role: ClientRole | None) -> None:
        """Begin sessions with these roles from now on."""
        if client_role is not None and client_role is not self.client_role:
            client_role.attach(self.loop)
        self.server_role = server_role
        self.client_role = client_role

    def listen(self) -> None:
        """Serve the local peers that connect."""
        gc_policy.serve()
        self._listening = True
        self.loop.watch(self._listener.fileno(), self._listen_for, self._on_connection)
        # The loop knows those of sessions. In a chroot there is no /proc, and the pipe for signals has come since.
        self._other_descriptors = (_open_descriptors() or self._descriptors + 2) - self.loop.descriptors

    def close_listener(self) -> None:
        """Stop accepting clients; sessions continue."""
        if self._listening:
            self._listening = False
            self.loop.watch(self._listener.fileno(), 0, self._on_connection)
            self._listener.close()

    def established(self, session: Session, agreed: Agreement, *, reused: bool) -> None:
        """Note that a session has done its handshake; called by itself."""
        self._beginning.pop(session, None)
        count_handshake(self.numbers, agreed, server=session.role == "server", resumed=reused)

    def ended(self, session: Session) -> None:
        """Forget a session; called by itself."""
        self.sessions.discard(session)
        self._beginning.pop(session, None)
        self.numbers[ENDED[session.role, session.outcome]] += 1
        if session.failure:
            count_failure(self.numbers, session.role, session.failure)
        self.used += 1
        self.idle_since = self.loop.now
        if self.full:
            self.full = False
            self._resume()

    def is_waited_for(self) -> bool:
        """Return True if a local client waits in the accept queue."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        return bool(poll.poll(0))

    def _on_connection(self, _events: int) -> None:
        if not (self._is_below_limits() or self._makes_room()):
            self.full = True
            self.numbers[PAUSES] += 1
            self._pause()
            return
        try:
            # accept() also makes a socket object, which costs more than a session's whole I/O on that socket.
            descriptor, _address = self._listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                # The connection stays in the queue: asking again at once would only burn the CPU.
                self.log.warning(f"accept connection: {os.strerror(error.errno or 0)}")
                self._pause()
            return  # otherwise that client is gone; the next one need not be
        self.numbers[ACCEPTED] += 1
        local = socket.SocketType(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
        local.setblocking(False)
        session = self._make_session(self, local)
        self.sessions.add(session)
        self._beginning[session] = self.loop.now
        try:
            session.start()
        except Exception:
            self._on_failure(session.start)

    def _makes_room(self) -> bool:
        """End the oldest session that has not come to TLS, so that another may begin; return True if there was one."""
        oldest = next(iter(self._beginning), None)
        if oldest is None or self.loop.now - self._beginning[oldest] < _PATIENCE:
            return False
        oldest.time_out()
        return True

    def _is_below_limits(self) -> bool:
        return len(self.sessions) < self._max_sessions and len(self._beginning) < self._max_beginning

    def _pause(self) -> None:
        self._resume_at = self.loop.now + _PAUSE
        self.loop.watch(self._listener.fileno(), 0, self._on_connection)

    def _resume(self) -> None:
        self._resume_at = 0.0
        if self._listening:
            self.loop.watch(self._listener.fileno(), self._listen_for, self._on_connection)

    def _on_failure(self, function: Callable[..., object]) -> None:
        """Contain an unexpected exception or MemoryError: log the traceback, abort that session, serve the others."""
        session = getattr(function, "__self__", None)
        if isinstance(session, Relay):
            session = session.session
        try:
            if isinstance(sys.exc_info()[1], MemoryError):
                self.log.error("out of memory")
            else:
                for line in traceback.format_exc().splitlines():
                    self.log.error(line)
            if isinstance(session, Session):
                session.abort()
        except Exception as error:  # out of memory, perhaps: there is nothing more to be done for that one
            self.log.error(f"{type(error).__name__}: {error}")
            if isinstance(session, Session):
                self.ended(session)

    def _periodic_task(self, now: float) -> None:
        self.numbers[SESSIONS] = len(self.sessions)
        self.numbers[BEGINNING] = len(self._beginning)
        self.numbers[OPEN] = self._other_descriptors + self.loop.descriptors
        for session in list(self.sessions):
            try:
                session.check(now)
            except Exception:
                self._on_failure(session.check)
        if self._resume_at and now >= self._resume_at:
            self._resume()
        elif self._shared and self._listening and not self._resume_at and self.is_waited_for():
            # The one process that was woken has died, or it had no room.
            self._on_connection(IN)
        if self.full and self._is_below_limits():
            self.full = False
