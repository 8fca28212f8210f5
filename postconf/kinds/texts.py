"""Texts with a form of their own: templates, sets of characters, rates, headers, environment, levels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from postconf.spelling import nearest
from postconf.syntax.expressions import compatibility_level

from .kind import Kind
from .reading import Reading, Word, braced_words_at, inside_braces, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

_REFERENCE = re.compile(r"\$\$|\$[({]?\w+")
_HEADER = re.compile(r"[!-9;-~]+\Z")
_DELIMITERS = 2
_RATE = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?:/\s*(\S+)\s*)?\Z")
_CONCURRENCY = ("concurrency", "sqrt_concurrency")
_CHARSET = re.compile(r"[\w.:+-]+\Z")


def read_template(kind: Kind, text: str) -> Reading:
    """Read text in which names are replaced at run time; each `$name` in it is a word.

    The words of the kind are all names that its program knows (smtpd(8), mac_expand(3)), if it has any.
    """
    reading = Reading(kind)
    for found in _REFERENCE.finditer(text):
        if found[0] == "$$":
            continue
        word = reading.add(Word(found[0].lstrip("$({"), found.start(), found.end(), "reference"))
        if kind.words and word.text not in kind.words:
            hint = nearest(word.text, kind.words)
            message = f"there is no ${word.text} in this text"
            reading.problem(word, message, f"write ${hint}" if hint else "see postconf(5) for the names")
    return reading


def read_text(kind: Kind, text: str) -> Reading:
    """Read arbitrary text."""
    reading = Reading(kind)
    if text.strip():
        reading.add(whole(text, "text"))
    return reading


def read_verp_delimiters(kind: Kind, text: str) -> Reading:
    """Read the two characters between the parts of a VERP address."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    if len(word.text) != _DELIMITERS:
        reading.problem(word, f'"{word.text}" has {len(word.text)} characters instead of two', "write +=")
    return reading


def read_rate(kind: Kind, text: str) -> Reading:
    """Read a number from 0 to 1, a fraction, or one divided by the concurrency (qmgr_feedback(3))."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    parts = _RATE.match(text)
    divisor = parts[2] if parts else None
    value = -1.0
    if parts and (divisor is None or divisor.lower() in _CONCURRENCY):
        value = float(parts[1])
    elif parts and divisor:
        try:
            value = float(parts[1]) / float(divisor)
        except (ValueError, ZeroDivisionError):
            value = -1.0
    if not 0 <= value <= 1:
        reading.problem(word, f'"{word.text}" is no number from 0 to 1', "write 1, 1/8 or 1/concurrency")
    return reading


def read_headers(kind: Kind, text: str) -> Reading:
    """Read names of message headers, without colons."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word, "header")
        if not _HEADER.match(word.text):
            reading.problem(word, f'"{word.text}" is no name of a header', f"write {word.text.rstrip(':')}")
    return reading


def read_environment(kind: Kind, text: str) -> Reading:
    """Read names of environment variables, or `name=value`, which can be in braces (mail_parm_split(3))."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        reading.add(word)
        if word.text.startswith("{"):
            inside_braces(reading, word)
        elif word.text.startswith("="):
            reading.problem(word, f'"{word.text}" has no name in front of the =', "write NAME=value")
    return reading


def read_level(kind: Kind, text: str) -> Reading:
    """Read a compatibility level: up to three numbers with dots."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    if compatibility_level(word.text) is None:
        reading.problem(word, f'"{word.text}" is no compatibility level', "write 3.6, or another release")
    return reading


def read_charset(kind: Kind, text: str) -> Reading:
    """Read the name of a character set."""
    reading = Reading(kind)
    word = reading.add(whole(text))
    if word.text and not _CHARSET.match(word.text):
        reading.problem(word, f'"{word.text}" is no name of a character set', "write utf-8")
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "template": read_template,
    "text": read_text,
    "characters": read_text,
    "time-format": read_text,
    "action": read_text,
    "parameter-name": read_text,
    "verp-delimiters": read_verp_delimiters,
    "rate": read_rate,
    "headers": read_headers,
    "environment": read_environment,
    "level": read_level,
    "charset": read_charset,
}
