"""Lookup tables: the interface for users of a table, and for drivers of a type.

A user needs `Table.lookup` and the exceptions. A driver is a module with one function
`open_table(name: str, access: Access) -> Table`, where `name` is what follows `type:`; it subclasses `Table` and
overrides what its type can do. Drivers neither fold keys nor check UTF-8: the wrapper that the registry puts around
them does (dict_utf8(3)), and hands them keys and values without NUL bytes.
"""

from __future__ import annotations

from enum import Enum, IntFlag

from .errors import MapsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from postconf import View


class TableError(MapsError):
    """A table can't be used; the text is Postfix's own and complete: what postmap(1) logs as fatal."""

    table: Table | None = None
    """The table, where a list of tables was asked."""


class OpenError(TableError):
    """A table can't be opened. Commands stop; a daemon goes on, and each lookup in the table fails."""


class TemporaryLookupError(TableError):
    """The table can't answer now, asking again later may help (DICT_ERR_RETRY); the text is the reason."""


class ConfigurationLookupError(TableError):
    """The answer can't be used as it is configured (DICT_ERR_CONFIG); the reason was given as a warning."""


class Flags(IntFlag):
    """Postfix's DICT_FLAG_*; the numbers travel in the proxymap(8) protocol."""

    DUP_WARN = 1 << 0
    DUP_IGNORE = 1 << 1
    TRY0NULL = 1 << 2
    TRY1NULL = 1 << 3
    FIXED = 1 << 4
    PATTERN = 1 << 5
    LOCK = 1 << 6
    DUP_REPLACE = 1 << 7
    SYNC_UPDATE = 1 << 8
    DEBUG = 1 << 9
    NO_REGSUB = 1 << 11
    NO_PROXY = 1 << 12
    NO_UNAUTH = 1 << 13
    FOLD_FIX = 1 << 14
    FOLD_MUL = 1 << 15
    OPEN_LOCK = 1 << 16
    BULK_UPDATE = 1 << 17
    MULTI_WRITER = 1 << 18
    UTF8_REQUEST = 1 << 19
    UTF8_ACTIVE = 1 << 20
    SRC_RHS_IS_FILE = 1 << 21


class Mode(Enum):
    """Purpose of opening a table."""

    READ = "look up, list"
    CHANGE = "change what exists: postmap -d"
    ADD = "add to it, create it when missing, keep others out: postmap -i"
    BUILD = "replace all it holds: postmap"


def log_warning(text: str) -> None:
    """Pass a warning to the standard library's logging."""
    import logging

    logging.getLogger("maps").warning("%s", text)


class Access:
    """Access to a table: mode, flags, configuration, and receivers of warnings and errors."""

    __slots__ = ("_utf8", "config", "error", "flags", "mode", "observe", "values_are_files", "warn")

    def __init__(
        self,
        mode: Mode = Mode.READ,
        flags: Flags = Flags.LOCK | Flags.FOLD_FIX,
        *,
        config: View | None = None,
        warn: Callable[[str], None] = log_warning,
        error: Callable[[str], None] | None = None,
        observe: Callable[[Sequence[tuple[bytes, bytes]], Sequence[int]], None] | None = None,
    ) -> None:
        """Without a `config` the parameters that a driver asks for (lmdb_map_size) have their built-in values.

        `observe` receives what is read of a text table, in parts: keys and values, and the numbers of their lines. A
        rule of regexp, pcre or cidr is a line without a value.

        `error` is for daemons: it hears why a table can't be opened, and then each lookup fails (`OpenError`).
        """
        self.mode = mode
        self.flags = flags
        self.values_are_files = bool(flags & Flags.SRC_RHS_IS_FILE)
        self.config = config
        self.warn = warn
        self.error = error
        self.observe = observe
        self._utf8: bool | None = None

    @property
    def for_daemon(self) -> bool:
        """True if the user has other work to do: no file that names a FIFO or a device may keep it waiting."""
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
    """An open lookup table. Keys and values are bytes, without a trailing NUL and whatever the file holds.

    As a context manager it is closed at the end, or abandoned when the block fails.
    """

    members_fold = False
    """True if member tables fold keys. (With UTF-8 checks, keys are folded anyway.)"""

    def __init__(self, kind: str, name: str, flags: Flags) -> None:
        """Name it as diagnostics do: `hash` and `t.db`, with `Flags.FIXED` or `Flags.PATTERN` among its flags."""
        self.type = kind
        self.name = name
        self.flags = flags

    def lookup(self, key: bytes) -> bytes | None:  # noqa: ARG002
        """Return the value of `key`, or None when it is absent.

        Raises `TemporaryLookupError`, `ConfigurationLookupError`, or another `TableError` where Postfix would stop.
        """
        raise self._unsupported("lookup")

    def lookup_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys`, as `lookup` would one after the other.

        Indexed files are read in their own order then: the more keys at once, the less time for each.
        """
        return [self.lookup(key) for key in keys]

    def update(self, key: bytes, value: bytes) -> bool:  # noqa: ARG002
        """Store an entry; False when the key was there and stays as it was (said as the DUP_ flags want it)."""
        raise self._unsupported("update")

    def update_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Store entries, as `update` would one after the other; files are made faster this way."""
        for key, value in entries:
            self.update(key, value)

    def delete(self, key: bytes) -> bool:  # noqa: ARG002
        """Remove an entry; return False if the key is absent."""
        raise self._unsupported("delete")

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Return all entries, in the order of `postmap -s`."""
        raise self._unsupported("sequence")

    def line(self, key: bytes) -> int | None:  # noqa: ARG002
        """Return the line of the file `name` that the value of a key comes from; None if the type does not know."""
        return None

    def changed(self) -> bool:
        """Return True if the table was replaced or changed since it was opened (dict_changed_name(3))."""
        return False

    def close(self) -> None:
        """Finish what was begun, and give back files, locks and connections."""

    def abandon(self) -> None:
        """Like `close`, but leave out changes that are not in the table yet, if the type can."""
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
    """Refuse what wants to write to a table of a type that is only read."""
    if access.mode is not Mode.READ:
        raise OpenError(f"{kind}:{name} map requires O_RDONLY access mode")
