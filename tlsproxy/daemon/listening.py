"""The socket that local peers connect to, where master(8) has not made it: its place, owner and mode."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from pathlib import Path

from ..log import Fatal

_BACKLOG = 1024
SOCKET_MODE = 0o666
"""As master(8) has it: who may connect is decided by the directory that the socket is in."""


def bind(path: Path, owner: pwd.struct_passwd | None, mode: int = SOCKET_MODE) -> socket.socket:
    """Make the UNIX socket; one that nobody listens on any more is replaced. Raise `Fatal`.

    `owner` is who it is to belong to; None: this process.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        # Nobody may connect before owner and mode are right.
        old_mask = os.umask(0o777)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old_mask)
        listener.listen(_BACKLOG)
        if owner is not None:
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
        path.chmod(mode)
    except OSError as error:
        listener.close()
        raise Fatal(f"can't listen on {path}: {error.strerror or error}") from None
    return listener


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Fatal(f"can't listen on {path}: there is something that is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise Fatal(f"can't listen on {path}: another process does")
