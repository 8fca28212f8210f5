"""Output format of postconf(1): folding, white space, columns and braces. Pure functions."""

from __future__ import annotations

from ..syntax.lines import BLANK, encode
from ..syntax.mastercf import FIELDS, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTH = 80
_INDENT = "    "
_COLUMNS = (0, 11, 17, 25, 33, 41, 49, 57)


def width(text: str) -> int:
    """Return the length of a text in bytes."""
    return len(text) if text.isascii() else len(encode(text))


def words(text: str) -> list[str]:
    """Split at the white space that output squeezes."""
    for blank in BLANK[1:]:
        text = text.replace(blank, " ")
    return [word for word in text.split(" ") if word]


def fold(text: str, *, folded: bool) -> str:
    """Print words with single blanks between them; `folded`: on lines that end near column 80."""
    if not folded:
        return " ".join(words(text))
    lines: list[str] = []
    line = ""
    length = 0
    for word in words(text):
        size = width(word)
        if not line:
            line, length = word, size
        elif length + size < _WIDTH:
            line, length = f"{line} {word}", length + 1 + size
        else:
            lines.append(line)
            line, length = _INDENT + word, len(_INDENT) + size
    lines.append(line)
    return "\n".join(lines)


def assignment(name: str, value: str, *, names: bool, values: bool, folded: bool) -> str:
    """Return a parameter as `name = value`, or one half of it."""
    if not values:
        return fold(name, folded=folded)
    return fold(f"{name} = {value}" if names else value, folded=folded)


def columns(fields: list[str]) -> str:
    """Return the fields of a service in columns."""
    line = ""
    for field, column in zip(fields, _COLUMNS, strict=True):
        if column:
            line += " " * max(1, column - width(line))
        line += field
    return line


def entry(service: Service, *, folded: bool, expand: Callable[[str], str] | None = None) -> str:
    """Return one service of master.cf, its fields in columns (-M)."""
    line = columns(service.fields)
    return line + _arguments(service.arguments, width(line), folded=folded, extra=3, expand=expand)


def fields_and_arguments(service: Service, *, expand: Callable[[str], str] | None = None) -> str:
    """Return one service of master.cf with single blanks between its parts (-M -j)."""
    return " ".join(service.fields) + _arguments(service.arguments, _WIDTH, folded=False, extra=3, expand=expand)


def field_start(name: str, value: str) -> str:
    """Return the text before a field (-F); a long value begins on its own line, with or without folding."""
    start = f"{name} = "
    return f"{start}\n{_INDENT}" if width(start) + width(value) > _WIDTH else start


def field_value(service: Service, field: str, *, start: int, folded: bool, expand: Callable[[str], str] | None) -> str:
    """Return a field of a service (-F); `start` is the column at which it is printed."""
    value = service.fields[FIELDS.index(field)]
    if field != "command":
        return value
    return value + _arguments(service.arguments, start + width(value), folded=folded, extra=1, expand=expand)


def _arguments(
    arguments: list[str],
    column: int,
    *,
    folded: bool,
    extra: int,
    expand: Callable[[str], str] | None,
) -> str:
    """Format arguments after a text that ends at `column`.

    `extra`: added to the length of a value in bytes. Two quirks of Postfix: up to column 4 there is no leading blank,
    and the first operand is printed without the braces that it needs.
    """
    out: list[str] = []
    options = True
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        value = None
        braces = False
        need = width(argument)
        if options:
            if not argument.startswith("-") or argument == "--":
                options = False
            elif argument[1:2] == "o" and index < len(arguments):
                value = arguments[index]
                index += 1
                if expand is not None and argument == "-o":
                    value = expand(value)
                braces = any(blank in value for blank in BLANK)
                need += width(value) + extra + (2 if braces else 0)
                column = _WIDTH
        else:
            braces = any(blank in argument for blank in BLANK)
        if not folded or column + 1 + need < _WIDTH:
            if column > len(_INDENT):
                out.append(" ")
                column += 1
        else:
            out.append("\n" + _INDENT)
            column = len(_INDENT)
        text = f"{{{argument}}}" if braces and not options else argument
        if value is not None:
            text += f" {{{value}}}" if braces else f" {value}"
        out.append(text)
        column = _WIDTH if value is not None else column + width(text)
    return "".join(out)
