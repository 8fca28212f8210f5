"""internal: a table in memory, empty at first."""

from __future__ import annotations

from ...memory import MemoryTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Return an empty table; the name is ignored."""
    return MemoryTable("internal", name, access)
