"""Aliases of aliases(5) and virtual(5) tables that lead back to themselves."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context
from .aliases import aliases
from .contents import Content, contents
from .named import FILES, Named
from .surveys import number_of_entries

_MOST = 100_000
"""Aliases of one table that are followed; larger ones come from programs."""
_MOST_LOOPS = 10
_ALIASES = ("alias_maps", "alias_database")


def loops(context: Context, named: Named) -> Iterator[tuple[Content, list[str]]]:
    """Yield the first alias of each loop, and the names on the way."""
    if number_of_entries(context, named) > _MOST:
        return
    entries: dict[str, Content] = {}
    is_source = named.kind in FILES and named.assignment.name in _ALIASES
    for entry in aliases(context, named) if is_source else contents(context, named):
        if len(entries) >= _MOST:
            return
        entries.setdefault(decode(entry.key).lower(), entry)
    done: set[str] = set()
    found = 0
    for start, first in entries.items():
        for chain in _walk(start, entries, done):
            yield entries.get(chain[0]) or first, chain
            found += 1
            if found == _MOST_LOOPS:
                return


def _walk(start: str, entries: dict[str, Content], done: set[str]) -> Iterator[list[str]]:
    """Follow an alias, depth first; yield each way that ends where it has been."""
    if start in done:
        return
    path = {start: None}
    waiting = [_targets(start, entries)]
    done.add(start)
    while waiting:
        name = next(waiting[-1], None)
        if name is None:
            waiting.pop()
            path.popitem()
        elif name in path:
            way = list(path)
            yield [*way[way.index(name) :], name]
        elif name not in done:
            done.add(name)
            path[name] = None
            waiting.append(_targets(name, entries))


def _targets(name: str, entries: dict[str, Content]) -> Iterator[str]:
    """Yield the aliases in a value; an alias that contains itself is a mailbox there, as is one behind a backslash.

    The key `@domain` is for all addresses of a domain that have no entry, and as a value it keeps the local part.
    """
    entry = _entry(name, entries)
    if entry is None:
        return
    local = name.rpartition("@")[0]
    for word in decode(entry.value).split(","):
        target = word.strip().strip('"').lower()
        if target.startswith("@"):
            target = local + target
        if target != name and _entry(target, entries) is not None:
            yield target


def _entry(name: str, entries: dict[str, Content]) -> Content | None:
    _, at, domain = name.rpartition("@")
    return entries.get(name) or (entries.get(at + domain) if at else None)
