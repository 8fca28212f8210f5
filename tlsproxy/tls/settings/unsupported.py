"""Settings that OpenSSL 4 or its Python binding can't follow as a server; reported once, at start."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import View
from postconf.models import TlsServer
from postconf.values import LIST_SEPARATORS, words

from ...wire.messages import ServerInit

_OLD = frozenset({"sslv3", ">=sslv3", "<=sslv3"})


def lines(server: TlsServer, init: ServerInit, view: View) -> Iterator[str]:
    """Yield what is asked for in vain, and what happens instead."""
    if _OLD.intersection(word.lower() for word in words(init.protocols, LIST_SEPARATORS + ":")):
        yield f'not supported: SSLv3, which the protocol list "{init.protocols}" names: OpenSSL 4 has none; remove it'
    if server.tlsproxy_tls_enable_rpk:
        yield "not supported: raw public keys (tlsproxy_tls_enable_rpk): clients get a certificate; nothing to be done"
    if view["smtpd_tls_session_cache_database"]:
        yield (
            "not used: smtpd_tls_session_cache_database: sessions are kept in this process, and clients resume with "
            "tickets; nothing to be done"
        )
