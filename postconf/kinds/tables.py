"""Names of lookup tables in values: `type:name`, optionally with adapters, or `type:{ … }`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reading import Word

TABLE_TYPES = frozenset(
    (
        *("btree", "cdb", "cidr", "dbm", "debug", "environ", "fail", "hash", "inline", "internal", "ldap", "lmdb"),
        *("memcache", "mongodb", "mysql", "netinfo", "nis", "nisplus", "pcre", "pgsql", "pipemap", "proxy", "randmap"),
        *("regexp", "sdbm", "socketmap", "sqlite", "static", "tcp", "texthash", "thash", "unionmap", "unix"),
    )
)
"""Table types of all builds of Postfix."""


def is_table(word: Word) -> bool:
    """Return True for a table in a list of patterns. A bracketed address also has colons (match_ops(3))."""
    return not word.text.startswith("[") and ":" in word.text
