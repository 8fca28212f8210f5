"""Tables that are rules with IF and ENDIF between them: what regexp, pcre and cidr have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from postconf.syntax.lines import encode

from ..formats.indexed import reason
from ..naming import BadBraces, inline_rules
from ..table import OpenError, TableError, require_reading
from .reading import TextFile
from .source import logical_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..table import Access

Key = TypeVar("Key")
INLINE = "unknown_stream"
"""What Postfix calls a file that is none."""


def read_rules(kind: str, name: str, access: Access, *, strict: bool = False) -> Iterator[tuple[int, bytes]]:
    """Open a file, or the name itself, and return its logical lines with their numbers.

    Where reading fails the table ends; `strict` is for types that stop.
    """
    require_reading(kind, name, access)
    if name.startswith("{"):
        try:
            data = encode("\n".join(inline_rules(name)))
        except BadBraces as error:
            raise OpenError(f"{kind} map: {error}") from error
        return logical_lines(data.split(b"\n"), INLINE, access.warn)
    try:
        file = TextFile(name)
    except OSError as error:
        raise OpenError(f"open {name}: {reason(error)}") from error
    if strict and file.error:
        raise TableError(f"{kind} map {name}: read error: {reason(file.error)}") from file.error
    return logical_lines(file.data.split(b"\n"), name, access.warn)


class _If(Generic[Key]):
    """A condition, and the step that its ENDIF leads to; None if it has no ENDIF, and the table ends there."""

    __slots__ = ("end", "holds", "line")

    def __init__(self, line: int, holds: Callable[[Key], bool]) -> None:
        self.line = line
        self.holds = holds
        self.end: int | None = None


class Rules(Generic[Key]):
    """Rules in their order; the first one that has a value for a key decides."""

    def __init__(self) -> None:
        self._steps: list[_If[Key] | Callable[[Key], bytes | None]] = []
        self._open: list[_If[Key]] = []

    def add(self, rule: Callable[[Key], bytes | None]) -> None:
        """Add a rule."""
        self._steps.append(rule)

    def begin(self, line: int, holds: Callable[[Key], bool]) -> None:
        """Begin what counts only if a condition holds."""
        step = _If(line, holds)
        self._steps.append(step)
        self._open.append(step)

    def end(self) -> bool:
        """End the innermost condition; False if there is none."""
        if not self._open:
            return False
        self._open.pop().end = len(self._steps)
        return True

    def unfinished(self) -> list[int]:
        """Return the lines of conditions without an end, innermost first."""
        return [step.line for step in reversed(self._open)]

    def lookup(self, key: Key) -> bytes | None:
        """Return the value for a key."""
        index: int | None = 0
        while index is not None and index < len(self._steps):
            step = self._steps[index]
            if isinstance(step, _If):
                index = index + 1 if step.holds(key) else step.end
            else:
                value = step(key)
                if value is not None:
                    return value
                index += 1
        return None
