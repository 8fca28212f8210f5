"""Resumption of sessions of the server role (tls_server(3), smtpd_tls_session_cache_timeout).

Postfix asks tlsmgr(8), which answers from main.cf; so do we, from the same place, and need no other process for it.
Tickets are sealed by a context's own keys: processes that were forked from one share them.
"""

from __future__ import annotations

import time
from hashlib import sha256
from typing import NamedTuple

from OpenSSL import SSL

from postconf import View
from postconf.models import TlsGlobals
from postconf.values import InvalidValueError, parse

from ...log import Log
from ..settings.options import NO_TICKET

_NO_CACHE = SSL.SESS_CACHE_NO_AUTO_CLEAR | SSL.SESS_CACHE_NO_INTERNAL
_CIPHERS = frozenset(
    f"{family}{name}"
    for family in ("aes", "aria", "camellia")
    for size in ("128", "192", "256")
    for name in (size, f"-{size}-cbc")
) | {"sm4", "sm4-cbc"}
"""Block ciphers that fit Postfix's ticket keys: chained, with a block of 16 bytes and a key of 16 to 32."""


class Resumption(NamedTuple):
    """The settings of sessions that clients come back to."""

    tickets: bool
    """The client keeps the session, sealed by us."""
    cached: bool
    """We keep the session, in this process only."""
    ids: bool
    """Sessions have an id even if they can't be resumed."""
    timeout: int
    """The seconds for which a session can be resumed."""

    @classmethod
    def of(cls, library: TlsGlobals, view: View, options: int, log: Log, *, ids: bool) -> Resumption:
        """Read the settings; `options` are those that the contexts will have."""
        timeout = _timeout(view, log)
        cipher = library.tls_session_ticket_cipher
        tickets = bool(cipher) and timeout > 0 and not options & NO_TICKET
        if tickets and cipher.lower() not in _CIPHERS:
            log.warning(f"tls_session_ticket_cipher: invalid value: {cipher}; session tickets disabled")
            tickets = False
        return cls(tickets, timeout > 0 and bool(view["smtpd_tls_session_cache_database"]), ids, timeout)

    def use(self, context: SSL.Context, id_context: bytes) -> None:
        """Set up a context that sessions are made from."""
        context.set_session_id(id_context)
        if not self.tickets:
            context.set_options(NO_TICKET)
        if self.cached:
            context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        elif self.tickets or self.ids:
            # OpenSSL would hold every session in memory.
            context.set_session_cache_mode(SSL.SESS_CACHE_SERVER | _NO_CACHE)
        else:
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            return
        if self.timeout:
            context.set_timeout(2 * self.timeout)

    def expiry(self) -> float:
        """When, on the monotonic clock, ticket keys that are made now have to be replaced.

        A time of day that is set back must not make keys last for years.
        """
        return time.monotonic() + self.timeout if self.tickets else float("inf")


def shown_expiry(expiry: float) -> int:
    """Return an expiry as the log has it: the time of day, as it is set now."""
    return int(time.time() + expiry - time.monotonic())


_LEAST_TIMEOUT = 120
"""Of tlsmgr(8), which takes anything shorter for this."""


def _timeout(view: View, log: Log) -> int:
    name = "smtpd_tls_session_cache_timeout"
    try:
        timeout = int(parse(view.config.release.parameter(name), view[name]))
        return max(timeout, _LEAST_TIMEOUT) if timeout > 0 else 0
    except InvalidValueError as error:
        log.warning(f"{error}; sessions are not resumed")
        return 0


def session_id_context(service: str | None) -> bytes:
    """Return the id that a session and a connection must share for resumption; by service since Postfix 3.12."""
    if service is None:
        return b"Postfix/TLS\0"
    return sha256(b"Postfix/TLS serverid\0" + service.encode("utf-8", "surrogateescape") + b"\0").digest()
