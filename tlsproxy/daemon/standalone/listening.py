"""The socket that local peers connect to, where master(8) has not made it: its place, owner and mode.

The directory belongs to another account as a rule (queue/private to mail_owner). Changes in it are made with the
rights of that account, as in master(8).
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
from pathlib import Path

from postconf.files.ownership import as_owner_of

from ...log import FatalError
from ..process.unix_sockets import bind_with_mode, is_for_root_alone, remove

_BACKLOG = 1024
SOCKET_MODE = 0o666
"""The mode that master(8) uses: the permissions of the socket's directory restrict its clients."""


class Listener:
    """A socket that listens, and its place in the file system if that is ours to give up."""

    def __init__(self, listening: socket.socket, path: Path | None = None) -> None:
        self.socket = listening
        self._path = path
        self._inode = path.lstat().st_ino if path else 0

    def close(self) -> None:
        """Listen no more; where another socket has taken the place, leave that alone."""
        self.socket.close()
        path, self._path = self._path, None
        if path is not None:
            remove(path, self._inode)


def bind(path: Path, owner: pwd.struct_passwd | None, mode: int = SOCKET_MODE) -> Listener:
    """Bind the UNIX socket; replace a stale one. Raise `FatalError`.

    `owner`: the owner of the socket in a directory of root's, None for the account of this process. In another
    directory, the socket belongs to the directory's owner.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with as_owner_of(path.parent):
            _remove_stale(path)
            bind_with_mode(listener, path, mode)
            made = Listener(listener, path)
        listener.listen(_BACKLOG)
        if owner is not None and is_for_root_alone(path.parent):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    except OSError as error:
        listener.close()
        raise FatalError(f"can't listen on {path}: {error.strerror or error}") from None
    return made


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FatalError(f"can't listen on {path}: this file is not a socket; remove it, or use another --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise FatalError(f"can't listen on {path}: another process listens there; stop it, or use another --socket")
