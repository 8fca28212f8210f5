"""Names of tables: `type:name`, lists of names, and names that contain the table, in braces.

Texts are `str` like the configuration: any bytes, by surrogateescape. Braces have neither quotes nor escapes.
"""

from __future__ import annotations

from postconf.syntax.lines import SPACE

from .errors import MapsError
from .table import TableError

SEPARATORS = ", \t\r\n"
"""Separators of list elements (CHARS_COMMA_SP)."""


class BracesError(MapsError, ValueError):
    """Malformed `{...}`, with Postfix's message."""


def split_name(text: str) -> tuple[str, str]:
    """Split `type:name` at its first colon; raise `TableError`, also fatal for daemons, if a half is missing."""
    kind, _, name = text.partition(":")
    if not kind or not name:
        raise TableError(f'open dictionary: expecting "type:name" form instead of "{text}"')
    return kind, name


def split_list(text: str) -> list[str]:
    """Split a list at commas and blanks outside braces; elements keep their braces."""
    elements = []
    start = level = 0
    for index, character in enumerate(text):
        if character == "{":
            level += 1
        elif character == "}":
            level = max(level - 1, 0)
        elif level == 0 and character in SEPARATORS:
            elements.append(text[start:index])
            start = index + 1
    elements.append(text[start:])
    return [element for element in elements if element]


def braced_list(text: str) -> list[str] | None:
    """Split the text in `{ one, two }`; return None if it is empty, or the braces are malformed."""
    return split_list(text[1:-1]) if len(text) > 2 and _closing(text) == len(text) else None


def in_braces(text: str) -> str:
    """Return the text inside braces; raise `BracesError` unless they begin and end it."""
    if not text.startswith("{"):
        raise BracesError(f"no '{{' at start of text in \"{text}\"")
    end = _closing(text)
    if end == 0:
        raise BracesError(f"missing '}}' in \"{text}\"")
    if end < len(text):
        raise BracesError(f"syntax error after '}}' in \"{text}\"")
    return text[1:-1]


def inline_rules(text: str) -> list[str]:
    """Return the rules in the name of a table, `{ {rule}, {rule} }`; raise `BracesError`."""
    return [in_braces(element).strip(SPACE) for element in split_list(in_braces(text))]


def _closing(text: str) -> int:
    """Return the length of the `{...}` that a text begins with; 0 if it does not begin with a whole one."""
    if not text.startswith("{"):
        return 0
    level = 0
    for index, character in enumerate(text):
        if character == "{":
            level += 1
        elif character == "}":
            level -= 1
            if level == 0:
                return index + 1
    return 0
