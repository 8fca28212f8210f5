"""TOML from strangers: the language of tomllib, at a cost that grows with the text's length. No I/O.

tomllib has no limits of its own: a key of 100,000 parts takes it minutes and gigabytes, and deep nesting ends in a
RecursionError. Files of settings and expectations need neither.
"""

from __future__ import annotations

import re
import tomllib

from .errors import TlsproxyError

MAX_LENGTH = 4 << 20
"""Characters of a text."""
MAX_PARTS = 16
"""Parts of a dotted key."""

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?)"""
_DOT = r"[ \t]*+\.[ \t]*+"
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}+(?!"))*+(?:"{3,5})?'
    r"|'''(?:[^']|'{1,2}+(?!'))*+(?:'{3,5})?"
    r"|#[^\n]*+"
    rf"|(?P<key>{_PART}(?:{_DOT}{_PART}){{{MAX_PARTS}}})"
    rf"|{_PART}(?:{_DOT}{_PART})*+",
    re.DOTALL,
)
"""Special tokens: strings and comments, in which dots are text, and keys, some with too many parts.

A string without an end goes on to that of its line or of the text: tomllib refuses it, and time stays linear.
"""


class TomlError(TlsproxyError, ValueError):
    """A text that is not TOML, or that exceeds a limit; the message names the limit, and the place if that is known."""


def loads(text: str) -> dict[str, object]:
    """Return the tables of a text as `tomllib.loads` does; raise `TomlError`."""
    if len(text) > MAX_LENGTH:
        raise TomlError(f"more than {MAX_LENGTH} characters")
    for token in _TOKEN.finditer(text):
        if token["key"]:
            line = text.count("\n", 0, token.start()) + 1
            raise TomlError(f"a key of more than {MAX_PARTS} parts (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlError("arrays and tables are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and that of a number with too many digits
        raise TomlError(str(error)) from None
