"""Domains of the address classes: those in main.cf, and the keys of tables that can be read."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context
from ...findings import Span
from ..readings import Read, locate, readings
from ..tables.contents import contents, span_of
from ..tables.named import split_table

_WITHOUT_KEYS = ("regexp", "pcre", "cidr", "static")


def domains_of(context: Context, parameter: str) -> dict[str, Span]:
    """Return the domains that a parameter of main.cf lists, in lower case, with their places."""
    found: dict[str, Span] = {}
    for read in _of_main(context, parameter):
        for word in read.reading.words:
            if word.role == "domain" and read.text[word.start - 1 : word.start] != "!":
                _, span = locate(context, read.assignment, word.start, word.end)
                found.setdefault(word.text.lower(), span)
    return found


def keys_among(context: Context, parameter: str, wanted: frozenset[str]) -> Iterator[tuple[str, Span]]:
    """Yield the domains among those wanted that a table of a parameter has, with their places."""
    if not wanted:
        return
    for read in _of_main(context, parameter):
        for word in read.reading.words:
            if word.role != "table":
                continue
            for named in split_table(read.assignment, word.text):
                if named.kind in _WITHOUT_KEYS:
                    continue
                for entry in contents(context, named):
                    domain = decode(entry.key).lower()
                    if domain in wanted:
                        yield domain, span_of(context, named, entry) if entry.line else named.span()


def _of_main(context: Context, parameter: str) -> Iterator[Read]:
    """Yield the setting that has a parameter's value: its own, or that of the parameter that its default refers to."""
    setting = context.setting(parameter)
    if setting is not None and not setting.service:
        yield from (read for read in readings(context) if read.assignment is setting)
