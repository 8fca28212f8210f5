"""Tables that combine other tables, named in braces: `{ type:name, type:name }`."""

from __future__ import annotations

import re
from contextlib import ExitStack

from .naming import braced_list
from .registry import open_table
from .table import Flags, OpenError, Table, require_reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .table import Access


MAX_DEPTH = 50
"""Levels of braces in a name; Postfix has no limit."""


class CompoundTable(Table):
    """Table of open tables; the first one determines FIXED or PATTERN."""

    members_fold = True

    def __init__(self, kind: str, name: str, access: Access) -> None:
        require_reading(kind, name, access)
        if _depth(name) > MAX_DEPTH:
            raise OpenError(f"{kind}: tables are nested more than {MAX_DEPTH} levels deep")
        names = braced_list(name)
        bad = OpenError(f'bad syntax: "{kind}:{name}"; need "{kind}:{{type:name...}}"')
        if not names:
            raise bad
        self.tables: list[Table] = []
        with ExitStack() as opened:
            for each in names:
                if ":" not in each:
                    raise bad
                self.tables.append(opened.enter_context(open_table(each, access)))
            opened.pop_all()
        super().__init__(kind, name, access.flags | self.tables[0].flags & (Flags.FIXED | Flags.PATTERN))

    def changed(self) -> bool:
        return any(table.changed() for table in self.tables)

    def close(self) -> None:
        for table in self.tables:
            table.close()


def _depth(name: str) -> int:
    """Return the number of levels of braces in a name."""
    depth = deepest = 0
    for brace in re.findall("[{}]", name):
        depth += 1 if brace == "{" else -1
        deepest = max(deepest, depth)
    return deepest
