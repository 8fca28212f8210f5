"""The rules: a package for each subject, a module for each object of it."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


def modules() -> list[ModuleType]:
    """Return all modules of rules, which are those in the packages here."""
    return [
        import_module(f".{subject.name}.{each.name}", __name__)
        for subject in iter_modules(__path__)
        for each in iter_modules([f"{__path__[0]}/{subject.name}"])
    ]
