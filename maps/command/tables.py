"""Tables of one run of postmap(1): the parts that its operations share.

Opens tables with the flags of the command line, looks up keys, and prints, with Postfix's warnings and errors.
"""

from __future__ import annotations

import os

from postconf.syntax.lines import decode

from ..formats.indexed import text
from ..registry import BUILDABLE, open_table, prepare_to_build
from ..table import Access, ConfigurationLookupError, Flags, Mode, Table, TableError, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from postconf.config import Config
    from postconf.program.output import Output

    from ..folding import WrappedTable
    from .diagnostics import Diagnostics
    from .usage import PostmapUsage

_BATCH = 1 << 22
"""Size of a batch of keys in bytes."""


class CommandTables:
    """The tables of a command line."""

    def __init__(self, usage: PostmapUsage, config: Config, diagnostics: Diagnostics, output: Output) -> None:
        """Raise `TableError` for an empty default_database_type."""
        self.usage = usage
        self.config = config
        self.diagnostics = diagnostics
        self.warn = diagnostics.warn
        self._output = output
        self._default_type = config["default_database_type"]
        if not self._default_type:
            raise TableError("bad string length 0 < 1: default_database_type = ")

    def access(self, mode: Mode) -> Access:
        """Return the access with the flags of the command line; a table is locked unless it is built."""
        flags = self.usage.flags if mode in (Mode.BUILD, Mode.ADD) else self.usage.flags | Flags.LOCK
        return Access(mode, flags, config=self.config, warn=self.warn)

    def rights(self, operand: str) -> AbstractContextManager[object]:
        """Switch root's rights to the owner of a table's directory during a change; not with -o."""
        from contextlib import nullcontext

        kind, _, path = self.full_name(operand).partition(":")
        directory = os.path.dirname(path) or "."  # noqa: PTH120
        if "o" in self.usage or kind not in BUILDABLE or not os.path.isdir(directory):  # noqa: PTH112
            return nullcontext()
        from postconf.files.ownership import as_owner_of

        prepare_to_build(self.full_name(operand), self.access(Mode.CHANGE))
        return as_owner_of(directory)

    def full_name(self, operand: str) -> str:
        """Return `type:name`, by default with default_database_type."""
        return operand if ":" in operand else f"{self._default_type}:{operand}"

    def open(self, operand: str, mode: Mode = Mode.READ) -> WrappedTable:
        """Open the table of an operand; raise `TableError`."""
        return open_table(self.full_name(operand), self.access(mode))

    def lookup(self, table: Table, key: bytes, files: bool, reason: str = "") -> bytes | None:
        """Look up a key; decode a value that has the content of files.

        `reason`: message for an invalid value; Postfix has one for keys from a message.
        """
        name = f"table {table.type}:{table.name}"
        try:
            value = table.lookup(key)
        except ConfigurationLookupError:
            raise TableError(f"{name}: query error{reason}") from None
        except TemporaryLookupError as error:
            raise TableError(f"{name}: query error: {error}") from None
        return self.decoded(table, key, value) if files and value is not None else value

    def decoded(self, table: Table, key: bytes, value: bytes) -> bytes:
        """Return the content of files from a value; warn of a bad one, and raise `TableError`."""
        from ..file_values import FileValueError
        from ..file_values import decode as content

        try:
            return content(value)
        except FileValueError as error:
            name = f"table {table.type}:{table.name}"
            self.warn(f"{name}: key {decode(key)}: {error}")
            raise TableError(f"{name}: query error") from None

    def warn_if_empty(self, name: str, key: bytes, value: bytes) -> None:
        """Warn of an empty value, as Postfix does; the key has been found all the same."""
        if not value:
            self.warn(f"table {name}: key {decode(key)}: empty string result is not allowed")
            self.warn(f"table {name} should return NO RESULT in case of NOT FOUND")

    def print(self, line: bytes) -> None:
        """Write a line."""
        self._output.write(line + b"\n")


def batches() -> Iterator[list[bytes]]:
    """Yield the lines of standard input, each up to its newline or a NUL, in batches."""
    with os.fdopen(0, "rb", closefd=False) as source:
        while data := source.read(_BATCH):
            if not data.endswith(b"\n"):
                data += source.readline()
            lines = data.removesuffix(b"\n").split(b"\n")
            yield [text(line) for line in lines] if b"\0" in data else lines
