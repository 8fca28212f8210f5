"""Readings of all settings by `postconf.kinds`, and the places of their words in the files.

A reader sees expanded text. A word that comes from `$name` is looked for in the setting of that name, so that a
mistake is reported where it is written, and once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from postconf import ConfigError, View
from postconf.kinds import Kind, Outcome, Problem, Reading, kind_of
from postconf.kinds.kind import present_name
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.mastercf import FIELDS, closing_brace
from postconf.syntax.references import NAME

from ..context import Context, words_of
from ..findings import Severity, Span
from ..text.sources import Assignment, MasterEntry
from .programs import DAEMONS

_MAX_DEPTH = 20
"""References that are followed for the place of a word."""
_MOST_PROBLEMS = 25
"""Problems of one value that are reported."""
_LONGEST_VALUE = 100_000
"""Characters of one expanded value that is read, and of all: a character can take ten microseconds."""
_MOST_CHARACTERS = 500_000
_SEVERE = (Outcome.DIES, Outcome.DIES_LATER, Outcome.DEFERS, Outcome.NO_TLS)
_FREE_TEXT = ("template", "text", "characters", "command", "time-format", "action")
"""Kinds whose values can have a # in them."""
_WITH_QUOTES = (*_FREE_TEXT, "mail-address", "sender", "environment", "macro-values", "strings", "mechanisms")
"""Kinds whose values can be in quotes: addresses, or words that are compared as they are."""
_QUOTES = ("'", '"')
_SHORTEST_QUOTED = 2


@dataclass(eq=False, slots=True)
class Read:
    """A setting, its kind, its expanded value, and the result of the reader."""

    assignment: Assignment
    kind: Kind
    text: str
    reading: Reading


@dataclass(frozen=True)
class BadValue:
    """A problem, the place to report it, and its severity there."""

    read: Read
    problem: Problem
    span: Span
    severity: Severity
    related: tuple[tuple[Span, str], ...] = ()
    unread: str = ""
    """The reason why nothing reads the value now; empty if something does."""

    @property
    def message(self) -> str:
        """The problem with its effect."""
        problem = self.problem
        if self.unread:
            return f"{problem.message}; {self.unread}"
        if problem.outcome is Outcome.IGNORES and ": " in problem.message:
            return problem.message
        return f"{problem.message}; {problem.effect}"


@dataclass
class Piece:
    """Part of a written value: literal text, or a reference with its value."""

    start: int
    end: int
    text: str
    name: str = ""
    """The parameter, if the reference is nothing but a name."""
    is_literal: bool = field(default=False)


def readings(context: Context) -> list[Read]:
    """Return all settings that can be read, in the order of the files; those with other mistakes are left out."""
    return context.keep(_listed)[0]


def too_long(context: Context) -> list[Assignment]:
    """Return the settings whose values are too long to be read, or come when too much was read."""
    return context.keep(_listed)[1]


def readings_of(context: Context, *kinds: str) -> list[Read]:
    """Return the settings of some kinds."""
    by_kind = context.keep(_by_kind)
    if len(kinds) == 1:
        return by_kind.get(kinds[0], [])
    return [] if by_kind.keys().isdisjoint(kinds) else [each for each in readings(context) if each.kind.name in kinds]


def reading_of(context: Context, assignment: Assignment) -> Read | None:
    """Return the reading of a setting; None if it can't be read."""
    return context.keep(_by_assignment).get(assignment)


def bad_values(context: Context) -> dict[str, list[BadValue]]:
    """Return by kind the problems in settings of that kind."""
    return context.keep(_problems)


def _by_kind(context: Context) -> dict[str, list[Read]]:
    found: dict[str, list[Read]] = {}
    for each in readings(context):
        found.setdefault(each.kind.name, []).append(each)
    return found


def _by_assignment(context: Context) -> dict[Assignment, Read]:
    return {each.assignment: each for each in readings(context)}


