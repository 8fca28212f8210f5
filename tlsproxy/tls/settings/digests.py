"""Digest algorithms by the names that OpenSSL has for them (EVP_get_digestbyname(3)), and fingerprints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from ..openssl.peers import is_digest_name

Digest = Callable[[bytes], bytes]


def digest_by_name(name: str) -> Digest | None:
    """Return the function of a digest algorithm, or None for a name that OpenSSL does not know; case does not count."""
    if not name or not is_digest_name(name):
        return None
    plain = name.lower().removeprefix("rsa-")
    try:
        if hashlib.new(plain, usedforsecurity=False).digest_size == 0:  # an extendable one, which needs a length
            return None
    except ValueError:
        return None
    return lambda data: hashlib.new(plain, data, usedforsecurity=False).digest()


class Fingerprints:
    """The digest of a context, and of sessions whose fingerprints are to have another one."""

    def __init__(self, name: str, digest: Digest) -> None:
        self.digest = digest
        self._name = name

    def of(self, name: str) -> Digest:
        """Return the digest of a session; the context's own where a session asks for nothing that there is."""
        return self.digest if name == self._name else digest_by_name(name) or self.digest


def fingerprint(digest: Digest, data: bytes) -> str:
    """Return a digest as Postfix prints it: `AA:BB:…`."""
    return digest(data).hex(":").upper()
