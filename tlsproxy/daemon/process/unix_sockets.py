"""UNIX sockets in directories of other accounts: made with their mode, removed as the directory's owner."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from postconf.files.ownership import as_owner_of


def bind_with_mode(listener: socket.socket, path: Path, mode: int) -> None:
    """Bind a socket that has its mode from the first moment on: a later chmod would follow a symbolic link."""
    old_mask = os.umask(0o777 & ~mode)
    try:
        listener.bind(str(path))
    finally:
        os.umask(old_mask)


def remove(path: Path, inode: int) -> None:
    """Remove a socket if it is still the one with this inode."""
    with suppress(OSError), as_owner_of(path.parent):
        if path.lstat().st_ino == inode:
            path.unlink()


def is_for_root_alone(directory: Path) -> bool:
    """Return True if this process is root's and no other account can change the entries of a directory."""
    found = directory.stat()
    return os.geteuid() == 0 and found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
