"""Command lines by the rules of getopt(3): bundled letters, values, `--`, and its words about mistakes."""

from __future__ import annotations

from ..syntax.lines import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class BadOption(Exception):
    """What getopt(3) says of an option; the usage follows."""


def options(arguments: list[str], known: str) -> Iterator[tuple[str, str]]:
    """Take options off the front of `arguments`, and yield letter and value ("" where none belongs to it).

    `known` has the letters, with a colon behind those that take a value. Raises `BadOption` when it comes to one.
    """
    while arguments and arguments[0].startswith("-") and arguments[0] != "-":
        bundle = arguments.pop(0)
        if bundle == "--":
            break
        letters = bundle[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            position = known.find(letter)
            if position < 0 or letter == ":":
                byte = decode(encode(letter)[:1])  # an option is a byte to getopt(3)
                raise BadOption(f"invalid option -- '{byte}'")
            if known[position + 1 : position + 2] != ":":
                yield letter, ""
                continue
            if not letters and not arguments:
                raise BadOption(f"option requires an argument -- '{letter}'")
            yield letter, letters or arguments.pop(0)
            letters = ""
