"""The obsolete smtp_tls_per_site tables: one word for a host or a next hop (TLS_README, "Obsolete per-site TLS").

No I/O.
"""

from __future__ import annotations

from postconf.syntax.lines import decode
from postconf.values import SecurityLevel

from .errors import PolicyError, Where

_WORDS = {
    "none": SecurityLevel.NONE,
    "may": SecurityLevel.MAY,
    "must_nopeermatch": SecurityLevel.ENCRYPT,
    "must": SecurityLevel.VERIFY,
}


def parse_site(value: bytes | str, where: Where) -> SecurityLevel:
    """Return the level of a word in smtp_tls_per_site: none, may, must or must_nopeermatch; raise `PolicyError`."""
    text = decode(value) if isinstance(value, bytes) else value
    level = _WORDS.get(text.lower()) if text.isascii() else None
    if level is None:
        message = f"unknown TLS policy '{text}'"
        warning = f"{where.table}: {message} for {where.role} {where.key}"
        raise PolicyError(message, table=where.table, key=where.key, column=1, warning=warning)
    return level


def merged(first: SecurityLevel | None, second: SecurityLevel | None) -> SecurityLevel | None:
    """Return the level of next hop and host: the stronger one counts, but "none" is stronger than "may"."""
    strength = (None, SecurityLevel.MAY, SecurityLevel.NONE, SecurityLevel.ENCRYPT, SecurityLevel.VERIFY)
    return max(first, second, key=strength.index)
