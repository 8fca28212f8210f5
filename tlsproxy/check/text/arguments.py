"""Arguments of a service in master.cf as its daemon reads them, which is by getopt(3).

postconf(1) reads them otherwise: of `-osmtpd_tls_auth_only=yes` it makes two settings (`postconf.syntax.mastercf`).
The daemon's reading counts for mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from postconf.syntax.lines import SPACE, LogicalLine
from postconf.syntax.maincf import AssignmentError, Setting, split_assignment
from postconf.syntax.mastercf import closing_brace

from ..facts.programs import OPTIONS, WITH_ARGUMENT

Word = tuple[str, int]
"""A word and its offset in the logical line."""


@dataclass
class Arguments:
    """Arguments of a daemon, parsed."""

    settings: list[Setting] = field(default_factory=list)
    invalid: list[tuple[int, str]] = field(default_factory=list)
    """Offsets of options that the daemons don't have, and their letters."""


def read_arguments(words: Sequence[Word], line: LogicalLine) -> Arguments:
    """Read the words behind the command of a daemon (master(5), "Command name + arguments")."""
    found = Arguments()
    waiting = list(reversed(words))
    while waiting:
        word, offset = waiting.pop()
        if not word.startswith("-") or word in ("-", "--"):
            break
        for position, letter in enumerate(word[1:], 1):
            if letter not in OPTIONS:
                found.invalid.append((offset + position, letter))
                return found
            if letter not in WITH_ARGUMENT:
                continue
            value, at = word[position + 1 :], offset + position + 1
            if not value and waiting:
                value, at = waiting.pop()
            if letter == "o":
                _add_setting(found.settings, value, at, line)
            break
    return found


def _add_setting(settings: list[Setting], value: str, offset: int, line: LogicalLine) -> None:
    if value.startswith("{"):
        end = closing_brace(value, 0)
        inside = value[1:end] if end > 0 else value[1:]
        offset += 1 + len(inside) - len(inside.lstrip(SPACE))
        value = inside.strip(SPACE)
    try:
        name, text, inner = split_assignment(value)
    except AssignmentError:
        return
    settings.append(Setting(name, text, line, offset + inner))
