"""Changes of a configuration: wishes for one setting, of all services, made one value, and the edits for it.

A value is changed where it is set, in main.cf or behind -o; a parameter that is not set is added to main.cf.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from postconf import View

from ...context import Context
from ...findings import Edit
from ...fixes import apply, replace_line
from ...text.sources import Assignment, MainFile, MasterFile
from ..openssl.ciphers import VERSIONS

_REFERENCE = re.compile(r"\$\{?(\w+)\}?")
_MINIMUM_SINCE = (3, 6)
"""The first release with `>=` in protocol lists."""


class Wish(NamedTuple):
    """A value that would end a violation of one service."""

    parameter: str
    kind: str
    """minimum: of a protocol list; exclusions: words to add; groups: all that may stay; flag: a boolean."""
    value: tuple[str, ...]


class SettingTarget(NamedTuple):
    """The place of a setting: an assignment, or a parameter that main.cf does not set."""

    name: str
    assignment: Assignment | None


class Changes:
    """Wishes, by the setting that they are for."""

    def __init__(self, context: Context, views: Mapping[str, View]) -> None:
        """Begin without wishes; `views`: the view of each service, in this configuration."""
        self._context = context
        self._views = views
        self._wanted: dict[SettingTarget, Wish] = {}

    def add(self, wishes: Iterable[tuple[str, Wish]]) -> bool:
        """Add wishes of services; return False if all of them were there."""
        before = dict(self._wanted)
        for service, wish in wishes:
            target = self.target(service, wish)
            present = self._wanted.get(target)
            self._wanted[target] = wish if present is None else _merged(present, wish)
        return self._wanted != before

    def target(self, service: str, wish: Wish) -> SettingTarget:
        """Return the setting that decides on a parameter for a service."""
        found = self._context.setting(wish.parameter, self._views[service])
        name, seen = wish.parameter, {wish.parameter}
        while match := _REFERENCE.fullmatch(self._context.release.defaults.get(name, "")):
            if (found is not None and found.name == name) or match[1] in seen:
                break
            name = match[1]
            seen.add(name)
        return SettingTarget(name, found if found is not None and found.name == name else None)

    def setting(self, target: SettingTarget) -> str:
        """Return a setting as people write it in main.cf."""
        return f"{target.name} = {self._value(target, ', ')}".rstrip()

    def edits(self, target: SettingTarget) -> tuple[Edit, ...]:
        """Return the edits for a setting; none where it can't be changed."""
        each = target.assignment
        if each is None:
            return (self._context.main.addition(self.setting(target)),) if self._context.has_main else ()
        if each.service is None:
            return replace_line(each, self.setting(target))
        span = each.span()
        if span.end_column - span.column != max(1, len(each.value)) or not each.value:
            return ()  # it goes on in another line
        return (Edit(span.path, span.line, span.column, span.line, span.end_column, self._value(target, ",")),)

    def applied(self) -> Context:
        """Return the configuration with all changes."""
        context = self._context
        edits = [edit for target in self._wanted for edit in self.edits(target)]
        main = MainFile(context.main.path, apply(context.main, edits)) if context.has_main else None
        master = MasterFile(context.master.path, apply(context.master, edits)) if context.master else None
        return Context(main, master, context.release, context.files, context.options)

    def _value(self, target: SettingTarget, separator: str) -> str:
        wish = self._wanted[target]
        if wish.kind == "minimum":
            least = wish.value[0]
            if self._context.release.version >= _MINIMUM_SINCE:
                return f">={least}"
            older = ("SSLv2", "SSLv3", *VERSIONS[: VERSIONS.index(least)])
            return separator.join(f"!{each}" for each in older)
        if wish.kind == "exclusions":
            present = target.assignment.value.strip(" \t,") if target.assignment else ""
            return separator.join(filter(None, [present, *wish.value]))
        return (" " if separator == ", " else separator).join(wish.value)


def _merged(one: Wish, other: Wish) -> Wish:
    if one.kind == "exclusions":
        return one._replace(value=tuple(dict.fromkeys([*one.value, *other.value])))
    if one.kind == "minimum":
        return max(one, other, key=lambda each: VERSIONS.index(each.value[0]))
    if one.kind == "groups":
        return one._replace(value=tuple(each for each in one.value if each in other.value) or one.value)
    return one
