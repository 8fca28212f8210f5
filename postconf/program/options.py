"""Options of a command as data, for help, completion and usage errors."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Option:
    """Command-line option.

    `names`: its spellings, such as -c and --config; `value`: name of its value, empty for a flag; `choices`: the known
    values. A value called DIR is a directory; FILE, PATH and SOCKET are files.
    """

    __slots__ = ("choices", "help", "names", "value")

    def __init__(self, names: Sequence[str], help: str, value: str = "", choices: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        self.help = help
        self.value = value
        self.choices = tuple(choices)

    @property
    def is_directory(self) -> bool:
        """True if the value is a directory."""
        return self.value == "DIR"

    @property
    def is_file(self) -> bool:
        """True if the value is a file."""
        return self.value in ("FILE", "PATH", "SOCKET")


SHELLS = ("bash", "zsh", "fish")
COMPLETION = Option(["--completion"], "print a completion script", "SHELL", SHELLS)
HELP = Option(["--help"], "show this help and exit")
VERSION = Option(["--version"], "show the version of the program, of OpenSSL and of Postfix, and exit")


def help_text(usage: str, description: str, groups: Iterable[tuple[str, Iterable[Option]]], examples: str) -> str:
    """Return the text of --help for a command that reads its options by getopt(3)."""
    lines = [f"usage: {usage}", "", description]
    for title, options in groups:
        lines += ["", f"{title}:"]
        for option in options:
            left = f"  {', '.join(option.names)}{' ' + option.value if option.value else ''}"
            if len(left) < _COLUMN - 1:
                lines.append(f"{left:{_COLUMN}}{option.help}")
            else:
                lines += [left, " " * _COLUMN + option.help]
    return "\n".join([*lines, "", "examples:", examples.rstrip("\n")])


_COLUMN = 28
