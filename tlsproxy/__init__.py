"""Postfix's TLS proxy: wire protocol, TLS, sessions, daemon and checker.

The top floor: it imports `maps` and `postconf`.
"""

from .errors import TlsproxyError

__all__ = ["TlsproxyError", "__version__"]
__version__ = "0.2.0"
