"""Syntax of main.cf: assignments `name = value` (split_nameval(3))."""

from __future__ import annotations

from ..errors import ConfigError, Place, PostconfError
from .lines import SPACE, LogicalLine, logical_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


_SPACES = frozenset(SPACE)


class Setting:
    """Assignment `name = value` in a file or on a command line, with the place of its value."""

    __slots__ = ("_offset", "_source", "name", "value")

    def __init__(self, name: str, value: str, source: LogicalLine | Place | None, offset: int = 0) -> None:
        """`offset`: position of the value in `source`, if that is a line."""
        self.name = name
        self.value = value
        self._source = source
        self._offset = offset

    @property
    def place(self) -> Place | None:
        """Place of the value; None for a command line."""
        return self.place_at(0)

    def place_at(self, index: int) -> Place | None:
        """Return the place of the value's character at `index`."""
        if isinstance(self._source, LogicalLine):
            return self._source.place(self._offset + index)
        return self._source


class AssignmentError(PostconfError, ValueError):
    """Text that is not an assignment, with the message of split_nameval(3). `offset` is the place of the error."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def split_assignment(text: str) -> tuple[str, str, int]:
    """Split `name = value`; return both and the offset of the value. Raise `AssignmentError`."""
    left, sign, right = text.partition("=")
    name = left.strip(SPACE)
    if sign and name and _SPACES.isdisjoint(name):
        value = right.lstrip(SPACE)
        return name, value.rstrip(SPACE), len(text) - len(value)
    start = len(text) - len(text.lstrip(SPACE))
    end = text.find("=", start)
    end = len(text) if end < 0 else end
    if not _SPACES.isdisjoint(text[start:end]):
        end = next(offset for offset in range(start, end) if text[offset] in _SPACES)
    if end == start:
        raise AssignmentError("missing attribute name", start)
    rest = text[end:].lstrip(SPACE)
    equals = len(text) - len(rest)
    if not rest.startswith("="):
        raise AssignmentError("missing '=' after attribute name", equals)
    value = rest[1:].lstrip(SPACE)
    return text[start:end], value.rstrip(SPACE), len(text) - len(value)


def read_settings(
    text: str, path: str, warn: Callable[[str], None], *, warn_of_nul: bool = False
) -> dict[str, Setting]:
    """Read main.cf, or a file of the same format; the last assignment to a name counts. Raise `ConfigError`."""
    settings: dict[str, Setting] = {}
    add_settings(settings, text, path, warn, warn_of_nul=warn_of_nul)
    return settings


def add_settings(
    settings: dict[str, Setting], text: str, path: str, warn: Callable[[str], None], *, warn_of_nul: bool = False
) -> None:
    """Read a file as `read_settings` does, into a dictionary that may already have settings."""
    for line in logical_lines(text, path, warn, warn_of_nul=warn_of_nul):
        try:
            name, value, offset = split_assignment(line.text)
        except AssignmentError as error:
            raise ConfigError(
                f'{path}, line {line.number}: {error}: "{line.text}"',
                line.place(error.offset),
                "write NAME = VALUE, or # in front of a comment",
            ) from None
        earlier = settings.get(name)
        if earlier is not None and earlier.value != value:
            warn(f"{path}, line {line.number}: overriding earlier entry: {name}={earlier.value}")
        settings[name] = Setting(name, value, line, offset)
