"""Words of OpenSSL's cipher lists, and those among exclusions that no release from 1.0.1 to 3.5 knows.

OpenSSL ignores an unknown word, and so does Postfix. `ciphers.txt` has the known ones. Standard names, which have
underscores, count as known: later releases take those of suites up to TLS 1.2, and none those of TLS 1.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

from postconf.spelling import nearest

_TLS_1_3 = frozenset(
    (
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    )
)
_MOST_SUGGESTIONS = 100
"""Words of one list for which a near one is looked for."""
_LONGEST = 60
"""Characters of such a word."""
_LEAST_WITH_NUMBERS = 5
"""Characters of a word in which a wrong digit is a typing error."""


class IgnoredExclusion(NamedTuple):
    """A word that excludes nothing, or two that a blank has made of one name."""

    first: int
    last: int
    """The indexes of the words; both are the same for one word."""
    problem: str
    remedy: str
    is_misspelled: bool
    """True if a cipher was meant that stays in use; False if no known name is near."""


def ignored_exclusions(words: Sequence[str]) -> Iterator[IgnoredExclusion]:
    """Yield the words of a list of exclusions that OpenSSL ignores."""
    index = suggested = 0
    while index < len(words):
        word = words[index]
        if word in _TLS_1_3:
            yield IgnoredExclusion(index, index, "suites of TLS 1.3 can't be excluded", "remove it", is_misspelled=True)
        elif not _is_known(word):
            both = f"{word}-{words[index + 1]}" if index + 1 < len(words) and not _is_known(words[index + 1]) else ""
            suggested += 1
            enough = suggested > _MOST_SUGGESTIONS
            joined = "" if enough or not both else _nearest(both)
            meant = joined or ("" if enough else _nearest(word))
            last = index + 1 if joined else index
            unknown = f'"{word}" nor "{words[last]}": both are' if joined else f'"{word}": the word is'
            problem = f"OpenSSL knows no cipher {unknown} ignored silently"
            whole = "" if meant or enough else _with_part(word)
            remedy = f'write whole names, such as "{whole}"' if whole else "remove it"
            remedy = f'did you mean "{meant}"?' if meant else remedy
            yield IgnoredExclusion(index, last, problem, remedy, is_misspelled=bool(meant or whole))
            index = last
        index += 1


def _is_known(word: str) -> bool:
    return "_" in word or word[:1] in "!-+@" or all(part in _known() for part in word.split("+"))


@cache
def _known() -> frozenset[str]:
    text = resources.files(__package__).joinpath("ciphers.txt").read_text()
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@lru_cache(maxsize=1000)  # many configurations have the same words
def _nearest(word: str) -> str:
    """Return the known word that is meant; empty if none is near."""
    if len(word) > _LONGEST:
        return ""
    parts = [part if part in _known() else _nearest_part(part) for part in word.split("+")]
    return "+".join(parts) if all(parts) else ""


def _nearest_part(part: str) -> str:
    """Return the nearest alias or suite, one of the same length if possible; RC5 is no misspelled RC4."""
    meant = nearest(part, sorted(_known(), key=lambda each: (abs(len(each) - len(part)), each)))
    is_other = len(part) < _LEAST_WITH_NUMBERS and _digits(part) != _digits(meant)
    return "" if is_other else meant


def _with_part(word: str) -> str:
    """Return the shortest suite with this part between its hyphens; empty if no suite has it."""
    return min(
        (each for each in _known() if f"-{word}-" in f"-{each}-"), key=lambda each: (len(each), each), default=""
    )


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
