"""Values of lookup tables that can be listed without a server: for the destinations in transport_maps."""

from __future__ import annotations

from maps import Access, Flags, TableError, open_table
from postconf.syntax.lines import decode

_LISTED = ("hash", "btree", "lmdb", "cdb", "texthash", "inline")
_MOST = 10_000
"""Entries that are looked at."""


def listed_values(name: str) -> list[tuple[str, str]] | None:
    """Return keys and values of a table; None if they can't be listed. An indexed table may be read from its source."""
    kind, _, path = name.removeprefix("proxy:").partition(":")
    if kind not in _LISTED:
        return None
    for each in (f"{kind}:{path}", f"texthash:{path}"):
        try:
            return _entries(each)
        except (TableError, OSError):
            if kind in ("texthash", "inline"):
                break
    return None


def _entries(name: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    access = Access(flags=Flags.LOCK | Flags.FOLD_FIX | Flags.DUP_IGNORE, warn=lambda _warning: None)
    with open_table(name, access) as table:
        for key, value in table.entries():
            found.append((decode(key), decode(value)))
            if len(found) == _MOST:
                break
    return sorted(found)
