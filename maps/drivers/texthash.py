"""texthash: what postmap(1) would make a table from, read when the table is opened."""

from __future__ import annotations

import time

from postconf.syntax.lines import decode

from .. import file_values
from ..formats.indexed import reason
from ..memory import MemoryTable, stored_key
from ..table import Flags, OpenError, TableError, require_reading
from ..text.reading import TextFile
from ..text.source import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..table import Access, Table

PAUSE = 0.3
"""Seconds before a file that may be changing is read again."""


def open_table(name: str, access: Access) -> Table:
    """Read a file; again, as long as it was changed less than two seconds before."""
    require_reading("texthash", name, access)
    before = int(time.time())
    while True:
        lines, changed = _read(name)
        table = _load(name, lines, access)
        after = int(time.time())
        if not before - 1 <= changed <= after:
            return table
        time.sleep(PAUSE)
        before = after


def _read(name: str) -> tuple[list[bytes], int]:
    """Return the lines of the file, and when it was changed, in seconds."""
    try:
        file = TextFile(name)
    except OSError as error:
        raise OpenError(f"open database {name}: {reason(error)}") from error
    if file.error:
        raise TableError(f"read {name}: {reason(file.error)}") from file.error
    return file.data.split(b"\n"), int(file.status.st_mtime)


def _load(name: str, lines: list[bytes], access: Access) -> MemoryTable:
    table = MemoryTable("texthash", name, access)
    for record in records(lines, name, access.warn, utf8=access.utf8, ignoring=" -- ignoring this line"):
        place = f"{name}, line {record.line}"
        try:
            value = file_values.resolve(record.value, access)
        except file_values.BadFiles as error:
            access.warn(f"{place}: {error}: skipping this entry")
            continue
        key = stored_key(record.key, access)
        if table.lookup(key) is None or access.flags & Flags.DUP_REPLACE:
            table.update(key, value)
        elif not access.flags & Flags.DUP_IGNORE:
            problem = f'{place}: duplicate entry: "{decode(record.key)}"'
            if not access.flags & Flags.DUP_WARN:
                raise OpenError(problem)
            access.warn(problem)
    return table
