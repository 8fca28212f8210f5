"""main.cf and master.cf, parsed with all mistakes, not only the first one.

The readers of Postfix's syntax (`postconf.syntax.maincf` and `mastercf`) do the work line by line; text they refuse
is kept beside the text that they accept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from itertools import islice

from postconf import ConfigError, Place
from postconf.syntax.lines import SPACE, LogicalLine, logical_lines
from postconf.syntax.maincf import AssignmentError, Setting, split_assignment
from postconf.syntax.mastercf import FIELDS, Service, parse_service, split_words

from ..facts.programs import DAEMONS
from ..findings import Edit, Span
from .arguments import read_arguments

MOST_CHARACTERS = 4 << 20
"""The longest file that is looked at; real ones have a few thousand characters."""
MOST_PHYSICAL_LINES = 500_000
"""Lines of a file that is looked at: each can take some 250 bytes."""
MOST_LINES = 20_000
"""Logical lines of a file, and -o settings in all, that are looked at: each can take some 7 KB and 0.5 ms."""
LONGEST_ENTRY = 100_000
"""Characters of an entry of master.cf that is looked at."""
_LONGEST_KEPT = 200
"""Characters of a line whose words are remembered for the next file."""
TOO_LARGE = "S014"
"""The rule that reports files and values that are too large to be checked."""


class Text:
    """The text of one file and its physical lines."""

    def __init__(self, path: str, text: str) -> None:
        """`path` is its name in reports. A longer text than the limits above counts as empty (`is_too_long`)."""
        self.path = path
        self.is_too_long = len(text) > MOST_CHARACTERS or text.count("\n") > MOST_PHYSICAL_LINES
        self.text = "" if self.is_too_long else text

    @cached_property
    def lines(self) -> list[str]:
        """The physical lines, without their newlines."""
        return self.text.split("\n")

    def line(self, number: int) -> str:
        """Return a physical line, without its newline."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


class Source(Text):
    """A file that is checked: its logical lines, and the places in it."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self.logical = list(islice(logical_lines(self.text, path, _ignore), MOST_LINES + 1))
        self.rest: LogicalLine | None = None
        """The first line that is not looked at, because too many are before it; None if all are looked at."""
        if len(self.logical) > MOST_LINES:
            self._leave_out(MOST_LINES)

    def _leave_out(self, index: int) -> None:
        """Look at none of the logical lines from this one on."""
        self.rest = self.logical[index]
        del self.logical[index:]

    def content(self, logical: LogicalLine) -> list[int]:
        """Return the numbers of the physical lines that make a logical line."""
        return [
            number
            for number in range(logical.number, logical.last_number + 1)
            if self.line(number).lstrip(SPACE)[:1] not in ("", "#")
        ]

    def span(self, number: int, start: int | None = None, end: int | None = None) -> Span:
        """Return characters of a physical line, counted from 0; by default all but the white space around."""
        text = self.line(number)
        if start is None:
            start = len(text) - len(text.lstrip(SPACE))
        if end is None:
            end = len(text.rstrip(SPACE))
        return Span(self.path, number, start + 1, max(end, start + 1) + 1)

    def first_part(self, place: Place, length: int) -> Span:
        """Return so many characters from a place on, as far as its line goes."""
        room = len(self.line(place.line).rstrip(SPACE)) - place.column + 1
        return Span.at(place, max(1, min(length, room)))

    def removal(self, logical: LogicalLine) -> tuple[Edit, ...]:
        """Return the edits that take a logical line out and leave the comments in it."""
        return tuple(Edit(self.path, number, 1, number + 1, 1, "") for number in self.content(logical))

    def addition(self, text: str) -> Edit:
        """Return the edit that puts a line at the end."""
        last = len(self.lines)
        is_open = self.lines[-1] != ""
        column = len(self.lines[-1]) + 1
        return Edit(self.path, last, column, last, column, ("\n" if is_open else "") + text + "\n")


class Assignment:
    """One `name = value` of main.cf, or one -o setting of a service in master.cf."""

    __slots__ = ("_place_at", "line", "name", "service", "source", "value")

    def __init__(
        self,
        source: Source,
        line: LogicalLine,
        name: str,
        value: str,
        place_at: Callable[[int], Place | None],
        *,
        service: Service | None = None,
    ) -> None:
        self.source = source
        self.line = line
        self.name = name
        self.value = value
        self.service = service
        self._place_at = place_at

    def span(self, start: int = 0, length: int | None = None) -> Span:
        """Return characters of the value; by default all of it, as far as its first line goes."""
        place = self._place_at(start) or Place(self.source.path, self.line.number)
        if not self.value and self.service and (sign := self._place_at(-1)):
            place = Place(sign.path, sign.line, sign.column + 1)  # the next character is on the next line
        return self.source.first_part(place, len(self.value) - start if length is None else length)

    def word(self, word: str) -> Span:
        """Return the first such word in the value; the value, if it comes from elsewhere."""
        start = self.value.find(word)
        return self.span(start, len(word)) if word and start >= 0 else self.span()

    def name_span(self) -> Span:
        """Return the parameter's name."""
        if self.service is None:
            start = len(self.line.text) - len(self.line.text.lstrip(SPACE))
            return Span.at(self.line.place(start), len(self.name))
        value = self.span()
        start = self.source.line(value.line).rfind(self.name, 0, value.column - 1)
        return Span(value.path, value.line, start + 1, start + 1 + len(self.name)) if start >= 0 else value


