"""Signals as events of the loop: their handlers run between other ones, never in the middle of one.

A signal that means nothing here ends nothing: `ignore_others` has it ignored from the start on, as the default action
of most signals ends a process with all its sessions. Signals of a defect or of the kernel (SIGSEGV, SIGXCPU, …), and
those that only stop a process (SIGTSTP), keep their default action.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from ...log import Log
from ...loop import IN, Loop

COMMANDS = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD}
"""Those that mean something to one process or another."""
_REPORTED = {signal.SIGUSR1, signal.SIGUSR2}
"""Those that people send to daemons; that they mean nothing is logged."""
_OTHERS = {
    *_REPORTED,
    *(signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPIPE, signal.SIGPWR),
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
}


def ignore_others() -> None:
    """Ignore signals without meaning, and keep a SIGHUP until the daemon can reload."""
    for number in _OTHERS:
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # SIGSTKFLT is known to Linux only by its number
        signal.signal(16, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def on_signals(loop: Loop, log: Log, actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Call an action when its signal arrives, also one that was blocked until now; in each process once."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*actions, *_REPORTED):
        signal.signal(number, _ignore)

    def dispatch(_events: int) -> None:
        with suppress(BlockingIOError):
            for number in os.read(reading, 4096):
                if number in actions:
                    actions[signal.Signals(number)]()
                elif number in _REPORTED:
                    name = signal.Signals(number).name
                    log.warning(f"{name}: no effect; SIGHUP reloads, SIGTERM ends (tlsproxy(8), SIGNALS)")

    loop.watch(reading, IN, dispatch)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, actions)


def restore_signals() -> None:
    """Undo `on_signals`, in a child process."""
    writing = signal.set_wakeup_fd(-1)
    if writing >= 0:
        os.close(writing)
    for number in COMMANDS:
        signal.signal(number, signal.SIG_DFL)
    for number in _REPORTED:
        signal.signal(number, signal.SIG_IGN)


def _ignore(_number: int, _frame: object) -> None:
    """Let the wake-up descriptor do the work."""
