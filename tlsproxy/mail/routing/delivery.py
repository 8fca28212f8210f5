"""Deliveries: the service of master.cf that gets the mail for a recipient, and its sessions with the next hop.

As qmgr(8) decides it: the resolver's answer, unless a content filter or defer_transports overrides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from postconf import Config, Place

from ..addresses import same, split
from ..decisions import Decision
from ..view import MailView
from .resolver import AddressClass, AddressResolver
from .transport import Hop

if TYPE_CHECKING:
    from .sessions import DeliveryClient, DeliverySession


class Agent(NamedTuple):
    """A delivery agent: a service of master.cf."""

    name: str
    program: str
    """The command; empty if master.cf has no such service: then mail waits."""
    place: Place | None


class Delivery(NamedTuple):
    """The delivery of one recipient."""

    recipient: str
    address_class: AddressClass | None
    """None behind a content filter, where no address is resolved, and for an address that can't be."""
    hop: Hop
    agent: Agent
    sessions: tuple[DeliverySession, ...]
    decisions: tuple[Decision, ...]


class Deliveries:
    """Decides by the settings of the queue manager's view."""

    def __init__(self, config: Config, view: MailView, resolver: AddressResolver) -> None:
        """`view` is qmgr(8)'s, `resolver` that of its rewrite service. Raises `ConfigError` for a bad setting."""
        self.config = config
        self.view = view
        self.resolver = resolver
        self._deferred = view.words("defer_transports")
        self._clients: dict[str, DeliveryClient] = {}

    def deliver(self, sender: str, recipient: str, content_filter: str = "") -> Delivery:
        """Return the delivery of a final recipient; both addresses are in internal form, as in the queue file.

        `content_filter`: the value of that parameter for the service that received the message, or of a FILTER action.
        """
        decisions: list[Decision] = []
        address_class: AddressClass | None = None
        if content_filter:
            hop = self._filter(content_filter, recipient)
            decisions.append(self._decision("transport", content_filter, "content_filter"))
        else:
            resolution = self.resolver.resolve_rewritten(sender, recipient)
            decisions += resolution.decisions
            address_class = resolution.address_class
            hop = Hop(resolution.transport, resolution.nexthop)
            if resolution.is_bad:
                hop = Hop("error", "5.1.3 bad address syntax")
            elif resolution.has_failed:
                hop = Hop("retry", "4.3.0 address resolver failure")
            else:
                recipient = resolution.recipient
        if address_class is AddressClass.LOCAL and self._is_double_bounce(recipient):
            hop = Hop("discard", "undeliverable postmaster notification discarded")
            decisions.append(self._decision("transport", hop.transport, "double_bounce_sender"))
        elif hop.transport in self._deferred:
            hop = Hop("retry", "4.3.2 deferred transport")
            decisions.append(self._decision("transport", hop.transport, "defer_transports"))
        agent = self._agent(hop.transport)
        return Delivery(recipient, address_class, hop, agent, self._sessions(agent, hop, sender), tuple(decisions))

    def close(self) -> None:
        """Close the tables."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _filter(self, content_filter: str, recipient: str) -> Hop:
        transport, _, nexthop = content_filter.partition(":")
        default = self.view.text("default_filter_nexthop")
        return Hop(transport, nexthop or default or split(recipient)[1] or self.view.text("myhostname"))

    def _is_double_bounce(self, recipient: str) -> bool:
        return same(split(recipient)[0], self.view.text("double_bounce_sender"))

    def _agent(self, transport: str) -> Agent:
        for service in self.config.master.services:
            if (service.name, service.type) == (transport, "unix"):
                return Agent(transport, service.command, service.line.place(0))
        return Agent(transport, "", None)

    def _sessions(self, agent: Agent, hop: Hop, sender: str) -> tuple[DeliverySession, ...]:
        program = agent.program.rpartition("/")[2]
        if program not in ("smtp", "lmtp"):
            return ()
        if agent.name not in self._clients:
            from .sessions import DeliveryClient  # policies of TLS cost more than all else here

            view = MailView(self.config.service(agent.name, "unix"), warn=self.view.warn)
            self._clients[agent.name] = DeliveryClient(view, program)
        client = self._clients[agent.name]
        return tuple(client.session(each, sender) for each in client.destinations(hop.nexthop))

    def _decision(self, subject: str, value: str, parameter: str) -> Decision:
        return Decision(subject, value, parameter, self.view.view, None)
