"""lmdb: memory-mapped databases, with the locks that Postfix adds to them (lmdb_table(5), LMDB_README).

Postfix disables the library's own locks and uses fcntl(2) locks on the file instead. `formats.lmdb` reads files; only
writers import the library. The library can open a file only once in a process, and closing a file releases this
process's locks on it. So writers are for commands, which open one table after the other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from functools import partial

from postconf.files.regular import open_regular

from ...formats.damage import DamagedFileError
from ...formats.indexed import NUL, add_new, reason, suffixes, text, texts, warn_if_older, warn_of_duplicate
from ...formats.lmdb import LmdbFile
from ...table import Flags, Mode, OpenError, Table, TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import lmdb

    from ...table import Access

SUFFIX = ".lmdb"
MAP_SIZE = 16777216
"""Built-in value of lmdb_map_size in bytes: maximum size of a file before the limit is doubled."""
SPARE = 10240
"""Minimum free space to enlarge a file, in bytes."""
BAD_VALSIZE = "MDB_BAD_VALSIZE: Unsupported size of key/DB name/data, or wrong DUPFIXED size"


def open_table(name: str, access: Access) -> Table:
    """Open, change, add to or build `name`.lmdb."""
    if access.mode is Mode.READ:
        return LmdbTable(name, access)
    if access.mode is Mode.BUILD:
        return LmdbBuilder(name, access)
    return LmdbEditor(name, access)


class LmdbTable(Table):
    """Open file for lookups; each lookup uses the last committed transaction."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__("lmdb", source, access.flags | Flags.FIXED | Flags.MULTI_WRITER)
        self._path = source + SUFFIX
        self._locking = bool(access.flags & Flags.LOCK)
        self._suffixes = suffixes(access.flags, (NUL, b""))
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            raise OpenError(f"open database {self._path}: {reason(error)}") from error
        except DamagedFileError as error:
            raise OpenError(f"open database {self._path}: {error}") from error
        if self._locking:
            warn_if_older(access, self._path, source, os.fstat(self._descriptor).st_mtime)

    def lookup(self, key: bytes) -> bytes | None:
        with self._reading("reading") as file:
            return self._lookup(file, key)

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        values: list[bytes | None] = []
        with self._reading("reading") as file:
            while len(self._suffixes) > 1 and len(values) < len(keys):
                values.append(self._lookup(file, keys[len(values)]))
            wanted = [key + self._suffixes[0] for key in keys[len(values) :]]
            if b"" in wanted:
                raise self._no_key()
            stored = file.get_many(wanted)
        return values + texts(stored)

    def _lookup(self, file: LmdbFile, key: bytes) -> bytes | None:
        for suffix in self._suffixes:
            stored = key + suffix
            if not stored:
                raise self._no_key()
            value = file.get(stored)
            if value is not None:
                self._suffixes = (suffix,)
                return text(value)
        return None

    def _no_key(self) -> TableError:
        return TableError(f"error reading lmdb:{self.name}: {BAD_VALSIZE}")

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        last: bytes | None = None
        while True:
            with self._reading("seeking") as file:
                found = file.next_entries(last)
            if not found:
                return
            last = found[-1][0]
            for key, value in found:
                yield text(key), text(value)

    def changed(self) -> bool:
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> None:
        descriptor = open_regular(self._path)
        try:
            if os.fstat(descriptor).st_size == 0:
                raise DamagedFileError(os.strerror(errno.EBADF))  # the library's error when it can't create a file
            self._file = LmdbFile(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor

    @contextlib.contextmanager
    def _reading(self, doing: str) -> Iterator[LmdbFile]:
        """Hold a reader's lock; `doing`: action in error messages."""
        try:
            if os.fstat(self._descriptor).st_nlink == 0:
                with contextlib.suppress(OSError):  # missing, or not accessible: continue with the old one
                    self._open()
            with _lock(self._descriptor, fcntl.LOCK_SH if self._locking else None):
                self._file.refresh()
                yield self._file
        except OSError as error:
            raise TableError(f"error {doing} lmdb:{self.name}: {reason(error)}") from error
        except DamagedFileError as error:
            raise TableError(f"error {doing} lmdb:{self.name}: {error}") from error


@contextlib.contextmanager
def _lock(descriptor: int, kind: int | None) -> Iterator[None]:
    if kind is not None:
        fcntl.lockf(descriptor, kind)
    try:
        yield
    finally:
        if kind is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_UN)


