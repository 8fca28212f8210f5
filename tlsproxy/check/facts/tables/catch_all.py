"""Access tables with the same decision for each key: static ones, and rules that match everything."""

from __future__ import annotations

import re
from itertools import islice

from postconf.syntax.lines import decode

from ...context import Context
from .contents import PATTERNS, rules
from .named import Named

_ALL = re.compile(rb"\^?(?:\.[*+])?|(?:\.[*+]?)?\$?|\^\.|\^\.[*+]\$")
"""Patterns that match each key; none is empty."""
_NETWORKS = {b"0.0.0.0/0", b"::/0"}
_FINAL = ("ok", "relay", "permit", "reject", "defer")
_REPLY = re.compile(r"[45][0-9]{2}\s+\S")
_MOST = 100
"""Rules of one table that are looked at."""


def decides_always(context: Context, named: Named) -> bool:
    """Return True if a table permits or rejects for each key, as far as its text shows."""
    if named.kind == "static":
        name = named.name
        return _is_final(name[1:-1] if name.startswith("{") and name.endswith("}") else name)
    if named.kind not in (*PATTERNS, "cidr"):
        return False
    wanted = set(_NETWORKS)
    if context.value("inet_protocols").strip().lower() == "ipv4":
        wanted.discard(b"::/0")
    for rule in islice(rules(context, named), _MOST):
        if not _is_final(decode(rule.value)):
            return False  # a condition, or a key for which the list goes on
        if named.kind == "cidr":
            wanted.discard(rule.key)
            if not wanted:
                return True
        elif rule.key[:1] != b"!" and _ALL.fullmatch(rule.key[1:-1]):
            return True
    return False


def _is_final(value: str) -> bool:
    """Return True for a value after which smtpd(8) asks no other restriction (access(5))."""
    value = value.strip()
    return value.isdigit() or value.partition(" ")[0].lower() in _FINAL or bool(_REPLY.match(value))
