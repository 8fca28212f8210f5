"""The state trace of a handshake (log level 2 and up), as tls_info_callback(3) writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from ...log import Log
from ..openssl.binding import ERROR_WANT_READ, ERROR_WANT_WRITE, SSL_get_error, state

_HELLO_READ = "read client hello"
_WANTS = (ERROR_WANT_READ, ERROR_WANT_WRITE)
_LEVELS = {1: "warning", 2: "fatal"}
# TLS alerts (RFC 8446 §6, RFC 5246 §7.2) by OpenSSL's names for them.
_CLOSE_NOTIFY = 0
_ALERTS = {
    _CLOSE_NOTIFY: "close notify",
    10: "unexpected_message",
    20: "bad record mac",
    21: "decryption failed",
    22: "record overflow",
    30: "decompression failure",
    40: "handshake failure",
    41: "no certificate",
    42: "bad certificate",
    43: "unsupported certificate",
    44: "certificate revoked",
    45: "certificate expired",
    46: "certificate unknown",
    47: "illegal parameter",
    48: "unknown CA",
    49: "access denied",
    50: "decode error",
    51: "decrypt error",
    60: "export restriction",
    70: "protocol version",
    71: "insufficient security",
    80: "internal error",
    86: "inappropriate fallback",
    90: "user canceled",
    100: "no renegotiation",
    109: "missing extension",
    110: "unsupported extension",
    111: "certificate unobtainable",
    112: "unrecognized name",
    113: "bad certificate status response",
    114: "bad certificate hash value",
    115: "unknown PSK identity",
    116: "certificate required",
    120: "no application protocol",
}


def follow(ssl: Any, log: Log | None, on_hello: Callable[[], None] | None = None) -> Callable[[int, int], None]:
    """Return a callback that logs each step of a handshake, and its alerts (`openssl.callbacks.Hooks.on_step`).

    `on_hello` is called when a client's hello has been read, with or without a log.
    """

    def on_step(where: int, result: int) -> None:
        if on_hello is not None and where & SSL.SSL_CB_LOOP and state(ssl).endswith(_HELLO_READ):
            on_hello()
        if log is not None:
            log_step(log, ssl, where, result)

    return on_step


def log_step(log: Log, ssl: Any, where: int, result: int) -> None:
    """Log one step or alert; the arguments are those of SSL_CTX_set_info_callback(3)."""
    if where & SSL.SSL_CB_ALERT:
        if result & 0xFF != _CLOSE_NOTIFY:
            direction = "read" if where & SSL.SSL_CB_READ else "write"
            level = _LEVELS.get(result >> 8, "unknown")
            log.info(f"SSL3 alert {direction}:{level}:{_ALERTS.get(result & 0xFF, 'unknown')}")
        return
    side = "SSL_connect" if where & SSL.SSL_ST_CONNECT else "SSL_accept"
    step = state(ssl)
    if where & SSL.SSL_CB_LOOP:
        log.info(f"{side}:{step}")
    elif where & SSL.SSL_CB_EXIT and result == 0:
        log.info(f"{side}:failed in {step}")
    elif where & SSL.SSL_CB_EXIT and result < 0 and SSL_get_error(ssl, result) not in _WANTS:
        log.info(f"{side}:error in {step}")
