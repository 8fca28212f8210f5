"""Names of TLS parameters: the files that a role is made from, by the ends of their names.

The ends are those of smtpd_tls_…, smtp_tls_…, tlsproxy_tls_… and tlsproxy_client_…, and the attributes of an INIT.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf.values import words


class KeyPair(NamedTuple):
    """The parameters of one kind of key: the files with its certificate and with the key itself."""

    kind: str
    """The kind, as messages have it; each file may hold a key of another kind."""
    certificate: str
    key: str


KEY_PAIRS = (
    KeyPair("RSA", "cert_file", "key_file"),
    KeyPair("DSA", "dcert_file", "dkey_file"),
    KeyPair("ECDSA", "eccert_file", "eckey_file"),
)
"""Older than chain files, and ignored where there are some."""
CHAIN_FILES = "chain_files"
CERTIFICATES = tuple(pair.certificate for pair in KEY_PAIRS)
KEYS = tuple(pair.key for pair in KEY_PAIRS)
AUTHORITIES = ("CAfile", "CApath")
FILES = (CHAIN_FILES, *(name for pair in KEY_PAIRS for name in pair[1:]), *AUTHORITIES)
"""All that an INIT of either role names in the file system, but for Diffie-Hellman parameters."""
DH_FILES = ("dh1024_param_file", "dh512_param_file")

SERVER, CLIENT = "tlsproxy_tls_", "tlsproxy_client_"
"""The prefixes of the daemon's own parameters, by role."""


class CertificateFiles(NamedTuple):
    """The keys and certificates that an INIT names."""

    chain_files: tuple[str, ...]
    """Files with keys, each followed by its chain."""
    text: str
    """The list of chain files as it is written, for messages."""
    pairs: tuple[KeyPair, ...]
    """The files of each kind that has a certificate; empty where there are chain files."""

    @classmethod
    def of(cls, init: object) -> CertificateFiles:
        """Return the files that an INIT of either role names."""
        text: str = getattr(init, CHAIN_FILES)
        named = [KeyPair(kind, getattr(init, cert), getattr(init, key)) for kind, cert, key in KEY_PAIRS]
        return cls(words(text), text, () if text else tuple(each for each in named if each.certificate))
