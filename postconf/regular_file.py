"""Files that a configuration or a request names, read without trust: regular files only, never waited for, bounded.

A name may lead to a FIFO, a device or a terminal, which a daemon would wait for while its other sessions stand still.
A file system that hangs (NFS) holds up even open(2); nothing in a process can prevent that.
"""

from __future__ import annotations

import errno
import os
import stat

from .syntax.lines import decode, encode

LIMIT = 16 << 20
"""Bytes of a file; those with the authorities that a system trusts have a quarter of a MiB."""


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """Open a regular file, with `flags` as open(2) has them, and return its descriptor.

    Raises OSError: IsADirectoryError for a directory, EINVAL for a FIFO, a socket, or a device.
    """
    try:
        descriptor = os.open(encode(path), flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        error.filename = path  # as it was given: errors are shown to people
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "Not a regular file", path)


def is_refused(path: str) -> bool:
    """True if there is something by this name that `read_regular` refuses: a library must not be given it."""
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


def read_file(path: str) -> str:
    """Read a regular file as text that can be turned back into its bytes; raise OSError."""
    # Not pathlib: commands read two files and are done.
    with open(path, "rb", opener=open_regular) as file:
        return decode(file.read())


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
