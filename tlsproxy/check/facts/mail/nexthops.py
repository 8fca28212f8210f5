"""Next hops of smtp(8) that a configuration names, as the tables of passwords and TLS policies are asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postconf.syntax.lines import decode

from ...context import Context
from ...findings import Span
from ..readings import locate, readings_of
from ..tables.contents import contents, has_known_keys, span_of
from ..tables.uses import Use, used_tables

_MOST = 1000
"""Next hops of tables that are compared with keys."""
_PARAMETERS = ("relayhost", "smtp_fallback_relay", "default_transport", "relay_transport")
_CLIENTS = ("smtp", "relay")
_OF_HOPS = (Use.TRANSPORT, Use.TRANSPORT_OF_SENDER, Use.RELAYHOST)


class Nexthop(NamedTuple):
    """A next hop in lower case, its host without brackets and port, and its place."""

    text: str
    host: str
    span: Span

    @property
    def is_plain(self) -> bool:
        """True if it is a domain without brackets and port."""
        return self.text == self.host

    @classmethod
    def read(cls, text: str, span: Span | None = None) -> Nexthop:
        """Take a next hop apart."""
        text = text.strip().lower()
        if text.startswith("["):
            host = text[1:].partition("]")[0]
        else:
            host = text.rpartition(":")[0] if text.count(":") == 1 else text
        return cls(text, host, span or Span(""))


def named_nexthops(context: Context) -> list[Nexthop]:
    """Return the next hops of settings and of tables, each once."""
    found: dict[str, Nexthop] = {}
    for hop in _found(context):
        if hop.host and len(found) < _MOST:
            found.setdefault(hop.text, hop)
    return list(found.values())


def _found(context: Context) -> Iterator[Nexthop]:
    for read in readings_of(context, "nexthops", "transport"):
        if read.assignment.name not in _PARAMETERS or read.reading.problems:
            continue
        for word in read.reading.words:
            if word.role == "nexthop" and (read.kind.name == "nexthops" or read.text.startswith(_CLIENTS)):
                _, span = locate(context, read.assignment, word.start, word.end)
                yield Nexthop.read(word.text, span)
    for used in used_tables(context):
        if used.use in _OF_HOPS:
            for count, entry in enumerate(contents(context, used.named)):
                if count >= _MOST:
                    break
                value = decode(entry.value)
                transport, _, hop = value.partition(":")
                if used.use is Use.RELAYHOST:
                    hop = value
                elif transport not in ("", *_CLIENTS):
                    continue
                if hop and hop.lower() != "dunno":
                    yield Nexthop.read(hop, span_of(context, used.named, entry))


def other_nexthop(context: Context, domain: str) -> Nexthop | None:
    """Return the next hop of mail for a domain (in lower case) that is never a next hop itself; None if it may be one.

    Nothing is known if a table of routes can't be read, or has no fixed keys.
    """
    routes = context.keep(_routes)
    if routes is None or "." not in domain or domain.startswith((".", "[")) or ":" in domain or domain in routes.hosts:
        return None
    labels = domain.split(".")
    parents = ("." + ".".join(labels[at:]) for at in range(1, len(labels)))
    for key in (domain, *parents, "*"):
        if (found := routes.of_keys.get(key)) and found.text != ":":
            hop = found.text.partition(":")[2]
            return found._replace(text=hop) if hop else None
    return routes.relay


class _Routes(NamedTuple):
    """Routes of tables by their keys (`text` is a value of transport(5)), the hosts of all next hops, and relayhost."""

    of_keys: dict[str, Nexthop]
    hosts: frozenset[str]
    relay: Nexthop | None


def _routes(context: Context) -> _Routes | None:
    of_keys: dict[str, Nexthop] = {}
    for used in used_tables(context):
        if used.use not in _OF_HOPS:
            continue
        named = used.named
        if not has_known_keys(context, named):
            return None
        if used.use is Use.TRANSPORT:
            for count, entry in enumerate(contents(context, named)):
                if count >= _MOST:
                    return None
                value = Nexthop(decode(entry.value), "", span_of(context, named, entry))
                of_keys.setdefault(decode(entry.key).lower(), value)
    hosts = frozenset(hop.host for hop in named_nexthops(context))
    relay = next((read for read in readings_of(context, "nexthops") if read.assignment.name == "relayhost"), None)
    return _Routes(of_keys, hosts, Nexthop.read(relay.text, relay.assignment.span()) if relay and relay.text else None)
