"""Wrapper between a table's users and its driver: case folding, UTF-8 checks, C strings (dict_utf8(3)).

It also has the substitute for a table that can't be opened.
"""

from __future__ import annotations

from postconf.syntax.lines import decode

from .formats.indexed import text
from .table import ConfigurationLookupError, Flags, Table, TableError, TemporaryLookupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .table import Access

_MALFORMED = "malformed UTF-8 or invalid codepoint"
APPLICATION_ERROR = "Application error"
"""Postfix's text for an error without a reason."""


class WrappedTable(Table):
    """Table as its users see it.

    With UTF-8 checks, keys are folded by Unicode's rules, and invalid keys are absent; otherwise ASCII is folded. Keys
    and values end at their first NUL byte.
    """

    def __init__(self, table: Table, access: Access) -> None:
        self._table = table
        self._access = access
        self._utf8 = access.utf8
        wanted = Flags.FOLD_FIX if table.flags & Flags.FIXED else Flags.FOLD_MUL
        self._folds = bool(table.flags & wanted) and (self._utf8 or not table.members_fold)
        super().__init__(table.type, table.name, table.flags | (Flags.UTF8_ACTIVE if self._utf8 else Flags(0)))
        self.members_fold = table.members_fold

    def lookup(self, key: bytes) -> bytes | None:
        key = text(key)
        if not self._valid_key(key):
            return None
        return self._checked(key, self._table.lookup(self._folded(key)))

    @property
    def has_batches(self) -> bool:
        """True if `lookup_many` is faster, and has no side effects."""
        return type(self._table).lookup_many is not Table.lookup_many

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not self.has_batches:
            return super().lookup_many(keys)
        if _is_plain(keys):
            wanted = [key.lower() for key in keys] if self._folds else keys
            try:
                values = self._table.lookup_many(wanted)
            except TableError:
                return super().lookup_many(keys)
            if not self._utf8 or b"".join(filter(None, values)).isascii():
                return values
            return [self._checked(key, value) for key, value in zip(keys, values, strict=True)]
        keys = [text(key) for key in keys]
        wanted = [self._folded(key) for key in keys if not self._utf8 or is_valid(key)]
        try:
            found = iter(self._table.lookup_many(wanted))
        except TableError:
            return super().lookup_many(keys)  # for the warnings before the failure
        return [self._checked(key, next(found)) if self._valid_key(key) else None for key in keys]

    def update(self, key: bytes, value: bytes) -> bool:
        key, value = text(key), text(value)
        if not self._valid_key(key):
            return True
        if self._utf8 and not is_valid(value):
            self._warn_of_value(key, value)
            return True
        return self._table.update(self._folded(key), value)

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        keys, values = [key for key, _ in entries], [value for _, value in entries]
        if not _is_plain(keys) or not _is_plain(values):
            super().update_many(entries)
        elif self._folds:
            self._table.update_many(list(zip([key.lower() for key in keys], values, strict=True)))
        else:
            self._table.update_many(entries)

    def delete(self, key: bytes) -> bool:
        key = text(key)
        return self._table.delete(self._folded(key)) if self._valid_key(key) else True

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        return self._table.entries()

    def line(self, key: bytes) -> int | None:
        key = text(key)
        return self._table.line(self._folded(key)) if not self._utf8 or is_valid(key) else None

    def changed(self) -> bool:
        return self._table.changed()

    def close(self) -> None:
        self._table.close()

    def abandon(self) -> None:
        self._table.abandon()

    def _folded(self, key: bytes) -> bytes:
        return fold(key, self._utf8) if self._folds else key

    def _valid_key(self, key: bytes) -> bool:
        if not self._utf8 or is_valid(key):
            return True
        self._access.warn(f'{self.type}:{self.name}: non-UTF-8 key "{decode(key)}": {_MALFORMED}')
        return False

    def _checked(self, key: bytes, value: bytes | None) -> bytes | None:
        if value is None or not self._utf8 or is_valid(value):
            return value
        self._warn_of_value(key, value)
        raise ConfigurationLookupError("the value is not valid UTF-8")

    def _warn_of_value(self, key: bytes, value: bytes) -> None:
        shown = f'key "{decode(key)}": non-UTF-8 value "{decode(value)}"'
        self._access.warn(f"{self.type}:{self.name}: {shown}: {_MALFORMED}")


class Surrogate(Table):
    """Substitute for a table that a daemon could not open: each access fails with the reason."""

    def __init__(self, kind: str, name: str, access: Access, problem: str) -> None:
        super().__init__(kind, name, access.flags | Flags.PATTERN)
        self._warn = access.warn
        self._problem = problem

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        raise self._failure()

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        raise self._failure()

    def _failure(self) -> TemporaryLookupError:
        self._warn(f"{self.type}:{self.name} is unavailable. {self._problem}")
        return TemporaryLookupError(APPLICATION_ERROR)


def _is_plain(strings: Sequence[bytes]) -> bool:
    """Return True if no key needs folding or a UTF-8 check."""
    whole = b"".join(strings)
    return whole.isascii() and b"\0" not in whole


def fold(key: bytes, utf8: bool) -> bytes:
    """Fold case: by Unicode's rules for valid UTF-8, else ASCII only."""
    return key.decode().casefold().encode() if utf8 and not key.isascii() else key.lower()


def is_valid(string: bytes) -> bool:
    """Return True for valid UTF-8 (RFC 3629)."""
    if string.isascii():
        return True
    try:
        string.decode()
    except UnicodeDecodeError:
        return False
    return True
