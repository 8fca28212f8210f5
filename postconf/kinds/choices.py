"""Keywords: one of a list (name_code(3)), or several (name_mask(3))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .kind import Kind, Outcome
from .reading import Reading, whole, words_at
from .tables import TABLE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

_CLASS_NAME = re.compile(r"[A-Za-z0-9_]+\Z")


def read_enum(kind: Kind, text: str) -> Reading:
    """Read one word of a list, in any case unless the list is case-sensitive. An empty value chooses nothing."""
    reading = Reading(kind)
    word = whole(text)
    if not word.text:
        return reading
    reading.add(word)
    exact = {each[1:] for each in kind.words if each.startswith("=")}
    known = [each.removeprefix("=") for each in kind.words]
    found = word.text in exact if exact else word.text.lower() in known
    if not found:
        reading.unknown(word, f"value of {_name(kind)}", known)
    return reading


def read_mask(kind: Kind, text: str) -> Reading:
    """Read any number of words of a list; they are compared with their case."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
        if word.text not in kind.words:
            reading.unknown(word, f"word of {_name(kind)}", kind.words)
    return reading


def read_mask_any_case(kind: Kind, text: str) -> Reading:
    """Read any number of words of a list, in any case."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
        if word.text.lower() not in kind.words:
            reading.unknown(word, f"word of {_name(kind)}", kind.words)
    return reading


def read_families(kind: Kind, text: str) -> Reading:
    """Read inet_protocols: an empty value turns all protocols off."""
    return read_mask(kind, text)


def read_network_style(kind: Kind, text: str) -> Reading:
    """Read mynetworks_style: exactly one word of the list, with its case (mynetworks(3))."""
    reading = Reading(kind)
    words = [reading.add(word) for word in words_at(text)]
    for word in words:
        if word.text not in kind.words:
            reading.unknown(word, f"word of {_name(kind)}", kind.words)
    if not reading.problems and len(words) > 1:
        reading.problem(words[1], "there can be one style only", f"remove {words[1].text}")
    return reading


def read_permissions(kind: Kind, text: str) -> Reading:
    """Read the access mode of a new log file, with any number of zeros in front."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    if word.text.lstrip("0") not in kind.words:
        reading.unknown(word, "access mode for a log file", [f"0{each}" for each in kind.words])
    return reading


def read_milter_protocol(kind: Kind, text: str) -> Reading:
    """Read a version of the milter protocol and extensions of it; exactly one version has to be there (milter8(3))."""
    reading = Reading(kind)
    versions = 0
    for word in words_at(text):
        reading.add(word)
        versions += word.text.isdigit()
        if word.text.lower() not in kind.words:
            reading.unknown(word, "version of the milter protocol", kind.words)
        elif versions > 1 and word.text.isdigit():
            reading.problem(word, "there can be one version only", f"remove {word.text}")
    if not versions and not reading.problems:
        reading.problem(whole(text), "this names no version of the milter protocol", "specify 6")
    return reading


def read_table_type(kind: Kind, text: str) -> Reading:
    """Read the type of a lookup table."""
    reading = Reading(kind)
    word = reading.add(whole(text), "table-type")
    if word.text and word.text not in TABLE_TYPES:
        reading.unknown(word, "type of lookup table", TABLE_TYPES)
    return reading


def read_classes(kind: Kind, text: str) -> Reading:
    """Read names that the administrator gives to lists of restrictions."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word, "class")
        if not _CLASS_NAME.match(word.text):
            reading.problem(
                word, f'"{word.text}" can\'t name a parameter', "use letters, digits and _", outcome=Outcome.DIES
            )
    return reading


def _name(kind: Kind) -> str:
    return kind.parameter.name if kind.parameter else "this parameter"


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "enum": read_enum,
    "eecdh-grade": read_enum,
    "mask": read_mask,
    "mask-any-case": read_mask_any_case,
    "sasl-options": read_mask,
    "families": read_families,
    "network-style": read_network_style,
    "names": lambda kind, text: read_mask(kind, text) if kind.words else _read_words(kind, text),
    "permissions": read_permissions,
    "milter-protocol": read_milter_protocol,
    "table-type": read_table_type,
    "classes": read_classes,
}


def _read_words(kind: Kind, text: str) -> Reading:
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
    return reading
