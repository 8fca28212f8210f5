"""Registry of table types: their requirements, and opening a table by its name (dict_open(3)).

A new type is a module in a package of `drivers`, with a function `open_table(name, access)`, and a line here. A driver
whose library is missing raises ImportError when it is loaded.
"""

from __future__ import annotations

from importlib import import_module

from .folding import Surrogate, WrappedTable
from .naming import split_name
from .table import Access, Mode, OpenError, Table, TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


class TableType:
    """Type of tables: the package of `drivers` with its module, and the extra that it needs ("" if none)."""

    __slots__ = ("package", "requirement")

    def __init__(self, package: str, requirement: str = "") -> None:
        self.package = package
        self.requirement = requirement


TYPES = {
    "btree": TableType("files"),
    "cdb": TableType("files"),
    "cidr": TableType("patterns"),
    "environ": TableType("builtin"),
    "fail": TableType("builtin"),
    "hash": TableType("files"),
    "inline": TableType("builtin"),
    "internal": TableType("builtin"),
    "ldap": TableType("servers", "tlsproxy[ldap] (ldap3)"),
    "lmdb": TableType("files"),
    "memcache": TableType("servers", "tlsproxy[memcache] (pymemcache)"),
    "mysql": TableType("servers", "tlsproxy[mysql] (PyMySQL)"),
    "pcre": TableType("patterns", "the library libpcre2-8 (Debian: libpcre2-8-0)"),
    "pgsql": TableType("servers", "tlsproxy[pgsql] (psycopg)"),
    "pipemap": TableType("builtin"),
    "proxy": TableType("servers"),
    "randmap": TableType("builtin"),
    "regexp": TableType("patterns", "the GNU C library"),
    "socketmap": TableType("servers"),
    "sqlite": TableType("files", "Python's sqlite3"),
    "static": TableType("builtin"),
    "tcp": TableType("servers"),
    "texthash": TableType("files"),
    "unionmap": TableType("builtin"),
    "unix": TableType("builtin"),
}
"""The types by their names, which are also the names of their drivers' modules."""


PROXIED = ("mongodb", "nis", "nisplus")
"""Types of Postfix without a driver here."""

BUILDABLE = ("btree", "cdb", "fail", "hash", "lmdb")
"""The types of which postmap(1) makes tables."""

WRITING_NEEDS = {
    "btree": "maps.formats.berkeley.writing",
    "cdb": "postconf.files.replacement",
    "hash": "maps.formats.berkeley.writing",
    "lmdb": "lmdb",
}
"""The modules that drivers load when they are to write."""


def prepare_to_build(text: str, access: Access) -> None:
    """Load the libraries that making a table needs, while this process may still read the files of Python's libraries.

    Raises `TableError` for a type of which no tables are made.
    """
    kind = text.partition(":")[0]
    if kind not in BUILDABLE and not (kind == "proxy" and access.mode is Mode.ADD):
        unsupported = f"unsupported dictionary type: {kind}"
        if kind in TYPES:
            raise TableError(f"{unsupported} does not support bulk-mode creation.")
        raise TableError(f"{unsupported}. Is the postfix-{kind} package installed?")
    load_driver(kind, access)
    if kind in WRITING_NEEDS:
        import_module(WRITING_NEEDS[kind])


def open_table(text: str, access: Access) -> WrappedTable:
    """Open the table `type:name` (DATABASE_README); a `WrappedTable` is a `Table`.

    Raises `TableError` for an invalid name, and `OpenError` for other errors. If the access has a function for errors,
    as in daemons, that is called instead of `OpenError`, and lookups in the returned table fail.
    """
    kind, name = split_name(text)
    try:
        table = _open(kind, name, access)
    except OpenError as error:
        if access.error is None:
            raise
        access.error(str(error))
        table = Surrogate(kind, name, access, str(error))
    return WrappedTable(table, access)


def examine_table(text: str, access: Access) -> None:
    """Warn of all that opening the table `type:name` warns of.

    Text tables are read once, and not kept: a million lines take no more memory than their keys' hashes. Raises the
    errors of `open_table`.
    """
    kind, name = split_name(text)
    driver = load_driver(kind, access)
    if hasattr(driver, "examine"):
        driver.examine(name, access)
    else:
        open_table(text, access).close()


def load_driver(kind: str, access: Access) -> ModuleType:
    """Return the driver of a type, with its libraries loaded; raise `OpenError` for an unsupported type."""
    unsupported = f"unsupported dictionary type: {kind}"
    if kind not in TYPES:
        if kind in PROXIED:
            access.warn(f"{unsupported}. Postfix's proxymap service opens such tables: write proxy:{kind}:name")
        raise OpenError(unsupported)
    try:
        return import_module(f".drivers.{TYPES[kind].package}.{kind}", __package__)
    except ImportError as error:
        access.warn(f"{unsupported}. Is {TYPES[kind].requirement} installed?")
        raise OpenError(unsupported) from error


def _open(kind: str, name: str, access: Access) -> Table:
    table: Table = load_driver(kind, access).open_table(name, access)
    return table
