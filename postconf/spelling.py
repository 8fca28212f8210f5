"""Spelling suggestions: the known name nearest to an unknown one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOSE = 0.7
_SIMILAR = 0.84
_SHORT = 8


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known name that differs by a typing error of one or two letters, or an empty string."""
    folded = word.lower().replace("-", "_")
    most = 2 if len(word) > _SHORT else 1
    best, least = "", most + 1
    for each in known:
        if each == folded or each.lower() == folded:
            return each
        if abs(len(each) - len(word)) < least and (found := distance(word, each, least)) < least:
            best, least = each, found
    return best


def distance(one: str, other: str, limit: int) -> int:
    """Return the number of letters to change, add, remove or swap with the next; at most `limit`."""
    while one and other and one[0] == other[0]:
        one, other = one[1:], other[1:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    if len(one) > 2 * limit and len(other) > 2 * limit:
        return limit
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, each in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != each))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == each:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return min(row[-1], limit)


def similar(word: str, known: Iterable[str]) -> str:
    """Return a similar known name that differs in more than two letters, or an empty string."""
    return _closest(word, known, _SIMILAR)


def did_you_mean(word: str, known: Iterable[str], cutoff: float = _SIMILAR) -> str:
    """Return a line of help with the most similar word of a short list, or an empty string."""
    found = _closest(word, known, cutoff)
    return f'did you mean "{found}"?' if found else ""


def _closest(word: str, known: Iterable[str], cutoff: float) -> str:
    """Return the word with the highest ratio of difflib; empty if that is below `cutoff`."""
    import difflib  # late: commands start fast

    letters = set(word)
    # Most words are ruled out by their length and letters alone, which is much faster than a comparison.
    possible = [
        each
        for each in known
        if 2 * min(len(word), len(each) - len(set(each) - letters)) / (len(word) + len(each) or 1) >= cutoff
    ]
    return next(iter(difflib.get_close_matches(word, possible, n=1, cutoff=cutoff)), "")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `did_you_mean` in parentheses after a blank, for the middle of a message, or an empty string."""
    hint = did_you_mean(word, known, _CLOSE)
    return f" ({hint})" if hint else ""
