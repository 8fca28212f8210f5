"""Command lines by the rules of getopt(3): bundled letters, values, `--`, and its error messages."""

from __future__ import annotations

from ..errors import PostconfError
from ..syntax.lines import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class OptionError(PostconfError):
    """Invalid option, with the message of getopt(3); the usage text follows."""


def options(arguments: list[str], known: str) -> Iterator[tuple[str, str]]:
    """Remove leading options from `arguments`; yield letter and value ("" for an option without one).

    `known`: the letters, each with a colon if it takes a value. Raises `OptionError`.
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
                raise OptionError(f"invalid option -- '{byte}'")
            if known[position + 1 : position + 2] != ":":
                yield letter, ""
                continue
            if not letters and not arguments:
                raise OptionError(f"option requires an argument -- '{letter}'")
            yield letter, letters or arguments.pop(0)
            letters = ""
