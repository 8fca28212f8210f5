"""Log levels in use: the packets that one shows, and the warning about one that can't be read (tls_log_mask(3))."""

from __future__ import annotations

from postconf.models.log_level import LogLevel, LogMask

from ...log import Log
from ..roles import Packets


def packets(mask: int) -> Packets:
    """Return the packets that a log level shows: those of the handshake, or after them all others, too."""
    if not mask & LogMask.HANDSHAKE_DUMP:
        return Packets.NONE
    return Packets.ALL if mask & LogMask.SESSION_DUMP else Packets.HANDSHAKE


def checked_mask(level: LogLevel, parameter: str, log: Log) -> int:
    """Return the mask of a log level; warn of an unknown word by the name of its parameter."""
    if level.unknown:
        log.warning(f'unknown {parameter} value "{level.unknown}" in "{level.text}"')
    return level.mask
