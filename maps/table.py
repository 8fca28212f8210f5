"""Lookup tables: the interface for users of a table, and for drivers of a type.

A user needs `Table.lookup` and the exceptions. A driver is a module with one function
`open_table(name: str, access: Access) -> Table`, where `name` follows `type:`; it subclasses `Table` and
overrides the operations of its type. Drivers neither fold keys nor check UTF-8: the registry's wrapper does
(dict_utf8(3)), and passes keys and values without NUL bytes.
"""

from __future__ import annotations

import sys
from enum import Enum, IntFlag

from .errors import MapsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from postconf import View


class TableError(MapsError):
    """A table can't be used, or does not support an operation; the text is the whole fatal message of postmap(1)."""

    table: Table | None = None
    """The table that failed, if a `TableList` was searched."""


class OpenError(TableError):
    """A table can't be opened. Commands exit; a daemon continues, and each lookup in the table fails."""


class TemporaryLookupError(TableError):
    """Temporary failure: a later lookup may succeed (DICT_ERR_RETRY); the text is the reason."""


class ConfigurationLookupError(TableError):
    """The value is unusable (DICT_ERR_CONFIG); a warning has had the reason."""


class Flags(IntFlag):
    """Options and properties of tables: Postfix's DICT_FLAG_* (dict_open(3)), with the numbers of proxymap(8).

    SYNC_UPDATE, DEBUG, OPEN_LOCK and BULK_UPDATE have no effect in this process.
    """

    DUP_WARN = 1 << 0
    """A duplicate key causes a warning, and the first value stays (postmap(1))."""
    DUP_IGNORE = 1 << 1
    """The first value of a duplicate key stays, without a warning (postmap -w)."""
    TRY0NULL = 1 << 2
    """Keys in an indexed file may have no NUL byte at their end."""
    TRY1NULL = 1 << 3
    """Keys in an indexed file may have a NUL byte at their end (postmap -N)."""
    FIXED = 1 << 4
    """Property of a table: its keys are texts."""
    PATTERN = 1 << 5
    """Property of a table: its keys are patterns."""
    LOCK = 1 << 6
    """A lookup locks the file of the table."""
    DUP_REPLACE = 1 << 7
    """The last value of a duplicate key counts (postmap -r)."""
    SYNC_UPDATE = 1 << 8
    DEBUG = 1 << 9
    NO_REGSUB = 1 << 11
    """Rules that insert parts of the key into the value ($1, ${2}) are skipped, with a warning."""
    NO_PROXY = 1 << 12
    """Tables of the type proxy are refused."""
    NO_UNAUTH = 1 << 13
    """Tables whose server is not authenticated are refused: tcp, socketmap, memcache."""
    FOLD_FIX = 1 << 14
    """Case is ignored in tables of texts."""
    FOLD_MUL = 1 << 15
    """Case is ignored in tables of patterns."""
    OPEN_LOCK = 1 << 16
    BULK_UPDATE = 1 << 17
    MULTI_WRITER = 1 << 18
    """Property of a table: several processes may change it at once."""
    UTF8_REQUEST = 1 << 19
    """Keys and values must be valid UTF-8, if smtputf8_enable is on."""
    UTF8_ACTIVE = 1 << 20
    """Property of a table: its keys and values must be valid UTF-8."""
    SRC_RHS_IS_FILE = 1 << 21
    """Values in the source are names of files, whose content is in the table, in base64 (postmap -F)."""


class Mode(Enum):
    """Purpose of opening a table."""

    READ = "look up, list"
    CHANGE = "change entries: postmap -d"
    ADD = "add to it, create it when missing, keep others out: postmap -i"
    BUILD = "replace all it holds: postmap"


def log_warning(text: str) -> None:
    """Pass a warning to the standard library's logging."""
    import logging

    logging.getLogger("maps").warning("%s", text)


