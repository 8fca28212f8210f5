"""Table types that the new distribution does not have, or has in a package of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf import ConfigError
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.mastercf import split_words

from ..context import Context
from ..facts.tables.named import Named, named_tables
from ..findings import Edit, Fix, Severity, Span
from .change import Change, make
from .conditions import Situation
from .knowledge import knowledge
from .systems import BERKELEY_DB

_SEPARATORS = ", \t\r\n"
_DEFAULTS = ("alias_maps", "alias_database", "address_verify_map", "postscreen_cache_map")
"""Defaults that name tables."""
_COMPOUND = ("unionmap", "pipemap", "randmap")


def changed_tables(situation: Situation) -> Iterator[Change]:
    """Yield one change for each setting that names a table of such a type."""
    source, target = situation.source, situation.target
    if not target.family:
        return
    missing = target.missing - (source.missing if source.family else frozenset())
    split = target.packages - source.packages if source.family else frozenset()
    for named, span, word in _written_tables(situation.old):
        if named.kind in missing:
            yield _missing(situation, named, span, word)
        elif named.kind in split:
            yield _split(situation, named, span)
    if missing & BERKELEY_DB:
        yield from _defaults(situation, missing)
    for each in situation.old.named("default_database_type", "default_cache_db_type"):
        value = situation.old.expanded(each)
        if value in missing:
            yield _unsupported(situation, each.span(), each.name, value, _written_as(each.span(), "lmdb"))


def _written_tables(context: Context) -> list[tuple[Named, Span, str]]:
    """Return the tables of a configuration, each with its place and the word that names it.

    A table that a value has by reference is left out where its type is written in another value.
    """
    all_tables = [*named_tables(context), *_within(context)]
    tables = {(id(named.assignment), named.text): named for named in all_tables}.values()
    found = [(named, *_word(context, named)) for named in tables]
    written = {named.text for named, _, word in found if word}
    return [(named, span, word) for named, span, word in found if word or named.text not in written]


def _within(context: Context) -> Iterator[Named]:
    """Yield the tables that others are made of."""
    for named in named_tables(context):
        if named.kind in _COMPOUND:
            for text in re.split(r"[{},\s]+", named.name):
                kind, colon, name = text.rpartition("proxy:")[2].partition(":")
                if colon:
                    yield Named(named.assignment, text, kind, name)


def _word(context: Context, named: Named) -> tuple[Span, str]:
    """Return the place and the word that names a table; the value and "", if it comes by reference."""
    each, config = named.assignment, context.config
    for word, start in split_words(each.value, _SEPARATORS):
        if word.startswith("$") and word.strip("${()}") in context.release.kinds:
            continue  # another parameter's tables
        try:
            expanded = config.expand(word, context.view(each).lookup, _ignore) if "$" in word else word
        except (ExpressionError, ConfigError):
            continue
        if expanded == named.text:
            return each.span(start, len(word)), word
    if named.text in each.value:
        return each.word(named.text), named.text
    return each.span(), ""


def _ignore(_warning: str) -> None:
    """Take a warning that other rules report."""


def _missing(situation: Situation, named: Named, span: Span, word: str) -> Change:
    fix = _replacement(named, span, word)
    return _unsupported(situation, span, named.assignment.name, named.text, fix)


def _unsupported(situation: Situation, span: Span, parameter: str, table: str, fix: Fix | None) -> Change:
    target, kind = situation.target, table.rpartition("proxy:")[2].partition(":")[0]
    new = table.replace(kind, "lmdb", 1) if kind in BERKELEY_DB else None
    make_it = "newaliases(1)" if parameter.startswith("alias_") else "postmap(1)"
    daemons = parameter.endswith(("_cache_database", "_cache_map", "_verify_map"))
    help = f"write lmdb in place of {kind}" if new else "use another type"
    return make(
        "table-type-missing",
        Severity.ERROR,
        span,
        f"{parameter}: {target.name} has no {kind}: tables (unsupported dictionary type), and look-ups fail",
        help if daemons or not new else f"{help}, and run {make_it} for the table",
        since=target.release.name.partition("-")[0],
        kind="table",
        parameter=parameter,
        old=table,
        new=new,
        fix=fix,
    )


def _replacement(named: Named, span: Span, word: str) -> Fix | None:
    """Return the fix that writes another type; not safe, since the table has to be made before it is opened."""
    start = word.find(f"{named.kind}:")
    if named.kind not in BERKELEY_DB or start < 0:
        return None
    column = span.column + start
    return _written_as(Span(span.path, span.line, column, column + len(named.kind)), "lmdb")


def _written_as(span: Span, text: str) -> Fix:
    edit = Edit(span.path, span.line, span.column, span.line, span.end_column, text)
    return Fix(f"write {text}", (edit,), safe=False)


def _split(situation: Situation, named: Named, span: Span) -> Change:
    target = situation.target
    return make(
        "table-type-package",
        Severity.ERROR,
        span,
        f"{named.assignment.name}: {named.kind}: tables need a package of their own",
        f"install postfix-{named.kind} with the upgrade",
        since=target.release.name.partition("-")[0],
        kind="package",
        parameter=named.assignment.name,
        old=named.text,
        new=named.text,
    )


def _defaults(situation: Situation, missing: frozenset[str]) -> Iterator[Change]:
    """Yield the defaults of the new release that name a table of such a type, as upstream has them."""
    context = situation.new
    for name in _DEFAULTS:
        if not situation.views(name) or not all(map(situation.holds, knowledge().conditions_of(name))):
            continue
        value = context.value(name)
        kind = value.partition(":")[0]
        if name not in context.main.effective and kind in missing:
            path = value.partition(":")[2].partition(",")[0]
            yield make(
                "table-type-default",
                Severity.WARNING,
                Span(context.main.path),
                f"{name} is not set, and its default has a {kind}: table, a type that {situation.target.name} has not",
                f"set {name} = lmdb:{path}" + (", and run newaliases(1)" if name.startswith("alias_") else ""),
                since=situation.target.release.name.partition("-")[0],
                kind="table",
                parameter=name,
                old=value,
                new=value,
            )
