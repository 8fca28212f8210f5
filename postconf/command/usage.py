"""Command line of postconf(1): valid combinations of options, and the error messages."""

from __future__ import annotations

from ..errors import ConfigError
from ..syntax.lines import BLANK
from .options import OptionError, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from ..catalogue import Release

# A colon follows each option with a value.
_OPTIONS = "aAbc:C:deEfFhHlmMno:pPtT:vxX#"
# The order of postconf(1)'s messages.
_ORDER = ("a", "A", "b", "C", *"defFhHjlmMnopPtTxX#", "PP")
_MODES = "aAblmtpTMFP"
# Mutually exclusive options; the first group with a conflict is reported.
_EXCLUSIVE: tuple[Collection[str], ...] = ("denX#", "feX#", "xeX#", "odeX#", "heX#H")
# Main modes, and the options that each of them accepts.
_COMPANIONS: dict[str, Collection[str]] = {
    **dict.fromkeys("aAblmTt", ""),
    "p": "eX#fhxdnoHj",
    "M": "eX#foxj",
    "F": "efhoxHj",
    "P": ("PP", *"eXfhoxHj"),
    "PP": "fhoxHjP",
    "j": "pMFPoxnd",
}
_CLASSES = ("builtin", "service", "user", "all")
_USAGE = (
    "usage: {} [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] "
    "[-c param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] "
    "[-h (no names)] [-H (no values)] {}[-l (lock types)] [-m (map types)] [-M (master.cf)] "
    "[-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)] "
    "[-P (master.cf parameters)] [-t (bounce templates)] [-T compile-version|run-version|public-key-algorithms] "
    "[-v (verbose)] [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]"
)


class _Dialect:
    """Options of one release."""

    def __init__(self, release: Release) -> None:
        self.has_json = release.since("3.11")
        self.options = _OPTIONS
        self.exclusive = (_MODES, *_EXCLUSIVE)
        if release.since("3.9"):
            self.options += "q"
        if self.has_json:
            self.options += "j"
            self.exclusive = (_MODES, ("PP", *"eX#"), *_EXCLUSIVE)

    def either(self, flags: list[str]) -> str:
        return (", " if self.has_json else " ").join(f"-{flag}" for flag in flags)


class PostconfUsage:
    """Valid command line.

    `flags`: the given options (`PP` for a second -P); `operands`: the arguments after them.
    """

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.directory: str | None = None
        self.classes = frozenset({"builtin", "service", "user"})
        self.overrides: list[str] = []
        self.tls_mode = ""
        self.operands: list[str] = []

    def __contains__(self, flag: str) -> bool:
        return flag in self.flags


def usage_text(program: str, release: Release) -> str:
    """Return the text of a usage error."""
    return _USAGE.format(program, "[-j (streaming JSON) ] " if _Dialect(release).has_json else "")


def parse(arguments: list[str], release: Release) -> PostconfUsage:
    """Read a command line; raise `OptionError`, or `ConfigError` for options that contradict each other."""
    dialect = _Dialect(release)
    usage = PostconfUsage()
    usage.operands = list(arguments)
    for letter, value in options(usage.operands, dialect.options):
        _take(usage, letter, value)
    if "PP" in usage and not dialect.has_json:
        usage.flags.discard("PP")
    _check(usage, dialect)
    return usage


def _take(usage: PostconfUsage, letter: str, value: str) -> None:
    if letter == "E":
        raise OptionError("")
    if letter == "c":
        usage.directory = value
    elif letter == "C":
        usage.classes = _classes(value)
    elif letter == "o":
        usage.overrides.append(value)
    elif letter == "T":
        if "T" in usage:
            raise ConfigError("At most one -T <mode> option may be specified")
        usage.tls_mode = value
    elif letter in "bt" and usage.flags & {"b", "t"}:
        raise ConfigError("specify one of -b and -t")
    usage.flags.add("PP" if letter == "P" and "P" in usage else letter)


def _classes(text: str) -> frozenset[str]:
    words = text
    for blank in BLANK[1:] + ",":
        words = words.replace(blank, " ")
    chosen: set[str] = set()
    for word in words.split(" "):
        name = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in word)
        if name and name not in _CLASSES:
            raise ConfigError(f'unknown -C option value "{word}" in "{text}"')
        chosen |= {"builtin", "service", "user"} if name == "all" else {name}
    return frozenset(chosen)


def _check(usage: PostconfUsage, dialect: _Dialect) -> None:
    flags = usage.flags
    if not flags & set(_MODES):
        flags.add("p")
    if flags & set("pMFP") and usage.operands and "=" in usage.operands[0]:
        flags.add("e")
    for group in dialect.exclusive:
        given = [letter for letter in _ORDER if letter in group and letter in flags]
        if len(given) > 1:
            raise ConfigError(f"specify one of {dialect.either(given)}")
    for mode, allowed in _COMPANIONS.items():
        if mode in flags:
            excess = [flag for flag in _ORDER if flag in flags and flag not in (*allowed, mode, "C")]
            if excess:
                raise ConfigError(f"with option -{mode}, do not specify {_listed(excess)}")
    if "e" in flags and not usage.operands:
        raise ConfigError("-e requires name=value argument")


def _listed(flags: list[str]) -> str:
    return " ".join(f"-{flag}" for flag in flags)
