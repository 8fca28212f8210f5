"""Top-level domains, as far as they distinguish a domain from a user's name with a dot."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase

TOP_LEVEL = frozenset(
    (
        "biz",
        "com",
        "edu",
        "example",
        "gov",
        "info",
        "int",
        "mil",
        "net",
        "org",
        *map("".join, product(ascii_lowercase, repeat=2)),
    )
)
"""Top-level domains: those of countries have two letters (RFC 1591), others are the first ones and `example`."""
