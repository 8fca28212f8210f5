"""Lossless editing of main.cf: comments, order, layout of other entries, and unusual bytes stay.

Works line by line like postconf(1), not on parsed settings, so that unknown text is kept.
"""

from __future__ import annotations

from ..syntax.lines import BLANK, SPACE
from ..syntax.maincf import AssignmentError, split_assignment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_KEY_END = BLANK + "=\0"


class LineWriter:
    """Lines of a new file; each one ends with a newline before the next one."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        """Add one or several lines; the last newline is optional."""
        if self._lines and not self._lines[-1].endswith("\n"):
            self._lines.append("\n")
        if line:
            self._lines.append(line)

    def text(self) -> str:
        """Return the whole text."""
        return "".join(self._lines)


def physical_lines(text: str) -> list[str]:
    """Return the lines of a text with their newlines; only the last one may have none."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def is_content(line: str) -> bool:
    """Return True if a line, up to a NUL as in Postfix, is neither blank nor a comment."""
    return line.lstrip(SPACE)[:1] not in ("", "#", "\0")


def is_continuation(line: str) -> bool:
    """Return True if a line with content continues the entry above."""
    return line[0] in SPACE


class MainCf:
    """Text of a main.cf that is being edited as by postconf(1) -e, -X and -#; comments and other settings stay."""

    def __init__(self, text: str, path: str = "main.cf", warn: Callable[[str], None] | None = None) -> None:
        """`warn`: receives the warnings of postconf(1); `path`: file name for messages."""
        self.text = text
        self.path = path
        self._warn = warn or _ignore

    def set(self, name: str, value: str) -> None:
        """Set a parameter at its current places, or at the end of the file; raise ValueError for more than one line."""
        self.set_all({name: value})

    def remove(self, *names: str) -> None:
        """Remove parameters, but keep comments inside them."""
        self._replace(names, lambda _name, _line, _is_first: "")

    def comment_out(self, *names: str) -> None:
        """Put a `#` in front of each line of these parameters."""
        self._replace(names, lambda _name, line, _is_first: f"#{line}")

    def rename(self, old: str, new: str) -> None:
        """Rename a parameter; its value stays as written."""
        self._replace([old], lambda name, line, is_first: new + line[len(name) :] if is_first else line)

    def keep_last(self, name: str) -> None:
        """Remove all settings of a parameter except the last one, which is in effect."""
        total = self._count(name)
        seen = 0

        def change(_name: str, line: str, is_first: bool) -> str:
            nonlocal seen
            seen += is_first
            return line if seen == total else ""

        self._replace([name], change)

    def set_all(self, values: Mapping[str, str]) -> None:
        """Set several parameters; new ones are appended in this order. Raise ValueError as `set`, before any change."""
        for name, value in values.items():
            if not _is_setting(name, value):
                raise ValueError(f"not a setting of one line: {name} = {value}")
        found = self._replace(values, lambda name, _line, is_first: f"{name} = {values[name]}\n" if is_first else "")
        writer = LineWriter()
        writer.write(self.text)
        for name, value in values.items():
            if name not in found:
                writer.write(f"{name} = {value}\n")
        self.text = writer.text()

    def _count(self, name: str) -> int:
        lines = physical_lines(self.text)
        return sum(
            is_content(line) and not is_continuation(line) and line[: _key_length(line)] == name for line in lines
        )

    def _replace(self, names: Iterable[str], change: Callable[[str, str, bool], str]) -> frozenset[str]:
        """Change each line with content of these parameters. `change` gets name, line, and True for the first line."""
        wanted = frozenset(names)
        found: dict[str, int] = {}
        writer = LineWriter()
        key = ""
        for line in physical_lines(self.text):
            if not is_content(line):
                writer.write(line)
                continue
            is_first = not is_continuation(line)
            if is_first:
                key = line[: _key_length(line)]
                if key in wanted:
                    found[key] = found.get(key, 0) + 1
                    if found[key] == 2:
                        self._warn(f'{self.path}: multiple entries for "{key}"')
            changed = change(key, line, is_first) if key in wanted else line
            if changed:
                writer.write(changed)
        self.text = writer.text()
        return frozenset(found)


def _key_length(line: str) -> int:
    return next((index for index, character in enumerate(line) if character in _KEY_END), len(line))


def _is_setting(name: str, value: str) -> bool:
    line = f"{name} = {value}"
    try:
        return split_assignment(line)[0] == name and not name.startswith("#") and not {"\n", "\0"} & {*line}
    except AssignmentError:
        return False


def _ignore(_warning: str) -> None:
    """Discard a warning."""
