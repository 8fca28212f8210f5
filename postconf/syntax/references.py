"""References ${…} that are more than a name: conditions, comparisons and calls of functions.

`grammar` defines the syntax. This module builds a parsed reference, and its error message as in Postfix, with `>>>` at
the place. It does not parse texts within a reference, and raises nothing.
"""

from __future__ import annotations

from ..catalogue import parsed_references
from .lines import BLANK, cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_CACHE_SIZE = 1000


class Reference:
    """A parsed reference. `comparison` is (left, operator, suffix, right); without one, `name` counts: of a parameter,
    or of a function that is called with `argument`.

    `problem` describes an error in the name or comparison; nothing can be evaluated then. `trailing` describes an error
    in the branches, which is found after the branches before it were used.
    """

    __slots__ = ("argument", "branches", "comparison", "name", "otherwise", "problem", "then", "trailing")

    def __init__(self) -> None:
        self.name = ""
        self.argument: str | None = None
        self.comparison: tuple[str, str, str, str] | None = None
        self.branches = False
        """True if there are branches; else the reference expands to its value."""
        self.then: str | None = None
        self.otherwise: str | None = None
        self.trailing = ""
        self.problem = ""


def parse_reference(content: str, *, calls: bool = False) -> Reference:
    """Parse the inside of ${…} or $(…); the result is cached and shared. `calls`: True if functions can be called."""
    if not _parsed:
        _parsed.update(_in_defaults())
    reference = _parsed.get((content, calls))
    if reference is None:
        if len(_parsed) > _CACHE_SIZE:
            _parsed.clear()
        reference = _parsed[content, calls] = read(content, calls=calls)
    return reference


_parsed: dict[tuple[str, bool], Reference] = {}


def _in_defaults() -> dict[tuple[str, bool], Reference]:
    """Return the references in built-in defaults, parsed at build time because parsing is slow."""
    found = {}
    for content, name, argument, left, operator, suffix, right, then, otherwise in parsed_references():
        reference = Reference()
        reference.name = name
        reference.argument = _in_cell(argument)
        if operator:
            reference.comparison = left[1:-1], operator, suffix, right[1:-1]
        reference.then, reference.otherwise = _in_cell(then), _in_cell(otherwise)
        reference.branches = bool(then or otherwise)
        found[content, True] = reference
        if not argument:
            found[content, False] = reference
    return found


def _in_cell(cell: str) -> str | None:
    return cell[1:-1] if cell else None


def read(content: str, *, calls: bool) -> Reference:
    """Parse a reference by the grammar."""
    from .grammar import parse

    found = parse(content, calls=calls)
    reference = Reference()
    reference.problem = _problem(content, found, calls=calls)
    if reference.problem:
        return reference
    reference.name = found.get("name", "")
    reference.argument = found.get("argument")
    if "right" in found:
        reference.comparison = found["left"], found["operator"], found.get("suffix", ""), found["right"]
    reference.then = found.get("then", found.get("unbraced_then"))
    reference.otherwise = found.get("otherwise", found.get("unbraced_otherwise"))
    reference.trailing = _problem_with_branches(found)
    reference.branches = bool("branches" in found or reference.trailing)
    return reference


def _problem(content: str, found: dict[str, Any], *, calls: bool) -> str:
    """Return the error in the name or comparison at the start of a reference."""
    rest = found["rest"].lstrip(BLANK)
    if "left" in found:
        left, operator, suffix = found["left"], found.get("operator"), found.get("suffix", "")
        if operator is None:
            return _at('"==" or "!="" or "<"" or "<="" or ">="" or ">" expected', f"{left}}}", rest)
        if suffix not in ("", "level"):
            return f'bad operator suffix at: "...{operator}>>>{suffix}"'
        if "right" not in found:
            before = content.removesuffix(rest).rstrip(BLANK)
            return _unbalanced(rest) or _at(
                '"{expression}" expected', f"{{{left}}} {operator}{suffix}", content.removeprefix(before)
            )
    elif rest and "branches" not in found:
        name = found.get("name", "")
        if "argument" in found:
            return _at("unexpected input", f"{found['argument']}}}", rest)
        if calls or not name:
            unbalanced = _unbalanced(rest)
            if unbalanced:
                return unbalanced
        end = len(content) - len(content.lstrip(BLANK)) + len(name)
        return _at("attribute name syntax error", content[:end], content[end:])
    return ""


def _problem_with_branches(found: dict[str, Any]) -> str:
    rest = found["rest"].lstrip(BLANK)
    for branch in ("unbraced_then", "unbraced_otherwise"):
        unbalanced = _unbalanced(found.get(branch, "").lstrip(BLANK))
        if unbalanced:
            return unbalanced
    if not rest:
        return ""
    if "branches" not in found:
        return _at('"?" or ":" expected', "}", rest)
    if "otherwise" in found:
        return _at("unexpected input", f"{found['otherwise']}}}", rest)
    return _at('":" expected', f"{found['then']}}}", rest)


def _at(what: str, left: str, rest: str) -> str:
    return f'{what} at: "...{left}>>>{cut(rest, 20)[0]}"'


def _unbalanced(text: str) -> str:
    return f'unbalanced {{}} in attribute expression: "{text}"' if text.startswith("{") else ""
