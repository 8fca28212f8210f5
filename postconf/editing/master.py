"""Lossless editing of master.cf: comments, order and layout of other entries stay.

Works line by line as postconf(1) does. A changed entry is rewritten in columns; comments
inside it move before it.
"""

from __future__ import annotations

from contextlib import contextmanager

from ..command.display import words as blank_separated
from ..errors import ConfigError, Place
from ..syntax.lines import LogicalLine
from ..syntax.mastercf import FIELDS, check_fields, normalise, parse_service, split_words
from ..syntax.patterns import matches
from .entry import EditableEntry
from .main import LineWriter, is_content, is_continuation, physical_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WHO = "-Me, -Fe, -Pe, -X, or -#"

ENTRY, FIELD, PARAMETER = "entry", "field", "parameter"
SET, REMOVE, COMMENT_OUT = "set", "remove", "comment out"


class EditRequest:
    """Edit request: an action (SET, REMOVE, COMMENT_OUT) on a subject (ENTRY, FIELD, PARAMETER) of services.

    `service` and `type` may be `*`. `name` is the field or parameter, `value` its new value, or the text of the whole
    entry. `text` is the request as written, for messages.
    """

    __slots__ = ("action", "name", "service", "text", "type", "value", "what")

    def __init__(
        self, action: str, what: str, service: str, type: str, *, name: str = "", value: str = "", text: str = ""
    ) -> None:
        self.action = action
        self.what = what
        self.service = service
        self.type = type
        self.name = name
        self.value = value
        self.text = text or "/".join(part for part in (service, type, name) if part)

    def matches(self, service: str, type: str) -> bool:
        """Return True if the request applies to this service."""
        return matches(self.service, service) and matches(self.type, type)


class MasterCf:
    """Text of a master.cf that is being edited as by postconf(1) -M, -F and -P; comments and other entries stay.

    `service` and `type` may be `*` where postconf(1) accepts it. A change of a service that master.cf does not have is
    left out, with a warning. Each method raises `ConfigError` for a change that postconf(1) refuses; the text is
    unchanged then.
    """

    def __init__(self, text: str, path: str = "master.cf", warn: Callable[[str], None] | None = None) -> None:
        """`warn`: receives the warnings of postconf(1); `path`: file name for messages."""
        self.text = text
        self.path = path
        self._warn = warn or _ignore

    def set_entry(self, service: str, type: str, entry: str) -> None:
        """Replace a service by a new entry, or append the entry; `entry`: one line with all fields, as in master(5)."""
        self.change([EditRequest(SET, ENTRY, service, type, value=entry)])

    def remove_entry(self, service: str, type: str) -> None:
        """Remove a service, but keep comments inside it."""
        self.change([EditRequest(REMOVE, ENTRY, service, type)])

    def comment_out_entry(self, service: str, type: str) -> None:
        """Put a `#` in front of each line of a service."""
        self.change([EditRequest(COMMENT_OUT, ENTRY, service, type)])

    def set_field(self, service: str, type: str, field: str, value: str) -> None:
        """Change one of the eight fields (`postconf.syntax.mastercf.FIELDS`); `command` is the whole command line."""
        if field not in FIELDS:
            raise ConfigError(f'invalid field name: "{field}"', None, f"one of {', '.join(FIELDS)}")
        self.change([EditRequest(SET, FIELD, service, type, name=field, value=value)])

    def set_parameter(self, service: str, type: str, name: str, value: str) -> None:
        """Change or add an -o setting."""
        self.change([EditRequest(SET, PARAMETER, service, type, name=name, value=value)])

    def remove_parameter(self, service: str, type: str, name: str) -> None:
        """Remove an -o setting."""
        self.change([EditRequest(REMOVE, PARAMETER, service, type, name=name)])

    def change(self, requests: list[EditRequest]) -> None:
        """Apply all requests (`postconf.editing.master.EditRequest`) in one pass."""
        self.text = _Pass(self.text, self.path, self._warn, requests).run()


