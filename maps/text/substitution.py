"""The right-hand side of regexp and pcre rules: text with `$1`, `${2}` or `$(3)` for parts of the key, `$$` for `$`."""

from __future__ import annotations

import re

from postconf.syntax.lines import decode

from ..errors import MapsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME = re.compile(rb"[A-Za-z0-9_]*")
_BRACKETS = {ord("("): ord(")"), ord("{"): ord("}")}
_LONG_MAX = 2**63 - 1


class SubstitutionError(MapsError, ValueError):
    """A text that can't be used; a warning has had the reason."""


class Substitution:
    """A parsed text: pieces of it, and the numbers of groups between them."""

    def __init__(self, text: bytes, warn: Callable[[str], None], warn_of_number: Callable[[str, str], None]) -> None:
        """Raise `SubstitutionError` after warnings; those about a number get the problem and the number."""
        self._warn = warn
        self._warn_of_number = warn_of_number
        self._pieces: list[bytes | int] = []
        self.highest = 0
        """The highest number of a group, as C computes it: a 64-bit unsigned one."""
        if b"$" not in text:
            self._pieces.append(text)
        elif not self._parse(text):
            raise SubstitutionError

    def expand(self, groups: Sequence[bytes]) -> bytes:
        """Insert groups; the first one is number 1."""
        return b"".join(groups[piece - 1] if isinstance(piece, int) else piece for piece in self._pieces)

    def _parse(self, text: bytes) -> bool:
        """Parse the whole text, up to the first mistake (mac_parse(3)); return False after one."""
        good = True
        position = 0
        while (dollar := text.find(b"$", position)) >= 0:
            self._pieces.append(text[position:dollar])
            start = dollar + 1
            following = text[start : start + 1]
            if following == b"$":
                self._pieces.append(b"$")
                position = start + 1
                continue
            if following and following[0] in _BRACKETS:
                start += 1
                end = _closing(text, start, following[0])
                if end < 0:
                    self._warn(f'truncated macro reference: "{decode(text)}"')
                    return False
                position = end + 1
                if not good:
                    return False
            else:
                match = _NAME.match(text, start)
                position = end = match.end() if match else start
            if start == end:
                self._warn(f'empty macro name: "{decode(text)}"')
                return False
            good &= self._add(text[start:end])
        self._pieces.append(text[position:])
        return good

    def _add(self, name: bytes) -> bool:
        if not name.isdigit():
            self._warn_of_number("non-numeric", decode(name))
            return False
        number = _as_int(name)
        if number == 0:
            self._warn_of_number("out of range", decode(name))
            return False
        self.highest = max(self.highest, number % 2**64)
        self._pieces.append(number)
        return True


def _closing(text: bytes, position: int, opening: int) -> int:
    """Return the offset at which the bracket before `position` is closed; -1 if it isn't."""
    level = 1
    for index in range(position, len(text)):
        if text[index] == opening:
            level += 1
        elif text[index] == _BRACKETS[opening]:
            level -= 1
            if level == 0:
                return index
    return -1


def _as_int(digits: bytes) -> int:
    """Return the int of atoi(3) on machines with 64-bit longs: the lower half of the long, with its sign."""
    significant = digits.lstrip(b"0")
    number = _LONG_MAX if len(significant) > 19 else min(int(significant or b"0"), _LONG_MAX)
    return (number + 2**31) % 2**32 - 2**31
