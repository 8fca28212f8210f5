"""The rules, by subject. The first letter of a rule's id says which module it is in."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_SUBJECTS = {
    "A": "comments",
    "C": "compatibility",
    "D": "dane",
    "K": "certificates",
    "L": "levels",
    "M": "master",
    "N": "names",
    "P": "protocols",
    "S": "syntax",
    "T": "tables",
    "V": "values",
    "X": "proxy",
}


def modules() -> list[ModuleType]:
    """All modules of rules."""
    return [import_module(f".{name}", __name__) for name in _SUBJECTS.values()]
