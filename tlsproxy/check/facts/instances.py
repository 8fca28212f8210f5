"""Postfix instances of one machine: those that main.cf names in multi_instance_directories, as configurations.

Where copies are checked, an instance is the directory beside this one with the same name, if the run has it, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from postconf.files.regular import read_regular
from postconf.syntax.lines import decode

from ..context import Context, words_of
from ..text.sources import MOST_CHARACTERS, MainFile, MasterFile


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance that main.cf names."""

    directory: str
    """The name in multi_instance_directories."""
    context: Context | None
    """Its configuration; None if there is no main.cf."""


def instances_of(context: Context) -> Iterator[Instance]:
    """Yield the instances in multi_instance_directories, each once, without those that this user may not read.

    All of them together may be as long as one file, and expand to no more than one configuration.
    """
    here = os.path.abspath(context.main.path.rpartition("/")[0])  # noqa: PTH100  names may have any bytes
    left = MOST_CHARACTERS
    for directory in dict.fromkeys(words_of(context.value("multi_instance_directories"))):
        name = directory.rstrip("/").rpartition("/")[2]
        path = context.options.directories.get(f"{here.rpartition('/')[0]}/{name}") or context.files.outside(directory)
        is_copy = path != context.files.outside(directory)
        if os.path.abspath(path) == here or not (is_copy or context.files.enabled):  # noqa: PTH100
            continue
        if not directory.startswith("/"):
            continue  # every program is fatal, which V006 reports
        try:
            main = _read(context, f"{path.rstrip('/')}/main.cf")
            master = _read(context, f"{path.rstrip('/')}/master.cf")
        except (OSError, ValueError):
            continue
        left -= len(main or "") + len(master or "")
        if left < 0:
            return
        if main is None:
            yield Instance(directory, None)
            continue
        other = Context(
            MainFile(f"{path.rstrip('/')}/main.cf", main),
            MasterFile(f"{path.rstrip('/')}/master.cf", master) if master is not None else None,
            context.release,
            context.files,
            replace(context.options, directory=directory),
        )
        other.config.budget = context.config.budget
        yield Instance(directory, other)


def _read(context: Context, path: str) -> str | None:
    """Return the text of a file by its name on this machine; None if there is no such file."""
    try:
        return decode(read_regular(context.files.locate_outside(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