class _Writer(Table):
    """File that the library has opened for changes."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__("lmdb", source, access.flags | Flags.FIXED | Flags.MULTI_WRITER)
        self._access = access
        self._path = source + SUFFIX
        self._limit = max(_map_size(access), SPARE)
        import lmdb

        self._lmdb = lmdb
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OpenError(f"open database {self._path}: {reason(error)}") from error
        try:
            self._env = self._environment()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _environment(self) -> lmdb.Environment:
        size = os.fstat(self._descriptor).st_size
        if size > self._limit - SPARE:
            self._limit = size + SPARE
        try:
            if size:
                LmdbFile(self._descriptor)  # the library would crash on a truncated file
            return self._lmdb.open(
                self._path, map_size=self._limit, subdir=False, lock=False, mode=0o644, max_dbs=0, readahead=False
            )
        except DamagedFileError as error:
            raise OpenError(f"open database {self._path}: {error}") from error
        except self._lmdb.Error as error:
            raise OpenError(f"open database {self._path}: {_words(error)}") from error

    def _enlarge(self) -> None:
        self._limit *= 2
        self._env.set_mapsize(self._limit)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except self._lmdb.Error as error:
            raise TableError(f"error {doing} lmdb:{self.name}: {_words(error)}") from error

    def close(self) -> None:
        self._env.close()
        os.close(self._descriptor)


class LmdbBuilder(_Writer):
    """File that gets its new content in one transaction on close."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__(source, access)
        self._suffix = suffixes(access.flags, (NUL,))[0]
        self._replacing = bool(access.flags & Flags.DUP_REPLACE)
        self._entries: dict[bytes, bytes] = {}
        # Wait for readers of previous transactions; then only exclude other writers.
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        fcntl.lockf(self._descriptor, fcntl.LOCK_SH)

    def update(self, key: bytes, value: bytes) -> bool:
        stored = key + self._suffix
        if not 0 < len(stored) <= self._env.max_key_size():
            raise TableError(f"error updating lmdb:{self.name}: {BAD_VALSIZE}")
        if stored in self._entries and not self._replacing:
            warn_of_duplicate(self._access, f"lmdb:{self.name}", key)
            return False
        self._entries[stored] = value + self._suffix
        return True

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        longest = max((len(key) for key, _ in entries), default=0) + len(self._suffix)
        if longest > self._env.max_key_size() or not add_new(self._entries, entries, self._suffix):
            super().update_many(entries)

    def close(self) -> None:
        entries = sorted(self._entries.items())
        try:
            with self._errors("updating"):
                while not self._replace(entries):
                    self._enlarge()
        finally:
            super().close()

    def _replace(self, entries: list[tuple[bytes, bytes]]) -> bool:
        """Replace the content of the file; return False if the limit is too small."""
        try:
            with self._env.begin(write=True) as transaction:
                transaction.drop(self._env.open_db(None, txn=transaction), delete=False)
                transaction.cursor().putmulti(entries, dupdata=False, append=True)
        except self._lmdb.MapFullError:
            return False
        return True

    def abandon(self) -> None:
        super().close()


class LmdbEditor(_Writer):
    """File in which each change is a separate transaction; a missing file is created."""

    def __init__(self, source: str, access: Access) -> None:
        super().__init__(source, access)
        self._suffixes = suffixes(access.flags, (NUL, b""))
        if access.flags & Flags.LOCK:
            warn_if_older(access, self._path, source, os.fstat(self._descriptor).st_mtime)

    def update(self, key: bytes, value: bytes) -> bool:
        suffix = self._suffixes[0]
        self._suffixes = (suffix,)
        overwrite = bool(self._access.flags & Flags.DUP_REPLACE)
        stored = self._change("updating", partial(_put, key + suffix, value + suffix, overwrite))
        if not stored:
            warn_of_duplicate(self._access, f"lmdb:{self.name}", key)
        return stored

    def delete(self, key: bytes) -> bool:
        for suffix in self._suffixes:
            if self._change("deleting from", partial(_delete, key + suffix)):
                self._suffixes = (suffix,)
                return True
        return False

    def _change(self, doing: str, change: Callable[[lmdb.Transaction], bool]) -> bool:
        with _lock(self._descriptor, fcntl.LOCK_EX), self._errors(doing):
            while True:
                try:
                    with self._env.begin(write=True) as transaction:
                        return change(transaction)
                except self._lmdb.MapFullError:
                    self._enlarge()
                except self._lmdb.MapResizedError:
                    self._env.set_mapsize(0)


def _put(stored: bytes, value: bytes, overwrite: bool, transaction: lmdb.Transaction) -> bool:
    return transaction.put(stored, value, overwrite=overwrite)


def _delete(stored: bytes, transaction: lmdb.Transaction) -> bool:
    return transaction.delete(stored)


def _map_size(access: Access) -> int:
    return MAP_SIZE if access.config is None else int(access.config["lmdb_map_size"])


def _words(error: lmdb.Error) -> str:
    """Return the mdb_strerror(3) part of the library's message, without the path or function name before it."""
    _, known, words = str(error).partition(" (")[0].rpartition(": MDB_")
    return "MDB_" + words if known else words.rpartition(": ")[2]
