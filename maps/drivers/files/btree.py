"""btree: Berkeley DB files with the entries in the order of their keys."""

from __future__ import annotations

from ...formats.berkeley import opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Open, add to or build `name`.db."""
    return opening.open_table("btree", name, access)
