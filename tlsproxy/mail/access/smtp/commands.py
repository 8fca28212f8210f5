"""Commands as smtpd(8) takes them apart: words, quotes and angle brackets (smtpd_token.c)."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPACE = " \t\n\v\f\r"
_PLAIN = re.compile(r"""[^\s<>"\\]*""")
"""A path without anything that ends it."""
_ENDS = {"<": ">", '"': '"'}


class CommandToken(NamedTuple):
    """One word of a command; `is_whole` is False if a quote or bracket in it has no end."""

    text: str
    is_whole: bool = True


def path_and_options(path: str) -> list[CommandToken]:
    """Split `<path>` of MAIL or RCPT, and the options behind it, into words; the first one is the path."""
    if _PLAIN.fullmatch(path):
        return [CommandToken(f"<{path}>")]
    return tokens(f"MAIL FROM:<{path}>")[2:]


def tokens(line: str) -> list[CommandToken]:
    """Split a command line into its words; a colon ends `FROM:` and `TO:`."""
    found: list[CommandToken] = []
    position = 0
    while True:
        token, position = _next(line, position)
        if token is None:
            return found
        found.append(token)


def _next(line: str, position: int) -> tuple[CommandToken | None, int]:
    text: list[str] = []
    is_whole = True
    while position < len(line):
        character = line[position]
        position += 1
        if character in _SPACE:
            while position < len(line) and line[position] in _SPACE:
                position += 1
            if text:
                break
        elif character in _ENDS:
            end, closed = _quoted(line, position, _ENDS[character])
            text.append(line[position - 1 : end])
            is_whole = is_whole and closed
            position = end
        elif character == ":":
            text.append(character)
            if "".join(text).lower() in ("to:"[: len("".join(text))], "from:"[: len("".join(text))]):
                break
        else:
            text.append(character)
            if character == "\\" and position < len(line):
                text.append(line[position])
                position += 1
    return (CommandToken("".join(text), is_whole), position) if text else (None, position)


def _quoted(line: str, position: int, wanted: str) -> tuple[int, bool]:
    """Return the offset behind the quoted text, and True if the quote has an end."""
    stack = [wanted]
    while position < len(line):
        character = line[position]
        position += 1
        if character == "\\":
            position += 1
        elif character == stack[-1]:
            stack.pop()
            if not stack:
                return position, True
        elif character == '"':
            stack.append('"')
        elif character == "<" and stack[-1] == ">":
            stack.append(">")
    return min(position, len(line)), False
