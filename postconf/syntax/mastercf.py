"""Syntax of master.cf: services, their eight fields, and their arguments in normal form (master(5)).

Postfix's parser loses the original text of some arguments, `-ofoo=bar` for example. This module returns the result of
Postfix; docs/compatibility.md lists the cases.
"""

from __future__ import annotations

from ..errors import ConfigError, Place
from .lines import BLANK, SPACE, LogicalLine, logical_lines
from .maincf import AssignmentError, Setting, split_assignment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command")
TYPES = ("unix", "fifo", "inet", "pass", "unix-dgram")
_FLAGS = frozenset("yn-")
_DIGITS = frozenset("0123456789")


class Service:
    """Entry of master.cf.

    `fields` are its first eight, `arguments` the command's in normal form: each `-o` alone, its `name=value` next.
    `settings` are the `-o` settings of this entry. In Postfix all entries with the same name and type share their
    settings, from the first entry with settings on: `shared` has these.
    """

    __slots__ = ("arguments", "fields", "line", "settings", "shared")

    def __init__(self, line: LogicalLine, fields: list[str], arguments: list[str], settings: list[Setting]) -> None:
        self.line = line
        self.fields = fields
        self.arguments = arguments
        self.settings = settings
        self.shared: dict[str, Setting] = {}

    @property
    def name(self) -> str:
        """The service name."""
        return self.fields[0]

    @property
    def type(self) -> str:
        """The service type: unix, inet, pass, fifo or unix-dgram."""
        return self.fields[1]

    @property
    def command(self) -> str:
        """The program, as written: relative to daemon_directory."""
        return self.fields[7]

    @property
    def key(self) -> str:
        """`name/type`, as in postconf(1) and in messages."""
        return f"{self.fields[0]}/{self.fields[1]}"


class Master:
    """Content of master.cf."""

    __slots__ = ("path", "services", "settings")

    def __init__(self, path: str, services: list[Service]) -> None:
        self.path = path
        self.services = services
        self.settings: dict[str, dict[str, Setting]] = {}
        """Shared -o settings by `name/type`, for entries with settings."""
        for service in services:
            for setting in service.settings:
                self.settings.setdefault(service.key, {})[setting.name] = setting
            service.shared = self.settings.get(service.key, service.shared)


def read_services(text: str, path: str, warn: Callable[[str], None], *, warn_of_nul: bool = False) -> Master:
    """Read master.cf; raise `ConfigError`."""
    lines = logical_lines(text, path, warn, warn_of_nul=warn_of_nul)
    return Master(path, [parse_service(line, warn) for line in lines])


def parse_service(
    line: LogicalLine, warn: Callable[[str], None], words: list[tuple[str, int]] | None = None
) -> Service:
    """Read one entry; raise `ConfigError`. `words`: those of the line, if the caller has split it."""
    if words is None:
        words = split_words(line.text)
    if len(words) < len(FIELDS):
        raise ConfigError(
            f"file {line.path}: line {line.number}: bad field count",
            line.place(0),
            f"an entry has at least these fields: {' '.join(FIELDS)}",
        )
    fields = [word for word, _ in words[:8]]
    check_fields(fields, line, [offset for _, offset in words])
    arguments, settings = normalise(words[8:], line, warn)
    return Service(line, fields, arguments, settings)


def check_fields(fields: list[str], line: LogicalLine, offsets: list[int]) -> None:
    """Check all fields except the name and the command, in master(8)'s order; raise `ConfigError`."""
    if fields[1] in TYPES and _FLAGS.issuperset(fields[2:5]) and _is_wakeup(fields[5]) and _is_limit(fields[6]):
        return
    for index, name, is_valid, remedy in (
        (1, "type", lambda field: field in TYPES, f"one of {', '.join(TYPES)}"),
        (2, "private", _is_flag, "y, n or -"),
        (3, "unprivileged", _is_flag, "y, n or -"),
        (4, "chroot", _is_flag, "y, n or -"),
        (5, "wakeup", _is_wakeup, "seconds, perhaps followed by ?, or -"),
        (6, "process_limit", _is_limit, "a number or -"),
    ):
        if not is_valid(fields[index]):
            quoted = line.text.replace("\n", " ")
            raise ConfigError(
                f'invalid {name} field "{fields[index]}" in "{quoted}"',
                line.place(offsets[index]),
                f"expected {remedy}",
            )


