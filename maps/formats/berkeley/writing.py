"""Writing of `hash` and `btree` files.

A file is always written as a whole, beside the old one, and renamed over it. A killed process changes nothing, and
readers of the old file continue with it. postmap(1) writes in place; its lock on the old file is held as well, so that
both programs respect each other. In a directory without write access, the old file is rewritten in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import stat
from pathlib import Path

from postconf.files.replacement import FileReplacement

from ...table import Flags, Mode, OpenError, Table, TableError
from ..damage import DamagedFileError
from ..indexed import NUL, add_new, reason, suffixes, text, warn_of_duplicate
from .btree_writer import write_btree
from .hash_writer import write_hash
from .layout import page_size
from .pages import META_SIZE
from .table import SUFFIX, BerkeleyTable, explain, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from ...table import Access

WRITERS = {"hash": write_hash, "btree": write_btree}


class Rewrite:
    """A file under its writer's lock, with the entries that it is to have."""

    def __init__(self, kind: str, path: str, warn: Callable[[str], None]) -> None:
        """Wait for readers and other writers; raises `TableError`."""
        self.entries: dict[bytes, bytes] = {}
        self._kind = kind
        self._path = path
        self._replacement: FileReplacement | None = None
        try:
            # A link is followed: the target is replaced.
            self._replacement = FileReplacement(os.path.realpath(path))
        except OSError as error:
            if not Path(path).exists():
                raise OpenError(f"open database {path}: {reason(error)}") from error
        try:
            self._existing = self._lock_existing(warn)
            if self._replacement and self._existing is not None and not self._keep_owner(self._replacement.file):
                self._replacement.abandon()
                self._replacement = None
        except BaseException:
            self._abandon_replacement()
            raise

    def load(self) -> None:
        """Begin with the entries that the file has; raises `OpenError`."""
        if self._existing is not None:
            try:
                self.entries = load(self._kind, self._existing)
            except (DamagedFileError, OSError) as error:
                raise OpenError(f"open database {self._path}: {explain(error)}") from error

    def commit(self) -> None:
        """Write the file and let others have it."""
        write = WRITERS[self._kind]
        try:
            if self._replacement:
                file = self._replacement.file
                write(self.entries, file, page_size(os.fstat(file.fileno()).st_blksize))
                self._replacement.commit()
                self._replacement = None
            elif self._existing is not None:
                image = io.BytesIO()
                write(self.entries, image, page_size(os.fstat(self._existing).st_blksize))
                _overwrite(self._existing, image.getbuffer())
        except OSError as error:
            raise TableError(f"error writing {self._path}: {reason(error)}") from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave the file as it is."""
        self._abandon_replacement()
        if self._existing is not None:
            os.close(self._existing)
            self._existing = None

    def _abandon_replacement(self) -> None:
        if self._replacement:
            self._replacement.abandon()
            self._replacement = None

    def _lock_existing(self, warn: Callable[[str], None]) -> int | None:
        """Return a descriptor of the file, locked as postmap(1) locks it; None when there is no file yet."""
        while True:
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise TableError(f"open {self._path}: {reason(error)}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                status = os.fstat(descriptor)
                if status.st_size and status.st_nlink:
                    return descriptor
                if status.st_nlink:
                    Path(self._path).unlink()
                    warn(f"removing zero-length database file: {self._path}")
            except OSError as error:
                os.close(descriptor)
                raise TableError(f"lock {self._path}: {reason(error)}") from error
            os.close(descriptor)

    def _keep_owner(self, file: BinaryIO) -> bool:
        """Give the new file the mode and owner of the old one; False when that isn't allowed."""
        if self._existing is None:
            return True
        old, new = os.fstat(self._existing), os.fstat(file.fileno())
        try:
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
        except PermissionError:
            return False
        return True


def _overwrite(descriptor: int, image: memoryview) -> None:
    """Write a file in place; until all of it is there, it is one that can't be opened, rather than a mixture."""
    os.posix_fallocate(descriptor, 0, len(image))
    os.pwrite(descriptor, bytes(META_SIZE), 0)
    position = META_SIZE
    while position < len(image):
        position += os.pwrite(descriptor, image[position:], position)
    os.ftruncate(descriptor, len(image))
    os.fsync(descriptor)
    os.pwrite(descriptor, image[:META_SIZE], 0)


class BerkeleyBuilder(Table):
    """A file that is made, or added to, under one lock from the first entry to the last."""

    def __init__(self, kind: str, source: str, access: Access) -> None:
        super().__init__(kind, source + SUFFIX, access.flags | Flags.FIXED)
        self._access = access
        self._suffix = suffixes(access.flags, (NUL,))[0]
        self._replacing = bool(access.flags & Flags.DUP_REPLACE)
        self._rewrite = Rewrite(kind, self.name, access.warn)
        if access.mode is Mode.ADD:
            try:
                self._rewrite.load()
            except TableError:
                self._rewrite.abandon()
                raise

    def update(self, key: bytes, value: bytes) -> bool:
        stored = key + self._suffix
        if stored in self._rewrite.entries and not self._replacing:
            warn_of_duplicate(self._access, self.name, key)
            return False
        self._rewrite.entries[stored] = value + self._suffix
        return True

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        if not add_new(self._rewrite.entries, entries, self._suffix):
            super().update_many(entries)

    def close(self) -> None:
        self._rewrite.commit()

    def abandon(self) -> None:
        self._rewrite.abandon()


class BerkeleyEditor(BerkeleyTable):
    """A file from which entries are deleted; others are kept out from the first deletion until it is closed."""

    def __init__(self, kind: str, source: str, access: Access) -> None:
        super().__init__(kind, source, access, os.O_RDWR)
        self._warn = access.warn
        self._rewrite: Rewrite | None = None
        self._edited = False

    def lookup(self, key: bytes) -> bytes | None:
        if self._rewrite is None:
            return super().lookup(key)
        stored = (self._rewrite.entries.get(key + suffix) for suffix in self._suffixes)
        return next((text(value) for value in stored if value is not None), None)

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.lookup(key) for key in keys]

    def delete(self, key: bytes) -> bool:
        if self._rewrite is None:
            if self.lookup(key) is None:
                return False
            self._rewrite = Rewrite(self.type, self.name, self._warn)
            self._rewrite.load()
        for suffix in self._suffixes:
            if self._rewrite.entries.pop(key + suffix, None) is not None:
                self._suffixes = (suffix,)
                self._edited = True
                return True
        return False

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(super().close)
            if self._rewrite and self._edited:
                self._rewrite.commit()
            elif self._rewrite:
                self._rewrite.abandon()

    def abandon(self) -> None:
        self._edited = False
        self.close()
