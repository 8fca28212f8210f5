"""Replace a file as a whole: locked against other editors, atomically, as the owner of its directory.

The protocol is that of Postfix's own commands (edit_file(3)), so that we wait for them and they for us: who holds the
lock on `FILE.tmp` may write there and rename it. Whenever a process is killed, FILE is the old one or the new one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import ExitStack, suppress

from .errors import ConfigError
from .ownership import as_owner_of
from .regular_file import read_file
from .syntax.lines import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

SUFFIX = ".tmp"
_BUFFER = 1 << 20


class Replacement:
    """`path`.tmp, locked and empty; `commit` puts it in the place of `path`, `abandon` removes it.

    A process that dies in between leaves `path` as it was, and a .tmp file that the next writer takes over.
    """

    def __init__(self, path: str, mode: int = 0o644) -> None:
        """Wait for other writers; raise OSError. `mode`: that of a new file, before umask(2)."""
        self._path = path
        self._temporary = path + SUFFIX
        while (descriptor := self._lock(mode)) < 0:
            pass
        self.file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=_BUFFER)

    def _lock(self, mode: int) -> int:
        """Open and lock the temporary file; -1 if it is another one meanwhile, or not fit for use and removed."""
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._temporary, flags, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            ours = os.fstat(descriptor)
            with suppress(FileNotFoundError):  # the writer before may have renamed or removed it
                if os.path.samestat(os.lstat(self._temporary), ours):
                    # A second name may be that of a file which is not ours to empty; a crash may have left it, too.
                    if stat.S_ISREG(ours.st_mode) and ours.st_nlink == 1:
                        os.ftruncate(descriptor, 0)
                        return descriptor
                    os.unlink(self._temporary)  # noqa: PTH108
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return -1

    def copy_attributes(self) -> None:
        """Take over the owner, mode, access control lists and security labels of `path`; raise OSError."""
        descriptor = self.file.fileno()
        original, ours = os.stat(self._path), os.fstat(descriptor)  # noqa: PTH116
        if (original.st_uid, original.st_gid) != (ours.st_uid, ours.st_gid):
            os.fchown(descriptor, original.st_uid, original.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(original.st_mode))
        for name in os.listxattr(self._path):
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(self._path, name))

    def commit(self) -> None:
        """Make it the file, durably; raise OSError, and then leave things as they were."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            os.rename(self._temporary, self._path)  # noqa: PTH104
        except OSError:
            self.abandon()
            raise
        self.file.close()
        with suppress(OSError):  # a directory that may not be read; the file is in its place
            directory = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH120
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def abandon(self) -> None:
        """Remove it, unless that or `commit` was done."""
        if self.file.closed:
            return
        with suppress(OSError):
            if os.path.samestat(os.lstat(self._temporary), os.fstat(self.file.fileno())):
                os.unlink(self._temporary)  # noqa: PTH108
        with suppress(OSError):  # what is still buffered has nowhere to go
            self.file.close()


class LockedFile:
    """A file that no other process edits meanwhile: `with LockedFile(path) as file: file.replace(change(file.read()))`.

    In between, root has the rights of the directory's owner only. All failures are `ConfigError`s in Postfix's words;
    then, and without `replace`, the file stays as it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._rights = ExitStack()
        self._unreadable: ConfigError | None = None

    def __enter__(self) -> LockedFile:
        try:
            self._rights.enter_context(as_owner_of(os.path.dirname(self.path)))  # noqa: PTH120
            self._target = os.path.realpath(self.path)
            self._rights.enter_context(as_owner_of(os.path.dirname(self._target)))  # noqa: PTH120
            self._replacement = Replacement(self._target, stat.S_IRUSR | stat.S_IWUSR)
        except OSError as error:
            self._rights.close()
            raise ConfigError(f"open {self.path}{SUFFIX}: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._replacement.abandon()
        self._rights.close()

    def read(self) -> str:
        """Return the text of the file. Raise `ConfigError`."""
        try:
            return read_file(self._target)
        except IsADirectoryError as error:
            # Postfix notices at the end of its work.
            self._unreadable = ConfigError(f"read {self.path}: {error.strerror}")
            return ""
        except OSError as error:
            raise ConfigError(f"open {self.path} for reading: {error.strerror}") from None

    def replace(self, text: str) -> None:
        """Make this the file. Raise `ConfigError`."""
        if self._unreadable:
            raise self._unreadable
        try:
            self._replacement.file.write(encode(text))
            self._replacement.copy_attributes()
            self._replacement.commit()
        except OSError as error:
            raise ConfigError(f"close {self.path}{SUFFIX}: {error.strerror}") from None
