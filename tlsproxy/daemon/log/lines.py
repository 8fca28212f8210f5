"""Log lines: severity, format, and output that never blocks the program.

A line gets its time when it is made, and is sent in batches: to wake a logger for each line costs more than to make the
line. Lines that can't be sent are kept, up to a limit, and retried: soon if some were accepted, because Linux queues
only eleven datagrams, with a longer delay if none was. Lost lines are counted, and their number is logged. Formats are
those of Postfix (msg_logger(3), syslog(3)); `json_lines` has another one, `sinks` has the outputs.
"""

from __future__ import annotations

import os
import syslog
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

Sink = Callable[[list[bytes]], int]
"""Hands on lines without waiting, and returns the number of lines, from the first, that it has dealt with."""

MAX_TEXT = 2000
"""Characters of a text that a line has."""
_MAX_LINES = 10_000
_MAX_DELAY = 0.02
_FIRST_PAUSE, _LAST_PAUSE = 0.002, 1.0
"""Initial and maximum retry delay in seconds for undelivered lines (exponential backoff)."""
_UNPRINTABLE = dict.fromkeys([*range(32), 127], "?")


class LogSeverity(IntEnum):
    """Postfix's severities with the priorities they have in syslog(3)."""

    FATAL = 2
    ERROR = 3
    WARNING = 4
    INFO = 6

    @property
    def label(self) -> str:
        """Prefix of the text of a line."""
        return "" if self is LogSeverity.INFO else f"{self.name.lower()}: "


class Form(Protocol):
    """The form of log lines: plain text, with a date, or JSON."""

    def line(self, severity: LogSeverity, text: str) -> bytes:
        """Make a line, without a newline."""

    def forked(self) -> None:
        """Note that this is a child process, with a number of its own."""


class _StampedForm(ABC):
    """A text behind a prefix, which is made once a second."""

    def __init__(self, tag: str) -> None:
        """`tag` is syslog_name/process_name."""
        self._tag = tag
        self._second = 0
        self._prefixes: dict[LogSeverity, str] = {}

    def line(self, severity: LogSeverity, text: str) -> bytes:
        """Make a line, without a newline."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            stamp = time.strftime("%b %d %H:%M:%S", time.localtime(now))
            self._prefixes = {each: self._prefix(each, stamp, os.getpid()) + each.label for each in LogSeverity}
        if not text.isprintable():
            text = text.translate(_UNPRINTABLE)
        return (self._prefixes[severity] + text[:MAX_TEXT]).encode("utf-8", "replace")

    def forked(self) -> None:
        """Notice that the process has another number."""
        self._second = 0

    @abstractmethod
    def _prefix(self, severity: LogSeverity, stamp: str, pid: int) -> str:
        """Return the prefix of severity and text."""


class PostfixForm(_StampedForm):
    """`Mon DD hh:mm:ss host tag[pid]: text`, as postlogd(8) writes it to maillog_file."""

    def __init__(self, tag: str, hostname: str) -> None:
        """Of `hostname` the first label is shown."""
        super().__init__(tag)
        self._host = hostname.partition(".")[0]

    def _prefix(self, severity: LogSeverity, stamp: str, pid: int) -> str:  # noqa: ARG002
        return f"{stamp} {self._host} {self._tag}[{pid}]: "


class SyslogForm(_StampedForm):
    """Format of syslog(3) on /dev/log: with the priority, without a host."""

    def __init__(self, tag: str, facility: str) -> None:
        """`facility` is a word as in syslog_facility."""
        super().__init__(tag)
        # Python names all facilities but ftp, which syslog(3) has as 11.
        self._facility: int = getattr(syslog, f"LOG_{facility.upper()}", 11 << 3)

    def _prefix(self, severity: LogSeverity, stamp: str, pid: int) -> str:
        return f"<{self._facility | severity}>{stamp} {self._tag}[{pid}]: "


class PostfixLog:
    """A `Log` that hands lines on in batches."""

    def __init__(self, form: Form, sink: Sink) -> None:
        self.form = form
        self._sink = sink
        self.waiting: list[bytes] = []
        """Lines that have not been handed on."""
        self._lost = 0
        self.lost = 0
        """Number of lost lines since the start."""
        self._flush_at = 0.0
        self._pause = _FIRST_PAUSE

    def info(self, text: str) -> None:
        """Log an ordinary event."""
        self._add(LogSeverity.INFO, text)

    def warning(self, text: str) -> None:
        """Log something suspicious that the program survives."""
        self._add(LogSeverity.WARNING, text)

    def error(self, text: str) -> None:
        """Log a failure that ends one session or disables one role."""
        self._add(LogSeverity.ERROR, text)

    def fatal(self, text: str) -> None:
        """Log the reason of the program's end, at once."""
        self._add(LogSeverity.FATAL, text)
        self.flush()

    def change(self, form: Form, sink: Sink) -> None:
        """Use another form and another sink from now on, after a change of the configuration."""
        self.flush()
        self.form = form
        self._sink = sink

    def flush(self) -> None:
        """Hand on the collected lines, as far as that goes without waiting."""
        if self._lost and len(self.waiting) < _MAX_LINES:
            lost, self._lost = self._lost, 0
            self._add(LogSeverity.WARNING, f"{lost} lines of this log were lost: it was not taken for too long")
        if self.waiting:
            taken = self._sink(self.waiting)
            del self.waiting[:taken]
            self._pause = _FIRST_PAUSE if taken else min(2 * self._pause, _LAST_PAUSE)
        if not self.waiting:
            self._flush_at = 0.0

    def flush_when_due(self, now: float) -> float:
        """Hand on lines that have waited long enough; return the most seconds until the next call.

        `now` is monotonic.
        """
        if not self._flush_at:
            self._flush_at = now + _MAX_DELAY
        elif now >= self._flush_at:
            self.flush()
            self._flush_at = now + self._pause if self.waiting else 0.0
        return max(0.0, self._flush_at - now) if self.waiting else _LAST_PAUSE

    def forked(self) -> None:
        """Become the log of a child process; lines that were not handed on are the parent's."""
        self.waiting.clear()
        self._lost = 0
        self.form.forked()

    def _add(self, severity: LogSeverity, text: str) -> None:
        if len(self.waiting) < _MAX_LINES:
            self.waiting.append(self.form.line(severity, text))
        else:
            self._lost += 1
            self.lost += 1