class MainFile(Source):
    """main.cf: assignments in their order, duplicates included, and invalid lines."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self.assignments: list[Assignment] = []
        self.broken: list[tuple[LogicalLine, AssignmentError]] = []
        self.settings: dict[str, Setting] = {}
        """Effective settings: the last assignment of each name."""
        self.effective: dict[str, Assignment] = {}
        for line in self.logical:
            try:
                split = _split if len(line.text) < _LONGEST_KEPT else split_assignment
                name, value, offset = split(line.text)
            except AssignmentError as error:
                self.broken.append((line, error))
                continue
            setting = Setting(name, value, line, offset)
            assignment = Assignment(self, line, name, value, setting.place_at)
            self.assignments.append(assignment)
            self.settings[name] = setting
            self.effective[name] = assignment


class MasterEntry:
    """A logical line of master.cf: a service, or the error in it."""

    def __init__(self, source: Source, line: LogicalLine) -> None:
        self.source = source
        self.line = line
        self.service: Service | None = None
        self.error: ConfigError | None = None
        self.warnings: list[str] = []
        """Warnings of postconf(1)."""
        self.invalid_options: list[tuple[int, str]] = []
        """Offsets and letters of options that no daemon has."""
        fields = _fields(line.text) if len(line.text) < _LONGEST_KEPT else None
        if fields is not None:
            self.words = fields
            self.service = Service(line, [word for word, _ in fields], [], [])
            return
        self.words = split_words(line.text)
        try:
            self.service = parse_service(line, self.warnings.append, self.words)
        except ConfigError as error:
            self.error = error
        if self.service and self.service.command in DAEMONS:
            arguments = read_arguments(self.words[len(FIELDS) :], line)
            self.service.settings = arguments.settings
            self.invalid_options = arguments.invalid

    def span(self, field: int) -> Span:
        """Return one of the words, from 0 on, as far as its first line goes; the line's beginning for a missing one."""
        word, offset = self.words[field] if field < len(self.words) else ("", 0)
        return self.source.first_part(self.line.place(offset), len(word))

    def ends_on(self, field: int) -> int:
        """Return the physical line that has the end of a word: one in braces can go on for several."""
        word, offset = self.words[field]
        return self.line.place(offset + max(0, len(word) - 1)).line

    def assignments(self) -> Iterator[Assignment]:
        """Return the -o settings, in their order."""
        if self.service:
            for setting in self.service.settings:
                yield Assignment(
                    self.source, self.line, setting.name, setting.value, setting.place_at, service=self.service
                )


class MasterFile(Source):
    """master.cf: its entries, good and bad."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path, text)
        self.entries: list[MasterEntry] = []
        settings = 0
        for index, line in enumerate(self.logical):
            if settings > MOST_LINES or len(line.text) > LONGEST_ENTRY:
                self._leave_out(index)
                break
            entry = MasterEntry(self, line)
            self.entries.append(entry)
            settings += len(entry.service.settings) if entry.service else 0

    @property
    def services(self) -> list[Service]:
        """The entries that are right."""
        return [entry.service for entry in self.entries if entry.service]


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[str, str, int]:
    """Split an assignment; many configurations have the same ones."""
    return split_assignment(text)


@lru_cache(maxsize=1024)
def _fields(text: str) -> list[tuple[str, int]] | None:
    """Return the words of a correct entry without arguments, as most of the stock master.cf are; None for others."""
    words = split_words(text)
    if len(words) != len(FIELDS):
        return None
    try:
        parse_service(LogicalLine("", [(0, 1)], text), _ignore, words)
    except ConfigError:
        return None
    return words


def _ignore(_warning: str) -> None:
    """Discard a warning that rules report with their own text."""
