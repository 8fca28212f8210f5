"""Write a new version of a file that nobody sees before it is complete, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

SUFFIX = ".tmp"


class Replacement:
    """`path`.tmp, locked and empty; `commit` puts it in the place of `path`, `abandon` removes it.

    A process that dies in between leaves `path` as it was, and a .tmp file that the next writer takes over.
    """

    def __init__(self, path: str) -> None:
        """Waits for other writers; raises OSError."""
        self._path = path
        self._temporary = Path(path + SUFFIX)
        self.file = self._lock()

    def _lock(self) -> BinaryIO:
        while True:
            descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            file = os.fdopen(descriptor, "r+b", buffering=1 << 20)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # Whoever had the lock before may have renamed or removed what was opened here.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), self._temporary.stat()):
                        os.ftruncate(descriptor, 0)
                        return file
            except BaseException:
                file.close()
                raise
            file.close()

    def commit(self) -> None:
        """Make it the file, durably; raises OSError and then leaves things as they were."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self._temporary.rename(self._path)
        except OSError:
            self.abandon()
            raise
        self.file.close()

    def abandon(self) -> None:
        """Remove it, unless that or `commit` was done."""
        if self.file.closed:
            return
        with contextlib.suppress(OSError):
            self._temporary.unlink()
        with contextlib.suppress(OSError):  # what is still buffered has nowhere to go
            self.file.close()
