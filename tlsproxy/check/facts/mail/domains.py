"""Domains of the address classes: those in main.cf, and the keys of tables that can be read."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context, words_of
from ...findings import Span
from ..readings import Read, locate, reading_of
from ..tables.contents import contents, is_readable, span_of
from ..tables.named import split_table

_WITHOUT_KEYS = ("regexp", "pcre", "cidr", "static")


def domains_of(context: Context, parameter: str) -> dict[str, Span]:
    """Return the domains that a parameter of main.cf lists, in lower case, with their places."""
    found: dict[str, Span] = {}
    read = _of_main(context, parameter)
    if read is not None:
        for word in read.reading.words:
            if word.role == "domain" and read.text[word.start - 1 : word.start] != "!":
                _, span = locate(context, read.assignment, word.start, word.end)
                found.setdefault(word.text.lower(), span)
    if parameter == "mydestination" and parameter not in context.main.effective:
        host = context.setting("myhostname")  # the default has it
        if host is not None and context.value("myhostname"):
            found[context.value("myhostname").lower()] = host.span()
    return found


def keys_among(context: Context, parameter: str, wanted: frozenset[str]) -> Iterator[tuple[str, Span]]:
    """Yield the domains among those wanted that a table of a parameter has, with their places."""
    read = _of_main(context, parameter) if wanted else None
    if read is not None:
        for word in read.reading.words:
            if word.role == "file" and is_readable(context, word.text):
                yield from _in_file(context, word.text, wanted)
            if word.role != "table":
                continue
            for named in split_table(read.assignment, word.text):
                if named.kind in _WITHOUT_KEYS:
                    continue
                for entry in contents(context, named):
                    domain = decode(entry.key).lower()
                    if domain in wanted:
                        yield domain, span_of(context, named, entry) if entry.line else named.span()


def _in_file(context: Context, path: str, wanted: frozenset[str]) -> Iterator[tuple[str, Span]]:
    """Yield the domains in a file of patterns, which has the syntax of a list, and comments (match_list(3))."""
    try:
        lines = decode(context.files.read(path)).splitlines()
    except (OSError, ValueError):
        return
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith("#"):
            for domain in words_of(line.lower()):
                if domain in wanted:
                    yield domain, Span(context.files.outside(path), number)


def _of_main(context: Context, parameter: str) -> Read | None:
    """Return the setting that has a parameter's value: its own, or that of the parameter that its default refers to."""
    setting = context.setting(parameter)
    return None if setting is None or setting.service else reading_of(context, setting)
