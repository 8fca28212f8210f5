"""Command lines by argparse, for commands that Postfix does not have: an error is one line with the wrong word."""

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
"""Minimum similarity of an option for a suggestion (difflib's ratio)."""


class Parser(argparse.ArgumentParser):
    """Parser that reports an error in one line, and has --version and --completion."""

    def __init__(self, prog: str, *, description: str, epilog: str, operands: str = "") -> None:
        """`operands`: kind of the operands for completion, like the value of an `Option`."""
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
        """Parse the command line; an unknown argument is reported before a missing one."""
        namespace, unknown = self.parse_known_args(arguments)
        for word in unknown:
            if word.startswith("-"):
                name = word.partition("=")[0]
                known = [each for option in self.options() for each in option.names]
                self.error(f"unrecognized option {name}{_hint(name, known)}")
            self.error(f"unexpected argument {word}")
        return namespace

    def suggest(self, option: str, words: Callable[[], Iterable[str]]) -> None:
        """Add values for the completion of an option that also accepts others."""
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
        """Report an error in one line, and exit with status 2."""
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
