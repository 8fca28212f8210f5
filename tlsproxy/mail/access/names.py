"""Domain names as DNS has them."""

from __future__ import annotations


def to_ascii(domain: str) -> str:
    """Return the ASCII form of an internationalized domain; the domain itself if it has none."""
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
