"""OpenSSL's own configuration (tls_config_file, tls_config_name, postconf(5)).

The library reads it once, when it is loaded, and tells no errors. So this has to be known before, and must not import
it: `configuration` is what the library is to read, `problem` is what Postfix would complain of.
"""

from __future__ import annotations

import os

from postconf.models import TlsGlobals

_SYSTEM_FILE = "/etc/ssl/openssl.cnf"
_OWN = """\
openssl_conf = tlsproxy
[tlsproxy]
ssl_conf = tlsproxy_ssl
[tlsproxy_ssl]
system_default = tlsproxy_defaults
[tlsproxy_defaults]
NumTickets = 1
"""
"""One session ticket for each handshake, as Postfix has it: there is no other way to tell OpenSSL so."""


def problem(library: TlsGlobals) -> str:
    """Postfix's warning about settings for which it turns TLS off; empty if they are fine."""
    file = library.tls_config_file
    if file in ("default", "none"):
        return ""
    if not file.startswith("/"):
        return f"non-default tls_config_file = {file} is not an absolute pathname, disabling TLS support"
    if os.access(os.fsencode(file), os.R_OK):
        return ""
    settings = library.tls_config_name or "global"
    return f"error loading the '{settings}' settings from the {file} OpenSSL configuration file, disabling TLS support"


def configuration(library: TlsGlobals) -> bytes:
    """What OpenSSL is to read when it is loaded.

    The file of the distribution only counts if a section of it is named: all else that it is used for (ciphers,
    protocols, a security level) Postfix's settings override.
    """
    file, name = library.tls_config_file, library.tls_config_name
    if file == "default" and name:
        file = _SYSTEM_FILE
    if not file.startswith("/") or problem(library):
        return _OWN.encode()
    # The file says by itself which section is meant; to be heard, we have to say it after the file.
    chosen = f"[default]\nopenssl_conf = {name}\n" if name else ""
    return f".include {file}\n{chosen}".encode("utf-8", "surrogateescape")
