"""Loading of OpenSSL with its configuration, which the library reads at that time only."""

from __future__ import annotations

import os

from postconf.models import TlsGlobals

from ...tls.settings.library_config import configuration


def load_openssl(library: TlsGlobals) -> None:
    """Load the library with the configuration of these settings; call it before anything imports the library."""
    file = os.memfd_create("openssl.cnf")
    try:
        os.write(file, configuration(library))
        os.environ["OPENSSL_CONF"] = f"/proc/self/fd/{file}"
        import OpenSSL.SSL  # noqa: F401
    finally:
        os.close(file)
        os.environ.pop("OPENSSL_CONF", None)
