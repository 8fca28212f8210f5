"""STARTTLS for Python programs with a protocol of their own: hand a socket to the running proxy, get plaintext back.

The public names are those of `api`; `request` makes what is sent to the proxy.
"""

from .api import (
    HandshakeFailedError,
    PeerNotVerifiedError,
    PlaintextAheadError,
    Proxy,
    ProxyUnavailableError,
    StarttlsError,
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
    "TlsSocket",
    "TlsStreams",
    "detach",
    "starttls",
    "starttls_blocking",
]
