"""Routes: the way of mail through a configuration, from MAIL FROM and RCPT TO to the delivery agents.

```python
with Router(postconf.load()) as router:
    route = router.route("joe@example.com", "jane@example.org")
    print(route.resolution.transport, route.resolution.nexthop, route.envelope.recipients)
    for delivery in router.deliveries(route):
        print(delivery.recipient, delivery.agent.name, [session.level for session in delivery.sessions])
```
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

from maps import open_table
from postconf import Config, View

from ..addresses import parse_path
from ..tables import Opener
from ..view import MailView
from .cleanup import Cleanup, Envelope
from .delivery import Deliveries, Delivery
from .resolver import AddressResolver, Resolution


class Route(NamedTuple):
    """The route of a recipient in a message from a sender."""

    sender: str
    recipient: str
    """Both as they were asked for."""
    resolution: Resolution
    """The answer to the question that smtpd(8) asks: class, transport and next hop of the recipient itself."""
    envelope: Envelope
    """The final sender and recipients, as they are queued."""
    content_filter: str
    """The transport and next hop that override the resolver for all mail of the service; empty without a filter."""

    def as_json(self) -> dict[str, object]:
        """Return class, transport, next hop and final recipients as data for JSON; class None where mail can't go."""
        address_class = self.resolution.address_class
        return {
            "recipient": self.recipient,
            "class": None if address_class is None else address_class.value,
            "transport": self.resolution.transport,
            "nexthop": self.resolution.nexthop,
            "final_recipients": list(self.envelope.recipients),
        }


class Router:
    """Answers for a whole configuration; tables are opened once, and changes in them are not noticed."""

    def __init__(
        self, config: Config, *, warn: Callable[[str], None] | None = None, opener: Opener = open_table
    ) -> None:
        """`warn` receives Postfix's warnings; `opener` opens a table, by default `maps.open_table`."""
        self.config = config
        self._warn = warn
        self._opener = opener
        self._views: dict[str, MailView] = {}
        self._resolvers: dict[str, AddressResolver] = {}
        self._cleanups: dict[str, Cleanup] = {}
        self._deliveries: Deliveries | None = None

    def route(self, sender: str, recipient: str, service: str = "") -> Route:
        """Return the route of a recipient; both are SMTP paths without `<>`, and the null sender is empty.

        `service`: the service of master.cf that receives the mail, such as `smtp/inet`; without one, main.cf's settings
        count. Raises KeyError for an unknown service, `ConfigError` for a setting that stops a daemon.
        """
        view = self.view(service)
        internal_sender, internal_recipient = parse_path(sender).address, parse_path(recipient).address
        resolution = self.resolver(view.text("rewrite_service_name")).resolve(internal_sender, internal_recipient)
        cleanup = self.cleanup(view.text("cleanup_service_name"))
        mappings = "no_address_mappings" not in view.words("receive_override_options")
        envelope = cleanup.envelope(internal_sender, internal_recipient, mappings=mappings)
        return Route(sender, recipient, resolution, envelope, view.text("content_filter"))

    def deliveries(self, route: Route) -> tuple[Delivery, ...]:
        """Return the delivery to each of a route's final recipients."""
        if self._deliveries is None:
            view = self.view("qmgr/unix", optional=True)
            resolver = self.resolver(view.text("rewrite_service_name"))
            self._deliveries = Deliveries(self.config, view, resolver)
        envelope = route.envelope
        return tuple(
            self._deliveries.deliver(envelope.sender, each, route.content_filter) for each in envelope.recipients
        )

    def resolver(self, service: str = "rewrite") -> AddressResolver:
        """Return the resolver that a service of trivial-rewrite(8) is; main.cf's, if master.cf does not have it."""
        if service not in self._resolvers:
            self._resolvers[service] = AddressResolver(self.view(f"{service}/unix", optional=True))
        return self._resolvers[service]

    def cleanup(self, service: str = "cleanup") -> Cleanup:
        """Return a service's `Cleanup`; it has main.cf's settings, if master.cf does not have the service."""
        if service not in self._cleanups:
            view = self.view(f"{service}/unix", optional=True)
            resolver = self.resolver(view.text("rewrite_service_name"))
            self._cleanups[service] = Cleanup(view, resolver.rewriter)
        return self._cleanups[service]

    def view(self, service: str = "", *, optional: bool = False) -> MailView:
        """Return the view of a service, `name/type`, or of main.cf; KeyError for an unknown one unless `optional`."""
        if service not in self._views:
            view: View = self.config
            if service:
                name, _, kind = service.rpartition("/")
                try:
                    view = self.config.service(name, kind)
                except KeyError:
                    if not optional:
                        raise
            self._views[service] = self.view() if service and view is self.config else self._open(view)
        return self._views[service]

    def close(self) -> None:
        """Close all tables."""
        for view in self._views.values():
            view.close()
        if self._deliveries is not None:
            self._deliveries.close()
        self._views.clear()
        self._resolvers.clear()
        self._cleanups.clear()
        self._deliveries = None

    def _open(self, view: View) -> MailView:
        return MailView(view, warn=self._warn, opener=self._opener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
