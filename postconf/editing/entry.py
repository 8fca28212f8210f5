"""Editable entry of master.cf, with the arguments as the command receives them.

Postfix's parser of arguments (`mastercf.normalise`) may cut an option at the wrong place, and loses braces. postconf(1)
shows this result, but master(8) passes arguments on as written. So an entry keeps their meaning for the command when it
is written back: `-ofoo=bar` is `-o foo=bar`, and `{a b}` is one argument anywhere.
"""

from __future__ import annotations

from ..command.display import columns, width
from ..syntax.lines import BLANK, SPACE
from ..syntax.maincf import AssignmentError, split_assignment
from ..syntax.mastercf import closing_brace, split_words

_END_OF_BUNDLE = "imnrst-"
"""Letters that end a bundle of options: options of Postfix daemons with a value, and invalid ones."""
_LINE_LENGTH = 80
_INDENT = 4
_NEW_LINE = "\n" + " " * _INDENT


class EntryOption:
    """Option of the command; `text` is the value of -o as written, `name` the parameter that it sets."""

    __slots__ = ("letters", "name", "text")

    def __init__(self, letters: str, text: str | None = None, name: str = "") -> None:
        self.letters = letters
        self.text = text
        self.name = name

    @property
    def is_open(self) -> bool:
        """Return True if it has an unclosed brace."""
        return _words(f"{self.text or self.letters} .")[-1] != "."


class EditableEntry:
    """Fields, options and further arguments."""

    def __init__(self, text: str) -> None:
        """`text`: logical line with at least eight words."""
        words = _words(text)
        self.fields = words[:7]
        self._set_command(words[7:])

    def set_command(self, text: str) -> None:
        """Replace the command and its arguments."""
        self._set_command(_words(text))

    def _set_command(self, words: list[str]) -> None:
        self.fields[7:] = words[:1]
        self.options, rest = _options(words[1:])
        self.arguments = [_argument(word, is_first=index == 0) for index, word in enumerate(rest)]

    def set_parameter(self, name: str, value: str) -> None:
        """Change each -o setting of this parameter, or add one after the other options."""
        found = [option for option in self.options if option.name == name]
        if not found:
            found = [EntryOption("-o")]
            # An unclosed brace includes all text after it.
            position = len(self.options) - (1 if self.options and self.options[-1].is_open else 0)
            self.options[position:position] = found
        for option in found:
            option.name = name
            option.text = _braced(f"{name}={value}")

    def remove_parameter(self, name: str) -> None:
        """Remove all -o settings of this parameter."""
        self.options = [option for option in self.options if option.name != name]

    def text(self) -> str:
        """Return the entry in columns, each -o on a line of its own, as `postconf -Mf` prints it."""
        line = columns(self.fields)
        column = width(line)
        parts = [line]
        for option in self.options:
            if option.text is not None:
                parts.append(f"{_NEW_LINE}{option.letters} {option.text}")
                column = _LINE_LENGTH
            else:
                column = _append(parts, option.letters, column)
        for argument in self.arguments:
            column = _append(parts, argument, column)
        return "".join(parts) + "\n"


def _append(parts: list[str], text: str, column: int) -> int:
    """Add an argument to the line, or begin a new one; return the column after it."""
    # Postfix does not count the braces that it adds.
    needed = width(text.removeprefix("{").removesuffix("}") if text.startswith("{") else text)
    if column + 1 + needed < _LINE_LENGTH:
        parts.append(f" {text}")
        return column + 1 + width(text)
    parts.append(f"{_NEW_LINE}{text}")
    return _INDENT + width(text)


def _words(text: str) -> list[str]:
    return [word for word, _ in split_words(text.rstrip(BLANK))]


def _options(words: list[str]) -> tuple[list[EntryOption], list[str]]:
    """Split words into options and further arguments."""
    options: list[EntryOption] = []
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        index = _index_of_o(word)
        if index is None:
            options.append(EntryOption(word))
            continue
        if index > 1:
            options.append(EntryOption(word[:index]))
        value = word[index + 1 :] or (rest.pop(0) if rest else None)
        options.append(_setting(value) if value is not None else EntryOption("-o"))
    return options, rest


def _index_of_o(word: str) -> int | None:
    """Return the index of -o in a bundle of options, as getopt(3) reads it."""
    for index, letter in enumerate(word[1:], 1):
        if letter == "o":
            return index
        if letter in _END_OF_BUNDLE:
            break
    return None


def _setting(value: str) -> EntryOption:
    inner, garbage = _inside_braces(value)
    text = value if inner is None else inner
    try:
        name, assigned, _ = split_assignment(text)
    except AssignmentError:
        name = ""
    else:
        text = text if inner is None else f"{name}={assigned}"
    return EntryOption("-o", value if garbage else _braced(text), name)


def _argument(word: str, *, is_first: bool) -> str:
    inner, garbage = _inside_braces(word)
    if garbage:
        return word
    if inner is not None:
        return _braced(inner)
    return word if is_first else _braced(word)


def _inside_braces(word: str) -> tuple[str | None, str]:
    """Return the text in the braces around a word, and the text after them; None without braces."""
    if not word.startswith("{"):
        return None, ""
    end = closing_brace(word, 0)
    if end < 0:
        return word[1:].strip(SPACE), ""
    return word[1:end].strip(SPACE), word[end + 1 :]


def _braced(text: str) -> str:
    """Put braces around text that would not be read as one word, or would lose its own braces."""
    needs_braces = not text or text.startswith("{") or any(blank in text for blank in BLANK)
    braced = f"{{{text}}}"
    return braced if needs_braces and closing_brace(braced, 0) == len(braced) - 1 else text
