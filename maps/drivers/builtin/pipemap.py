"""pipemap: each table looks up the result of the table before."""

from __future__ import annotations

from ...compound import CompoundTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table


def open_table(name: str, access: Access) -> Table:
    """Open the tables in `{ type:name, ... }`."""
    return Pipe("pipemap", name, access)


class Pipe(CompoundTable):
    """Table whose lookups end at the first table without an answer, or with a failure."""

    def lookup(self, key: bytes) -> bytes | None:
        value: bytes | None = key
        for table in self.tables:
            if value is None:
                return None
            value = table.lookup(value)
        return value
