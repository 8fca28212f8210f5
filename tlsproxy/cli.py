"""tlsproxy(8), the command: a child of master(8) when called with master's options, else a daemon of its own."""

from __future__ import annotations

import os
import sys

from .daemon.process import gc_policy
from .daemon.process.descriptors import FIRST, close_from, passed_by_systemd
from .daemon.process.signals import ignore_others


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status. `argv` is without the program's name."""
    gc_policy.start()
    arguments = sys.argv[1:] if argv is None else argv
    if _is_from_master(arguments):
        from .daemon.under_master import main as under_master

        if argv is None:
            close_from(under_master.LISTENER + 1)
        ignore_others()
        return under_master.main(arguments, os.environ)
    if argv is None:
        close_from(FIRST + passed_by_systemd(os.environ))
    from .daemon.standalone import main as standalone

    return standalone.main(arguments, os.environ)


def _is_from_master(arguments: list[str]) -> bool:
    """Return True for a command line of master(8): short options only, with `-t`, `-z` or `-u` among them.

    `-c` and `-o` alone come from a user who has forgotten the mode.
    """
    is_masters = any(each.startswith(("-t", "-z", "-u")) for each in arguments)
    return is_masters and not any(each.startswith("--") for each in arguments)
