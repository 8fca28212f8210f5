"""Signals as events of the loop: what they call runs between other handlers, never in the middle of one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..loop import IN, Loop


def on_signals(loop: Loop, actions: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Call an action when its signal arrives, also one that was blocked until now; in each process once."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in actions:
        signal.signal(number, _ignore)

    def dispatch(_events: int) -> None:
        with suppress(BlockingIOError):
            for number in os.read(reading, 4096):
                if number in actions:
                    actions[signal.Signals(number)]()

    loop.watch(reading, IN, dispatch)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, actions)


def restore_signals() -> None:
    """Forget what `on_signals` has set up, in a child process."""
    writing = signal.set_wakeup_fd(-1)
    if writing >= 0:
        os.close(writing)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def _ignore(_number: int, _frame: object) -> None:
    """Let the wake-up descriptor do the work."""
