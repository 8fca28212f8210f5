"""STARTTLS for Python programs with a protocol of their own: hand a socket to the running proxy, get plaintext back.

The public names are those of `api`; `request` makes what is sent to the proxy.
"""

from .api import (
    HandshakeFailed,
    PeerNotVerified,
    PlaintextAhead,
    Proxy,
    ProxyUnavailable,
    StarttlsError,
    TlsSocket,
    TlsStreams,
    detach,
    starttls,
    starttls_blocking,
)

__all__ = [
    "HandshakeFailed",
    "PeerNotVerified",
    "PlaintextAhead",
    "Proxy",
    "ProxyUnavailable",
    "StarttlsError",
    "TlsSocket",
    "TlsStreams",
    "detach",
    "starttls",
    "starttls_blocking",
]
