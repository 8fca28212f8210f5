"""Child of master(8), from the end of its start on: the reports to master(8), and the reasons to end.

One process serves all sessions. master(8) counts a child as available from its start on, and starts another one only
while none is available. So the child reports "taken" only while it has no room, and for a moment after the first
session: master(8) assumes that a child that was never taken has failed at start (master_avail(3)).

At the end, the process that master(8) knows must exit at once, because only then does master(8) watch the socket. A
child of it takes over the open sessions, and exits with the last one ("drain").

Reasons to end:
    max_idle   no session for that long
    max_use    so many hundred sessions served, and none open: a start costs as much as hundreds of sessions
    drain      `postfix reload`, the death of master(8), retirement, SIGHUP, renewed keys that only root may read
    SIGTERM    at once, as `postfix stop` expects
"""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path

from postconf.models import TlsSettings

from ...loop import IN
from ..configuration import number
from ..log.lines import PostfixLog
from ..monitoring.certificates import described
from ..monitoring.control import Control, control_path
from ..monitoring.metrics import BEGINNING, LOG_LOST, render
from ..monitoring.status import DONE, FAILED, MASTER, Reload, Status, WorkerStatus
from ..process.signals import on_signals
from ..process.watchdog import Watchdog
from ..roles import renew_roles, states
from ..server import Server
from ..standalone.renewal import FileWatch

_TAKEN, _AVAILABLE = 0, 1
_RETIREMENT = 18000
_SESSIONS_PER_USE = 100
"""Sessions for each unit of max_use."""


class Child:
    """A process that master(8) has started, from the end of its preparations to its own."""

    def __init__(
        self,
        server: Server,
        log: PostfixLog,
        settings: TlsSettings,
        status: int,
        files: FileWatch,
        *,
        generation: int,
        retire_after: int,
    ) -> None:
        """`status` is the connection to master(8); `files` are those that the roles are made from.

        `retire_after` is in seconds or 0.
        """
        self._server = server
        self._status = status
        self._loop = server.loop
        self._log = log
        self._generation = generation
        self._max_idle = number(settings.view, "max_idle")
        max_use = number(settings.view, "max_use")
        self._most_sessions = _SESSIONS_PER_USE * max_use
        self._started = self._loop.now
        self._retire_at = self._started + (retire_after or min(_RETIREMENT, self._max_idle * max_use))
        self._started_at = time.time()
        self._reloaded = Reload()
        pages = {"/metrics": self._metrics, "/status": lambda: self._state().json()}
        self._control = Control(self._loop, log, pages, lambda: self._state().health())
        try:
            self._control.listen_at(control_path(Path("private", settings.service.service_name)))
        except OSError as error:
            log.warning(
                f"no control socket: {error.strerror}: sessions are served without tlsproxy --status; "
                "check the directory of the socket"
            )
        self._files = files
        self._settings = settings
        self._reported_full = False
        self._reported_use = False
        self._leaving = False
        self._ended = False
        self._drained = False
        self._watchdog = Watchdog(log, settings.service.tlsproxy_watchdog_timeout)

    def run(self) -> int:
        """Serve until one of the reasons to end; return the exit status."""
        loop = self._loop
        loop.outlet = self._log
        loop.periodic_tasks += [self._watchdog.rest, self._periodic_task]
        on_signals(loop, self._log, {signal.SIGTERM: self._end, signal.SIGHUP: self._leave})
        loop.watch(self._status, IN, self._on_status)
        self._server.listen()
        self._watchdog.rest()
        while not self._ended:
            loop.run()
            if self._leaving and not self._drained:
                self._drain()
        self._log.flush()
        return 0

    def _periodic_task(self, now: float) -> None:
        server = self._server
        if self._drained:
            if not server.sessions:
                self._end()
            return
        if self._leaving or now >= self._retire_at:
            self._leave()
            return
        if self._files.has_changed(now):
            self._renew()
        if server.full != self._reported_full:
            self._reported_full = server.full
            self._report(_TAKEN if server.full else _AVAILABLE)
        used = bool(server.used or server.sessions)
        if used and not self._reported_use and not server.full and not server.is_waited_for():
            self._reported_use = True
            self._report(_TAKEN, _AVAILABLE)
        if server.sessions:
            return
        if server.used >= self._most_sessions or now - server.idle_since >= self._max_idle:
            self._end()

    def _renew(self) -> None:
        """Read new keys and certificates, or leave that to a process that has privileges when it starts."""
        server, log = self._server, self._log
        changed = "files with keys, certificates or tables changed"
        if self._files.is_closed():
            log.info(f"{changed}: a new process reads them")
            self._leave()
            return
        log.info(changed)
        renewed = renew_roles((server.server_role, server.client_role), self._settings, log)
        self._reloaded.note(DONE if renewed else FAILED)
        if renewed:
            server.use(*renewed)

    def _metrics(self) -> str:
        server = self._server
        server.numbers[LOG_LOST] = self._log.lost
        return render(server.numbers, self._state().gauges())

    def _state(self) -> Status:
        server = self._server
        beginning = server.numbers[BEGINNING]
        here = WorkerStatus(os.getpid(), self._generation, self._drained, len(server.sessions), beginning)
        return Status(
            MASTER,
            self._started_at,
            self._generation,
            self._reloaded,
            states(self._settings, (server.server_role, server.client_role)),
            [here],
            described(server.server_role),
            self._settings.view.config.release.name,
        )

    def _report(self, *availability: int) -> None:
        message = b"".join(struct.pack("@iIi", os.getpid(), self._generation, each) for each in availability)
        try:
            os.write(self._status, message)
        except OSError:  # master(8) has gone
            self._leave()

    def _on_status(self, _events: int) -> None:
        """Leave: master(8) never writes, so it has closed its end, to be rid of us or by its death."""
        self._loop.watch(self._status, 0, self._on_status)
        self._leave()

    def _leave(self) -> None:
        self._leaving = True
        self._loop.stop()

    def _end(self) -> None:
        self._ended = True
        self._control.close()
        self._loop.stop()

    def _drain(self) -> None:
        """Hand the sessions to a child process, and exit; if fork fails, retry in a second."""
        if not self._server.sessions:
            self._end()
            return
        self._log.flush()
        self._watchdog.stop()
        try:
            pid = os.fork()
        except OSError as error:
            self._log.warning(f"fork: {error.strerror}")
            self._watchdog.rest()
            return
        if pid:
            os._exit(0)
        self._drained = True
        self._loop.forked()
        self._control.close(remove_socket=False)  # it is the next process's
        self._log.forked()
        self._server.close_listener()
        self._loop.watch(self._status, 0, self._on_status)
        os.close(self._status)
        self._watchdog.rest()