class _Pass:
    def __init__(self, text: str, path: str, warn: Callable[[str], None], requests: list[EditRequest]) -> None:
        self.lines = physical_lines(text)
        self.path = path
        self.warn = warn
        self.requests = requests
        self.unmatched = list(requests)
        self.writer = LineWriter()
        self.number = 0
        self.swallowed = 0

    def run(self) -> str:
        change: Callable[[str], str] | None = None
        while self.lines:
            line = self.lines.pop(0)
            self.number += 1
            if not is_content(line):
                self.writer.write(line)
            elif is_continuation(line):
                self.writer.write(change(line) if change else line)
            else:
                change = self._head(line)
        for request in self.unmatched:
            if request.what == ENTRY and request.action == SET:
                self.writer.write(self._new_entry(request).text())
            elif request.what != ENTRY:
                self.warn(f'unmatched service_name/type: "{request.text}"')
        return self.writer.text()

    def _head(self, line: str) -> Callable[[str], str] | None:
        """Write the first line of an entry, or its replacement; return the function for the lines after it."""
        service, type = self._service_and_type(line)
        entry: EditableEntry | None = None
        matched: list[EditRequest] = []
        for request in self.requests:
            new = self._new_entry(request) if request.what == ENTRY and request.action == SET else None
            if not request.matches(service, type) and not (
                new and matches(new.fields[0], service) and matches(new.fields[1], type)
            ):
                continue
            matched.append(request)
            if new:
                entry = new if request in self.unmatched else entry
            elif request.what != ENTRY:
                entry = entry or self._whole_entry(line)
                self._apply(request, entry)
            if request in self.unmatched:
                self.unmatched.remove(request)
        if not matched:
            self.writer.write(line)
            return None
        if entry:
            self.writer.write(entry.text())
            return _drop
        change = _comment_out if matched[0].action == COMMENT_OUT else _drop
        self.writer.write(change(line))
        return change

    def _service_and_type(self, line: str) -> tuple[str, str]:
        service, type, *_ = [*blank_separated(line.partition("\0")[0]), "", ""]
        if not type:
            raise self._error("specify service name and type on the same line")
        if "=" in service:
            raise self._error(f'service name syntax "{service}" is unsupported with {_WHO}')
        if "=" in type or "/" in type:
            raise self._error(f'service type syntax "{type}" is unsupported with {_WHO}')
        return service, type

    def _error(self, problem: str) -> ConfigError:
        # Postfix does not count lines that it has merged.
        return ConfigError(f"file {self.path}: line {self.number}: {problem}", self._place())

    def _place(self) -> Place:
        return Place(self.path, self.number + self.swallowed)

    def _whole_entry(self, head: str) -> EditableEntry:
        """Collect the lines of an entry, and write comments among them immediately."""
        text = head
        place = self._place()
        while self.lines and (self.lines[0][0] == "#" or is_continuation(self.lines[0])):
            line = self.lines.pop(0)
            self.swallowed += 1
            if is_content(line):
                text += line
            else:
                self.writer.write(line)
        with _blaming(place):
            parse_service(self._line(text.partition("\0")[0]), self.warn)  # Postfix ends the line at a NUL
        return EditableEntry(text)

    def _new_entry(self, request: EditRequest) -> EditableEntry:
        if len(split_words(request.value)) < len(FIELDS):
            raise ConfigError(f'bad field count: "{request.text}"', None, f"an entry has: {' '.join(FIELDS)}")
        with _blaming(None):
            parse_service(self._line(request.value), self.warn)
        return EditableEntry(request.value)

    def _apply(self, request: EditRequest, entry: EditableEntry) -> None:
        if request.what == PARAMETER:
            if request.action == REMOVE:
                entry.remove_parameter(request.name)
            else:
                entry.set_parameter(request.name, request.value)
            return
        words = split_words(request.value)
        if not words:
            raise ConfigError(f'missing value: "{request.text}"', None, "a field of master.cf is never empty")
        if request.name == "command":
            normalise(words[1:], self._line(request.value), self.warn)
            entry.set_command(request.value)
        else:
            entry.fields[FIELDS.index(request.name)] = request.value
        with _blaming(None):
            check_fields(entry.fields, self._line(request.value), [0] * len(FIELDS))

    def _line(self, text: str) -> LogicalLine:
        return LogicalLine(self.path, [(0, self.number)], text)


@contextmanager
def _blaming(place: Place | None) -> Iterator[None]:
    """Set the place of errors: in the file, or (None) in a request."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.message, place, error.remedy) from None


def _drop(_line: str) -> str:
    return ""


def _comment_out(line: str) -> str:
    return f"#{line}"


def _ignore(_warning: str) -> None:
    """Discard a warning."""
