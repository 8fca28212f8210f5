"""What a *_tls_loglevel asks for (tls_log_mask(3), postconf(5) smtpd_tls_loglevel)."""

from __future__ import annotations

from typing import Final

from postconf.values import LIST_SEPARATORS, words

from ...log import Log
from ..roles import Packets


class LogMask:
    """Kinds of log lines; plain numbers, as all sessions ask."""

    SUMMARY: Final = 1
    UNTRUSTED: Final = 2
    PEERCERT: Final = 4
    CERTMATCH: Final = 8
    VERBOSE: Final = 16
    CACHE: Final = 32
    DANE: Final = 64
    SSL_DEBUG = 128
    HANDSHAKE_DUMP = 256
    SESSION_DUMP = 512
    TRACE = 1024


_DEBUG = LogMask.SUMMARY | LogMask.VERBOSE | LogMask.CACHE | LogMask.SSL_DEBUG
_EXPERT = _DEBUG | LogMask.HANDSHAKE_DUMP
_DEVELOPER = _EXPERT | LogMask.SESSION_DUMP
_NOTHING = 0

_WORDS = {
    "0": _NOTHING,
    "none": _NOTHING,
    "1": LogMask.SUMMARY,
    "routine": LogMask.SUMMARY,
    "2": _DEBUG,
    "debug": _DEBUG,
    "3": _EXPERT,
    "ssl-expert": _EXPERT,
    **dict.fromkeys("456789", _DEVELOPER),
    "ssl-developer": _DEVELOPER,
    "summary": LogMask.SUMMARY,
    "untrusted": LogMask.UNTRUSTED,
    "peercert": LogMask.PEERCERT,
    "certmatch": LogMask.CERTMATCH,
    "verbose": LogMask.VERBOSE,
    "cache": LogMask.CACHE,
    "dane": LogMask.DANE,
    "ssl-debug": LogMask.SSL_DEBUG,
    "ssl-handshake-packet-dump": LogMask.HANDSHAKE_DUMP,
    "ssl-session-packet-dump": LogMask.SESSION_DUMP,
}


def packets(mask: int) -> Packets:
    """Which packets a log level shows: those of the handshake, or after them all others, too."""
    if not mask & LogMask.HANDSHAKE_DUMP:
        return Packets.NONE
    return Packets.ALL if mask & LogMask.SESSION_DUMP else Packets.HANDSHAKE


def log_mask(parameter: str, text: str, log: Log, *, traces: bool = False) -> int:
    """Read a log level; one unknown word makes it empty, with a warning that names the parameter.

    `traces`: the word `trace` is known (Postfix 3.12 and later). It is without effect: OpenSSL's own is not bound.
    """
    mask = _NOTHING
    for word in words(text, LIST_SEPARATORS):
        known = LogMask.TRACE if traces and word.lower() == "trace" else _WORDS.get(word.lower())
        if known is None:
            log.warning(f'unknown {parameter} value "{word}" in "{text}"')
            return _NOTHING
        mask |= known
    return mask
