"""Mail filters: lists of Milters with their options (milter(3)), and their macros."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from postconf.values import SECONDS

from .kind import Kind, Outcome
from .reading import Reading, Word, braced_words_at, inside_braces, words_at
from .routes import check_local_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = ("connect_timeout", "command_timeout", "content_timeout")
OPTIONS = (*TIMES, "protocol", "default_action")
ACTIONS = ("accept", "reject", "tempfail", "quarantine", "shutdown")
_PROTOCOLS = ("2", "3", "4", "6", "no_header_reply")
_TRANSPORTS = ("inet", "unix", "local")
_TIME = re.compile(r"\d+[a-z]?")
_DISABLE = "disable"


def read_milters(kind: Kind, text: str) -> Reading:
    """Read mail filters: `inet:host:port`, `unix:path`, or one of these in `{ …, option = value }`."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        if not word.text.startswith("{"):
            _endpoint(reading, word)
            continue
        inner = _joined(word, inside_braces(reading, word))
        if inner is None:
            continue
        if not inner:
            reading.problem(word, "there is no mail filter in the braces", "write { inet:host:port, … }")
            continue
        _endpoint(reading, inner[0])
        for option in inner[1:]:
            _option(reading, option)
    return reading


def _joined(outer: Word, words: list[Word] | None) -> list[Word] | None:
    """Join `name`, `=` and `value`: blanks are allowed around the sign (attr_override(3))."""
    if words is None:
        return None
    joined: list[Word] = []
    for word in words:
        before = joined[-1] if len(joined) > 1 else None
        if before and (word.text.startswith("=") or before.text.endswith("=")):
            text = outer.text[before.start - outer.start : word.end - outer.start]
            joined[-1] = Word(text, before.start, word.end)
        else:
            joined.append(word)
    return joined


def _endpoint(reading: Reading, word: Word) -> None:
    reading.add(word, "endpoint")
    transport, colon, rest = word.text.partition(":")
    if word.text.lower() == _DISABLE:
        return
    if not colon or not rest or not transport:
        hint = f"write unix:{word.text}" if word.text.startswith("/") else "write inet:host:port or unix:/path"
        reading.problem(word, f'"{word.text}" is no mail filter', hint)
    elif transport not in _TRANSPORTS:
        at = Word.within(word, 0, len(transport), "word")
        if rest.isdigit():
            reading.problem(at, f'"{transport}" is no kind of connection', f"write inet:{word.text}")
        else:
            reading.unknown(at, "kind of connection", _TRANSPORTS)
    elif transport == "inet":
        endpoint = Word.within(word, len("inet:"), len(rest), "endpoint")
        if "@" in rest:
            port, _, host = rest.partition("@")
            hint = f"write {host}:{port}"
            reading.problem(endpoint, f'"{rest}" is the notation of Sendmail', hint, outcome=Outcome.DIES_LATER)
        else:
            check_local_endpoint(reading, endpoint)
            _check_named_port(reading, endpoint)


def _check_named_port(reading: Reading, word: Word) -> None:
    """Report a port by name: Milters have no registered ports, so a name is probably a mistake."""
    port = word.text.rpartition(":")[2]
    if port and not port[0].isdigit() and not any(each.start >= word.start for each in reading.problems):
        at = Word.within(word, len(word.text) - len(port), len(port), "port")
        reading.problem(
            at,
            f'"{port}" is looked up in /etc/services, which has no ports of mail filters',
            "specify a number",
            effect="each session gets the reply of milter_default_action, which is 451 by default",
        )


def _option(reading: Reading, word: Word) -> None:
    reading.add(word, "option")
    is_braced = word.text.startswith("{")
    if is_braced:
        if inside_braces(reading, word) is None:
            return
        inner = word.text[1:-1]
        word = Word.within(word, 1 + len(inner) - len(inner.lstrip()), len(inner.strip()), "option")
    name, equals, value = (part.strip() for part in word.text.partition("="))
    outcome = Outcome.DIES
    if not equals:
        reading.problem(word, f'"{word.text}" is no option', "write name=value", outcome=outcome)
    elif not is_braced and word.text != f"{name}={value}":
        hint = f"write {name}={value}, or {{ {name} = {value} }}"
        reading.problem(word, "there can be no blanks around this =", hint, outcome=outcome)
    elif name not in OPTIONS:
        reading.unknown(Word.within(word, 0, len(name), "option"), "option of a mail filter", OPTIONS, outcome=outcome)
    elif name in TIMES:
        if not _TIME.match(value) or value.lstrip("0123456789")[:1] not in ("", *SECONDS):
            reading.problem(_value(word, value), f'"{value}" is no time', "write 30s", outcome=outcome)
    elif name == "default_action":
        if value.lower() not in ACTIONS:
            reading.unknown(_value(word, value), "action", ACTIONS)
    elif not all(each.text.lower() in _PROTOCOLS for each in words_at(value)):
        reading.unknown(_value(word, value), "version of the milter protocol", _PROTOCOLS)


def _value(word: Word, value: str) -> Word:
    return Word.within(word, word.text.rfind(value), len(value), "value")


def read_macros(kind: Kind, text: str) -> Reading:
    """Read names of macros, with or without braces."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        reading.add(word, "macro")
        if word.text.startswith("{") != word.text.endswith("}"):
            reading.problem(word, f'"{word.text}" has one brace only', f"write {{{word.text.strip('{}')}}}")
    return reading


def read_macro_values(kind: Kind, text: str) -> Reading:
    """Read `name=value` pairs, which can be in braces."""
    reading = Reading(kind)
    for word in braced_words_at(text):
        reading.add(word, "option")
        if "=" not in word.text:
            reading.problem(word, f'"{word.text}" is no name=value', f"write {word.text}=value")
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "milters": read_milters,
    "macros": read_macros,
    "macro-values": read_macro_values,
}
