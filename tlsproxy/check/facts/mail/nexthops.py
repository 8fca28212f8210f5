"""Next hops of smtp(8) that a configuration names, as the tables of passwords and TLS policies are asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postconf.syntax.lines import decode

from ...context import Context
from ...findings import Span
from ..readings import locate, readings_of
from ..tables.contents import contents, span_of
from ..tables.uses import Use, used_tables

_MOST = 1000
"""Next hops of tables that are compared with keys."""
_PARAMETERS = ("relayhost", "smtp_fallback_relay", "default_transport", "relay_transport")
_CLIENTS = ("smtp", "relay")


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
        if used.use in (Use.TRANSPORT, Use.TRANSPORT_OF_SENDER, Use.RELAYHOST):
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
