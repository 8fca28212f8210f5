"""Certificates by server name: the lookup of tls_server_sni_maps (postconf(5)).

A table's value is a key with its chain, PEM, in base64. Without an entry for a name or its parent domains, clients get
the default certificate.
"""

from __future__ import annotations

from maps import Access, ConfigurationLookupError, Flags, TableList, TemporaryLookupError, open_list
from postconf import View

from ...errors import TlsproxyError
from ...log import Log

_PARAMETER = "tls_server_sni_maps"


class NamesUnavailableError(TlsproxyError):
    """The tables can't answer now; the reason has been logged."""


class ServerNames:
    """Tables, of any type, that are asked one after the other."""

    def __init__(self, tables: TableList) -> None:
        self._tables = tables

    def find(self, name: bytes) -> bytes | None:
        """Look for a name, then for its parent domains with a leading dot; raise `NamesUnavailableError`."""
        key = name
        while True:
            try:
                pem = self._tables.find_file(key)
            except (TemporaryLookupError, ConfigurationLookupError):
                raise NamesUnavailableError from None
            if pem is not None:
                return pem
            dot = key.find(b".", 1)
            if dot < 0:
                return None
            key = key[dot:]


def open_names(view: View, log: Log) -> ServerNames | None:
    """Open the configured tables; return None if no table is configured. One that can't be opened fails each lookup.

    Raises `TableError` for a text that is not the name of a table.
    """
    flags = Flags.LOCK | Flags.FOLD_FIX | Flags.SRC_RHS_IS_FILE
    access = Access(flags=flags, config=view, warn=log.warning, error=log.error)
    tables = open_list(_PARAMETER, view[_PARAMETER], access)
    return ServerNames(tables) if tables.tables else None
