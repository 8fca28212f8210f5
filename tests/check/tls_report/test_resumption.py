"""The resumption that is reported is the one that clients meet, of smtpd(8) and of the daemon."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from check.tls_report.scanned_peers import scanned_peers
from peers.fakes.tls_scan import smtp_connector

pytestmark = pytest.mark.postfix

COMMON = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": "{pki}/rsa2048.pem"}
CACHE = {"smtpd_tls_session_cache_database": "btree:$data_directory/smtpd_scache"}
CASES = {
    "default": COMMON,
    "cache": {**COMMON, **CACHE},
    "no-tickets": {**COMMON, **CACHE, "tls_ssl_options": "NO_TICKET"},
    "no-cipher": {**COMMON, "tls_session_ticket_cipher": ""},
}


def test_resumption_of_clients_is_the_reported_one(public_path: Path) -> None:
    """tlsmgr(8) decides for smtpd(8), so -o of a service makes no cache there; it does in the daemon."""
    with scanned_peers(public_path, CASES, ["smtpd", "daemon"]) as targets:
        met = {(each.peer, each.name): _ways(each.port) for each in targets}
        said = {(each.peer, each.name): each.offer.resumption for each in targets}
    assert met == said


def _ways(port: int) -> tuple[str, ...]:
    tickets = "tickets" if _resumes(port, tickets=True) else ""
    cache = "cache" if _resumes(port, tickets=False) else ""
    return tuple(filter(None, [tickets if tickets and not (cache and not _has_ticket(port)) else "", cache]))


def _has_ticket(port: int) -> bool:
    session = _session(port, _context(tickets=True), None)[1]
    return session is not None and session.has_ticket


def _resumes(port: int, *, tickets: bool) -> bool:
    """Return True if one of three sessions is resumed: our daemon has a cache in each of its processes."""
    context = _context(tickets=tickets)
    session = None
    resumed = False
    for _ in range(3):
        was_resumed, session = _session(port, context, session)
        resumed = resumed or was_resumed
    return resumed


def _context(*, tickets: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    return context


def _session(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
    with context.wrap_socket(smtp_connector(port)(), session=session) as tls:
        tls.sendall(b"QUIT\r\n")
        tls.recv(100)
        found = bool(tls.session_reused), tls.session
        with suppress(OSError):
            tls.unwrap()  # OpenSSL forgets the session of a connection that is not closed
    return found
