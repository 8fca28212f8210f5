"""Parsed value: its words and problems, each with its place in the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from postconf.spelling import did_you_mean
from postconf.syntax.mastercf import closing_brace, split_words
from postconf.values import LIST_SEPARATORS

from .kind import Outcome

if TYPE_CHECKING:
    from .kind import Kind

_SIMILAR = 0.6
_MOST_LISTED = 8
_MOST_SUGGESTIONS = 25
_LONGEST_COMPARED = 100


class Word(NamedTuple):
    """One word of a value: the characters from `start` to `end`.

    `role` is the meaning of the word: `word`, `table`, `file`, `network`, `host`, `domain`, `address`, `restriction`,
    `argument`, `transport`, `nexthop`, `port`, `endpoint`, `option`, `path`, `text`, … A word can be part of another
    one: `[mail.example.com]:587` is a nexthop with a host and a port in it.
    """

    text: str
    start: int
    end: int
    role: str = "word"

    @classmethod
    def within(cls, outer: Word, offset: int, length: int, role: str) -> Word:
        """Part of another word."""
        start = outer.start + offset
        return cls(outer.text[offset : offset + length], start, start + length, role)

    def as_role(self, role: str) -> Word:
        """Return the same word in another role."""
        return self._replace(role=role)


class Problem(NamedTuple):
    """Mistake in the characters from `start` to `end` of a value.

    `message` describes it, `effect` is the reaction of Postfix, `suggestion` is a remedy; the last two can be empty.
    `outcome` is the effect for programs.
    """

    start: int
    end: int
    message: str
    effect: str
    suggestion: str
    outcome: Outcome


class Reading:
    """Words and problems of a value, in the order of the text."""

    __slots__ = ("_kind", "problems", "words")

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.words: list[Word] = []
        self.problems: list[Problem] = []

    def add(self, word: Word, role: str = "") -> Word:
        """Add a word, optionally in another role."""
        word = word.as_role(role) if role else word
        self.words.append(word)
        return word

    def problem(
        self,
        at: Word,
        message: str,
        suggestion: str = "",
        *,
        outcome: Outcome | None = None,
        effect: str = "",
    ) -> None:
        """Add a problem with a word. The default for `outcome` and `effect` are those of the kind."""
        effect = effect or (self._kind.effect_of(outcome) if outcome else self._kind.effect)
        self.problems.append(
            Problem(at.start, max(at.end, at.start), message, effect, suggestion, outcome or self._kind.outcome)
        )

    def unknown(self, at: Word, what: str, known: Iterable[str], *, outcome: Outcome | None = None) -> None:
        """Add the problem that a word is unknown."""
        words = sorted(known) if isinstance(known, (set, frozenset)) else list(known)
        listed = ", ".join(words) if len(words) <= _MOST_LISTED else f"{', '.join(words[:_MOST_LISTED])}, …"
        # A comparison takes time, and untrusted values may be long.
        is_small = len(self.problems) < _MOST_SUGGESTIONS and at.end - at.start < _LONGEST_COMPARED
        hint = did_you_mean(at.text.lower(), words, _SIMILAR) if is_small else ""
        if not hint and words:
            hint = f"specify {one_of(len(words))}{listed}"
        self.problem(at, f'"{at.text}" is no {what}', hint, outcome=outcome)


def one_of(number: int) -> str:
    """Return the introduction of a list of choices."""
    return "one of " if number > 1 else ""


def words_at(text: str, separators: str = LIST_SEPARATORS) -> Iterator[Word]:
    """Yield the words of a list without braces (mystrtok(3)), with their places."""
    for found in _word(separators).finditer(text):
        yield Word(found[0], found.start(), found.end())


@cache
def _word(separators: str) -> re.Pattern[str]:
    return re.compile(f"[^{re.escape(separators)}]+")


def braced_words_at(text: str, separators: str = LIST_SEPARATORS, offset: int = 0) -> list[Word]:
    """Return the words of a list with their places; a word in braces can have separators in it (mystrtokq(3))."""
    if "{" not in text:
        return [Word(word, offset + start, offset + end) for word, start, end, _ in words_at(text, separators)]
    return [Word(word, offset + at, offset + at + len(word)) for word, at in split_words(text, separators)]


def whole(text: str, role: str = "word") -> Word:
    """Return the value as one word, without the blanks around it."""
    start = len(text) - len(text.lstrip())
    return Word(text.strip(), start, start + len(text.strip()), role)


def inside_braces(reading: Reading, word: Word) -> list[Word] | None:
    """Return the words in `{ … }` (extpar(3)); None, and a problem, if the braces don't match."""
    end = closing_brace(word.text, 0)
    if end < 0:
        reading.problem(word, f'"{word.text}" has no closing brace', "add a }", outcome=Outcome.DIES)
        return None
    if end != len(word.text) - 1:
        rest = Word.within(word, end + 1, len(word.text) - end - 1, "word")
        message = f'"{rest.text}" follows a closing brace directly'
        reading.problem(rest, message, "put a blank between them", outcome=Outcome.DIES)
        return None
    return braced_words_at(word.text[1:end], offset=word.start + 1)
