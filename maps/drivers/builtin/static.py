"""static: one value for every key."""

from __future__ import annotations

from postconf.syntax.lines import SPACE, encode

from ... import file_values
from ...naming import BracesError, in_braces
from ...table import Flags, OpenError, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Return a table whose value is `name`, without braces."""
    try:
        value = in_braces(name).strip(SPACE) if name.startswith("{") else name
        return StaticTable(name, file_values.resolve(encode(value), access), access)
    except BracesError as error:
        raise OpenError(f"bad static:name syntax: {error}") from error
    except file_values.FileValueError as error:
        raise OpenError(str(error)) from error


class StaticTable(Table):
    """Table with one answer."""

    def __init__(self, name: str, value: bytes, access: Access) -> None:
        super().__init__("static", name, access.flags | Flags.FIXED)
        self._value = value

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        return self._value
