"""Kinds of parameters: the words of a value, their places, and the problems with them.

    kind = kind_of("smtpd_milters", release("3.7"))
    reading = kind.read("inet:localhost:8891, { unix:/run/filter.sock, default_action=accept }")
    reading.words  # Word: text, start and end in the value, role
    reading.problems  # Problem: start, end, message, effect on Postfix, suggestion

A kind is a row of `data/kinds.tsv`, or follows from the catalogue for numbers, times and booleans; the row names the
reader in `readers`, the words that are allowed and the outcome of a bad value for each program. Readers are pure: they
get expanded text, never raise, and do no I/O. Other modules check that hosts, files, tables and services exist.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .kind import Kind, Outcome, kind_of
    from .reading import Problem, Reading, Word

__all__ = ["Kind", "Outcome", "Problem", "Reading", "Word", "kind_of"]

_MODULES = {
    "Kind": "kind",
    "Outcome": "kind",
    "Problem": "reading",
    "Reading": "reading",
    "Word": "reading",
    "kind_of": "kind",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
