"""Accounts of the machine or image that is checked, as far as its files name them all."""

from __future__ import annotations

from postconf.syntax.lines import decode

from ..context import Context


def accounts(context: Context) -> frozenset[str]:
    """Return the names in /etc/passwd; none where it can't be read, or is not all that there is (nsswitch.conf(5))."""
    if not context.files.enabled:
        return frozenset()
    try:
        lines = decode(context.files.read("/etc/passwd")).splitlines()
        switch = decode(context.files.read("/etc/nsswitch.conf")).splitlines()
    except (OSError, ValueError):
        return frozenset()
    sources = next((line.partition(":")[2].split() for line in switch if line.startswith("passwd:")), [])
    if not set(sources) <= {"files", "compat", "systemd"}:
        return frozenset()
    return frozenset(line.partition(":")[0] for line in lines)
