"""Postfix configuration: the content of main.cf and master.cf, and the effective values.

The ground floor: it imports neither `maps` nor `tlsproxy`. The names below are loaded when they are first used, since
commands that answer in milliseconds import this package.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config import Config, Origin, ServiceView, View, load
    from .editing.editor import edit_main, edit_master
    from .editing.main import MainCf
    from .editing.master import MasterCf
    from .errors import ConfigError, Place, PostconfError

__all__ = [
    "Config",
    "ConfigError",
    "MainCf",
    "MasterCf",
    "Origin",
    "Place",
    "PostconfError",
    "ServiceView",
    "View",
    "edit_main",
    "edit_master",
    "load",
]

_MODULES = {
    "Config": "config",
    "ConfigError": "errors",
    "MainCf": "editing.main",
    "MasterCf": "editing.master",
    "Origin": "config",
    "Place": "errors",
    "PostconfError": "errors",
    "ServiceView": "config",
    "View": "config",
    "edit_main": "editing.editor",
    "edit_master": "editing.editor",
    "load": "config",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
