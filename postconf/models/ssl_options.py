"""Option bits of OpenSSL: names and numbers of tls_ssl_options and tls_disable_workarounds (postconf(5)).

The bits are those of OpenSSL 3 and 4, and only numbers here. `tlsproxy.tls.settings.options` makes a context's of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..values import LIST_SEPARATORS, words

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
"""Names that tls_disable_workarounds knows, and their bits."""
OPTIONS = {
    "LEGACY_SERVER_CONNECT": 0x4,
    "NO_TICKET": 0x4000,
    "NO_COMPRESSION": 0x20000,
    "NO_RENEGOTIATION": 0x40000000,
    "NO_SESSION_RESUMPTION_ON_RENEGOTIATION": 0x10000,
    "PRIORITIZE_CHACHA": 0x200000,
    "ENABLE_MIDDLEBOX_COMPAT": 0x100000,
}
"""Names that tls_ssl_options knows, and their bits."""
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+", re.ASCII).fullmatch
_HIGHEST = 2**64 - 1


class SslOptions(NamedTuple):
    """Option bits as written, and their meaning."""

    text: str
    bits: int
    unknown: tuple[str, ...] = ()
    """Words without effect, of which Postfix warns."""

    @classmethod
    def of(cls, text: str, names: Mapping[str, int]) -> SslOptions:
        """Read names, in any case, and hexadecimal numbers (long_name_mask(3))."""
        bits = 0
        unknown: list[str] = []
        for word in words(text, LIST_SEPARATORS):
            if word.upper() in names:
                bits |= names[word.upper()]
            elif _NUMBER(word) and int(word, 16) <= _HIGHEST:
                bits |= int(word, 16)
            else:
                unknown.append(word)
        return cls(text, bits, tuple(unknown))
