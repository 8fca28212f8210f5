"""Security level of each role of the daemon: offer of TLS, and requirement of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postconf.values import SecurityLevel, resulting_level

if TYPE_CHECKING:  # the checker starts without pydantic
    from postconf.models import TlsClient, TlsServer


def server_level(server: TlsServer) -> SecurityLevel:
    """Return the level of the server role: none, may or encrypt, since a server takes any higher one for encrypt."""
    level = resulting_level(
        server.tlsproxy_tls_security_level, use=server.tlsproxy_use_tls, enforce=server.tlsproxy_enforce_tls
    )
    return min(level, SecurityLevel.ENCRYPT)


def client_level(client: TlsClient) -> SecurityLevel:
    """Return the level of the client role in our own configuration; requests have levels of their own."""
    return resulting_level(
        client.tlsproxy_client_security_level,
        use=client.tlsproxy_client_use_tls,
        enforce=client.tlsproxy_client_enforce_tls,
    )


def client_is_configured(client: TlsClient) -> bool:
    """Return True if the configuration has a use for the client role, as tlsproxy(8) sees it."""
    return bool(client_level(client) or client.tlsproxy_client_per_site or client.tlsproxy_client_policy_maps)
