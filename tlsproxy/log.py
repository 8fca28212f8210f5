"""Interface of a log: three severities, one line each.

`tlsproxy.daemon.log.lines` decides about output (stderr, syslog, postlogd) and format.
"""

from typing import Protocol

from .errors import TlsproxyError


class Log(Protocol):
    """A sink for Postfix-style log lines; `text` holds no severity prefix and no newline."""

    def info(self, text: str) -> None:
        """Log an ordinary event."""

    def warning(self, text: str) -> None:
        """Log something suspicious that the program survives (msg_warn(3))."""

    def error(self, text: str) -> None:
        """Log a failure that ends one session or disables one role (msg_error(3))."""


class StandardLog:
    """Passes lines to a logger of the standard library: for programs that use us as a library."""

    def __init__(self, name: str) -> None:
        import logging

        self._logger = logging.getLogger(name)

    def info(self, text: str) -> None:
        self._logger.info("%s", text)

    def warning(self, text: str) -> None:
        self._logger.warning("%s", text)

    def error(self, text: str) -> None:
        self._logger.error("%s", text)


class FatalError(TlsproxyError):
    """The program can't go on; it logs `fatal: text` and ends with status 1 (msg_fatal(3))."""
