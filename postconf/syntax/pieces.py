"""Pieces of a value with references: text, `$name` and `${…}` (mac_parse(3)).

The inside of `${…}` stays one piece, which `references` parses. Nothing is expanded, and nothing raised.
"""

from __future__ import annotations

from .mastercf import closing_brace
from .references import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LITERAL, LAST, PLAIN, BRACED, EMPTY, BROKEN = range(6)
"""Kinds: text, text at the end, `$name`, `${…}` or `$(…)`, and the errors `${}` and others."""
_LONGEST_KEPT = 2000
"""Characters of a text whose pieces are cached."""
_MOST_KEPT = 512
_cut: dict[str, list[tuple[str, int]]] = {}


def pieces_of(text: str) -> Iterable[tuple[str, int]]:
    """Return a text with references in pieces; those of short ones are cached."""
    if len(text) > _LONGEST_KEPT:
        return _pieces(text)
    pieces = _cut.get(text)
    if pieces is None:
        if len(_cut) > _MOST_KEPT:
            _cut.clear()
        pieces = _cut[text] = list(_pieces(text))
    return pieces


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Yield the pieces of a text with references, and their kinds. An error comes last, and is the warning of it."""
    literal = ""
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        literal += text[position:dollar]
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            literal += "$"
            position = dollar + 2
            continue
        if literal:
            yield literal, LITERAL
            literal = ""
        if after in ("{", "("):
            end = closing_brace(text, dollar + 1, after, "}" if after == "{" else ")")
            if end < 0:
                yield f'truncated macro reference: "{text}"', BROKEN
                return
            content = text[dollar + 2 : end]
            position = end + 1
        else:
            position = dollar + 1
            while position < len(text) and text[position] in NAME:
                position += 1
            content = text[dollar + 1 : position]
        is_plain = after not in ("{", "(")
        if not content:
            yield f'empty macro name: "{text}"', BROKEN if is_plain else EMPTY
            return
        yield content, PLAIN if is_plain else BRACED
    literal += text[position:]
    if literal:
        yield literal, LAST
