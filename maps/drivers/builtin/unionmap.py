"""unionmap: the values that several tables have for a key, joined with commas."""

from __future__ import annotations

from ...compound import CompoundTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Open the tables in `{ type:name, ... }`."""
    return Union("unionmap", name, access)


class Union(CompoundTable):
    """Table that searches all its tables; a failure of one is the result."""

    def lookup(self, key: bytes) -> bytes | None:
        result = b""
        for table in self.tables:
            value = table.lookup(key)
            if value is not None:
                result = result + b"," + value if result else value
        return result or None
