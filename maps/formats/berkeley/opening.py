"""Opening of a Berkeley DB file in the given mode; the writer is imported only when needed."""

from __future__ import annotations

from ...table import Mode, Table
from .table import BerkeleyTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access


def open_table(kind: str, source: str, access: Access) -> Table:
    """Open the file of kind `hash` or `btree` that is made from `source`."""
    if access.mode is Mode.READ:
        return BerkeleyTable(kind, source, access)
    from .writing import BerkeleyBuilder, BerkeleyEditor

    if access.mode is Mode.CHANGE:
        return BerkeleyEditor(kind, source, access)
    return BerkeleyBuilder(kind, source, access)
