"""DNS lists of postscreen(8): `domain=filter*weight` (postscreen_dnsbl(3), ip_match(3))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .hosts import host_problem
from .kind import Kind
from .reading import Reading, Word, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

_WEIGHT = re.compile(r"\s*[+-]?\d+\Z")
_RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?\Z")
_FIELDS = re.compile(r"\[[^\[\]]*\]|[^.\[\]]+")
_LARGEST_OCTET = 255
_OCTETS = 4


def read_sites(kind: Kind, text: str) -> Reading:
    """Read DNS lists with the answers that count and the weights of these."""
    reading = Reading(kind)
    for word in words_at(text):
        body, star, weight = word.text.partition("*")
        domain, equals, answers = body.partition("=")
        site = reading.add(Word.within(word, 0, len(domain), "domain"))
        problem = host_problem(domain)
        if problem:
            reading.problem(site, f'"{domain}" is no domain: it {problem}', "write domain=127.0.0.2*weight")
        if equals:
            pattern = reading.add(Word.within(word, len(domain) + 1, len(answers), "filter"))
            problem = filter_problem(answers)
            if problem:
                reading.problem(pattern, f'"{answers}" is no filter: {problem}', "write 127.0.0.2 or 127.0.0.[2..11]")
        if star:
            factor = reading.add(Word.within(word, len(body) + 1, len(weight), "weight"))
            if not _WEIGHT.match(weight):
                at = factor if weight else word
                reading.problem(at, f'"{weight}" is no weight', "write a whole number behind the *")
    return reading


def filter_problem(pattern: str) -> str:
    """Return the mistake in a pattern for IPv4 addresses; empty for a valid one."""
    if pattern.startswith("[") and pattern.endswith("]") and pattern.count("[") != pattern[:-1].count("]"):
        pattern = pattern[1:-1]
    fields = _FIELDS.findall(pattern)
    if ".".join(fields) != pattern:
        return "it has a dot, a bracket or a sign too many or too few"
    if len(fields) != _OCTETS:
        return f"it has {len(fields)} fields instead of {_OCTETS}"
    for field in fields:
        if not field.startswith("["):
            if not field.isdigit() or int(field[:4]) > _LARGEST_OCTET:
                return f'"{field}" is none of 0 to {_LARGEST_OCTET}'
            continue
        for member in field[1:-1].split(";"):
            ends = _RANGE.match(member)
            if ends is None:
                return f'"{member}" is no number and no range such as 2..11'
            low, high = int(ends[1][:4]), int((ends[2] or ends[1])[:4])
            if not low <= high <= _LARGEST_OCTET:
                return f'"{member}" is no range within 0 to {_LARGEST_OCTET}'
    return ""


READERS: dict[str, Callable[[Kind, str], Reading]] = {"dnsbl-sites": read_sites}
