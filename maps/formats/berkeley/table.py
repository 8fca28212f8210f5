"""The tables `hash` and `btree`: Berkeley DB files with Postfix's locks, messages, and ways to cope with NUL bytes.

Readers hold a shared flock(2) lock for each lookup, and read pages with pread(2). That keeps a writer out that works in
place, as postmap(1) does. One that replaces the file (see `writing`) is noticed by the vanished link.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time

from postconf.files.regular import open_regular

from ...table import Flags, OpenError, Table, TableError, TemporaryLookupError
from ..damage import DamagedFileError
from ..indexed import NUL, reason, suffixes, text, texts, warn_if_older
from .btree_file import BtreeFile
from .hash_file import HashFile
from .pages import BTREE_MAGIC, HASH_MAGIC, META_SIZE, Meta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...table import Access

SUFFIX = ".db"
FORMATS: dict[str, tuple[int, type[HashFile] | type[BtreeFile]]] = {
    "hash": (HASH_MAGIC, HashFile),
    "btree": (BTREE_MAGIC, BtreeFile),
}
SETTLED = 50_000_000
"""Nanoseconds after which another change of a file will show in its modification time."""


def open_file(kind: str, descriptor: int) -> HashFile | BtreeFile:
    """Return the entries of an open file. Raise `DamagedFileError` for another kind of file, and OSError."""
    magic, reader = FORMATS[kind]
    meta = Meta(os.pread(descriptor, META_SIZE, 0), os.fstat(descriptor).st_size)
    if meta.magic != magic:
        raise DamagedFileError("another kind of file")
    return reader(descriptor, meta)


def load(kind: str, descriptor: int) -> dict[bytes, bytes]:
    """Return all entries of an open file, as they are stored; raises `DamagedFileError` and OSError."""
    return dict(entry for page in open_file(kind, descriptor).items() for entry in page)


def explain(error: DamagedFileError | OSError) -> str:
    """Return the text of strerror(3) for an error, or for a file that can't be right."""
    return reason(error) if isinstance(error, OSError) else os.strerror(errno.EINVAL)


@contextlib.contextmanager
def shared_lock(descriptor: int, wanted: bool) -> Iterator[None]:
    """Hold the lock of a reader, if `wanted`."""
    if wanted:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        yield
    finally:
        if wanted:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


class BerkeleyTable(Table):
    """An open file, for lookups; a file that is changed or replaced is noticed at the next one."""

    def __init__(self, kind: str, source: str, access: Access, open_flags: int = os.O_RDONLY) -> None:
        """`source` is the file that the table was made from, its name without suffix."""
        super().__init__(kind, source + SUFFIX, access.flags | Flags.FIXED)
        self._locking = bool(access.flags & Flags.LOCK)
        self._suffixes = suffixes(access.flags, (NUL, b""))
        self._open_flags = open_flags
        self._state: tuple[int, int, int] | None = None
        self._settled = False
        try:
            self._descriptor = open_regular(self.name, self._open_flags)
        except OSError as error:
            raise self.open_error(error) from error
        try:
            with shared_lock(self._descriptor, self._locking):
                self._current()
                status = os.fstat(self._descriptor)
        except (DamagedFileError, OSError) as error:
            os.close(self._descriptor)
            raise self.open_error(error) from error
        self._opened = (status.st_ino, status.st_mtime_ns)
        if self._locking:
            warn_if_older(access, self.name, source, status.st_mtime)

    def open_error(self, error: DamagedFileError | OSError) -> OpenError:
        """Return the exception for a file that can't be opened."""
        return OpenError(f"open database {self.name}: {explain(error)}")

    def lookup(self, key: bytes) -> bytes | None:
        with self._errors("reading"), shared_lock(self._descriptor, self._locking):
            return self._lookup(self._current(), key)

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = []
        with self._errors("reading"), shared_lock(self._descriptor, self._locking):
            file = self._current()
            while len(self._suffixes) > 1 and len(values) < len(keys):
                values.append(self._lookup(file, keys[len(values)]))
            stored = file.get_many([key + self._suffixes[0] for key in keys[len(values) :]])
        return values + texts(stored)

    def _lookup(self, file: HashFile | BtreeFile, key: bytes) -> bytes | None:
        for suffix in self._suffixes:
            value = file.get(key + suffix)
            if value is not None:
                self._suffixes = (suffix,)
                return text(value)
        return None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        with self._errors("seeking"):
            # A descriptor of its own: a file that is replaced meanwhile is listed to its end.
            descriptor = open_regular(self.name)
            try:
                with shared_lock(descriptor, self._locking):
                    pages = open_file(self.type, descriptor).items()
                    before = _state(os.fstat(descriptor))
                while True:
                    with shared_lock(descriptor, self._locking):
                        if _state(os.fstat(descriptor)) != before:
                            raise TemporaryLookupError("the file was changed while it was listed")
                        page = next(pages, None)
                    if page is None:
                        return
                    for key, value in page:
                        yield text(key), text(value)
            finally:
                os.close(descriptor)

    def changed(self) -> bool:
        status = os.fstat(self._descriptor)
        return status.st_nlink == 0 or (status.st_ino, status.st_mtime_ns) != self._opened

    def close(self) -> None:
        os.close(self._descriptor)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (DamagedFileError, OSError) as error:
            raise TableError(f"error {doing} {self.name}: {explain(error)}") from error

    def _current(self) -> HashFile | BtreeFile:
        """Return the file's entries; an unchanged file is not read again."""
        status = os.fstat(self._descriptor)
        while status.st_nlink == 0 and self._follow():
            status = os.fstat(self._descriptor)
        state = _state(status)
        if state != self._state or not self._settled:
            self._file = open_file(self.type, self._descriptor)
            self._state = state
            self._settled = time.time_ns() - status.st_mtime_ns > SETTLED
        return self._file

    def _follow(self) -> bool:
        """Open the file that has replaced the open one; return False if this process can't.

        A daemon without privileges may not be allowed to open it, and continues with the old one.
        """
        try:
            descriptor = open_regular(self.name, self._open_flags)
        except OSError:
            return False
        os.dup2(descriptor, self._descriptor, inheritable=False)
        os.close(descriptor)
        if self._locking:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return True


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
