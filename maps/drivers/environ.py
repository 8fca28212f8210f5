"""environ: the variables of the environment."""

from __future__ import annotations

import os

from ..table import Flags, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..table import Access


def open_table(name: str, access: Access) -> Table:
    """Return the environment; its name means nothing."""
    return Environment("environ", name, access.flags | Flags.FIXED)


class Environment(Table):
    """The environment of the process; a program that runs with more privileges than its caller sees none."""

    def lookup(self, key: bytes) -> bytes | None:
        return os.environb.get(key) if os.getuid() == os.geteuid() and os.getgid() == os.getegid() else None

    def update(self, key: bytes, value: bytes) -> bool:
        os.environb[key] = value
        return True
