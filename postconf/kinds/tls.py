"""TLS: levels, protocols, ciphers, digests, log levels and options.

`values` has the rules of Postfix; OpenSSL defines the names of curves, ciphers and digests.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from postconf.values import LIST_SEPARATORS, PROTOCOLS, protocols

from .kind import Kind, Outcome
from .reading import Reading, Word, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

_WITH_COLON = LIST_SEPARATORS + ":"
_SERVER_ONLY = ("fingerprint", "verify", "secure")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+\Z")
_FINGERPRINT = re.compile(r"([0-9a-fA-F]{2}:)*[0-9a-fA-F]{2}\Z")
_TLS13 = re.compile(r"TLS_(AES|CHACHA)")


def read_level(kind: Kind, text: str) -> Reading:
    """Read a security level, in any case."""
    reading = Reading(kind)
    word = whole(text)
    if not word.text:
        return reading
    reading.add(word)
    # Values have no trailing blanks; a level among other words is invalid.
    if word.text.lower() not in kind.words:
        reading.unknown(word, "TLS security level", kind.words)
    elif kind.name == "server-level" and word.text.lower() in _SERVER_ONLY:
        reading.problem(
            word,
            f'{word.text} is for clients; a server takes it for "encrypt"',
            "write encrypt",
            outcome=Outcome.WARNS,
            effect="a warning is logged",
        )
    return reading


def read_protocols(kind: Kind, text: str) -> Reading:
    """Read a protocol list (`values.protocols`)."""
    reading = Reading(kind)
    words = list(words_at(text, _WITH_COLON))
    for word in words:
        reading.add(word)
        if protocols(word.text) is None or (word.text[:2] in (">=", "<=") and word.text[:2] not in kind.words):
            bare = Word.within(word, len(word.text) - len(word.text.lstrip("!<>=")), len(word.text.lstrip("!<>=")), "")
            reading.unknown(word._replace(text=bare.text), "TLS protocol", ["SSLv2", *PROTOCOLS])
    for sign, following in pairwise(words):
        if sign.text in (">=", "<=") and protocols(sign.text) is not None:
            reading.problem(
                sign,
                f"{sign.text} {following.text} means {following.text} only",
                f"write {sign.text}{following.text}",
                outcome=Outcome.IGNORES,
            )
    return reading


def read_grade(kind: Kind, text: str) -> Reading:
    """Read a cipher grade, in any case."""
    reading = Reading(kind)
    word = whole(text)
    if word.text:
        reading.add(word)
        if word.text.lower() not in kind.words:
            reading.unknown(word, "cipher grade", kind.words)
    return reading


def read_exclusions(kind: Kind, text: str) -> Reading:
    """Read excluded ciphers: Postfix itself puts `!` before each."""
    reading = Reading(kind)
    for word in words_at(text, _WITH_COLON):
        reading.add(word)
        if word.text[0] in "!-+@":
            reading.problem(
                word, f'"{word.text}" can\'t be excluded: every handshake fails', f"write {word.text.lstrip('!-+@')}"
            )
        elif _TLS13.match(word.text):
            reading.problem(
                word,
                f"{word.text} is a suite of TLS 1.3, which lists of ciphers don't reach",
                "remove it",
                outcome=Outcome.IGNORES,
            )
    return reading


def read_list(kind: Kind, text: str) -> Reading:
    """Read names that OpenSSL defines."""
    reading = Reading(kind)
    for word in words_at(text, _WITH_COLON):
        reading.add(word)
    return reading


def read_digests(kind: Kind, text: str) -> Reading:
    """Read digest algorithms, each optionally with its number in TLSA records (tls_dane(3))."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
        name, equals, number = word.text.partition("=")
        if not name or (equals and not (number.isascii() and number.isdigit() and 0 < int(number[:4]) < 256)):
            reading.problem(word, f'"{word.text}" is no digest algorithm', "write sha512 or sha512=2")
    return reading


def read_loglevel(kind: Kind, text: str) -> Reading:
    """Read the words and numbers of a log level, in any case."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
        if word.text.lower() not in kind.words:
            reading.problem(word, f'"{word.text}" is no log level', "specify 0 to 4; 1 for one line a session")
    return reading


def read_options(kind: Kind, text: str) -> Reading:
    """Read names of options, in any case, or hexadecimal numbers (long_name_mask(3))."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word)
        if word.text.lower() not in kind.words and not _HEXADECIMAL.match(word.text):
            reading.unknown(word, "option", kind.words)
    return reading


def read_fingerprints(kind: Kind, text: str) -> Reading:
    """Read fingerprints in hexadecimal, with colons."""
    reading = Reading(kind)
    for word in words_at(text, "| ,\t\r\n"):
        reading.add(word)
        if not _FINGERPRINT.match(word.text):
            reading.problem(word, f'"{word.text}" is no fingerprint: it matches no certificate', "write 12:34:AB:…")
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "client-level": read_level,
    "server-level": read_level,
    "tls-protocols": read_protocols,
    "tls-grade": read_grade,
    "tls-exclusions": read_exclusions,
    "tls-ciphers": read_list,
    "tls-groups": read_list,
    "tls-options": read_options,
    "digest": read_list,
    "digests": read_digests,
    "tls-loglevel": read_loglevel,
    "fingerprints": read_fingerprints,
}
