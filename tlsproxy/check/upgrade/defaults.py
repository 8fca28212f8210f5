"""Changed defaults: parameters that are not set, or that refer to others, and whose effective value is another one.

Old and new values are computed by `postconf` from the catalogue's defaults, with all references.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from postconf import View
from postconf.catalogue import COMPUTED, Release, release, upstream_releases
from postconf.config import Origin
from postconf.origins import chain
from postconf.syntax.expressions import ExpressionError, expand
from postconf.values import protocols

from ..context import Context
from ..findings import Severity, Span
from .change import Change, make
from .conditions import Situation
from .knowledge import Default, branch, knowledge

_LONGEST = 60
"""Longer values are cut in messages."""
_UNEXPLAINED = Default(
    severity=Severity.WARNING, why="the default is another one", help="set it to keep the old value", when={}
)


def changed_defaults(situation: Situation) -> Iterator[Change]:
    """Yield the changes of effective values that the administrator did not ask for."""
    known = knowledge()
    for name, default in situation.new.release.defaults.items():
        if name in known.ignored or not _may_differ(situation, name, default):
            continue
        conditions = [*known.conditions_of(name), _explanation(situation, name).when]
        if not all(situation.holds(condition) for condition in conditions):
            continue
        change = _changed(situation, name) or _reminder(situation, name)
        if change:
            yield change


def _may_differ(situation: Situation, name: str, default: str) -> bool:
    """Return True if there is something to compare: another text, or one with references."""
    old = situation.old.release.defaults.get(name)
    if situation.new.release.kinds[name] == COMPUTED:
        return False
    if old is None:
        return name in knowledge().defaults and name not in situation.old.main.effective
    return old != default or "$" in default or "$" in situation.old.main.settings.get(name, _NOTHING).value


class _Nothing:
    value = ""


_NOTHING = _Nothing()


def _explanation(situation: Situation, name: str) -> Default:
    """Return the reason of a changed default; for one with references, the reason of the first that has one."""
    known = knowledge().defaults
    names = (origin.name for _, origin in chain(situation.new.config, name))
    return next((known[each] for each in names if each in known), _UNEXPLAINED)


def _changed(situation: Situation, name: str) -> Change | None:
    explained = _explanation(situation, name)
    for view, old_view in _views(situation, name):
        old = _effective(situation.old, name, old_view)
        if old is None:
            old = _expanded(explained.absent or "", old_view)
        new = _effective(situation.new, name, view)
        if new is None or _of_version(situation, old) == new or not _matters(explained.compare, old, new):
            continue
        return _report(situation, name, view, old, new)
    return None


def _views(situation: Situation, name: str) -> Iterator[tuple[View, View]]:
    """Yield the views in which a parameter counts, in the new and in the old release."""
    if situation.old.master is None or not situation.readers(name):
        if situation.views(name):
            yield situation.new.config, situation.old.config
        return
    programs = situation.readers(name)
    yield from zip(situation.new.services(*programs), situation.old.services(*programs), strict=True)


def _effective(context: Context, name: str, view: View) -> str | None:
    return context.value(name, view) if name in context.release.defaults else None


def _of_version(situation: Situation, value: str) -> str:
    """Return an old value with the number of the new release."""
    number = situation.old.release.defaults["mail_version"]
    return value.replace(number, situation.new.release.defaults["mail_version"])


def _expanded(text: str, view: View) -> str:
    try:
        return expand(text, view.lookup, lambda _: None)
    except ExpressionError:
        return text


def _matters(compare: str, old: str, new: str) -> bool:
    if compare == "proxied":
        return bool(_proxied(new) - _proxied(old))
    return True


def _proxied(value: str) -> frozenset[str]:
    return frozenset(word for word in value.replace(",", " ").split() if word.startswith("proxy:"))


def _report(situation: Situation, name: str, view: View, old: str, new: str) -> Change:
    explained = _explanation(situation, name)
    severity, why, help = explained.severity, explained.why, explained.help
    if explained.compare == "protocols" and protocols(old) == _lowest(new):
        severity, why, help = Severity.INFO, "the same TLS versions are allowed", "nothing"
    if explained.compare == "proxied":
        more = sorted(_proxied(new) - _proxied(old))
        shown = f"{name} has {', '.join(more)} by default"
    else:
        shown = f'{name} becomes "{_cut(new)}", and was "{_cut(old)}"'
    context = situation.new
    origins = [origin for _, origin in chain(view, name)]
    through = "; ".join(f"{each.name} = {_cut(each.text)}".rstrip() for each in origins[1:])
    return make(
        f"default-{name.replace('_', '-')}",
        severity,
        _span(context, view, name),
        f"{shown}: {why}" + (f" (it refers to {through})" if through else ""),
        help,
        since=first_release(situation, name),
        kind="default",
        parameter=name,
        old=old,
        new=new,
        related=tuple((_place(context, each), _note(each)) for each in origins) if through else (),
    )


def _lowest(text: str) -> object:
    """Return the protocols of a list, with a minimum written as exclusions: `>=TLSv1` is `!SSLv3`."""
    found = protocols(text)
    if found is not None and found.minimum == protocols(">=TLSv1").minimum and not found.maximum:  # type: ignore[union-attr]
        return found._replace(minimum=0, excluded=found.excluded | {"SSLv3"})
    return found


def _reminder(situation: Situation, name: str) -> Change | None:
    """Return a default that stays the old one because of a low compatibility level, which Postfix logs."""
    old, new = situation.old.release.defaults.get(name, ""), situation.new.release.defaults[name]
    if "compatibility_level" in old or "compatibility_level" not in new or name in situation.new.main.effective:
        return None
    level = branch(situation.new.release.name)

    def at_level(parameter: str) -> str | None:
        return level if parameter == "compatibility_level" else situation.new.config.lookup(parameter)

    here = situation.new.value(name)
    try:
        there = expand(new, at_level, lambda _: None)
    except ExpressionError:
        return None
    if here == there or not situation.views(name):
        return None
    return make(
        f"level-{name.replace('_', '-')}",
        Severity.INFO,
        _span(situation.new, situation.new.config, "compatibility_level"),
        f'{name} stays "{_cut(here)}" because of the compatibility level, and Postfix logs reminders of that; '
        f'with {level} it is "{_cut(there)}"',
        f"set {name}, or compatibility_level = {level}",
        since=first_release(situation, name),
        kind="compatibility",
        parameter=name,
        old=here,
        new=here,
    )


def _place(context: Context, origin: Origin) -> Span:
    return Span.at(origin.place) if origin.place else Span(context.main.path)


def _note(origin: Origin) -> str:
    text = f"{origin.name} = {_cut(origin.text)}".rstrip()
    return text if origin.place else f"{text} (default)"


def _span(context: Context, view: View, name: str) -> Span:
    """Return the place of the setting that decides, else main.cf: a default belongs to no service."""
    setting = context.setting(name, view)
    return setting.span() if setting else Span(context.main.path)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}..."


def first_release(situation: Situation, name: str) -> str:
    """Return the first release on the way that has the new value: a branch, or a patch release of the last one."""
    new = situation.new
    for each in _between(situation.old.release, new.release):
        if (name in each.defaults) != (name in new.release.defaults):
            continue
        if situation.under(each).value(name) == new.value(name):
            return _short(each.name)
    return _short(new.release.name)


def _between(old: Release, new: Release) -> Iterator[Release]:
    """Yield the first releases of the branches on the way, and the patch releases of the last branch."""
    branches = dict.fromkeys(branch(name) for name in upstream_releases())
    for each in branches:
        numbers = tuple(map(int, each.split(".")))
        if old.version[:2] < numbers <= new.version[:2]:
            yield _known(f"{each}.0")
    first = old.version[2] + 1 if old.version[:2] == new.version[:2] else 1
    for patch in range(first, new.version[2] if len(new.version) > 2 else 0):
        yield _known(f"{branch(new.name)}.{patch}")


@cache
def _known(version: str) -> Release:
    return release(version)


def _short(version: str) -> str:
    """Return a release's number; the branch for its first release."""
    plain = version.partition("-")[0]
    return plain.removesuffix(".0") if plain.count(".") == 2 else plain
