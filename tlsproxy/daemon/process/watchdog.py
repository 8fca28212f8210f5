"""Watchdog: aborts a hung process after tlsproxy_watchdog_timeout, so that it is restarted.

Peers can't block the loop; a table on a dead network file system or a defect can. A process that was only stopped, or
got no CPU, continues: it then gets a single alarm, and several are needed to abort it.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from contextlib import suppress
from types import FrameType

from ..log.lines import PostfixLog

_STEPS = 3


class Watchdog:
    """Bites when `rest` has not been called for some seconds."""

    def __init__(self, log: PostfixLog, timeout: int) -> None:
        """`timeout` is in seconds."""
        self._log = log
        self._timeout = timeout
        self._steps = 0
        signal.signal(signal.SIGALRM, self._step)

    def rest(self, _now: float = 0.0) -> None:
        """Restart the timer: a periodic task of the loop, also called after a fork."""
        self._steps = 0
        step = self._timeout / _STEPS
        signal.setitimer(signal.ITIMER_REAL, step, step)
        # Python's own handlers don't run while a library function doesn't return: this one is a thread.
        with suppress(RuntimeError):  # there may be no memory for it
            faulthandler.dump_traceback_later(_STEPS * self._timeout, exit=True)

    def stop(self) -> None:
        """Wait no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()

    def _step(self, _number: int, frame: FrameType | None) -> None:
        self._steps += 1
        if self._steps < _STEPS:
            return
        place = f" in {frame.f_code.co_qualname}, line {frame.f_lineno}" if frame else ""
        self._log.fatal(f"watchdog timeout{place}")
        os._exit(1)
