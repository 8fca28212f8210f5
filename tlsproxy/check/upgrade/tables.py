"""Table types that the new distribution does not have, or has in a package of its own."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Edit, Fix, Severity, Span
from ..tables import Named, named_tables
from .change import Change, make
from .conditions import Situation
from .systems import BERKELEY_DB

_DEFAULTS = ("alias_maps", "alias_database")
"""Defaults that name tables, in effect with any local delivery."""


def changed_tables(situation: Situation) -> Iterator[Change]:
    """Yield one change for each setting that names a table of such a type."""
    source, target = situation.source, situation.target
    if not target.family:
        return
    missing = target.missing - (source.missing if source.family else frozenset())
    split = target.packages - source.packages if source.family else frozenset()
    for named in named_tables(situation.old):
        if named.kind in missing:
            yield _missing(situation, named)
        elif named.kind in split:
            yield _split(situation, named)
    if missing & BERKELEY_DB:
        yield from _defaults(situation, missing)
    for each in situation.old.named("default_database_type", "default_cache_db_type"):
        value = situation.old.expanded(each)
        if value in missing:
            yield _unsupported(situation, each.span(), each.name, value, None)


def _missing(situation: Situation, named: Named) -> Change:
    return _unsupported(situation, named.span(), named.assignment.name, named.text, _replacement(named))


def _unsupported(situation: Situation, span: Span, parameter: str, table: str, fix: Fix | None) -> Change:
    target, kind = situation.target, table.rpartition("proxy:")[2].partition(":")[0]
    new = table.replace(f"{kind}:", "lmdb:") if kind in BERKELEY_DB and ":" in table else None
    make_it = "newaliases(1)" if parameter.startswith("alias_") else "postmap(1)"
    daemons = parameter.endswith(("_cache_database", "_cache_map", "_verify_map"))
    help = f"write lmdb: in place of {kind}:" if new else "use another type"
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


def _replacement(named: Named) -> Fix | None:
    """Another type where this one is written; not safe, since the table has to be made before it is opened."""
    written = f"{named.kind}:{named.name}"
    span = named.assignment.word(named.text)
    text = named.assignment.source.line(span.line)
    start = text.find(written, span.column - 1)
    if named.kind not in BERKELEY_DB or start < 0:
        return None
    edit = Edit(span.path, span.line, start + 1, span.line, start + 1 + len(named.kind), "lmdb")
    return Fix("use lmdb:", (edit,), safe=False)


def _split(situation: Situation, named: Named) -> Change:
    target = situation.target
    return make(
        "table-type-package",
        Severity.ERROR,
        named.span(),
        f"{named.assignment.name}: {named.kind}: tables need a package of their own",
        f"install postfix-{named.kind} with the upgrade",
        since=target.release.name.partition("-")[0],
        kind="package",
        parameter=named.assignment.name,
        old=named.text,
        new=named.text,
    )


def _defaults(situation: Situation, missing: frozenset[str]) -> Iterator[Change]:
    """Defaults of the new release that name a table of such a type, as upstream has them."""
    context = situation.new
    if not situation.has_program("local"):
        return
    for name in _DEFAULTS:
        value = context.value(name)
        kind = value.partition(":")[0]
        if name not in context.main.effective and kind in missing:
            path = value.partition(":")[2].partition(",")[0]
            yield make(
                "table-type-default",
                Severity.WARNING,
                Span(context.main.path),
                f"{name} is not set, and its default has a {kind}: table, a type that {situation.target.name} has not",
                f"set {name} = lmdb:{path}, and run newaliases(1)",
                since=situation.target.release.name.partition("-")[0],
                kind="table",
                parameter=name,
                old=value,
                new=value,
            )
