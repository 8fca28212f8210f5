"""Option bits of contexts: workarounds, extra options and excluded protocols (tls_misc(3), postconf(5))."""

from __future__ import annotations

from postconf.models import TlsGlobals
from postconf.models.ssl_options import OPTIONS, SslOptions
from postconf.values import Protocols

from ...log import Log

_ALL = 0x80000850  # SSL_OP_ALL, the same value in OpenSSL 3 and 4
_IGNORE_UNEXPECTED_EOF = 0x80
_SAFARI_ECDHE_ECDSA_BUG = 0x40
_CIPHER_SERVER_PREFERENCE = 0x400000

NO_TICKET = OPTIONS["NO_TICKET"]
NO_RENEGOTIATION = OPTIONS["NO_RENEGOTIATION"]
NO_PROTOCOL = {
    "SSLv3": 0x02000000,
    "TLSv1": 0x04000000,
    "TLSv1.1": 0x10000000,
    "TLSv1.2": 0x08000000,
    "TLSv1.3": 0x20000000,
}
# Bits that an administrator can't turn on: SSL_OP_ALL, and the bits that other parameters govern.
_MANAGED = _ALL | _CIPHER_SERVER_PREFERENCE | _IGNORE_UNEXPECTED_EOF | sum(NO_PROTOCOL.values())


def context_options(library: TlsGlobals, log: Log, *, server: bool) -> int:
    """Return the options of every context of a role; unknown words are logged and have no effect."""
    options = _ALL
    if library.tls_disable_workarounds.text:
        disabled = _bits("tls_disable_workarounds", library.tls_disable_workarounds, log)
        options &= ~(disabled | _SAFARI_ECDHE_ECDSA_BUG)
    options |= _IGNORE_UNEXPECTED_EOF  # truncation is no attack on SMTP, which has an end of its own
    options |= _bits("tls_ssl_options", library.tls_ssl_options, log) & ~_MANAGED
    if server and library.tls_preempt_cipherlist:
        options |= _CIPHER_SERVER_PREFERENCE
    return options


def protocol_options(protocols: Protocols) -> int:
    """Return the bits that turn off excluded protocols."""
    return sum(NO_PROTOCOL[name] for name in protocols.excluded)


def _bits(parameter: str, options: SslOptions, log: Log) -> int:
    for word in options.unknown:
        log.warning(f'unknown {parameter} value "{word}" in "{options.text}"')
    return options.bits
