"""STARTTLS for Python programs with their own protocol: hand a socket to the running proxy, and get plaintext back.

The public names are those of `api`; `request` makes the requests to the proxy.
"""

from .api import (
    HandshakeFailedError,
    PeerNotVerifiedError,
    PlaintextAheadError,
    Proxy,
    ProxyUnavailableError,
    StarttlsError,
    TlsContext,
    TlsSocket,
    TlsStreams,
    detach,
    starttls,
    starttls_blocking,
)

__all__ = [
    "HandshakeFailedError",
    "PeerNotVerifiedError",
    "PlaintextAheadError",
    "Proxy",
    "ProxyUnavailableError",
    "StarttlsError",
    "TlsContext",
    "TlsSocket",
    "TlsStreams",
    "detach",
    "starttls",
    "starttls_blocking",
]
