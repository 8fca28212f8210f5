"""Digest algorithms of TLSA records: names and numbers of tls_dane_digests (postconf(5), tls_dane(3), RFC 7671)."""

from __future__ import annotations

from typing import NamedTuple

from ..values import LIST_SEPARATORS, words

_PARAMETER = "tls_dane_digests"
_REQUIRED_NAMES = {1: "sha256", 2: "sha512"}
_FULL = 0
_LOWEST_RESERVED = 255
"""The matching type that Postfix uses for fingerprints; it never comes from DNS."""


class DaneDigest(NamedTuple):
    """One algorithm and its number."""

    name: str
    """The algorithm, whose support is a question to OpenSSL; empty to turn off its matching type."""
    mtype: int | None
    """The matching type in TLSA records; None if the word has no effect."""
    problem: str = ""
    """Postfix's warning about the word, if there is one."""


class DaneDigests(NamedTuple):
    """List of digest algorithms as written, and its meaning: the strongest algorithm first."""

    text: str
    digests: tuple[DaneDigest, ...]

    @classmethod
    def of(cls, text: str) -> DaneDigests:
        """Read names; those without a number of their own are written as `name=number`."""
        return cls(text, tuple(_digest(word) for word in words(text, LIST_SEPARATORS)))


def _digest(word: str) -> DaneDigest:
    name, _, number = word.partition("=")
    if not number:
        known = {text: code for code, text in _REQUIRED_NAMES.items()}.get(name.lower())
        missing = known is None and name
        problem = f"{_PARAMETER}: digest algorithm {name} needs an explicit number" if missing else ""
        return DaneDigest(name, known, problem)
    if not (number.isascii() and number.isdigit()) or int(number) >= _LOWEST_RESERVED:
        return DaneDigest(name, None, f"Invalid matching type number in {_PARAMETER}: {name}={number}")
    mtype = int(number)
    if mtype == _FULL:
        return DaneDigest(name, None, f"Reserved matching type number in {_PARAMETER}: {name}={number}")
    required = _REQUIRED_NAMES.get(mtype)
    if name and required and name.lower() != required:
        return DaneDigest(name, None, f"{_PARAMETER}: matching type {mtype} can only be {required}")
    return DaneDigest(name, mtype)