def _listed(context: Context) -> tuple[list[Read], list[Assignment]]:
    classes = frozenset(
        word for each in context.named("smtpd_restriction_classes") for word in words_of(context.expanded(each) or "")
    )
    found: list[Read] = []
    left_out: list[Assignment] = []
    room = _MOST_CHARACTERS
    kinds = context.release.kinds
    for each in context.everywhere:
        # In the order of the file, user-defined ones too: the budget ends at the first value that is too large.
        text = context.expanded(each)
        kind = kind_of(each.name, context.release, classes=classes)
        if kind is None or (context.master and each.name not in kinds and not _exists(context, each.name, classes)):
            continue
        if text is None or ("$" in each.value and context.undefined(each)):
            continue
        if "#" in each.value and comment_start(context, each) >= 0:
            continue
        if each.value[-1:] in _QUOTES and is_quoted(context, each):
            continue
        if len(text) > min(room, _LONGEST_VALUE):
            left_out.append(each)
            continue
        room -= len(text)
        found.append(Read(each, kind, text, kind.read(text)))
    return found, left_out


def _exists(context: Context, name: str, classes: frozenset[str]) -> bool:
    """Return True if a name is built in or was, a class, or made of the name of a service."""
    known = name in context.release.kinds or name in classes or name in context.service_names
    return known or bool(present_name(name, context.release))


def comment_start(context: Context, assignment: Assignment) -> int:
    """Return the offset of a `#` that was meant to begin a comment; -1 if a value has none."""
    value = assignment.value
    if "#" not in value or "{" in value:
        return -1
    kind = kind_of(assignment.name, context.release)
    if kind is None or kind.name in _FREE_TEXT:
        return -1
    return next((at for at, char in enumerate(value) if char == "#" and (at == 0 or value[at - 1].isspace())), -1)


def comment_words(entry: MasterEntry) -> Iterator[int]:
    """Yield the positions of words behind a command that begin with `#`, where the program does not take them."""
    if "#" not in entry.line.text or entry.service is None or entry.service.command not in DAEMONS:
        return
    previous = ""
    for index, (word, _) in enumerate(entry.words[len(FIELDS) :], len(FIELDS)):
        if word.startswith("argv=") and entry.service.command in ("pipe", "spawn"):
            return
        if word.startswith("#") and previous != "-o":
            yield index
        previous = word


def is_quoted(context: Context, assignment: Assignment) -> bool:
    """Return True if a whole value is in quotes that were not meant to be part of it."""
    text = assignment.value
    if text[-1:] not in _QUOTES or len(text) < _SHORTEST_QUOTED or text[0] != text[-1]:
        return False
    kind = kind_of(assignment.name, context.release)
    if kind is not None and kind.name == "command":
        return any(each.isspace() for each in text) and text[0] not in text[1:-1]  # the shell takes it for one name
    return kind is not None and kind.name not in _WITH_QUOTES


def _problems(context: Context) -> dict[str, list[BadValue]]:
    own: list[BadValue] = []
    borrowed: list[BadValue] = []
    for read in readings(context):
        for problem in read.reading.problems[:_MOST_PROBLEMS]:
            owner, span = locate(context, read.assignment, problem.start, problem.end)
            unread = _why_unread(context, read)
            severity = Severity.ERROR if problem.outcome in _SEVERE and not unread else Severity.WARNING
            if owner is read.assignment:
                own.append(BadValue(read, problem, span, severity, unread=unread))
            else:
                related = (read.assignment.span(), "the value is used here")
                borrowed.append(BadValue(read, problem, span, severity, (related,), unread))
    found: dict[str, list[BadValue]] = {}
    seen: set[Span] = {each.span for each in own}
    for each in own:
        found.setdefault(each.read.kind.name, []).append(each)
    for each in borrowed:
        # One mistake can be bad for several parameters that refer to it.
        if each.span not in seen:
            seen.add(each.span)
            found.setdefault(each.read.kind.name, []).append(each)
    return found


# Places


