"""The parent of the workers: makes the contexts, with privileges, and forks; serves no session itself.

A generation of workers shares the contexts, and so the ticket keys, that there were when it was forked. A reload makes
new contexts and a new generation; the workers of the one before end with their last session. A configuration that can't
be loaded changes nothing. A worker that dies is replaced: at once if it has lived for a while, else after longer and
longer pauses.

Signals: SIGHUP reloads; SIGTERM and SIGINT end all at once; SIGQUIT ends with the last session; no other one ends it.
"""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ...log import FatalError
from ...loop import IN, Loop
from ..log.lines import PostfixLog
from ..monitoring import metrics
from ..monitoring.certificates import described
from ..monitoring.status import DONE, FAILED, STANDALONE, WAITING, Reload, Status, WorkerStatus
from ..process import gc_policy
from ..process.signals import COMMANDS, on_signals, restore_signals
from ..roles import states
from .listening import Listener
from .renewal import FileWatch, files_of
from .systemd import Notifier
from .worker import Worker, WorkerConfig

_SOUND = 10.0
"""Seconds that a worker has to live to be replaced at once."""
_LONGEST_PAUSE = 60.0
_AGAIN = 1.0
"""Seconds until a failed fork is retried."""
_GRACE = 5.0
"""Seconds that workers have to exit after SIGTERM."""


@dataclass(eq=False, slots=True)
class _Child:
    pid: int
    channel: socket.socket
    generation: int
    place: int
    since: float
    leaving: bool = False


