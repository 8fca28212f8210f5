"""Domains of virtual(5) tables that are in no address class, as trivial-rewrite(8) resolves them."""

from __future__ import annotations

from collections.abc import Iterator

from maps import TableError
from postconf import ConfigError
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.lines import decode

from ....mail.routing import AddressClass, Router
from ....mail.tables import TableLookupError
from ...context import Context
from ..readings import readings
from ..tables.contents import PATTERNS, WITH_KEYS, Content, contents, is_readable
from ..tables.named import Named, split_table
from ..tables.surveys import number_of_entries
from ..tables.uses import Use, used_tables
from .access import OPENED, opener_of

_CLASSES = ("mydestination", "virtual_alias_domains", "virtual_alias_maps", "virtual_mailbox_domains", "relay_domains")
_IN_SETTINGS = ("inline", "static")
_MOST_DOMAINS = 200
_MOST_ENTRIES = 10_000
_LOCAL_PART = "someone"
_STRANGE = ("stranger.example", "another.invalid")
"""Domains that no site has (RFC 6761)."""
_WITH_PATTERNS = (*PATTERNS, "static")
_NAMES = {
    AddressClass.LOCAL: ("mydestination",),
    AddressClass.VIRTUAL_ALIAS: ("virtual_alias_domains", "virtual_alias_maps"),
    AddressClass.VIRTUAL_MAILBOX: ("virtual_mailbox_domains",),
}


def unlisted_domains(context: Context) -> Iterator[tuple[Named, Content, str]]:
    """Yield the first address of each domain for which mail from elsewhere is refused; none if a class is unknown."""
    tables = [used.named for used in used_tables(context) if used.use is Use.VIRTUAL and used.named.kind in WITH_KEYS]
    if not tables or not _are_known(context):
        return
    try:
        with Router(context.config, opener=opener_of(context)) as router:
            resolver = router.resolver()
            for named in tables:
                for domain, entry in _domains(context, named).items():
                    resolution = resolver.resolve("", f"{_LOCAL_PART}@{domain}")
                    if resolution.address_class is AddressClass.DEFAULT:
                        yield named, entry, domain
    except (ConfigError, ExpressionError, TableError, TableLookupError, KeyError, OSError):
        return


def takes_every_domain(context: Context) -> tuple[str, Named] | None:
    """Return the class that has domains of no site, and the table of patterns that decides; None without one."""
    tables = [
        (read.assignment.name, named)
        for read in readings(context)
        if read.assignment.name in _CLASSES[:-1]
        for word in read.reading.words
        if word.role == "table"
        for named in split_table(read.assignment, word.text)
        if named.kind in _WITH_PATTERNS
    ]
    if not tables or not _are_known(context):
        return None
    try:
        with Router(context.config, opener=opener_of(context)) as router:
            found = {router.resolver().resolve("", f"{_LOCAL_PART}@{each}").address_class for each in _STRANGE}
    except (ConfigError, ExpressionError, TableError, TableLookupError, KeyError, OSError):
        return None
    (one,) = found if len(found) == 1 else (None,)
    named = next((named for name, named in tables if one in _NAMES and name in _NAMES[one]), None)
    return (one.value, named) if one is not None and named is not None else None


def _domains(context: Context, named: Named) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for count, entry in enumerate(contents(context, named)):
        if count == _MOST_ENTRIES or len(found) == _MOST_DOMAINS:
            break
        domain = decode(entry.key).lower().rpartition("@")[2] if b"@" in entry.key else ""
        if "." in domain and not domain.startswith("["):
            found.setdefault(domain, entry)
    return found


def _are_known(context: Context) -> bool:
    """Return True if the domains of all classes are in files and settings that can be looked at."""
    for read in readings(context):
        if read.assignment.name not in _CLASSES:
            continue
        for word in read.reading.words:
            if word.role == "file" and not is_readable(context, word.text):
                return False
            for named in split_table(read.assignment, word.text) if word.role == "table" else ():
                is_inside = named.kind in _WITH_PATTERNS and named.name.startswith("{")
                is_there = is_inside or (named.kind in OPENED and is_readable(context, named.name))
                if named.kind not in _IN_SETTINGS and not is_there:
                    return False
                if number_of_entries(context, named) > _MOST_ENTRIES:
                    return False  # some types would be read into memory
    return True
