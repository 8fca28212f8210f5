"""Hostname syntax (valid_hostname(3)). No I/O."""

from __future__ import annotations

import string

_LABEL = frozenset((string.ascii_letters + string.digits + "-_").encode())
_MAX_NAME, _MAX_LABEL = 255, 63


def is_hostname(text: str) -> bool:
    """Return True for a valid hostname (valid_hostname(3)). Underscores are valid, addresses are not."""
    name = text.encode("utf-8", "surrogateescape")
    labels = name.split(b".")
    return (
        len(name) <= _MAX_NAME
        and all(0 < len(each) <= _MAX_LABEL and _LABEL.issuperset(each) for each in labels)
        and not any(each.startswith(b"-") or each.endswith(b"-") for each in labels)
        and not name.replace(b".", b"").isdigit()
    )
