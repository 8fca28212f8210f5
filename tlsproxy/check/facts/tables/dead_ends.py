"""Targets of virtual(5) aliases that are in an alias domain and have no alias themselves."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context, words_of
from .contents import Content, contents, has_known_keys
from .named import Named
from .surveys import number_of_entries
from .uses import Use, used_tables

_MOST = 100_000
"""Aliases that are compared; with more, a program writes the table."""
_MOST_FOUND = 10


def dead_ends(context: Context, domains: frozenset[str]) -> Iterator[tuple[Named, Content, str]]:
    """Yield the table, the entry and the target; nothing if a table can't be read, and could have the target.

    `domains`: those of virtual_alias_domains in lower case. Domains that a table marks are added.
    """
    tables = [each.named for each in used_tables(context) if each.use is Use.VIRTUAL]
    if any(not has_known_keys(context, each) or number_of_entries(context, each) > _MOST for each in tables):
        return
    entries: dict[str, tuple[Named, Content]] = {}
    for named in tables:
        for entry in contents(context, named):
            if len(entries) == _MOST:
                return
            entries.setdefault(decode(entry.key).lower(), (named, entry))
    if not context.is_set("virtual_alias_domains"):
        domains |= {key for key in entries if "@" not in key and "." in key}
    delimiters = context.value("recipient_delimiter")
    found = 0
    for named, entry in entries.values():
        for target in words_of(decode(entry.value).lower()):
            local, _, domain = target.rpartition("@")
            if not local or domain not in domains or f"@{domain}" in entries or target in entries:
                continue
            if local.startswith(("\\", '"')) or f"{_without_extension(local, delimiters)}@{domain}" in entries:
                continue
            yield named, entry, target
            found += 1
            if found == _MOST_FOUND:
                return


def _without_extension(local: str, delimiters: str) -> str:
    ends = [at for at, char in enumerate(local) if char in delimiters and at]
    return local[: ends[0]] if ends else local
