"""Common parts of the indexed file types: trailing NUL bytes, files older than their source, error texts."""

from __future__ import annotations

import os
import time

from ..table import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import Access

NUL = b"\0"
RECENT = 100
"""Seconds after which a source that is newer than its table is worth a warning."""


def suffixes(flags: Flags, default: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return the endings of keys in the file, in the order to try them: nothing, a NUL byte, or both."""
    chosen = tuple(end for flag, end in ((Flags.TRY1NULL, NUL), (Flags.TRY0NULL, b"")) if flags & flag)
    return chosen or default


def text(stored: bytes) -> bytes:
    """Return a stored key or value as C programs see it: up to the first NUL."""
    return stored.partition(NUL)[0]


def texts(stored: list[bytes | None]) -> list[bytes | None]:
    """Return stored values as `text` does."""
    return [value if value is None else value.partition(NUL)[0] for value in stored]


def add_new(entries: dict[bytes, bytes], more: Sequence[tuple[bytes, bytes]], suffix: bytes) -> bool:
    """Add entries as they are to be stored, if all their keys are new and not empty; else return False."""
    new = {key + suffix: value + suffix for key, value in more}
    if len(new) != len(more) or suffix in new or not entries.keys().isdisjoint(new):
        return False
    entries.update(new)
    return True


def reason(error: OSError) -> str:
    """Return the reason of an error: its own text, or that of strerror(3)."""
    return error.strerror or os.strerror(error.errno or 0)


def warn_if_older(access: Access, path: str, source: str, changed: float) -> None:
    """Warn when the source of table `path`, which was last changed at `changed`, has been edited since."""
    try:
        edited = int(os.stat(source).st_mtime)  # noqa: PTH116  commands start without pathlib
    except OSError:
        return
    if int(changed) < edited < int(time.time()) - RECENT:
        access.warn(f"database {path} is older than source file {source}")


def warn_of_duplicate(access: Access, name: str, key: bytes) -> None:
    """Warn that `key` is there already, unless the flags want silence; `name` is the table's."""
    if not access.flags & Flags.DUP_IGNORE:
        access.warn(f'{name}: duplicate entry: "{os.fsdecode(key)}"')