class Supervisor:
    """The parent process."""

    def __init__(
        self,
        config: WorkerConfig,
        load: Callable[[WorkerConfig], WorkerConfig | None],
        log: PostfixLog,
        listener: Listener,
        *,
        workers: int,
        notifier: Notifier,
    ) -> None:
        """`load`: rereads the configuration and its files; on failure it logs the reason and returns None."""
        self.loop = Loop()
        self._worker_config = config
        self._load = load
        self._log = log
        self._listener = listener
        self._count = workers
        self._notifier = notifier
        self._shared = metrics.Shared(max(64, 4 * workers))
        self._children: dict[int, _Child] = {}
        self._hearing: set[_Child] = set()
        """Draining workers that have not acknowledged the drain request."""
        self._generation = self._announced = 1
        self._pause = 0.0
        self._fork_at = 0.0
        self._started_at = time.time()
        self._reloaded = Reload()
        self._restarts = 0
        self._is_reload = False
        """True if the present generation is from a reload, False if only the ticket keys are new."""
        self._ending = False
        self._kill_at = float("inf")
        self._watch = FileWatch(files_of(config.settings))

    def run(self, announcement: str) -> None:
        """Serve until a signal to stop; `announcement` is logged when workers have begun."""
        loop = self.loop
        loop.outlet = self._log
        loop.on_failure = self._on_failure
        loop.periodic_tasks += [self._periodic_task, self._notifier.alive]
        actions = {
            signal.SIGHUP: self._reload,
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGQUIT: self._leave,
            signal.SIGCHLD: self._reap,
        }
        on_signals(loop, self._log, actions)
        gc_policy.serve()
        self._fork_workers()
        self._log.info(announcement)
        self._log.flush()
        self._notifier.ready(f"serving, {self._count} workers")
        loop.run()
        self._log.flush()

    # -- workers

    def _fork_workers(self) -> None:
        current = sum(not each.leaving for each in self._children.values())
        for _ in range(self._count - current):
            if not self._fork():
                break

    def _fork(self) -> bool:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            return self._no_fork(error)
        place = self._shared.take()
        self._log.flush()
        # A signal must not come between the parent's handlers and the worker's.
        signal.pthread_sigmask(signal.SIG_BLOCK, COMMANDS)
        try:
            pid = os.fork()
            if not pid:
                ours.close()
                self._become_worker(theirs.detach(), place)
        except OSError as error:
            ours.close()
            self._shared.give_back(place)
            return self._no_fork(error)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDS)
            theirs.close()
        self._children[pid] = _Child(pid, ours, self._generation, place, self.loop.now)
        return True

    def _no_fork(self, error: OSError) -> bool:
        self._log.warning(f"fork: {error.strerror}")
        self._fork_at = self.loop.now + _AGAIN
        return False

    def _become_worker(self, channel: int, place: int) -> None:
        """Never come back."""
        status = 1
        try:
            restore_signals()
            self.loop.abandon()
            for each in self._children.values():
                with suppress(OSError):  # some of them were watched
                    os.close(each.channel.detach())
            self._log.forked()
            numbers = self._shared.numbers(place)
            worker = Worker(self._worker_config, self._log, self._listener.socket, channel, numbers)
            status = worker.run()
        except FatalError as error:
            self._log.fatal(str(error))
        except BaseException:
            self._log_traceback()
        finally:
            self._log.flush()
            os._exit(status)

    def _reap(self) -> None:
        """Reap processes that have ended; as process 1, also adopted ones."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if not pid:
                break
            child = self._children.pop(pid, None)
            if child is not None:
                self._bury(child, status)
        if self._ending and not self._children:
            self.loop.stop()

    def _bury(self, child: _Child, status: int) -> None:
        self._has_left(child)
        child.channel.close()
        self._shared.give_back(child.place)
        code = os.waitstatus_to_exitcode(status)
        if code and not self._ending:
            what = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
            self._log.warning(f"process {child.pid}: {what}")
        if child.leaving or self._ending:
            return
        self._restarts += 1
        if self.loop.now - child.since >= _SOUND:
            self._pause = 0.0
        self._fork_at = self.loop.now + self._pause
        if self._pause:
            self._log.warning(f"workers keep exiting at startup: restarting in {self._pause:.0f} s")
        self._pause = min(max(2 * self._pause, 1.0), _LONGEST_PAUSE)
        if self._fork_at <= self.loop.now:
            self._fork_workers()

    # -- reload and end

    def _reload(self) -> None:
        """Reload the configuration; keep the current one if the new one is invalid."""
        if self._ending:
            return
        self._notifier.reloading()
        before = self._worker_config.settings
        # Made first: a file that changes while it is read is read again.
        self._watch = FileWatch(files_of(before))
        config = None
        try:
            config = self._load(self._worker_config)
        except Exception:  # a defect is no reason to end sessions that work
            self._log_traceback()
        if config is None:
            self._log.warning("reload failed: keeping the previous configuration; correct the settings named above")
            self._came_to(FAILED, f"reload failed at {_stamp()}, see the log")
        else:
            self._worker_config = config
            self._is_reload = True
            if config.settings is not before:
                self._watch = FileWatch(files_of(config.settings))
            self._replace_workers()

    def _replace_workers(self) -> None:
        self._generation += 1
        self._fill_places()

    def _fill_places(self) -> None:
        """Start the workers that this generation lacks, and drain those of earlier generations."""
        old = [each for each in self._children.values() if each.generation < self._generation and not each.leaving]
        for each in old:
            each.leaving = True
        self._fork_workers()
        if old and all(each.leaving for each in self._children.values()):
            # No process can be forked. Old certificates are better than no service; the next periodic task tries again.
            for each in old:
                each.leaving = False
            if self._reloaded.state != WAITING:
                self._log.warning("reload postponed: cannot fork; old workers continue, retrying each second")
                self._came_to(WAITING, "reload waits for new processes, see the log")
            return
        for each in old:
            self._ask_to_leave(each)
        if not self._hearing and self._generation != self._announced:
            self._announce()

    def _ask_to_leave(self, child: _Child) -> None:
        """Let a worker begin no more sessions. It closes its end when it has read that."""
        child.leaving = True
        self._hearing.add(child)
        with suppress(OSError):  # it may have died just now
            child.channel.shutdown(socket.SHUT_WR)
        self.loop.watch(child.channel.fileno(), IN, lambda _events: self._has_left(child))

    def _has_left(self, child: _Child) -> None:
        if child not in self._hearing:
            return
        self._hearing.remove(child)
        self.loop.watch(child.channel.fileno(), 0, _nothing)
        if not self._hearing and not self._ending:
            self._announce()

    def _announce(self) -> None:
        """Report that the current generation serves all new sessions."""
        self._announced = self._generation
        self._log.info(f"reloaded, generation {self._generation}")
        if self._is_reload:
            self._came_to(DONE, f"reloaded at {_stamp()}")

    def _came_to(self, state: str, text: str) -> None:
        self._reloaded.note(state)
        self._notifier.ready(text)

    def _stop(self) -> None:
        """End all, sessions included."""
        self._end()
        self._kill_at = self.loop.now + _GRACE
        for pid in self._children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _leave(self) -> None:
        """Begin no more sessions, and end with the last one. Another daemon may have the socket's place."""
        self._end()
        self._listener.close()
        for each in self._children.values():
            if not each.leaving:
                self._ask_to_leave(each)

    def _end(self) -> None:
        self._ending = True
        self._notifier.stopping()
        if not self._children:
            self.loop.stop()

    def _periodic_task(self, now: float) -> None:
        if self._ending:
            if now >= self._kill_at:
                for pid in self._children:
                    os.kill(pid, signal.SIGKILL)
            return
        if now >= self._fork_at:
            self._fill_places()
        if self._watch.has_changed(now):
            self._log.info("files with keys, certificates or tables changed")
            self._reload()
        role = self._worker_config.server_role
        if role is not None and now >= role.expires and role.renew():
            # All workers are to seal tickets with the same new keys.
            self._is_reload = False
            self._replace_workers()

    # -- seen from outside

    def metrics(self) -> str:
        """Return all counters, and the state, for Prometheus."""
        return metrics.render(self._shared.total(), self.status().gauges())

    def status(self) -> Status:
        """Return the state of the daemon."""
        workers = []
        for each in self._children.values():
            numbers = self._shared.numbers(each.place)
            sessions, beginning = numbers[metrics.SESSIONS], numbers[metrics.BEGINNING]
            workers.append(WorkerStatus(each.pid, each.generation, each.leaving, sessions, beginning))
        config = self._worker_config
        return Status(
            STANDALONE,
            self._started_at,
            self._generation,
            self._reloaded,
            states(config.settings, (config.server_role, config.client_role)),
            workers,
            described(config.server_role),
            config.settings.view.config.release.name,
            restarts=self._restarts,
            held_back=self._fork_at > self.loop.now,
        )

    def _on_failure(self, _function: Callable[..., object]) -> None:
        self._log_traceback()

    def _log_traceback(self) -> None:
        for line in traceback.format_exc().splitlines():
            self._log.error(line)


def _stamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _nothing(_events: int) -> None:
    """Replace a handler that is no longer called."""
