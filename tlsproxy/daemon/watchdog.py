"""Ends a process that is stuck (tlsproxy_watchdog_timeout): better a new one than one that nobody is served by.

Nothing that a peer does can hold up the loop; what could is a table on a dead network file system, or a defect.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from types import FrameType

from .logging import PostfixLog


class Watchdog:
    """Bites when `rest` has not been called for some seconds."""

    def __init__(self, log: PostfixLog, timeout: int) -> None:
        """`timeout` is in seconds."""
        self._log = log
        self._timeout = timeout
        signal.signal(signal.SIGALRM, self._bite)

    def rest(self, _now: float = 0.0) -> None:
        """Begin to wait anew; a chore of the loop, and to be called again after a fork."""
        signal.setitimer(signal.ITIMER_REAL, self._timeout)
        # Python's own handlers don't run while a library function doesn't return: this one is a thread.
        faulthandler.dump_traceback_later(2 * self._timeout, exit=True)

    def stop(self) -> None:
        """Wait no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()

    def _bite(self, _number: int, frame: FrameType | None) -> None:
        place = f" in {frame.f_code.co_qualname}, line {frame.f_lineno}" if frame else ""
        self._log.fatal(f"watchdog timeout{place}")
        os._exit(1)
