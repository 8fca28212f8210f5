"""A process that serves sessions for a parent that is ours: it gives up its rights first.

Events that end it:
    its channel is closed   no more sessions are begun; it ends with the last one (a reload, or the death of the parent)
    SIGTERM, SIGINT         at once
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from postconf.models import TlsSettings

from ...loop import IN, Loop
from ...session.session import Owner, Session
from ...tls.settings.release_behaviour import Behaviour
from ..log.lines import PostfixForm, PostfixLog, SyslogForm
from ..monitoring.metrics import LOG_LOST, Numbers
from ..process import privileges
from ..process.signals import on_signals
from ..process.watchdog import Watchdog
from ..server import Server, capacity

if TYPE_CHECKING:
    from ...tls.client.role import ClientRole
    from ...tls.server.role import ServerRole


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The settings that all workers of a generation share."""

    settings: TlsSettings
    server_role: ServerRole | None
    client_role: ClientRole | None
    user: pwd.struct_passwd | None
    """Account of the worker; None for the present one."""
    chroot: str | None
    """The directory to be confined to; None: it is not."""


class Worker:
    """The process, from its fork to its end."""

    def __init__(
        self, config: WorkerConfig, log: PostfixLog, listener: socket.socket, channel: int, numbers: Numbers
    ) -> None:
        """`channel` is closed by the parent when this is to end; the listener is shared with other workers."""
        self._worker_config = config
        self._log = log
        self._numbers = numbers
        self._channel = channel
        self._loop = Loop()
        self._leaving = False
        self._server = Server(
            self._loop,
            log,
            listener,
            config.server_role,
            config.client_role,
            generation=Behaviour.of(config.settings.view.config.release).generation,
            max_sessions=capacity(),
            numbers=numbers,
            shared=True,
            make_session=_session_maker(log),
        )

    def run(self) -> int:
        """Serve until the end; return the exit status. Raise `FatalError`."""
        config, loop = self._worker_config, self._loop
        _enter(config.settings.view["queue_directory"])
        privileges.drop(config.user, chroot=config.chroot)
        watchdog = Watchdog(self._log, config.settings.service.tlsproxy_watchdog_timeout)
        loop.outlet = self._log
        loop.periodic_tasks += [watchdog.rest, self._periodic_task]
        on_signals(
            loop,
            self._log,
            {
                signal.SIGTERM: loop.stop,
                signal.SIGINT: loop.stop,
                signal.SIGHUP: _nothing,
                signal.SIGQUIT: _nothing,
            },
        )
        loop.watch(self._channel, IN, self._on_channel)
        self._server.listen()
        watchdog.rest()
        loop.run()
        self._log.flush()
        return 0

    def _on_channel(self, _events: int) -> None:
        self._loop.watch(self._channel, 0, self._on_channel)
        self._leaving = True
        self._server.close_listener()
        self._loop.close(self._channel)  # so the parent knows
        if not self._server.sessions:
            self._loop.stop()

    def _periodic_task(self, _now: float) -> None:
        self._numbers[LOG_LOST] = self._log.lost
        if self._leaving and not self._server.sessions:
            self._loop.stop()


def _session_maker(log: PostfixLog) -> Callable[[Owner, socket.SocketType], Session]:
    form = log.form
    if isinstance(form, PostfixForm | SyslogForm):  # without the other one's imports
        return Session
    from ..log.json_lines import JsonForm, RecordedSession

    if not isinstance(form, JsonForm):
        return Session
    return lambda owner, local: RecordedSession(owner, local, form)


def _enter(directory: str) -> None:
    """Be where Postfix's daemons are, if there is such a place: names of other services are relative to it."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def _nothing() -> None:
    """Ignore signals of a terminal, which reach workers, too: they are for the parent."""
