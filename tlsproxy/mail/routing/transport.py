"""transport_maps: the transport and next hop of a recipient or domain (transport(5))."""

from __future__ import annotations

from typing import NamedTuple

from ..lookup import Order
from ..tables import NO_PARTS_FLAGS, Found
from ..view import MailView

PARAMETER = "transport_maps"
UNDELIVERABLE = "Address is undeliverable"
"""Default reason of the transports error and retry."""


class Hop(NamedTuple):
    """A transport, which is the name of a service in master.cf, and a next hop in that transport's own syntax."""

    transport: str
    nexthop: str

    def overridden(self, value: str, domain: str) -> Hop:
        """Return the hop as changed by the value of an entry, for a recipient in `domain`."""
        transport, _, nexthop = value.partition(":")
        if not transport:
            return Hop(self.transport, nexthop or self.nexthop)
        default = UNDELIVERABLE if transport in ("error", "retry") else domain
        return Hop(transport, nexthop or default)


class TransportMaps:
    """The tables of a view."""

    def __init__(self, view: MailView) -> None:
        """Open the tables; raise `ConfigError` for one that has no type."""
        self._maps = view.maps(PARAMETER, NO_PARTS_FLAGS)
        self._addresses = view.addresses
        self._parents = view.matches_parents(PARAMETER)

    def find(self, address: str) -> Found | None:
        """Return the entry for an address in internal form, or that for `*`; raise `TableLookupError`."""
        if not self._maps:
            return None
        found = self._addresses.find(self._maps, address, Order.DOMAINS, parents=self._parents)
        return self._maps.find("*") if found is None else found.found
