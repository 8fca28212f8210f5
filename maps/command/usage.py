"""Command line of postmap(1): its options, and their effect on table flags."""

from __future__ import annotations

from postconf.command.options import OptionError, options

from ..table import Flags, TableError

_OPTIONS = "Nbc:d:fFhimnopq:rsuUvw"
_USAGE = "usage: {} [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file..."
_DUPLICATES = Flags.DUP_WARN | Flags.DUP_IGNORE | Flags.DUP_REPLACE
_NULS = Flags.TRY0NULL | Flags.TRY1NULL
_SETS = {
    "N": (_NULS, Flags.TRY1NULL),
    "n": (_NULS, Flags.TRY0NULL),
    "f": (Flags.FOLD_FIX, Flags(0)),
    "F": (Flags(0), Flags.SRC_RHS_IS_FILE),
    "r": (_DUPLICATES, Flags.DUP_REPLACE),
    "w": (_DUPLICATES, Flags.DUP_IGNORE),
    "u": (Flags.UTF8_REQUEST, Flags(0)),
}
"""Flags that an option clears, and flags that it sets; the last option counts."""
EVERYTHING_FROM_STDIN = "-"


class PostmapUsage:
    """Command line. `letters`: the given options; `operands`: tables."""

    def __init__(self) -> None:
        self.letters: set[str] = set()
        self.directory: str | None = None
        self.query: str | None = None
        self.delete: str | None = None
        self.flags = Flags.DUP_WARN | Flags.FOLD_FIX | Flags.UTF8_REQUEST
        self.operands: list[str] = []

    def __contains__(self, letter: str) -> bool:
        return letter in self.letters

    def check(self) -> str | None:
        """Check combinations of options; return a warning, or raise `TableError`."""
        if not self.letters & set("bhm"):
            return None
        if self.query != EVERYTHING_FROM_STDIN:
            raise TableError('specify -b -h or -m only with "-q -"')
        if not self.letters & set("bh"):
            return "ignoring -m option without -b or -h"
        if "U" not in self:
            self.flags &= ~Flags.UTF8_REQUEST
        return None

    def needs_table(self) -> bool:
        """Return True if postmap(1) would print its usage."""
        return not self.operands and ("s" not in self or self.delete is not None or self.query is not None)


def usage_text(program: str) -> str:
    """Return the text of a usage error."""
    return _USAGE.format(program)


def parse(arguments: list[str]) -> PostmapUsage:
    """Read a command line; raise `OptionError`, or `TableError` for options that contradict each other."""
    usage = PostmapUsage()
    usage.operands = list(arguments)
    for letter, value in options(usage.operands, _OPTIONS):
        _take(usage, letter, value)
    return usage


def _take(usage: PostmapUsage, letter: str, value: str) -> None:
    busy = usage.query is not None or usage.delete is not None
    if letter in "dq" and (busy or "s" in usage):
        raise TableError("specify only one of -s -q or -d")
    if letter == "s" and busy:
        raise TableError("specify only one of -s or -q or -d")
    if letter == "c":
        usage.directory = value
    elif letter == "d":
        usage.delete = value
    elif letter == "q":
        usage.query = value
    elif letter in _SETS:
        without, with_ = _SETS[letter]
        usage.flags = usage.flags & ~without | with_
    usage.letters.add(letter)


__all__ = ["EVERYTHING_FROM_STDIN", "OptionError", "PostmapUsage", "parse", "usage_text"]
