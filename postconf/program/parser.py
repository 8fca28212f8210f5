"""Command lines by argparse, for commands that are not Postfix's: an error is one line, and names the wrong word."""

from __future__ import annotations

import argparse
import re
import sys

from ..spelling import did_you_mean
from .completion import script
from .options import COMPLETION, VERSION, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import NoReturn

    from _typeshed import SupportsWrite

_USAGE = 2
_CLOSE = 0.6
"""How much of an option's letters have to be equal (difflib's ratio): there are few options."""


class Parser(argparse.ArgumentParser):
    """A parser that reports one mistake in one line, and has --version and --completion."""

    def __init__(self, prog: str, *, description: str, epilog: str, operands: str = "") -> None:
        """`operands`: how completion takes what is no option, as the value of an `Option`."""
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._operands = operands
        self._suggestions: dict[str, Callable[[], Iterable[str]]] = {}
        self.add_argument(*VERSION.names, action=_Version, nargs=0, help=VERSION.help)
        self.add_argument(
            *COMPLETION.names,
            action=_Completion,
            metavar=COMPLETION.value,
            choices=COMPLETION.choices,
            help=f"{COMPLETION.help}: {', '.join(COMPLETION.choices)}",
        )

    def parse(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Read the command line; a word that means nothing is reported before one that is missing."""
        namespace, unknown = self.parse_known_args(arguments)
        for word in unknown:
            if word.startswith("-"):
                name = word.partition("=")[0]
                known = [each for option in self.options() for each in option.names]
                self.error(f"unrecognized option {name}{_hint(name, known)}")
            self.error(f"unexpected argument {word}")
        return namespace

    def suggest(self, option: str, words: Callable[[], Iterable[str]]) -> None:
        """Let completion offer these words as values of an option that takes others, too."""
        self._suggestions[option] = words

    def options(self) -> list[Option]:
        """Return the options as data."""
        found = []
        for action in self._actions:
            if action.option_strings and action.help != argparse.SUPPRESS:
                value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
                text = (action.help or "") % (vars(action) | {"prog": self.prog})
                suggested = self._suggestions.get(action.option_strings[-1], tuple)
                found.append(Option(action.option_strings, text, value, action.choices or suggested()))
        return found

    def completion(self, shell: str) -> str:
        """Return the completion script for a shell."""
        return script(shell, self.prog, self.options(), self._operands)

    def error(self, message: str) -> NoReturn:
        """Report a mistake in one line, and exit with status 2."""
        choice = re.match(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if choice:
            option, word, choices = choice.groups()
            known = re.findall(r"[\w.-]+", choices)
            message = f"{option}: there is no {word}{_hint(word, known)}; use one of {', '.join(known)}"
        message = re.sub(r"^argument (\S+): ", r"\1: ", message)
        self.exit(_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help or an error; unlike argparse, raise OSError."""
        (file or sys.stderr).write(message)


class _Version(argparse.Action):
    """Print versions, and exit."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        from .versions import version_text

        print(version_text(parser.prog))
        sys.exit(0)


class _Completion(argparse.Action):
    """Print a completion script, and exit."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002
        values: object,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        if isinstance(parser, Parser):
            print(parser.completion(str(values)), end="")
        sys.exit(0)


def _hint(word: str, known: Sequence[str]) -> str:
    hint = did_you_mean(word, known, _CLOSE)
    return f" ({hint})" if hint else ""
