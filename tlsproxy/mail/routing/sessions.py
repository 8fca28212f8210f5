"""Sessions of smtp(8) and lmtp(8) with a next hop: the TLS level, and the presence of credentials for the server.

DNS is not queried: facts that depend on it are named. Credentials stay in this module, which returns their existence
only.
"""

from __future__ import annotations

from typing import NamedTuple

from maps import TableError
from postconf import ConfigError, Place
from postconf.values import SecurityLevel, words

from ...policy import Destination, DnsName, Policies, PolicyError
from ..tables import MAIL_FLAGS, Found, TableLookupError
from ..view import MailView

_NAMED_BY_CONTENT = ("inline", "static")
"""Types of tables whose names are their content."""
_DANE = (SecurityLevel.DANE, SecurityLevel.DANE_ONLY)


class Credentials(NamedTuple):
    """The entry with the user name and password for a server; neither is here."""

    parameter: str
    table: str
    key: str
    place: Place | None


class DeliverySession(NamedTuple):
    """A session with one destination."""

    destination: str
    """The next hop, or one of several, in the client's syntax: `[host]:port`, `domain`, `unix:path`."""
    level: str
    """The TLS security level by its word; empty if there is no policy."""
    problem: str
    """The reason for which there is no session, and mail waits."""
    credentials: Credentials | None
    """None if the client does not log in, or has nothing for this server."""
    depends: tuple[str, ...]
    """Facts that only DNS has, and that decide on the level or the credentials."""


class DeliveryClient:
    """A service of smtp(8) or lmtp(8), by its own view; tables are opened when they are first asked."""

    def __init__(self, view: MailView, program: str) -> None:
        """`program` is `smtp` or `lmtp`: parameters begin with it."""
        self.view = view
        self.program = program
        self._policies: Policies | None = None

    def destinations(self, nexthop: str) -> tuple[str, ...]:
        """Return the destinations that a next hop lists; the later ones are asked if the first one is out of reach."""
        return (nexthop,) if nexthop.startswith("unix:") else words(nexthop)

    def session(self, nexthop: str, sender: str) -> DeliverySession:
        """Return the session with a destination, for a message of this sender."""
        depends: list[str] = []
        level, credentials = "", None
        try:
            destination = self._destination(nexthop)
            level = self._level(destination, depends)
            credentials = self._credentials(destination, sender, depends)
        except (ValueError, ConfigError, PolicyError, TableError, TableLookupError) as error:
            return DeliverySession(nexthop, level, str(error), None, tuple(depends))
        return DeliverySession(nexthop, level, "", credentials, tuple(depends))

    def close(self) -> None:
        """Close the tables."""
        self.view.close()
        if self._policies is not None:
            self._policies.close()

    def _destination(self, nexthop: str) -> Destination:
        if self.program == "lmtp" and nexthop.startswith("unix:"):
            path = nexthop.removeprefix("unix:")
            return Destination(path, path, DnsName(self.view.text("myhostname")), 0)
        text = nexthop.removeprefix("inet:") if self.program == "lmtp" else nexthop
        port = self.view.text(f"{self.program}_tcp_port")
        with_port = Destination.parse(f"[localhost]:{port}")
        return Destination.parse(text, default_port=with_port.port)

    def _level(self, destination: Destination, depends: list[str]) -> str:
        if self._policies is None:
            self._policies = Policies(self.view.view, prefix=self.program, warn=self.view.warn, flags=MAIL_FLAGS)
        policies = self._policies
        level = policies.configured_level(destination)
        if level in _DANE and policies.settings.dnssec and destination.port:
            depends.append(f"TLSA records of {destination.domain}")
            return level.word
        level = policies.decide(destination).level
        if level is SecurityLevel.MAY and not destination.port:
            return SecurityLevel.NONE.word  # opportunistic TLS is of no use on a local socket
        return level.word

    def _credentials(self, destination: Destination, sender: str, depends: list[str]) -> Credentials | None:
        if not self.view.yes(f"{self.program}_sasl_auth_enable"):
            return None
        parameter = f"{self.program}_sasl_password_maps"
        maps = self.view.maps(parameter)
        if not maps:
            raise ConfigError(
                f"specify a password table via the `{parameter}' configuration parameter",
                self.view.place(parameter),
                f"set {parameter}, or {self.program}_sasl_auth_enable = no",
            )
        if self.program == "smtp" and sender and self.view.yes("smtp_sender_dependent_authentication"):
            answer = self.view.addresses.find(maps, sender)
            if answer is not None:
                return _without_secret(answer.found)
        if self._asks_for_mail_exchangers(destination):
            depends.append(f"the mail exchangers of {destination.domain}")
        elif (found := maps.find(destination.host.name)) is not None:
            return _without_secret(found)
        found = maps.find(destination.nexthop)
        return None if found is None else _without_secret(found)

    def _asks_for_mail_exchangers(self, destination: Destination) -> bool:
        """Return True if the name of the server is known by DNS only."""
        if self.program == "lmtp" or destination.nexthop.startswith("["):
            return False
        return self.view.text("smtp_dns_support_level").lower() != "disabled" and not self.view.yes(
            "disable_dns_lookups"
        )


def _without_secret(found: Found) -> Credentials:
    kind = found.table.partition(":")[0]
    table = kind if kind in _NAMED_BY_CONTENT else found.table
    return Credentials(found.parameter, table, found.key, found.place)
