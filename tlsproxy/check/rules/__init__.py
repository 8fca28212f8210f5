"""The rules, by subject; a rule's place here is what its module's first line says."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_SUBJECTS = (
    *("addresses", "certificates", "chroot", "combinations", "comments", "compatibility", "dane", "destinations"),
    *("helpers", "kinds", "levels", "loader", "logins", "master", "names", "outside", "protocols", "proxy"),
    *("relaying", "restrictions", "routes", "services", "syntax", "table_contents", "tables", "tls_off", "values"),
)


def modules() -> list[ModuleType]:
    """All modules of rules."""
    return [import_module(f".{name}", __name__) for name in _SUBJECTS]
