"""Circles among restriction classes, through their lists and through the access tables in them."""

from __future__ import annotations

from ....mail.access.restrictions.lists import RestrictionList
from ..tables.surveys import surveys
from ..tables.uses import Use
from .access import Lists


def in_circles(lists: Lists) -> set[str]:
    """Return the classes that refer to themselves: those left when classes without references have been taken away.

    Once those that refer to no other class are taken away, then those that no other refers to; each step is linear.
    """
    classes = {name: lists.classes.get(name) for name in lists.classes.names}
    of_tables = {
        f"{each.used.named.kind}:{each.used.named.name}": each.restrictions
        for each in (surveys(lists.context) if classes else ())
        if each.used.use is Use.ACCESS
    }
    inner = {name: _references(words, of_tables) & classes.keys() for name, words in classes.items() if words}
    outer: dict[str, set[str]] = {name: set() for name in inner}
    for name, others in inner.items():
        for other in others & inner.keys():
            outer[other].add(name)
    left = _without_ends(inner, outer)
    return _without_ends({name: outer[name] & left for name in left}, {name: inner[name] & left for name in left})


def _references(words: RestrictionList, of_tables: dict[str, set[str]]) -> set[str]:
    """Return the words of a list, and those that its tables return."""
    found = {word.text for word in words.words}
    for text in list(found):
        found |= of_tables.get(text.removeprefix("proxy:"), set())
    return found


def _without_ends(forward: dict[str, set[str]], backward: dict[str, set[str]]) -> set[str]:
    """Remove names without references repeatedly; return the remaining names, which are in circles."""
    open_ends = {name: len(others & forward.keys()) for name, others in forward.items()}
    ended = [name for name, count in open_ends.items() if not count]
    while ended:
        name = ended.pop()
        del open_ends[name]
        for other in backward[name]:
            if other in open_ends:
                open_ends[other] -= 1
                if not open_ends[other]:
                    ended.append(other)
    return set(open_ends)
