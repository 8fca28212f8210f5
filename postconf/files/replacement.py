"""Atomic file replacement, locked against other editors, with the rights of the directory's owner.

The protocol is that of Postfix's own commands (edit_file(3)), so that both wait for each other: the process that
holds the lock on `FILE.tmp` may write it and rename it. If a process is killed, FILE is the old or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import ExitStack, contextmanager, suppress

from ..errors import ConfigError
from ..syntax.lines import encode
from .ownership import as_owner_of
from .regular import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO, NoReturn

SUFFIX = ".tmp"
_BUFFER = 1 << 20


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Let SIGHUP and SIGTERM end the process as an exception, so that the temporary file is removed."""
    import signal  # some commands need it only here

    def end(number: int, _frame: object) -> NoReturn:
        raise SystemExit(-number)  # `running` ends the process by the signal

    changed = []
    with suppress(ValueError):  # not the main thread, which alone handles signals
        for number in (signal.SIGHUP, signal.SIGTERM):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


class FileReplacement:
    """`path`.tmp, locked and empty; `commit` renames it to `path`, `abandon` removes it.

    A process that dies in between leaves `path` unchanged, and a .tmp file that the next writer reuses.
    """

    def __init__(self, path: str, mode: int = 0o644) -> None:
        """Wait for other writers; raise OSError. `mode`: that of a new file, before umask(2)."""
        self._path = path
        self._temporary = path + SUFFIX
        while (descriptor := self._lock(mode)) < 0:
            pass
        self.file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=_BUFFER)

    def _lock(self, mode: int) -> int:
        """Open and lock the temporary file; return -1 if it was replaced meanwhile, or was unusable and is removed."""
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._temporary, flags, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            ours = os.fstat(descriptor)
            with suppress(FileNotFoundError):  # the previous writer may have renamed or removed it
                if os.path.samestat(os.lstat(self._temporary), ours):
                    # A second hard link may name a file that must not be emptied; a crash may also have left it.
                    if stat.S_ISREG(ours.st_mode) and ours.st_nlink == 1:
                        os.ftruncate(descriptor, 0)
                        return descriptor
                    os.unlink(self._temporary)  # noqa: PTH108
        except BaseException:
            self._discard(descriptor)
            raise
        os.close(descriptor)
        return -1

    def _discard(self, descriptor: int) -> None:
        """Close a temporary file, and remove it if it is empty and nothing else has locked it."""
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(descriptor)
            if not ours.st_size and os.path.samestat(os.lstat(self._temporary), ours):
                os.unlink(self._temporary)  # noqa: PTH108
        os.close(descriptor)

    def copy_attributes(self) -> None:
        """Copy the owner, mode, access control lists and security labels of `path`; raise OSError."""
        descriptor = self.file.fileno()
        original, ours = os.stat(self._path), os.fstat(descriptor)  # noqa: PTH116
        if (original.st_uid, original.st_gid) != (ours.st_uid, ours.st_gid):
            os.fchown(descriptor, original.st_uid, original.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(original.st_mode))
        for name in _attributes(self._path):
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(self._path, name))

    def commit(self) -> None:
        """Rename it to the file, durably. Raise OSError; the file is unchanged then."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            os.rename(self._temporary, self._path)  # noqa: PTH104
        except OSError:
            self.abandon()
            raise
        self.file.close()
        with suppress(OSError):  # an unreadable directory; the rename is done
            directory = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH120
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def abandon(self) -> None:
        """Remove the temporary file, unless `commit` or `abandon` was called."""
        if self.file.closed:
            return
        with suppress(OSError):
            if os.path.samestat(os.lstat(self._temporary), os.fstat(self.file.fileno())):
                os.unlink(self._temporary)  # noqa: PTH108
        with suppress(OSError):  # buffered data is discarded
            self.file.close()


def _attributes(path: str) -> list[str]:
    """Return the names of extended attributes; none on a file system that has none."""
    try:
        return os.listxattr(path)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENOSYS):
            return []
        raise


class LockedFile:
    """File locked against other editors: `with LockedFile(path) as file: file.replace(change(file.read()))`.

    In between, root has only the rights of the directory's owner. Failures raise `ConfigError` with Postfix's message;
    then, and without `replace`, the file is unchanged.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._rights = ExitStack()
        self._unreadable: ConfigError | None = None

    def __enter__(self) -> LockedFile:
        try:
            self._rights.enter_context(_signals_as_exceptions())
            self._rights.enter_context(as_owner_of(os.path.dirname(self.path)))  # noqa: PTH120
            self._target = os.path.realpath(self.path)
            self._rights.enter_context(as_owner_of(os.path.dirname(self._target)))  # noqa: PTH120
            self._replacement = FileReplacement(self._target, stat.S_IRUSR | stat.S_IWUSR)
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
            # Postfix reports this only at its end.
            self._unreadable = ConfigError(f"read {self.path}: {error.strerror}")
            return ""
        except OSError as error:
            raise ConfigError(f"open {self.path} for reading: {error.strerror}") from None

    def replace(self, text: str) -> None:
        """Replace the file by this text. Raise `ConfigError`."""
        if self._unreadable:
            raise self._unreadable
        try:
            self._replacement.file.write(encode(text))
            self._replacement.copy_attributes()
            self._replacement.commit()
        except OSError as error:
            raise ConfigError(f"close {self.path}{SUFFIX}: {error.strerror}") from None
