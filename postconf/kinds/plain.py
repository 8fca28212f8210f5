"""Booleans, numbers and times: `values` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postconf.values import InvalidValueError, parse

from .kind import Kind
from .reading import Reading, whole

if TYPE_CHECKING:
    from collections.abc import Callable


def read_plain(kind: Kind, text: str) -> Reading:
    """Read a boolean, a number or a time."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    if kind.parameter is not None:
        try:
            parse(kind.parameter, text)
        except InvalidValueError as error:
            reading.problem(word, error.message, error.remedy)
    return reading


def read_read_only(kind: Kind, text: str) -> Reading:
    """Read a value that the running process sets by itself."""
    reading = Reading(kind)
    reading.add(whole(text))
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "boolean": read_plain,
    "number": read_plain,
    "time": read_plain,
    "read-only": read_read_only,
}
