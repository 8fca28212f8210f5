"""Replace a file as a whole: locked against other editors, atomically, with its owner, mode and symbolic link.

The protocol is that of Postfix's own commands (edit_file(3)), so that we wait for them and they for us: who holds the
lock on `FILE.tmp` may write there and rename it. Whenever a process is killed, FILE is the old one or the new one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from .errors import ConfigError
from .syntax.lines import encode, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class LockedFile:
    """A file that nobody else edits meanwhile: `with LockedFile(path) as file: file.replace(change(file.read()))`.

    All failures are `ConfigError`s in Postfix's words; then, and without `replace`, the file stays as it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._target = os.path.realpath(path)
        self._temporary = f"{self._target}.tmp"
        self._unreadable: ConfigError | None = None

    def __enter__(self) -> LockedFile:
        try:
            while not self._acquire():
                pass
        except OSError as error:
            raise ConfigError(f"open {self.path}.tmp: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(FileNotFoundError):  # it is gone if it has become the file
            if os.path.samestat(os.stat(self._temporary), os.fstat(self._descriptor)):  # noqa: PTH116
                os.unlink(self._temporary)  # noqa: PTH108
        os.close(self._descriptor)

    def read(self) -> str:
        """The text of the file. Raise `ConfigError`."""
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
            with open(self._descriptor, "wb", closefd=False) as file:
                file.write(encode(text))
            self._copy_attributes()
            os.fsync(self._descriptor)
            os.rename(self._temporary, self._target)  # noqa: PTH104
            directory = os.open(os.path.dirname(self._target), os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH120
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise ConfigError(f"close {self.path}.tmp: {error.strerror}") from None

    def _acquire(self) -> bool:
        """Open and lock the temporary file; False if it is another one meanwhile, or not fit for use and removed."""
        self._descriptor = os.open(
            self._temporary, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, stat.S_IRUSR | stat.S_IWUSR
        )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            ours = os.fstat(self._descriptor)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(self._temporary), ours):
                    if stat.S_ISREG(ours.st_mode) and ours.st_nlink == 1:
                        os.ftruncate(self._descriptor, 0)
                        return True
                    os.unlink(self._temporary)  # noqa: PTH108  a crash may have left it under both names
        except BaseException:
            os.close(self._descriptor)
            raise
        os.close(self._descriptor)
        return False

    def _copy_attributes(self) -> None:
        original = os.stat(self._target)  # noqa: PTH116
        ours = os.fstat(self._descriptor)
        if (original.st_uid, original.st_gid) != (ours.st_uid, ours.st_gid):
            os.fchown(self._descriptor, original.st_uid, original.st_gid)
        os.fchmod(self._descriptor, stat.S_IMODE(original.st_mode))
        for name in os.listxattr(self._target):  # access control lists, security labels
            with suppress(OSError):
                os.setxattr(self._descriptor, name, os.getxattr(self._target, name))
