"""JSON for programs in any language: every string in it is Unicode. No I/O.

Bytes that are not UTF-8 are lone surrogates in Python's strings. Strict readers refuse a whole document for one of them
(RFC 8259, section 8.2), so each becomes U+FFFD, REPLACEMENT CHARACTER.
"""

from __future__ import annotations

import json
import re

_ESCAPES = re.compile(r"(\\ud[89ab]..\\ud[c-f]..|\\[^u]|\\u(?!d[89a-f])....)|\\ud[89a-f]..")
"""Escape sequences of `json.dumps`; those of a lone surrogate are not in the group."""


def dumps(value: object, *, indent: int | None = None) -> str:
    """Return a value as ASCII text, without a newline at the end."""
    text = json.dumps(value, indent=indent)
    if r"\ud" not in text:
        return text
    return _ESCAPES.sub(lambda match: match[1] or r"\ufffd", text)
