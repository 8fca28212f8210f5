"""randmap: one of several values for every key, chosen at random at each lookup."""

from __future__ import annotations

import random

from postconf.syntax.lines import encode

from ... import file_values
from ...naming import braced_list
from ...table import Flags, OpenError, Table, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Read the values, `{ one, two }`; a value in braces keeps its braces."""
    require_reading("randmap", name, access)
    elements = braced_list(name)
    if not elements:
        raise OpenError(f'bad syntax: "randmap:{name}"; need "randmap:{{value...}}"')
    try:
        return RandomTable(name, [file_values.resolve(encode(element), access) for element in elements], access)
    except file_values.FileValueError as error:
        raise OpenError(str(error)) from error


class RandomTable(Table):
    """Table with several answers."""

    def __init__(self, name: str, values: Sequence[bytes], access: Access) -> None:
        super().__init__("randmap", name, access.flags | Flags.PATTERN)
        self._values = values

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        return random.choice(self._values)  # noqa: S311  not a secret
