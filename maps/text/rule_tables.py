"""Tables that are rules with IF and ENDIF between them: the common parts of regexp, pcre and cidr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from postconf.syntax.lines import encode

from ..formats.indexed import reason
from ..naming import BracesError, inline_rules
from ..table import OpenError, TableError, require_reading
from .reading import TextFile
from .source import file_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..table import Access
    from .patterns import Syntax

    Plain = tuple[bytes, Syntax]
    """A pattern and its syntax."""

Key = TypeVar("Key")
INLINE = "unknown_stream"
"""Postfix's name for inline rules, in place of a file name."""


def read_rules(kind: str, name: str, access: Access, *, strict: bool = False) -> Iterator[tuple[int, bytes]]:
    """Open a file, or the name itself, and return its logical lines with their numbers, as `rule_parts` does."""
    for lines, numbers in rule_parts(kind, name, access, strict=strict):
        yield from zip(numbers, lines, strict=True)


def rule_parts(
    kind: str, name: str, access: Access, *, strict: bool = False
) -> Iterator[tuple[list[bytes], list[int]]]:
    """Open a file, or the name itself, and return its logical lines in parts, with their numbers.

    Where reading fails the table ends; `strict` is for types that stop.
    """
    require_reading(kind, name, access)
    if name.startswith("{"):
        try:
            data = encode("\n".join(inline_rules(name)))
        except BracesError as error:
            raise OpenError(f"{kind} map: {error}") from error
        return file_lines([data], INLINE, access.warn)
    try:
        file = TextFile(name, for_daemon=access.for_daemon)
    except OSError as error:
        raise OpenError(f"open {name}: {reason(error)}") from error
    return _observed(file, kind, name, access, strict=strict)


def _observed(
    file: TextFile, kind: str, name: str, access: Access, *, strict: bool
) -> Iterator[tuple[list[bytes], list[int]]]:
    for lines, numbers in file_lines(file.pieces(), name, access.warn, access.longest_line):
        if access.observe is not None:
            access.observe([(line, b"") for line in lines], numbers)
        yield lines, numbers
    if strict and file.error:
        raise TableError(f"{kind} map {name}: read error: {reason(file.error)}") from file.error


class TableRule(Generic[Key]):
    """A rule, which has a value for some keys, and the parts that its outline is made of."""

    __slots__ = ("line", "plain", "value")

    def __init__(self, value: Callable[[Key], bytes | None], plain: Plain | None = None, line: int = 0) -> None:
        self.value = value
        self.plain = plain
        self.line = line

    def line_for(self, key: Key) -> int:  # noqa: ARG002
        """Return the line that the value for a key is on: that of the rule, if it is one only."""
        return self.line


class If(Generic[Key]):
    """A condition, and the step that its ENDIF leads to; the table ends there if it has no ENDIF."""

    __slots__ = ("end", "holds", "line", "plain", "positive")

    def __init__(
        self, line: int, holds: Callable[[Key], bool], plain: Plain | None = None, *, positive: bool = True
    ) -> None:
        self.line = line
        self.holds = holds
        self.plain = plain
        self.positive = positive
        """True if it holds for keys that match the pattern, False if for others."""
        self.end = sys.maxsize


class Rules(Generic[Key]):
    """Rules in their order; the first one that has a value for a key decides."""

    def __init__(self) -> None:
        self.steps: list[If[Key] | TableRule[Key]] = []
        self._open: list[If[Key]] = []

    def add(self, rule: TableRule[Key]) -> None:
        """Add a rule."""
        self.steps.append(rule)

    def begin(
        self, line: int, holds: Callable[[Key], bool], plain: Plain | None = None, *, positive: bool = True
    ) -> None:
        """Begin the rules that count only if a condition holds."""
        step = If(line, holds, plain, positive=positive)
        self.steps.append(step)
        self._open.append(step)

    def end(self) -> bool:
        """End the innermost condition; return False outside of any condition."""
        if not self._open:
            return False
        self._open.pop().end = len(self.steps)
        return True

    def unfinished(self) -> list[int]:
        """Return the lines of conditions without an end, innermost first."""
        return [step.line for step in reversed(self._open)]

    def lookup(self, key: Key) -> bytes | None:
        """Return the value for a key."""
        found = self.find(key)
        return found and found[1]

    def find(self, key: Key) -> tuple[TableRule[Key], bytes] | None:
        """Return the rule that decides on a key, and its value."""
        steps = self.steps
        index, count = 0, len(steps)
        while index < count:
            step = steps[index]
            index += 1
            if isinstance(step, If):
                if not step.holds(key):
                    index = step.end
            else:
                value = step.value(key)
                if value is not None:
                    return step, value
        return None


class Unkept(Rules[Key]):
    """Rules that are read for their errors: only the lines of open conditions are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[int] = []

    def add(self, rule: TableRule[Key]) -> None:
        """Leave the rule."""

    def begin(
        self,
        line: int,
        holds: Callable[[Key], bool],  # noqa: ARG002
        plain: Plain | None = None,  # noqa: ARG002
        *,
        positive: bool = True,  # noqa: ARG002
    ) -> None:
        """Keep the line of a condition."""
        self._lines.append(line)

    def end(self) -> bool:
        """Forget the innermost condition."""
        if not self._lines:
            return False
        self._lines.pop()
        return True

    def unfinished(self) -> list[int]:
        """Return the lines of conditions without an end, innermost first."""
        return self._lines[::-1]
