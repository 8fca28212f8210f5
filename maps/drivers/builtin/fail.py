"""fail: a table that always fails, for tests."""

from __future__ import annotations

from ...folding import APPLICATION_ERROR
from ...table import Flags, Mode, Table, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Return the table; the name is ignored."""
    return FailingTable(name, access)


class FailingTable(Table):
    """Table that fails each access."""

    def __init__(self, name: str, access: Access) -> None:
        super().__init__("fail", name, access.flags | Flags.PATTERN)
        self._writable = access.mode is not Mode.READ

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        raise TemporaryLookupError(APPLICATION_ERROR)

    def update(self, key: bytes, value: bytes) -> bool:
        if not self._writable:
            return super().update(key, value)
        raise TemporaryLookupError(APPLICATION_ERROR)

    def delete(self, key: bytes) -> bool:
        if not self._writable:
            return super().delete(key)
        raise TemporaryLookupError(APPLICATION_ERROR)

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        raise TemporaryLookupError(APPLICATION_ERROR)
