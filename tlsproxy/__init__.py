"""Postfix's TLS proxy: wire protocol, TLS, sessions, daemon and checker.

The top floor: it imports `maps` and `postconf`.
"""

__version__ = "0.1.0"
