"""OpenSSL option bits: work-arounds, extra options and excluded protocols (tls_misc(3), postconf(5))."""

from __future__ import annotations

import re

from postconf.models import TlsGlobals
from postconf.values import LIST_SEPARATORS, Protocols, words

from ...log import Log

_ALL = 0x80000850  # SSL_OP_ALL, the same value in OpenSSL 3 and 4
_IGNORE_UNEXPECTED_EOF = 0x80
_SAFARI_ECDHE_ECDSA_BUG = 0x40
_CIPHER_SERVER_PREFERENCE = 0x400000

# Names and their bits.
WORKAROUNDS = {
    "CRYPTOPRO_TLSEXT_BUG": 0x80000000,
    "DONT_INSERT_EMPTY_FRAGMENTS": 0x800,
    "TLSEXT_PADDING": 0x10,
    "LEGACY_SERVER_CONNECT": 0x4,
    "TLS_ROLLBACK_BUG": 0x800000,
    # Bugs that OpenSSL no longer works around.
    "MICROSOFT_SESS_ID_BUG": 0,
    "NETSCAPE_CHALLENGE_BUG": 0,
    "NETSCAPE_REUSE_CIPHER_CHANGE_BUG": 0,
    "CVE-2010-4180": 0,
    "SSLREF2_REUSE_CERT_TYPE_BUG": 0,
    "MICROSOFT_BIG_SSLV3_BUFFER": 0,
    "MSIE_SSLV2_RSA_PADDING": 0,
    "CVE-2005-2969": 0,
    "SSLEAY_080_CLIENT_DH_BUG": 0,
    "TLS_D5_BUG": 0,
    "TLS_BLOCK_PADDING_BUG": 0,
}
WORDS = {
    "LEGACY_SERVER_CONNECT": 0x4,
    "NO_TICKET": 0x4000,
    "NO_COMPRESSION": 0x20000,
    "NO_RENEGOTIATION": 0x40000000,
    "NO_SESSION_RESUMPTION_ON_RENEGOTIATION": 0x10000,
    "PRIORITIZE_CHACHA": 0x200000,
    "ENABLE_MIDDLEBOX_COMPAT": 0x100000,
}
NO_TICKET = WORDS["NO_TICKET"]
NO_RENEGOTIATION = WORDS["NO_RENEGOTIATION"]
NO_PROTOCOL = {
    "SSLv3": 0x02000000,
    "TLSv1": 0x04000000,
    "TLSv1.1": 0x10000000,
    "TLSv1.2": 0x08000000,
    "TLSv1.3": 0x20000000,
}
# What an administrator can't turn on: SSL_OP_ALL, and the bits that other parameters govern.
_MANAGED = _ALL | _CIPHER_SERVER_PREFERENCE | _IGNORE_UNEXPECTED_EOF | sum(NO_PROTOCOL.values())


_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+", re.ASCII).fullmatch
_HIGHEST = 2**64 - 1


def context_options(library: TlsGlobals, log: Log, *, server: bool) -> int:
    """Return the options of every context of a role; unknown words are logged and have no effect."""
    options = _ALL
    if library.tls_disable_workarounds:
        disabled = _bits("tls_disable_workarounds", library.tls_disable_workarounds, WORKAROUNDS, log)
        options &= ~(disabled | _SAFARI_ECDHE_ECDSA_BUG)
    options |= _IGNORE_UNEXPECTED_EOF  # truncation is no attack on SMTP, which has an end of its own
    options |= _bits("tls_ssl_options", library.tls_ssl_options, WORDS, log) & ~_MANAGED
    if server and library.tls_preempt_cipherlist:
        options |= _CIPHER_SERVER_PREFERENCE
    return options


def protocol_options(protocols: Protocols) -> int:
    """Return the bits that turn off excluded protocols."""
    return sum(NO_PROTOCOL[name] for name in protocols.excluded)


def _bits(parameter: str, text: str, known: dict[str, int], log: Log) -> int:
    bits = 0
    for word in words(text, LIST_SEPARATORS):
        if word.upper() in known:
            bits |= known[word.upper()]
            continue
        if _NUMBER(word) and int(word, 16) <= _HIGHEST:
            bits |= int(word, 16)
        else:
            log.warning(f'unknown {parameter} value "{word}" in "{text}"')
    return bits
