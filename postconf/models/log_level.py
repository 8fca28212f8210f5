"""TLS log levels: keywords and numbers of a *_tls_loglevel, as a mask (tls_log_mask(3), postconf(5))."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from ..values import LIST_SEPARATORS, words


class LogMask:
    """Kinds of log lines; plain numbers, because all sessions test them."""

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


class LogLevel(NamedTuple):
    """Log level: its text, its mask, and its first unknown word, which makes the mask empty."""

    text: str
    mask: int
    unknown: str = ""


@lru_cache(maxsize=100)  # since Postfix 3.12 each request contains one
def log_level(text: str, *, traces: bool) -> LogLevel:
    """Read a log level.

    `traces`: True if the word `trace` is known (Postfix 3.12 and later). It has no effect: OpenSSL's own is not bound.
    """
    mask = _NOTHING
    for word in words(text, LIST_SEPARATORS):
        known = LogMask.TRACE if traces and word.lower() == "trace" else _WORDS.get(word.lower())
        if known is None:
            return LogLevel(text, _NOTHING, word)
        mask |= known
    return LogLevel(text, mask)
