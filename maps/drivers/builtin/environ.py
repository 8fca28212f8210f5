"""environ: environment variables."""

from __future__ import annotations

import os

from ...table import Flags, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Return the environment; the name is ignored."""
    return Environment("environ", name, access.flags | Flags.FIXED)


class Environment(Table):
    """Environment of the process; empty in a program with more privileges than its caller."""

    def lookup(self, key: bytes) -> bytes | None:
        return os.environb.get(key) if os.getuid() == os.geteuid() and os.getgid() == os.getegid() else None

    def update(self, key: bytes, value: bytes) -> bool:
        os.environb[key] = value
        return True
