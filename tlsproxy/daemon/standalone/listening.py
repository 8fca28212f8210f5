"""The socket that local peers connect to, where master(8) has not made it: its place, owner and mode."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from contextlib import suppress
from pathlib import Path

from ...log import Fatal

_BACKLOG = 1024
SOCKET_MODE = 0o666
"""As master(8) has it: who may connect is decided by the directory that the socket is in."""


class Listener:
    """A socket that listens, and its place in the file system if that is ours to give up."""

    def __init__(self, listening: socket.socket, path: Path | None = None) -> None:
        self.socket = listening
        self._path = path
        self._inode = path.stat().st_ino if path else 0

    def close(self) -> None:
        """Listen no more; where another socket has taken the place, leave that alone."""
        self.socket.close()
        path, self._path = self._path, None
        with suppress(OSError):
            if path and path.stat().st_ino == self._inode:
                path.unlink()


def bind(path: Path, owner: pwd.struct_passwd | None, mode: int = SOCKET_MODE) -> Listener:
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
        return Listener(listener, path)
    except OSError as error:
        listener.close()
        raise Fatal(f"can't listen on {path}: {error.strerror or error}") from None


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
