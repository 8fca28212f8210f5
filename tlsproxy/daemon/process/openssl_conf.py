"""Loads OpenSSL with its configuration, which it reads then and never again."""

from __future__ import annotations

import os

from postconf.models import TlsGlobals

from ...tls.settings.library_config import configuration


def load_openssl(library: TlsGlobals) -> None:
    """Load the library as these settings want it; to be called before anything imports it."""
    file = os.memfd_create("openssl.cnf")
    try:
        os.write(file, configuration(library))
        os.environ["OPENSSL_CONF"] = f"/proc/self/fd/{file}"
        import OpenSSL.SSL  # noqa: F401
    finally:
        os.close(file)
        os.environ.pop("OPENSSL_CONF", None)
