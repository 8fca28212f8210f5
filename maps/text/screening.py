"""Screens: one pattern for many rules of a table, which excludes keys that none of them matches.

Postfix tries rules one by one. So does `maps`, but each call from Python takes longer than most matches. Therefore runs
of rules are placed behind conditions, as between IF and ENDIF: small runs, and many of those behind another condition.
A condition is a pattern made of the rules' outlines, run as machine code.

A screen excludes only keys that can't match. Its time is bounded: if its search is long, it lets the key pass.
"""

from __future__ import annotations

from typing import NamedTuple

from .outline import Outline, outline
from .rule_tables import If, TableRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pcre2 import Screen

    Step = If[bytes] | TableRule[bytes]

_FEWEST = 16
"""Steps of a table that is worth it."""
_SIZES = (128, 32, 8)
"""Rules behind a screen: behind one that lets a key pass are smaller ones."""
_ANCHORED_SIZES = (1024, *_SIZES)
"""The same where all rules are anchored: then the size of a screen hardly matters, and others slow down the more."""
_TEXT = 1 << 20
"""Bytes of all outlines of a table: their machine code takes ten to twenty times as much."""
_UNION = 4000
"""Bytes of the outline of all that is behind a condition."""
_DEPTH = 20
"""Conditions inside conditions; deeper ones are not screened."""


def screened(steps: list[Step]) -> list[Step]:
    """Return the steps of a table with screens among them; without PCRE2 as they are."""
    if len(steps) < _FEWEST:
        return steps
    try:
        from .pcre2 import Screen
    except ImportError:
        return steps
    return _Screening(steps, Screen).result()


class _Member(NamedTuple):
    """A step with all that belongs to it: a rule, or a condition with its rules."""

    start: int
    end: int
    outline: Outline
    rules: int
    """The number of rules that its outline is made of."""


class _Screening:
    """Makes new steps of old ones."""

    def __init__(self, steps: list[Step], screen: type[Screen]) -> None:
        self._old = steps
        self._screen = screen
        self._new: list[Step] = []
        self._members: list[_Member | None] = [None] * len(steps)
        left = _TEXT
        for index in reversed(range(len(steps))):
            member = self._member(index)
            if member is not None and member.rules == 1:
                left -= len(member.outline.text)
            if left > 0:
                self._members[index] = member

    def result(self) -> list[Step]:
        self._level(0, len(self._old), 0)
        return self._new

    def _member(self, index: int) -> _Member | None:
        """Return the member that begins with a step; deeper ones are known already."""
        step = self._old[index]
        own = step.plain and outline(*step.plain)
        if own is None:
            return None
        if not isinstance(step, If):
            return _Member(index, index + 1, own, 1)
        if step.end > len(self._old):
            return None  # it ends the table
        inner = self._run(index + 1, step.end)
        if inner and inner[-1].end == step.end:  # all of it: a value comes only from there
            text = b"|".join([member.outline.text for member in inner])
            if len(text) <= _UNION:
                longest = min(own.longest, *(member.outline.longest for member in inner))
                anchored = all(member.outline.anchored for member in inner)
                rules = sum(member.rules for member in inner)
                return _Member(index, step.end, Outline(text, longest, anchored), rules)
        return _Member(index, step.end, own, 1) if step.positive else None

    def _level(self, start: int, end: int, depth: int) -> None:
        """Add the steps of one level: of the whole table, or of one condition."""
        while start < end:
            members = self._run(start, end)
            anchored = all(member.outline.anchored for member in members)
            self._group(members, _ANCHORED_SIZES if anchored else _SIZES, depth)
            if members:
                start = members[-1].end
            if start < end:  # a step that has no outline
                following = self._end_of(start)
                self._add(start, following, depth)
                start = following

    def _group(self, members: list[_Member], sizes: tuple[int, ...], depth: int, screened: int = 0) -> None:
        """Add members in groups, each behind its screen, and smaller groups in these.

        `screened` is the number of members behind the last screen: a group of all of them needs none.
        """
        if not sizes:
            for member in members:
                self._add(member.start, member.end, depth)
            return
        for group in _parts(members, sizes[0]):
            if len(group) in (1, screened):
                self._group(group, sizes[1:], depth, screened)
            else:
                condition = self._begin(group)
                self._group(group, sizes[1:], depth, len(group))
                self._finish(condition)

    def _run(self, start: int, end: int) -> list[_Member]:
        """Return the members that follow each other from `start` on."""
        members = []
        while start < end and (member := self._members[start]):
            members.append(member)
            start = member.end
        return members

    def _end_of(self, start: int) -> int:
        """Return the step behind one and all that belongs to it; a condition without an end stays alone."""
        step = self._old[start]
        return step.end if isinstance(step, If) and step.end <= len(self._old) else start + 1

    def _begin(self, members: list[_Member]) -> If[bytes]:
        text = b"|".join([member.outline.text for member in members])
        longest = min(member.outline.longest for member in members)
        condition = If(0, self._screen(text, longest, sum(member.rules for member in members)).passes)
        self._new.append(condition)
        return condition

    def _finish(self, condition: If[bytes] | None) -> None:
        if condition is not None:
            condition.end = len(self._new)

    def _add(self, start: int, end: int, depth: int) -> None:
        """Add a step and all that belongs to it."""
        step = self._old[start]
        if not isinstance(step, If) or step.end > len(self._old) or depth == _DEPTH:
            self._copy(start, end)
        else:
            condition = If(step.line, step.holds)
            self._new.append(condition)
            self._level(start + 1, end, depth + 1)
            self._finish(condition)

    def _copy(self, start: int, end: int) -> None:
        moved = len(self._new) - start
        for step in self._old[start:end]:
            if isinstance(step, If):
                condition = If(step.line, step.holds)
                condition.end = step.end + moved
                self._new.append(condition)
            else:
                self._new.append(step)


def _parts(members: list[_Member], size: int) -> list[list[_Member]]:
    """Split members into parts of about `size` rules."""
    parts: list[list[_Member]] = []
    rules = size
    for member in members:
        if rules + member.rules > size:
            parts.append([])
            rules = 0
        parts[-1].append(member)
        rules += member.rules
    return parts
