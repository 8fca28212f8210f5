"""The world outside the configuration: the answers of DNS, policy services, probes and mail filters.

An evaluation asks a `World`. One that does not know raises `UndecidedError` with the possible answers; `explore` then
evaluates once for each of them, and so finds the outcomes that depend on the answer. Assumptions of the user come first
(`--assume NAME=VALUE`), then the answers of an `Inquirer` that asks the real world, then those of the exploration.
"""

from __future__ import annotations

import enum
from typing import Generic, NamedTuple, Protocol, TypeVar

from ...errors import TlsproxyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .smtpd import Smtpd

Outcome = TypeVar("Outcome")

MAX_EVALUATIONS = 128
"""Evaluations of one session with different answers; outcomes that are not reached by then count as dependent."""


class QuestionKind(enum.Enum):
    """The kinds of questions. The value is the first half of a question's name."""

    LIST = "dnsbl"
    DOMAIN = "domain"
    SERVERS = "servers"
    BACKUP = "backup"
    POLICY = "policy"
    PROBE = "verify"
    FILTER = "filter"


class Question(NamedTuple):
    """A question to the world.

    `subject` is the part that the user names: the list, the domain, the endpoint. `detail` is the rest, such as
    the address that is looked up in a list.
    """

    kind: QuestionKind
    subject: str
    detail: str = ""

    @property
    def name(self) -> str:
        """`kind:subject`, the name of a dependency in results and in assumptions."""
        return f"{self.kind.value}:{self.subject}"

    def __str__(self) -> str:
        return f"{self.name} ({self.detail})" if self.detail else self.name


class Answer(NamedTuple):
    """An answer of the world: a word of the question's kind, with data.

    Lists: `listed` (data: text of the TXT records), `unlisted`, `failed`. Domains: `exists`, `missing`, `nullmx`,
    `malformed`, `failed`. Servers: `found` (data: their names and addresses), `result` (data: the entry of the access
    table for one of them), `none`. Backup: `yes`, `no`, `failed`. Policy services and filters: `action` (data),
    `failed`. Probes: `deliverable`, `undeliverable`, `unknown` (data: the reason), `failed`.
    """

    word: str
    data: str = ""


_ACTIONS = ("REJECT", "OK", "DEFER_IF_PERMIT", "DEFER_IF_REJECT", "DISCARD", "521 5.7.1 Go away")
"""Actions that make a difference to replies: also to those to later commands, which the last two do."""
ANSWERS: Mapping[QuestionKind, tuple[Answer, ...]] = {
    QuestionKind.LIST: (Answer("unlisted"), Answer("listed"), Answer("failed")),
    QuestionKind.DOMAIN: (Answer("exists"), Answer("missing"), Answer("failed")),
    QuestionKind.SERVERS: (Answer("none"), *(Answer("result", action) for action in _ACTIONS)),
    QuestionKind.BACKUP: (Answer("no"), Answer("yes"), Answer("failed")),
    QuestionKind.POLICY: (Answer("action", "DUNNO"), *(Answer("action", action) for action in _ACTIONS)),
    QuestionKind.PROBE: (Answer("deliverable"), Answer("undeliverable"), Answer("unknown")),
    QuestionKind.FILTER: (Answer("action", "accept"), Answer("action", "reject")),
}
"""Answers that are tried where none is known; the first is the quiet one, for which the result is shown."""
LISTED_OR_NOT = ANSWERS[QuestionKind.LIST][:2]
"""The answers that matter to restrictions that reject: for them a list that fails does not list."""

_WORDS = {
    QuestionKind.LIST: ("unlisted", "listed", "failed"),
    QuestionKind.DOMAIN: ("exists", "missing", "nullmx", "malformed", "failed"),
    QuestionKind.BACKUP: ("no", "yes", "failed"),
    QuestionKind.PROBE: ("deliverable", "undeliverable", "unknown", "failed"),
}


class UndecidedError(TlsproxyError):
    """A question that has no answer yet.

    `choices` are the answers that make a difference, `progress` is how far the evaluation had come, as it counts that.
    """

    def __init__(self, question: Question, choices: tuple[Answer, ...]) -> None:
        super().__init__(str(question))
        self.question = question
        self.choices = choices
        self.progress = 0


class AssumptionError(TlsproxyError, ValueError):
    """An assumption with an unknown name or value."""


class Inquirer(Protocol):
    """Something that asks the real world."""

    def serve(self, smtpd: Smtpd) -> None:
        """Ask for this service from now on."""

    def ask(self, question: Question) -> Answer | None:
        """Return an answer, or None for a question that it does not ask."""


