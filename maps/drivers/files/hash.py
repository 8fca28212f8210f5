"""hash: Berkeley DB files with the entries in hash buckets."""

from __future__ import annotations

from ...formats.berkeley import opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Open, add to or build `name`.db."""
    return opening.open_table("hash", name, access)
