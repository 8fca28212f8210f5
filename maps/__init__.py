"""Postfix lookup tables of every type.

The middle floor: it imports `postconf` only. The names below are loaded when they are first used, since commands that
answer in milliseconds import this package.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import MapsError
    from .lists import TableList, open_list
    from .registry import open_table
    from .table import (
        Access,
        ConfigurationLookupError,
        Flags,
        Mode,
        OpenError,
        Table,
        TableError,
        TemporaryLookupError,
    )

__all__ = [
    "Access",
    "ConfigurationLookupError",
    "Flags",
    "MapsError",
    "Mode",
    "OpenError",
    "Table",
    "TableError",
    "TableList",
    "TemporaryLookupError",
    "open_list",
    "open_table",
]

_MODULES = dict.fromkeys(__all__, "table") | {
    "MapsError": "errors",
    "TableList": "lists",
    "open_list": "lists",
    "open_table": "registry",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
