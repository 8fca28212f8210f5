"""Restriction lists: their words with places, split as in smtpd(8).

`read_list` reads the value of a parameter, `Classes` all restriction classes of a service. Only errors that smtpd(8)
detects at start are reported here; the evaluator checks names and arguments when it reaches them. `entries` returns a
whole list.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from postconf.syntax.mastercf import split_words
from postconf.values import LIST_SEPARATORS, words

from . import table as restrictions
from .table import Argument, Restriction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from postconf import Place, View
    from postconf.syntax.maincf import Setting

_MAX_DEPTH = 20
"""References that are followed for the place of a word."""
_LONGEST_KEPT = 500
"""Characters of a list whose words are remembered."""


class ListWord(NamedTuple):
    """One word of a list, expanded, and its place; None for a built-in default or an override."""

    text: str
    place: Place | None = None


class RestrictionList(NamedTuple):
    """The words of one list. `name` is the parameter, the class, or the table and key that it comes from."""

    name: str
    words: tuple[ListWord, ...]


class ListElement(NamedTuple):
    """One element of a list: a name, the words that belong to it, and the restriction that it names.

    `restriction` is None for a class (`is_class`) and for an unknown name. A table without a name in front of it has
    the name of the stage's own check, with `implied`; `argument` is that table. `warn_only` is the word
    `warn_if_reject` in front.
    """

    name: ListWord
    argument: ListWord | None
    restriction: Restriction | None
    is_class: bool = False
    implied: bool = False
    warn_only: ListWord | None = None


def read_list(view: View, parameter: str) -> RestrictionList:
    """Read the list that is the value of a parameter; KeyError for an unknown one, `ConfigError` for a bad value."""
    return RestrictionList(parameter, _read_words(view, parameter))


def list_from_text(name: str, text: str, place: Place | None = None) -> RestrictionList:
    """Read a list that is not the value of a parameter, such as the result of an access table."""
    return RestrictionList(name, tuple(ListWord(word, place) for word, _ in _split(text)))


def _read_words(view: View, parameter: str) -> tuple[ListWord, ...]:
    value = view[parameter]
    texts = [word for word, _ in _split(value)]
    placed = list(_placed_words(view, parameter, _MAX_DEPTH)) if texts else []
    if [word.text for word in placed] == texts:
        return tuple(placed)
    # A word that is put together from several parameters, or a condition around half a word.
    place = view.origin(parameter).place
    return tuple(ListWord(text, place) for text in texts)


def _placed_words(view: View, parameter: str, depth: int) -> Iterator[ListWord]:
    setting = _setting(view, parameter)
    for raw, offset in _split(view.raw(parameter)):
        place = setting.place_at(offset) if setting else None
        if "$" not in raw:
            yield ListWord(raw, place)
            continue
        referred = _reference(raw)
        if referred and referred in view and depth:
            yield from _placed_words(view, referred, depth - 1)
            continue
        text = view.config.expand(raw, view.lookup, _ignore)
        for word, _ in _split(text):
            yield ListWord(word, place)


def _split(text: str) -> Sequence[tuple[str, int]]:
    return _split_again(text) if len(text) < _LONGEST_KEPT else split_words(text, LIST_SEPARATORS)


@lru_cache(maxsize=1024)  # many configurations have the same lists
def _split_again(text: str) -> Sequence[tuple[str, int]]:
    return split_words(text, LIST_SEPARATORS)


def _setting(view: View, parameter: str) -> Setting | None:
    service = getattr(view, "service", None)
    shared = getattr(service, "shared", None)
    if shared and parameter in shared:
        setting: Setting = shared[parameter]
        return setting
    return view.config.main.get(parameter)


def _reference(raw: str) -> str:
    """Return the name in `$name`, `${name}` or `$(name)`; empty for anything else."""
    name = raw[1:]
    if name[:1] + name[-1:] in ("{}", "()"):
        name = name[1:-1]
    return name if name.replace("_", "").isalnum() and name.isascii() else ""


class Classes:
    """The restriction classes of a service: those of smtpd_restriction_classes, and the one that is built in."""

    def __init__(self, view: View) -> None:
        self.names = words(view["smtpd_restriction_classes"])
        self.undefined = tuple(name for name in self.names if not view.get(name))
        """Classes without a value: smtpd(8) stops because of the first."""
        undefined = frozenset(self.undefined)
        self._lists = {name: list_from_text(name, text) for name, text in restrictions.CLASSES.items()} | {
            name: read_list(view, name) for name in dict.fromkeys(self.names) if name not in undefined
        }

    @property
    def lists(self) -> tuple[RestrictionList, ...]:
        """The lists of all classes."""
        return tuple(self._lists.values())

    def __contains__(self, name: str) -> bool:
        return name in self._lists

    def get(self, name: str) -> RestrictionList | None:
        """Return the list of a class, or None. Case matters."""
        return self._lists.get(name)


def entries(words: RestrictionList, classes: Classes, default_check: str = "") -> Iterator[ListElement]:
    """Yield the elements of a list as smtpd(8) would meet them if nothing decided.

    `default_check` is that of the stage. A missing argument is None.
    """
    remaining = list(reversed(words.words))
    warn_only = None
    while remaining:
        word = remaining.pop()
        if word.text.lower() == "warn_if_reject":
            warn_only = word
            if not remaining:
                yield ListElement(word, None, restrictions.RESTRICTIONS["warn_if_reject"])
            continue
        yield _entry(word, remaining, classes, default_check, warn_only)
        warn_only = None


def _entry(
    word: ListWord, remaining: list[ListWord], classes: Classes, default_check: str, warn_only: ListWord | None
) -> ListElement:
    if ":" in word.text:
        implied = restrictions.find(default_check) if default_check else None
        return ListElement(word, word, implied, implied=True, warn_only=warn_only)
    restriction = restrictions.find(word.text)
    if word.text in restrictions.CLASSES or restriction is None:
        known = word.text in classes
        return ListElement(word, None, restriction if known else None, is_class=known, warn_only=warn_only)
    argument = None
    if restriction.argument is not Argument.NONE and remaining:
        argument = remaining.pop()
    return ListElement(word, argument, restriction, warn_only=warn_only)


def _ignore(_warning: str) -> None:
    """Discard a warning that is also given when the whole value is expanded."""
