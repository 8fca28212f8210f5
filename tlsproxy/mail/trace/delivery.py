"""The delivery of mail for one recipient: content filter, delivery agent, TLS level and credentials of the hop."""

from __future__ import annotations

from typing import NamedTuple

from maps import TableError
from postconf import ConfigError, Place

from ...policy.errors import PolicyError
from ..tables import TableLookupError
from ..view import MailView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from postconf import Config, ServiceView

    from ..access.evaluation import Action
    from ..access.smtpd import Smtpd
    from ..resolver import Resolution

_CLIENTS = ("smtp", "lmtp")


class Delivery(NamedTuple):
    """A hop.

    `content_filter` is `transport:nexthop` in place of the route, with where it is set; empty without one. `agent` is
    the program of the transport's service in master.cf, empty if there is no such service; `service_place` is its line.
    `tls` is the level of the TLS policy, or why there is none; `credentials` are the table and key of a password, which
    is never shown.
    """

    transport: str
    nexthop: str
    agent: str
    service_place: Place | None
    content_filter: str = ""
    filter_place: Place | None = None
    tls: str = ""
    credentials: str = ""


class Deliveries:
    """Finds deliveries by the services of a configuration."""

    def __init__(self, config: Config, smtpd: Smtpd) -> None:
        self._config = config
        self._smtpd = smtpd

    def of(self, resolution: Resolution, sender: str, actions: tuple[Action, ...]) -> Delivery:
        """Return the delivery for an address that has been resolved; `actions` are those of access tables."""
        content_filter, place = self._content_filter(actions)
        transport, nexthop = resolution.transport, resolution.nexthop
        if content_filter:
            transport, _, nexthop = content_filter.partition(":")
            domain = resolution.recipient.rpartition("@")[2]
            nexthop = nexthop or self._smtpd.settings.text("default_filter_nexthop") or domain
        service = self._service(transport)
        if service is None:
            return Delivery(transport, nexthop, "", None, content_filter, place)
        agent = service.service.command.rpartition("/")[2]
        tls = credentials = ""
        if agent in _CLIENTS and not nexthop.startswith("unix:"):
            tls = self._tls(service, agent, nexthop)
            credentials = self._credentials(service, agent, nexthop, sender)
        return Delivery(
            transport, nexthop, agent, service.service.line.place(0), content_filter, place, tls, credentials
        )

    def _content_filter(self, actions: tuple[Action, ...]) -> tuple[str, Place | None]:
        chosen = [action.text for action in actions if action.name == "FILTER"]
        if chosen:
            return chosen[-1], None
        settings = self._smtpd.settings
        return settings.text("content_filter"), settings.place("content_filter")

    def _service(self, transport: str) -> ServiceView | None:
        try:
            return self._config.service(transport, "unix")
        except KeyError:
            return None

    def _tls(self, service: ServiceView, agent: str, nexthop: str) -> str:
        from ...policy.policies import Policies

        hop = nexthop.removeprefix("inet:") if agent == "lmtp" else nexthop
        try:
            with Policies(service, prefix=agent, warn=_ignore) as policies:
                level = policies.settings.level
                return policies.decide(hop.partition(",")[0].strip()).level.word if hop else level.word
        except PolicyError as error:
            return f"no policy: {error}"
        except (ConfigError, TableError, ValueError) as error:
            return f"unknown: {error}"

    def _credentials(self, service: ServiceView, agent: str, nexthop: str, sender: str) -> str:
        view = MailView(service)
        if not view.yes(f"{agent}_sasl_auth_enable"):
            return ""
        parameter = f"{agent}_sasl_password_maps"
        keys = [sender] if sender and view.yes(f"{agent}_sender_dependent_authentication") else []
        host = nexthop.partition("]")[0].removeprefix("[") if nexthop.startswith("[") else ""
        try:
            for key in (*keys, host, nexthop):
                found = view.maps(parameter).find(key) if key else None
                if found is not None:
                    return f"{found.table}, key {found.key}"
        except (ConfigError, TableLookupError, TableError) as error:
            return f"unknown: {error}"
        finally:
            view.close()
        return f"none in {parameter}"


def _ignore(_warning: str) -> None:
    """Take a warning about a table whose error is reported."""
