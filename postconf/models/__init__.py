"""Typed settings: one field for each control of tlsproxy(8), named like the parameter.

    settings = postconf.models.load(config.service("tlsproxy", "unix"))
    settings.server.tlsproxy_tls_ask_ccert

What Postfix's daemon dies of (a bad boolean, number, time or level word) is reported by `load`. What only turns TLS
off, or one connection down, is left to those who use the value.
"""

from __future__ import annotations

from .client import TlsClient
from .library import TlsGlobals
from .loading import InvalidSettings, TlsSettings, load
from .server import TlsServer
from .service import Service

__all__ = ["InvalidSettings", "Service", "TlsClient", "TlsGlobals", "TlsServer", "TlsSettings", "load"]