def locate(context: Context, assignment: Assignment, start: int, end: int) -> tuple[Assignment, Span]:
    """Return the setting that has these characters of an expanded value, and their offset in it."""
    for _ in range(_MAX_DEPTH):
        if "$" not in assignment.value or context.release.kinds.get(assignment.name) == "raw":
            return assignment, assignment.span(start, end - start)
        offset = 0
        first = last = -1
        inner: tuple[Assignment, int] | None = None
        for piece in _pieces_of(context, assignment):
            after = offset + len(piece.text)
            if first < 0 and (offset <= start < after or start == after == end):
                first = piece.start + (start - offset if piece.is_literal else 0)
                other = _setting(context, assignment, piece.name) if piece.name and end <= after else None
                inner = (other, offset) if other else None
            if first >= 0 and end <= after:
                last = piece.start + (end - offset) if piece.is_literal else piece.end
                break
            offset = after
        if inner is None:
            if first < 0 or last < first:
                break
            return assignment, assignment.span(first, last - first)
        assignment, offset = inner
        start, end = start - offset, end - offset
    return assignment, assignment.span()


def _pieces_of(context: Context, assignment: Assignment) -> list[Piece]:
    known = context.keep(_no_pieces)
    if assignment not in known:
        known[assignment] = list(pieces(context, assignment))
    return known[assignment]


def _no_pieces(_context: Context) -> dict[Assignment, list[Piece]]:
    return {}


def pieces(context: Context, assignment: Assignment) -> Iterator[Piece]:
    """Take a value apart at its references (mac_parse(3))."""
    value = assignment.value
    position = 0
    while position < len(value):
        dollar = value.find("$", position)
        if dollar != position:
            end = dollar if dollar >= 0 else len(value)
            yield Piece(position, end, value[position:end], is_literal=True)
            position = end
            continue
        opening = value[dollar + 1 : dollar + 2]
        end = dollar + 1
        if opening == "$":
            end += 1
        elif opening in ("{", "("):
            end = closing_brace(value, dollar + 1, opening, "}" if opening == "{" else ")") + 1 or len(value)
        else:
            while end < len(value) and value[end] in NAME:
                end += 1
        written = value[dollar:end]
        name = written.strip("$(){}")
        yield Piece(dollar, end, _expand(context, assignment, written), name if NAME.issuperset(name) else "")
        position = end


def _expand(context: Context, assignment: Assignment, text: str) -> str:
    try:
        return context.config.expand(text, context.view(assignment).lookup, _ignore)
    except (ExpressionError, ConfigError):
        return ""


def _setting(context: Context, user: Assignment, name: str) -> Assignment | None:
    """Return the setting that a reference in another setting means."""
    if user.service is not None:
        for each in reversed(context.overrides):
            if each.name == name and each.service is user.service:
                return each
    return context.main.effective.get(name)


def _ignore(_warning: str) -> None:
    """Discard a warning that rules report with their own text."""


# Readers of values


def _why_unread(context: Context, read: Read) -> str:
    """Return the reason why no program reads the value as things are; empty if one does, or nothing is known."""
    needs, assignment = read.kind.needs, read.assignment
    if needs:
        views = [context.view(assignment)]
        if assignment.service is None:
            views += [context.service_view(entry) for entry in context.entries if entry.service]
        if not any(_is_met(context, needs, view) for view in views):
            return f"nothing reads it {_unless(needs)}"
    programs = read.kind.services
    if not programs or context.master is None:
        return ""
    if assignment.service is not None:
        program = assignment.service.command.rpartition("/")[2]
        return "" if program in programs else f"{program}(8) does not read it"
    if not any(each in context.programs for each in programs):
        return f"no service runs {' or '.join(programs)}"
    return ""


def _is_met(context: Context, needs: str, view: View) -> bool:
    if needs.startswith("!"):
        return not context.is_set(needs[1:], view)
    if "=" in needs:
        name, _, value = needs.partition("=")
        differs = name.endswith("!")
        return (context.value(name.removesuffix("!"), view).lower() == value) is not differs
    return any(context.value(name, view) for name in needs.split("|"))


def _unless(needs: str) -> str:
    if needs.startswith("!"):
        return f"while {needs[1:]} is set"
    if "!=" in needs:
        return f"while {needs.replace('!=', ' = ')}"
    return f"without {needs.replace('=', ' = ').replace('|', ' or ')}"