class World:
    """Answers to questions: assumed, asked, or decided by an exploration."""

    def __init__(
        self,
        assumed: Mapping[str, Answer] | None = None,
        inquirer: Inquirer | None = None,
        decided: Mapping[Question, Answer] | None = None,
    ) -> None:
        self.assumed = assumed or {}
        self.inquirer = inquirer
        self.decided = decided or {}
        self._asked: dict[Question, Answer | None] = {}

    def ask(self, question: Question, choices: tuple[Answer, ...] = ()) -> Answer:
        """Return the answer; raise `UndecidedError` if it is unknown, with these choices or all of the kind."""
        assumed = self.assumed.get(question.name)
        if assumed is not None:
            return assumed
        if self.inquirer is not None:
            if question not in self._asked:
                self._asked[question] = self.inquirer.ask(question)
            answer = self._asked[question]
            if answer is not None:
                return answer
        if question not in self.decided:
            raise UndecidedError(question, choices or ANSWERS[question.kind])
        return self.decided[question]

    def with_assumptions(self, assumed: Mapping[str, Answer]) -> World:
        """Return this world with more assumptions, over which its own go."""
        if not assumed:
            return self
        world = World({**assumed, **self.assumed}, self.inquirer, self.decided)
        world._asked = self._asked
        return world

    def with_answers(self, decided: Mapping[Question, Answer]) -> World:
        """Return this world with other answers to the questions that it can't answer."""
        world = World(self.assumed, self.inquirer, decided)
        world._asked = self._asked
        return world


NOWHERE = World()
"""A world that knows nothing."""


class Branch(NamedTuple, Generic[Outcome]):
    """One evaluation and the answers that led to it."""

    answers: Mapping[Question, Answer]
    outcome: Outcome


class Exploration(NamedTuple, Generic[Outcome]):
    """All evaluations; the first is the quiet one.

    `unexplored` are the questions of which only the quiet answer was tried, since there were too many, each with the
    progress of the evaluation that asked.
    """

    branches: tuple[Branch[Outcome], ...]
    unexplored: tuple[tuple[Question, int], ...] = ()

    def responsible(self, differs: Callable[[Outcome], bool], progress: int | None = None) -> tuple[Question, ...]:
        """Return the questions whose answers make outcomes that differ from the quiet one.

        Unexplored ones are among them, unless they were asked after `progress`.
        """
        quiet = self.branches[0].answers
        sets = [
            [question for question, answer in quiet.items() if branch.answers.get(question, answer) != answer]
            for branch in self.branches[1:]
            if differs(branch.outcome)
        ]
        found = [question for question, asked in self.unexplored if progress is None or asked <= progress]
        for questions in sorted(sets, key=len):  # one that is enough alone explains those with others beside it
            if not any(question in found for question in questions):
                found += questions
        return tuple(dict.fromkeys(found))


def explore(evaluate: Callable[[World], Outcome], world: World, limit: int = MAX_EVALUATIONS) -> Exploration[Outcome]:
    """Evaluate once for each combination of answers that makes the evaluation ask something new."""
    branches: list[Branch[Outcome]] = []
    unexplored: list[tuple[Question, int]] = []
    # Depth first, the quiet answers first.
    waiting: list[dict[Question, Answer]] = [{}]
    while waiting:
        answers = waiting.pop()
        try:
            outcome = evaluate(world.with_answers(answers))
        except UndecidedError as undecided:
            question = undecided.question
            choices = undecided.choices
            if len(branches) + len(waiting) >= limit:
                unexplored.append((question, undecided.progress))
                choices = choices[:1]
            waiting += [{**answers, question: answer} for answer in reversed(choices)]
            continue
        branches.append(Branch(answers, outcome))
    return Exploration(tuple(branches), tuple(dict.fromkeys(unexplored)))


def parse_assumption(text: str) -> tuple[str, Answer]:
    """Read `kind:subject=value`; return the question's name and the answer. Raises `AssumptionError`."""
    for name, value in _splits(text):
        kind, _, subject = name.partition(":")
        found = next((each for each in QuestionKind if each.value == kind.strip()), None)
        if found is None:
            kinds = ", ".join(f"{each.value}:" for each in QuestionKind)
            raise AssumptionError(f"{text!r}: a name begins with one of {kinds}")
        if not subject.strip():
            raise AssumptionError(f"{text!r}: nothing behind {found.value}:")
        return f"{found.value}:{subject.strip()}", _answer(found, value.strip(), text)
    raise AssumptionError(f"{text!r}: write NAME=VALUE, such as dnsbl:zen.spamhaus.org=listed")


def _splits(text: str) -> Iterator[tuple[str, str]]:
    # A list may have a filter, as in dnsbl:list.example=127.0.0.2: the value is behind the last sign of its kind.
    kind = text.partition(":")[0]
    name, equals, value = text.rpartition("=") if kind == QuestionKind.LIST.value else text.partition("=")
    if equals:
        yield name, value


def _answer(kind: QuestionKind, value: str, text: str) -> Answer:
    if kind is QuestionKind.POLICY and value:
        return Answer("failed") if value == "failed" else Answer("action", value)
    if kind is QuestionKind.FILTER and value in ("accept", "reject"):
        return Answer("action", value)
    if kind is QuestionKind.SERVERS and value:
        return Answer("none") if value == "none" else Answer("found", value)
    word, _, data = value.partition(":")
    if word in _WORDS.get(kind, ()):
        return Answer(word, data.strip())
    words = {
        QuestionKind.POLICY: "an action, failed",
        QuestionKind.FILTER: "accept, reject",
        QuestionKind.SERVERS: "names, addresses, none",
    }
    possible = words.get(kind) or ", ".join(_WORDS[kind])
    raise AssumptionError(f"{text!r}: a value of {kind.value}: is one of {possible}")
