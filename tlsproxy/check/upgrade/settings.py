"""Changes of settings: removed and renamed parameters, values, restrictions, services and lines of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf.catalogue import ADHOC

from ..context import Context
from ..facts.tables.named import Named, named_tables
from ..findings import Edit, Fix, Severity, Span
from ..rules.services.proxy import rename
from ..rules.tls.levels import UseTlsAndLevel
from ..text.sources import Assignment
from .change import Change, make
from .conditions import Situation
from .defaults import first_release
from .knowledge import Note, knowledge

_SWITCHES = ("_use_tls", "_enforce_tls")


def changed_settings(situation: Situation) -> Iterator[Change]:
    """Yield the changes that concern a setting, or something else that is written in a file."""
    yield from _removed(situation)
    yield from _deprecated(situation)
    yield from _coming_to_effect(situation)
    for note in knowledge().notes:
        if note.is_between(situation.old.release, situation.new.release) and situation.holds(note.when):
            yield from _noted(situation, note)


def _removed(situation: Situation) -> Iterator[Change]:
    """Yield the parameters that the new release does not know, not even as an old name."""
    old, new = situation.old.release, situation.new.release
    for each in situation.old.everywhere:
        if each.name in old.defaults and each.name not in new.defaults and each.name not in new.legacy():
            value = situation.old.expanded(each)
            yield make(
                "parameter-removed",
                Severity.ERROR,
                each.name_span(),
                f"{each.name} is removed: Postfix ignores it, and postconf(1) warns of an unused parameter",
                "remove it",
                since=first_release(situation, each.name),
                kind="removed",
                parameter=each.name,
                old=value,
                fix=_removal(each, safe=True),
            )


def _deprecated(situation: Situation) -> Iterator[Change]:
    """Yield the parameters that the new release warns of, and the old one does not."""
    old, new = situation.old.release.deprecated(), situation.new.release.deprecated()
    fresh = {name: advice for name, advice in new.items() if name not in old}
    switches = {
        (finding.span.path, finding.span.line): finding for finding in UseTlsAndLevel().check(situation.new) if fresh
    }
    for each in situation.old.named(*fresh):
        known = each.name in situation.new.release.kinds or each.name in situation.new.release.legacy()
        if not known:
            continue  # it is reported as removed
        instead = fresh[each.name].removeprefix("specify ").strip('"')
        has_name = instead.isidentifier()
        help, fix = f"write {instead} instead" if has_name else "remove it", None
        if each.name.endswith(_SWITCHES):
            finding = switches.get((each.name_span().path, each.name_span().line))
            if finding:
                help, fix = finding.help, finding.fix
        elif _is_default(situation.old, each):
            help, fix = "remove it: it is the default", _removal(each, safe=True)
        elif each.name == "disable_dns_lookups":
            help = "write smtp_dns_support_level = disabled, and the same of lmtp"
        elif has_name and _is_same(each.name):
            fix = rename(
                each,
                instead,
                safe=not situation.old.is_set(instead, situation.old.view(each)) or _refers(situation, each, instead),
            )
            help = f"rename it to {instead}"
        elif not has_name:
            fix = _removal(each, safe=False)
        if fix and each.name in situation.old.references:
            fix = None  # another value would lose the setting that it refers to
        yield make(
            "parameter-deprecated",
            Severity.WARNING,
            each.name_span(),
            f"{each.name} will be removed, and postconf(1) warns of it at each start",
            help,
            since=situation.new.release.deprecated_since(each.name),
            kind="deprecated",
            parameter=each.name,
            old=situation.old.expanded(each),
            new=situation.new.expanded(each),
            fix=fix,
        )


def _refers(situation: Situation, each: Assignment, name: str) -> bool:
    """Return True if the new name is set by the old one alone."""
    setting = situation.new.setting(name, situation.new.view(each))
    return setting is not None and setting.name == each.name


def _is_same(old: str) -> bool:
    """Return True if the advised name takes the same values; tables of *_per_site have a form of their own."""
    return not old.endswith(("_per_site", "_enforce_peername"))


def _is_default(context: Context, each: Assignment) -> bool:
    return context.expanded(each) == context.expanded_default(each.name)


def _coming_to_effect(situation: Situation) -> Iterator[Change]:
    """Yield the parameters that the old release did not know, and ignored."""
    old, new = situation.old.release, situation.new.release
    for each in situation.old.everywhere:
        if each.name in old.defaults or each.name in old.legacy() or each.name not in new.defaults:
            continue
        if (
            new.kinds[each.name] == ADHOC
            or each.name in situation.old.references
            or each.name in situation.old.service_names
        ):
            continue
        value = situation.new.expanded(each)
        if value == situation.new.expanded_default(each.name):
            continue
        yield make(
            "parameter-known",
            Severity.WARNING,
            each.name_span(),
            f"{each.name} takes effect: the old release does not know it",
            "check that the value is still meant",
            since=first_release(situation, each.name),
            kind="new",
            parameter=each.name,
            new=value,
        )


def _noted(situation: Situation, note: Note) -> Iterator[Change]:
    context = situation.old
    if "restriction" in note.at:
        for each, word in situation.restrictions():
            if re.fullmatch(note.at["restriction"], word):
                yield _change(situation, note, each.word(_written(each, word)), each.name, old=word)
    elif "table" in note.at:
        yield from _of_tables(situation, note)
    elif "line" in note.at:
        yield from _lines(situation, note)
    elif "service" in note.at:
        for view in context.services(*note.at["service"]):
            name = f"{view.service.name}/{view.service.type}"
            span = context.service_span(view)
            yield _change(situation, note, span, name, old=note.old, word=view.service.name)
    elif "once" in note.at:
        name = note.at["once"]
        new = situation.new.value(name) if note.new is None else note.new
        yield _change(
            situation, note, context.span(name), name, old=note.absent if note.old is None else note.old, new=new
        )
    else:
        yield from _of_settings(situation, note)


def _of_settings(situation: Situation, note: Note) -> Iterator[Change]:
    """Yield one change for each parameter; for each setting of it, if there is something to fix."""
    context = situation.old
    found: dict[object, list[Assignment]] = {}
    for each in context.named(*note.parameter):
        value = context.expanded(each)
        if value and value.strip() and _concerns(situation, note, each, value):
            found.setdefault(each if note.fix else each.name, []).append(each)
    for each, *others in found.values():
        old = context.expanded(each)
        related = tuple((other.span(), f"{other.name} = {other.value}") for other in others)
        fix, new = _fix(situation, note, each), note.new or old
        yield _change(situation, note, each.span(), each.name, old=old, fix=fix, new=new, related=related)


def _concerns(situation: Situation, note: Note, each: Assignment, value: str) -> bool:
    """Return True if a note is about this value, and the parameter counts; a reference is reported where it leads."""
    if note.values and ("$" in each.value or value.lower() not in note.values):
        return False
    return all(situation.holds(condition) for condition in knowledge().conditions_of(each.name))


def _of_tables(situation: Situation, note: Note) -> Iterator[Change]:
    """Yield one change for each type, since it concerns all tables of it alike."""
    for kind in note.at["table"]:
        tables = [named for named in named_tables(situation.old) if named.kind == kind]
        if tables:
            others = dict.fromkeys((named.span(), named.text) for named in tables[1:])
            yield _change(situation, note, tables[0].span(), kind, old=note.old, related=tuple(others))


def _change(
    situation: Situation,
    note: Note,
    span: Span,
    parameter: str,
    *,
    old: str | None,
    new: str | None = None,
    fix: Fix | None = None,
    related: tuple[tuple[Span, str], ...] = (),
    word: str = "",
) -> Change:
    return make(
        note.id,
        note.severity,
        span,
        f"{parameter}: {note.text(note.message, word or old or '')}",
        note.text(note.help, word or old or ""),
        since=note.first(situation.new.release),
        kind=note.kind,
        parameter=parameter,
        old=old,
        new=note.new if note.new is not None else new,
        fix=fix,
        related=related,
    )


def _written(each: Assignment, word: str) -> str:
    """Return a word as it is written in a value; as it is looked for, if it comes from elsewhere."""
    found = re.search(re.escape(word), each.value, re.IGNORECASE)
    return found[0] if found else word


def _fix(situation: Situation, note: Note, each: Assignment) -> Fix | None:
    safe = bool(note.fix.get("safe"))
    if "replace" not in note.fix and each.name in situation.old.references:
        return None  # another value would lose the setting that it refers to
    if note.fix.get("remove"):
        return _removal(each, safe=safe)
    if each.name in note.fix.get("rename", {}):
        name = note.fix["rename"][each.name]
        clash = situation.old.main.effective.get(name) is not None
        return rename(each, name, safe=safe and not clash)
    if each.value.lower() in note.fix.get("replace", {}):
        span, word = each.span(), note.fix["replace"][each.value.lower()]
        edit = Edit(span.path, span.line, span.column, span.line, span.end_column, word)
        return Fix(f"write {word}", (edit,), safe=safe)
    return None


def _removal(each: Assignment, *, safe: bool) -> Fix | None:
    """Return the fix that takes a setting out of main.cf; None for an -o setting."""
    if each.service is not None:
        return None
    return Fix("remove it", each.source.removal(each.line), safe=safe)


def _lines(situation: Situation, note: Note) -> Iterator[Change]:
    """Yield the lines of tables that an expression describes, where files may be read."""
    pattern, seen = re.compile(note.at["pattern"]), set()
    for named in named_tables(situation.old):
        if named.kind not in note.at["line"] or named.assignment.name not in note.at.get(
            "only", [named.assignment.name]
        ):
            continue
        if named.name in seen:
            continue
        seen.add(named.name)
        for number, line in enumerate(_source(situation.old, named), 1):
            if pattern.search(line):
                span = Span(named.name, number) if named.name.startswith("/") else named.span()
                yield _change(situation, note, span, named.assignment.name, old=line.strip())


def _source(context: Context, named: Named) -> list[str]:
    if named.name.startswith("{"):
        inside = named.name.strip("{} \t\n")
        return [rule.strip() for rule in re.split(r"\}\s*,?\s*\{", inside)]
    if not named.name.startswith("/") or not context.files.enabled:
        return []
    try:
        return context.files.read(named.name).decode("utf-8", "replace").split("\n")
    except (OSError, ValueError):
        return []
