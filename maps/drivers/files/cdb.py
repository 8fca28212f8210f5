"""cdb: constant databases, which are built and replaced as a whole (CDB_README)."""

from __future__ import annotations

import contextlib
import errno
import os

from postconf.files.regular import open_regular

from ...formats.cdb import CdbFile, write
from ...formats.damage import DamagedFileError
from ...formats.indexed import NUL, add_new, reason, suffixes, text, texts, warn_if_older, warn_of_duplicate
from ...table import Flags, Mode, OpenError, Table, TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...table import Access

SUFFIX = ".cdb"
TEMPORARY = SUFFIX + ".tmp"


def open_table(name: str, access: Access) -> Table:
    """Open or build `name`.cdb."""
    if access.mode is Mode.READ:
        return CdbTable(name, access)
    if access.mode is Mode.BUILD:
        return CdbBuilder(name, access)
    raise TableError(
        "dict_cdb_open: inappropriate open flags for cdb database - specify O_RDONLY or O_WRONLY|O_CREAT|O_TRUNC"
    )


class CdbTable(Table):
    """Open file for lookups. No lock is needed, because a file never changes, but is replaced."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__("cdb", source + SUFFIX, access.flags | Flags.FIXED)
        self._suffixes = suffixes(access.flags, (NUL, b""))
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            raise OpenError(f"open database {self.name}: {reason(error)}") from error
        except DamagedFileError as error:
            raise TableError(f"dict_cdbq_open: unable to init {self.name}: {os.strerror(errno.EPROTO)}") from error
        self._opened = os.fstat(self._descriptor)
        warn_if_older(access, self.name, source, self._opened.st_mtime)

    def lookup(self, key: bytes) -> bytes | None:
        with self._errors("reading"):
            return self._lookup(key)

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = []
        with self._errors("reading"):
            while len(self._suffixes) > 1 and len(values) < len(keys):
                values.append(self._lookup(keys[len(values)]))
            self._follow()
            stored = self._file.get_many([key + self._suffixes[0] for key in keys[len(values) :]])
        return values + texts(stored)

    def _lookup(self, key: bytes) -> bytes | None:
        self._follow()
        for suffix in self._suffixes:
            value = self._file.get(key + suffix)
            if value is not None:
                self._suffixes = (suffix,)
                return text(value)
        return None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        with self._errors("seeking"):
            for key, value in self._file.items():
                yield text(key), text(value)

    def changed(self) -> bool:
        status = os.fstat(self._descriptor)
        return status.st_nlink == 0 or (status.st_ino, status.st_mtime_ns) != (
            self._opened.st_ino,
            self._opened.st_mtime_ns,
        )

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> None:
        descriptor = open_regular(self.name)
        try:
            self._file = CdbFile(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor

    def _follow(self) -> None:
        """Switch to the file that replaced the open one, if this process can open it."""
        if os.fstat(self._descriptor).st_nlink == 0:
            with contextlib.suppress(OSError):
                self._open()

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TableError(f"error {doing} {self.name}: {reason(error)}") from error
        except DamagedFileError as error:
            raise TableError(f"error {doing} {self.name}: {os.strerror(errno.EPROTO)}") from error


class CdbBuilder(Table):
    """New file, .cdb.tmp, that replaces the old one on close."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__("cdb", source, access.flags | Flags.FIXED)
        self._access = access
        self._temporary = source + TEMPORARY
        self._suffix = suffixes(access.flags, (b"",))[0]
        self._present: dict[bytes, bytes] = {}
        self._repeated: list[tuple[bytes, bytes]] = []
        from postconf.files.replacement import FileReplacement

        try:
            self._replacement = FileReplacement(source + SUFFIX)
        except OSError as error:
            raise OpenError(f"open database {self._temporary}: {reason(error)}") from error

    def update(self, key: bytes, value: bytes) -> bool:
        key, value = key + self._suffix, value + self._suffix
        flags = self._access.flags
        if flags & Flags.DUP_IGNORE:
            self._repeated.append((key, value))
            return True
        if flags & Flags.DUP_REPLACE:
            self._present.pop(key, None)  # a replacement moves to the end
        elif key in self._present:
            warn_of_duplicate(self._access, self.name, text(key))
            return False
        self._present[key] = value
        return True

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        if self._access.flags & Flags.DUP_IGNORE or not add_new(self._present, entries, self._suffix):
            super().update_many(entries)

    def close(self) -> None:
        try:
            write(self._repeated or list(self._present.items()), self._replacement.file)
            self._replacement.commit()
        except OSError as error:
            raise TableError(f"error writing {self._temporary}: {reason(error)}") from error
        except OverflowError as error:
            raise TableError(f"error writing {self._temporary}: {os.strerror(errno.ENOMEM)}") from error
        finally:
            self._replacement.abandon()

    def abandon(self) -> None:
        self._replacement.abandon()