def _is_flag(field: str) -> bool:
    return field in _FLAGS


def _is_limit(field: str) -> bool:
    return field == "-" or (field != "" and _DIGITS.issuperset(field))


def _is_wakeup(field: str) -> bool:
    return _DIGITS.issuperset(field.removesuffix("?")) or field.removesuffix("?") == "-"


def split_words(text: str, separators: str = BLANK) -> list[tuple[str, int]]:
    """Split at separators outside braces (mystrtokq(3)); return words with their offsets."""
    words: list[tuple[str, int]] = []
    blanked = text
    for other in separators[1:]:
        blanked = blanked.replace(other, separators[0])
    start, offset, level = -1, 0, 0
    for part in blanked.split(separators[0]):
        if not part and start < 0:
            offset += 1
            continue
        end = offset + len(part)
        if start < 0:
            start = offset
        if "{" in part or level:
            level = _level_after(part, level)
        if level == 0:
            words.append((text[start:end], start))
            start = -1
        offset = end + 1
    if start >= 0:
        words.append((text[start:], start))
    return words


def _level_after(text: str, level: int) -> int:
    """Return the number of open braces after a text; `level`: before it. Surplus closing braces don't count."""
    for character in text:
        if character == "{":
            level += 1
        elif character == "}" and level:
            level -= 1
    return level


def closing_brace(text: str, start: int, opener: str = "{", closer: str = "}") -> int:
    """Return the offset of the closer that matches the opener at `start`, or -1."""
    level = 1
    position = start + 1
    opening = text.find(opener, position)
    while True:
        closing = text.find(closer, position)
        if closing < 0:
            return -1
        while 0 <= opening < closing:
            level += 1
            opening = text.find(opener, opening + 1)
        level -= 1
        if level == 0:
            return closing
        position = closing + 1


def without_braces(text: str, where: str, warn: Callable[[str], None]) -> str:
    """Remove the outer braces of a text; warn of a missing closing brace, or of text after it."""
    end = closing_brace(text, 0)
    if end < 0:
        warn(f"{where}: missing '}}' in \"{text}\"")
        return text[1:]
    if end != len(text) - 1:
        warn(f"{where}: syntax error after '}}' in \"{text}\"")
    return text[1:end]


def normalise(
    words: list[tuple[str, int]], line: LogicalLine, warn: Callable[[str], None]
) -> tuple[list[str], list[Setting]]:
    """Bring arguments into normal form; return them and the -o settings among them."""
    todo = list(reversed(words))
    done: list[str] = []
    settings: list[Setting] = []
    ended = False
    while todo:
        word, offset = todo.pop()
        if not word.startswith("-") or word == "--":
            todo.append((word, offset))
            break
        cut = word.find("o", 2)
        if cut > 0:
            todo.append(("-" + word[cut:], offset + cut - 1))
            word = word[:cut]
        ended = ended or word == "--"  # the rest of `--o`: settings after it have no effect
        if word[1:2] != "o":
            done.append(word)
            continue
        if len(word) > 2:
            value, value_offset = word[2:], offset + 2
        elif todo:
            value, value_offset = todo.pop()
        else:
            done.append(word)
            break
        if value.startswith("{"):
            value = without_braces(value, "master.cf", warn).strip(SPACE)
            try:
                name, text, _ = split_assignment(value)
                value = f"{name}={text}"
            except AssignmentError as error:
                warn(f'master.cf: {error}: "{value}"')
        done += ["-o", value]
        try:
            name, text, inner = split_assignment(value)
        except AssignmentError:
            continue
        found = line.text.find(text, value_offset)  # leading braces and blanks may have been removed
        if not ended:
            settings.append(Setting(name, text, line, found if found >= 0 else value_offset + inner))
    for word, _ in reversed(todo):
        done.append(without_braces(word, "master.cf", warn).strip(SPACE) if word.startswith("{") else word)
    return done, settings


def place_of_field(service: Service, field: str) -> Place:
    """Return the place of a field, by its name in `FIELDS`."""
    return service.line.place(split_words(service.line.text)[FIELDS.index(field)][1])
