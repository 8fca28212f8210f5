"""Untrusted files of a configuration or a request: regular files only, opened without blocking, of limited size.

A name may refer to a FIFO, a device or a terminal, which would block a daemon and all its sessions. A hung file system
(NFS) blocks even open(2); a process can't prevent that.
"""

from __future__ import annotations

import errno
import os
import stat

from ..syntax.lines import decode, encode

LIMIT = 16 << 20
"""Maximum file size in bytes; a system's file of trusted authorities has a quarter of a MiB."""


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file, with `flags` as open(2) has them, and return its descriptor.

    Raises OSError: IsADirectoryError for a directory, EINVAL for a FIFO, a socket, or a device.
    """
    try:
        descriptor = os.open(encode(path), flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        error.filename = path  # as given, for error messages
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "Not a regular file", path)


def is_refused(path: str) -> bool:
    """Return True if `read_regular` refuses this file; a library must not open it then."""
    try:
        descriptor = open_regular(path)
    except IsADirectoryError:
        return False
    except OSError as error:
        return error.errno == errno.EINVAL
    try:
        return os.fstat(descriptor).st_size > LIMIT
    finally:
        os.close(descriptor)


def read_file(path: str, limit: int = LIMIT) -> str:
    """Read a regular file as text that encodes back to the same bytes; raise OSError as `read_regular` does."""
    return decode(read_regular(path, limit))


def read_regular(path: str, limit: int = LIMIT) -> bytes:
    """Read a regular file; raise OSError, with EFBIG for one of more than `limit` bytes."""
    descriptor = open_regular(path)
    try:
        pieces = []
        room = limit + 1
        while room > 0 and (piece := os.read(descriptor, min(room, 1 << 20))):
            pieces.append(piece)
            room -= len(piece)
    finally:
        os.close(descriptor)
    if not room:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return b"".join(pieces)