class Access:
    """Access to a table: mode, flags, configuration, and receivers of warnings and errors."""

    __slots__ = ("_utf8", "config", "error", "flags", "longest_line", "mode", "observe", "values_are_files", "warn")

    def __init__(
        self,
        mode: Mode = Mode.READ,
        flags: Flags = Flags.LOCK | Flags.FOLD_FIX,
        *,
        config: View | None = None,
        warn: Callable[[str], None] = log_warning,
        error: Callable[[str], None] | None = None,
        observe: Callable[[Sequence[tuple[bytes, bytes]], Sequence[int]], None] | None = None,
        longest_line: int = sys.maxsize,
    ) -> None:
        """`config`: the view with the parameters of drivers (lmdb_map_size); without it they have built-in values.

        `warn`: receiver of Postfix's warnings, by default the logger `maps`.

        `observe`: receiver of the content of a text table, in parts: keys and values, and the numbers of their lines. A
        rule of regexp, pcre or cidr is a line without a value.

        `longest_line`: maximum length of a logical line of a text table, in bytes; a longer one is a `TableError`.

        `error`: for daemons, receiver of the reason if a table can't be opened; then each lookup fails. Otherwise
        `OpenError` is raised.
        """
        self.mode = mode
        self.flags = flags
        self.values_are_files = bool(flags & Flags.SRC_RHS_IS_FILE)
        self.config = config
        self.warn = warn
        self.error = error
        self.observe = observe
        self.longest_line = longest_line
        self._utf8: bool | None = None

    @property
    def for_daemon(self) -> bool:
        """True for a program with other work: FIFOs and devices, which could block it, are refused."""
        return self.error is not None

    @property
    def utf8(self) -> bool:
        """True if keys and values must be valid UTF-8: requested by the flags, and enabled by smtputf8_enable."""
        if self._utf8 is None:
            self._utf8 = bool(self.flags & Flags.UTF8_REQUEST) and (
                self.config is None or self.config["smtputf8_enable"].lower() == "yes"
            )
        return self._utf8


class Table:
    """Open lookup table. Keys and values are bytes, without the trailing NUL that a file may have.

    As a context manager, it is closed at the end of the block, or abandoned if the block fails.
    """

    members_fold = False
    """True if member tables fold keys. (With UTF-8 checks, keys are folded anyway.)"""

    def __init__(self, kind: str, name: str, flags: Flags) -> None:
        """`kind`, `name`: as in diagnostics, `hash` and `t.db`. `flags`: with `Flags.FIXED` or `Flags.PATTERN`."""
        self.type = kind
        self.name = name
        self.flags = flags

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        """Return the value of `key`, or None when it is absent.

        Raise `TemporaryLookupError`, `ConfigurationLookupError`, or another `TableError` if Postfix would exit.
        """
        raise self._unsupported("lookup")

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`, as with successive calls of `lookup`.

        Indexed files are read in page order: the more keys, the less time for each.
        """
        return [self.lookup(key) for key in keys]

    def update(self, key: bytes, value: bytes) -> bool:  # noqa: ARG002
        """Store an entry; return False if an existing entry is kept, with a warning according to the DUP_ flags.

        The table has to be open in a `Mode` for changes. Raise `TableError` for a type without changes.
        """
        raise self._unsupported("update")

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Store entries as with successive calls of `update`, but faster."""
        for key, value in entries:
            self.update(key, value)

    def delete(self, key: bytes) -> bool:  # noqa: ARG002
        """Remove an entry; return False if the key is absent. Raise `TableError` as `update`."""
        raise self._unsupported("delete")

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Return all entries, in the order of `postmap -s`. Raise `TableError` for a type that can't list them."""
        raise self._unsupported("sequence")

    def line(self, key: bytes) -> int | None:  # noqa: ARG002
        """Return the line of the file `name` that the value of a key comes from; None if the type does not know."""
        return None

    def changed(self) -> bool:
        """Return True if the table was replaced or changed since it was opened (dict_changed_name(3))."""
        return False

    def close(self) -> None:
        """Complete pending changes, and release files, locks and connections."""

    def abandon(self) -> None:
        """Close without the pending changes, if the type supports that."""
        self.close()

    def _unsupported(self, operation: str) -> TableError:
        return TableError(f"table {self.type}:{self.name}: {operation} operation is not supported")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def require_reading(kind: str, name: str, access: Access) -> None:
    """Raise `OpenError` unless a table of a read-only type is opened for reading."""
    if access.mode is not Mode.READ:
        raise OpenError(f"{kind}:{name} map requires O_RDONLY access mode")
