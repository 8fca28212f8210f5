"""Streaming JSON of postconf(1) (-j, since Postfix 3.11): one object per line, with unchanged values."""

from __future__ import annotations

_NAMED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04X}" for code in (*range(1, 32), 127)} | _NAMED)


def object_line(name: str, value: str) -> str:
    """Return one name with its value."""
    return f'{{"{name.translate(_ESCAPES)}": "{value.translate(_ESCAPES)}"}}'
