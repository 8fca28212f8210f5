"""Typed settings: one field for each control of tlsproxy(8), named like the parameter.

    settings = postconf.models.load(config.service("tlsproxy", "unix"))
    settings.server.tlsproxy_tls_ask_ccert

`load` reports the fatal errors of Postfix's daemon (an invalid boolean, number, time or level). A value that only turns
TLS off, or fails one connection, is checked where it is used.
"""

from __future__ import annotations

from .client import TlsClient
from .library import TlsGlobals
from .loading import InvalidSettingsError, TlsSettings, load
from .server import TlsServer
from .service import ServiceSettings

__all__ = ["InvalidSettingsError", "ServiceSettings", "TlsClient", "TlsGlobals", "TlsServer", "TlsSettings", "load"]
