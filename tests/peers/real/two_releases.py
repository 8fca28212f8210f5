"""Postfix 3.7 of this machine and Postfix 3.10 of Debian 13 side by side, with the same main.cf.

`make upgrade-peers` unpacks the new one below build/; it runs with that directory as its root. An instance lies there,
and has the same name outside, by a symbolic link.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .postfix import MASTER_CF, PrivatePostfix, public_directory

NEW_ROOT = Path(__file__).parents[3] / "build/peers/debian13"
NEEDED = "needs Debian 13's Postfix (make upgrade-peers)"


def is_there() -> bool:
    """Return True if the new Postfix is unpacked, and may be run."""
    return os.geteuid() == 0 and (NEW_ROOT / "usr/sbin/postconf").exists()


def in_new_root(*command: object) -> list[str]:
    """Return the command that runs another one with the root directory of Debian 13."""
    return ["chroot", str(NEW_ROOT), *map(str, command)]


@dataclass
class Release:
    """One of the two; `postfix` is an instance of it."""

    postfix: PrivatePostfix
    is_new: bool

    def run(self, *command: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of this release."""
        full = in_new_root(*command) if self.is_new else list(map(str, command))
        return subprocess.run(full, input=stdin, capture_output=True, text=True, timeout=60, cwd="/")

    def start(self) -> None:
        self.postfix.start(in_new_root if self.is_new else None)

    @property
    def ports(self) -> dict[str, int]:
        return self.postfix.ports


@contextmanager
def two_releases(
    settings: Mapping[str, str], master_cf: str = MASTER_CF, *, started: bool = True
) -> Iterator[Sequence[Release]]:
    """Yield an instance of the old and one of the new release."""
    with ExitStack() as stack:
        old = Release(PrivatePostfix(stack.enter_context(public_directory()) / "i", settings, master_cf), is_new=False)
        new = Release(PrivatePostfix(stack.enter_context(_directory_in_new_root()) / "i", settings, master_cf), True)
        for each in (old, new):
            if started:
                each.start()
                stack.callback(each.postfix.stop)
        yield old, new


@contextmanager
def _directory_in_new_root() -> Iterator[Path]:
    inside = Path(tempfile.mkdtemp(prefix="tlsproxy-test-", dir=NEW_ROOT / "tmp"))
    inside.chmod(0o755)
    link = Path("/tmp") / inside.name
    link.symlink_to(inside)
    try:
        yield link
    finally:
        link.unlink()
        shutil.rmtree(inside)
