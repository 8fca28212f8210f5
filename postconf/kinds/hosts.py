"""Names of hosts, domains, mail addresses, users and groups."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from .kind import Kind, Outcome
from .reading import Reading, Word, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_LABEL = 63
_LONGEST_NAME = 255
_BAD_HOST = re.compile(r"[^A-Za-z0-9_.-]")
_BAD_UTF8_HOST = re.compile(r"[^\w.-]")
_ACCOUNT = re.compile(r"[\w][\w.-]*\$?\Z")
_PROBE_TYPES = ("a", "aaaa", "cname", "dnskey", "mx", "ns", "soa", "srv", "tlsa", "txt")


def host_problem(name: str, *, utf8: bool = False) -> str:
    """Return the reason why valid_hostname(3) refuses a name; empty if it does not.

    `utf8`: the name can be internationalized.
    """
    if not name:
        return "is empty"
    bad = (_BAD_UTF8_HOST if utf8 else _BAD_HOST).search(name)
    if bad:
        return f'has a "{bad[0]}" in it'
    if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters"
    for label in name.split("."):
        if not label:
            return "has a dot too many"
        if len(label) > _LONGEST_LABEL:
            return f"has a part of more than {_LONGEST_LABEL} characters"
        if label.startswith("-") or label.endswith("-"):
            return "has a part that begins or ends with -"
    if not any(not (each.isascii() and each.isdigit()) for each in name.replace(".", "")):
        return "consists of digits only"
    return ""


def is_address(text: str) -> bool:
    """Return True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def read_hostname(kind: Kind, text: str) -> Reading:
    """Read the name of a host."""
    reading = Reading(kind)
    word = whole(text, "host")
    if word.text:
        reading.add(word)
        _check_host(reading, word)
    return reading


def _check_host(reading: Reading, word: Word, *, outcome: Outcome | None = None, effect: str = "") -> None:
    problem = host_problem(word.text)
    if problem:
        message = f'"{word.text}" is no host name: it {problem}'
        reading.problem(word, message, "specify a name such as mail.example.com", outcome=outcome, effect=effect)


def read_helo_name(kind: Kind, text: str) -> Reading:
    """Read the name for HELO: a hostname, or an address in brackets."""
    reading = Reading(kind)
    word = whole(text, "host")
    if word.text:
        reading.add(word)
        if not (word.text.startswith("[") and word.text.endswith("]")):
            _check_host(reading, word)
    return reading


def read_origin(kind: Kind, text: str) -> Reading:
    """Read the domain of local addresses, or the full path of a file with the domain."""
    reading = Reading(kind)
    words = list(words_at(text))
    if not words:
        return reading
    if words[0].text.startswith("/"):
        reading.add(words[0], "file")
    else:
        effect = "other servers refuse addresses with it"
        _check_host(reading, reading.add(words[0], "domain"), outcome=Outcome.IGNORES, effect=effect)
    if len(words) > 1:
        reading.problem(words[1], "there can be one value only", f"remove {words[1].text}")
    return reading


def read_servername(kind: Kind, text: str) -> Reading:
    """Read the name for SNI: a hostname, or a keyword for a name that is known later."""
    reading = Reading(kind)
    word = whole(text, "host")
    if word.text:
        reading.add(word)
        if word.text.lower() not in kind.words:
            _check_host(reading, word)
    return reading


def read_cert_match(kind: Kind, text: str) -> Reading:
    """Read names to match in a certificate: hostnames, domains with a leading dot, and keywords."""
    reading = Reading(kind)
    for word in words_at(text, ":, \t\r\n"):
        reading.add(word, "word" if word.text.lower() in kind.words else "domain")
        if word.text.startswith("*"):
            hint = f"write {word.text.lstrip('*')}"
            reading.problem(word, f'"{word.text}" matches nothing: there are no wildcards', hint)
        elif word.text.lower() not in kind.words and host_problem(word.text.removeprefix(".")):
            reading.unknown(word, "name that a certificate can have", kind.words)
    return reading


def read_mail_address(kind: Kind, text: str) -> Reading:
    """Read one mail address."""
    reading = Reading(kind)
    word = whole(text, "address")
    if not word.text:
        return reading
    reading.add(word)
    if '"' in word.text or "<" in word.text:
        return reading
    parts = list(words_at(text))
    if len(parts) > 1:
        reading.problem(
            parts[1],
            "there can be one address only",
            "name one address, and let an alias have the others",
        )
    elif word.text.endswith("@"):
        reading.problem(word, f'"{word.text}" has no domain', f"write {word.text[:-1]}, or add the domain")
    elif word.text.count("@") > 1:
        reading.problem(word, f'"{word.text}" has more than one @', "correct it")
    return reading


def read_sender(kind: Kind, text: str) -> Reading:
    """Read the sender of probes; `<>` and an empty value are the null sender."""
    reading = read_mail_address(kind, text)
    for position, problem in enumerate(reading.problems):
        if not text.rstrip().endswith("@"):
            effect = kind.effect_of(Outcome.IGNORES)
            reading.problems[position] = problem._replace(outcome=Outcome.IGNORES, effect=effect)
    return reading


def read_account(kind: Kind, text: str) -> Reading:
    """Read the name of a user or group."""
    reading = Reading(kind)
    word = whole(text, kind.name)
    if word.text:
        reading.add(word)
        if not _ACCOUNT.match(word.text):
            reading.problem(word, f'"{word.text}" is no name of a {kind.name}', f"specify one {kind.name}")
        elif word.text in ("root", "0"):
            reading.problem(word, f"{word.text} is privileged, and refused here", f"specify an ordinary {kind.name}")
    return reading


def read_probe(kind: Kind, text: str) -> Reading:
    """Read the DNSSEC probe: a record type and a domain (dns_sec(3))."""
    reading = Reading(kind)
    word = whole(text)
    if not word.text:
        return reading
    reading.add(word)
    record, colon, domain = word.text.partition(":")
    if not colon or not domain:
        reading.problem(word, f'"{word.text}" is no type:domain', "write ns:.")
    elif record.lower() not in _PROBE_TYPES:
        reading.unknown(Word.within(word, 0, len(record), "word"), "type of DNS record", _PROBE_TYPES)
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "hostname": read_hostname,
    "domain": read_hostname,
    "helo-name": read_helo_name,
    "origin": read_origin,
    "tls-servername": read_servername,
    "cert-match": read_cert_match,
    "mail-address": read_mail_address,
    "sender": read_sender,
    "user": read_account,
    "group": read_account,
    "dnssec-probe": read_probe,
}
