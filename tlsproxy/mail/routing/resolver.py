"""The resolver: from an address to its class, transport, next hop and recipient, as trivial-rewrite(8) decides it.

Routing through the local system is stripped; then the domain decides the class, the class the default transport and
next hop, and tables override both.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from .. import tokens
from ..addresses import ascii_lower, is_address, is_domain, literal_address
from ..decisions import Decision
from ..matching import PatternMatch
from ..tables import NO_PARTS_FLAGS, Found, MapList, TableLookupError
from ..tokens import append
from ..view import MailView
from .local_routing import EndlessRoutingError, LocalRouting
from .rewriting import Rewriter
from .transport import PARAMETER as TRANSPORT_MAPS
from .transport import Hop, TransportMaps

_ROUTING = "@!%"
_STATUS_AND_TEXT = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})[ \t\n\v\f\r]+(\S.*)", re.DOTALL)
_CACHE_SIZE = 1000


class AddressClass(Enum):
    """Address classes (ADDRESS_CLASS_README)."""

    LOCAL = "local"
    VIRTUAL_ALIAS = "virtual-alias"
    VIRTUAL_MAILBOX = "virtual-mailbox"
    RELAY = "relay"
    DEFAULT = "default"


_DOMAINS = {
    AddressClass.LOCAL: "mydestination",
    AddressClass.VIRTUAL_ALIAS: "virtual_alias_domains",
    AddressClass.VIRTUAL_MAILBOX: "virtual_mailbox_domains",
    AddressClass.RELAY: "relay_domains",
}
_TRANSPORTS = {
    AddressClass.LOCAL: "local_transport",
    AddressClass.VIRTUAL_MAILBOX: "virtual_transport",
    AddressClass.RELAY: "relay_transport",
    AddressClass.DEFAULT: "default_transport",
}
_OFF_HOST = (AddressClass.RELAY, AddressClass.DEFAULT)


class Resolution(NamedTuple):
    """The answer for an address."""

    address_class: AddressClass | None
    """None if the address is bad, or a table failed: then transport and next hop mean nothing."""
    transport: str = ""
    nexthop: str = ""
    recipient: str = ""
    """Internal form; the spelling of the address is kept."""
    is_routed: bool = False
    """True if the local part routes further: user%other@domain, other!user@domain, user@other@domain."""
    is_bad: bool = False
    """True if there can be no such address: smtpd(8) calls it a syntax error."""
    failure: TableLookupError | None = None
    """The table that failed: smtpd(8) answers with 451, the queue manager defers."""
    decisions: tuple[Decision, ...] = ()
    """The steps that led to the answer."""
    warnings: tuple[str, ...] = ()
    """The warnings of trivial-rewrite(8)."""

    @property
    def has_failed(self) -> bool:
        """True if the address could not be resolved for now; most often `failure` has the reason."""
        return self.address_class is None and not self.is_bad


class AddressResolver:
    """Resolves addresses by the settings of a view. Answers are kept: under a view, tables do not change."""

    def __init__(self, view: MailView) -> None:
        """Open the tables; raise `ConfigError` for a setting that stops trivial-rewrite(8)."""
        self.view = view
        self.rewriter = Rewriter(view)
        self._routing = LocalRouting(view, self.rewriter)
        self._transports = TransportMaps(view)
        self._relocated = view.maps("relocated_maps")
        self._sender_relays = view.maps("sender_dependent_relayhost_maps", NO_PARTS_FLAGS)
        self._sender_transports = view.maps("sender_dependent_default_transport_maps", NO_PARTS_FLAGS)
        self._domains = {
            AddressClass.VIRTUAL_ALIAS: view.strings("virtual_alias_domains"),
            AddressClass.VIRTUAL_MAILBOX: view.strings("virtual_mailbox_domains"),
            AddressClass.RELAY: view.domains("relay_domains"),
        }
        self._smtputf8 = view.smtputf8
        self._numeric_domain = view.yes("resolve_numeric_domain")
        self._min_user = view.yes("allow_min_user")
        self._warns = view.yes("helpful_warnings")
        self._answers: dict[tuple[str, str], Resolution] = {}

    def resolve(self, sender: str, address: str) -> Resolution:
        """Rewrite sender and address, both in internal form, and resolve the address, as smtpd(8) asks."""
        key = (sender, address)
        answer = self._answers.get(key)
        if answer is None:
            answer = self.resolve_rewritten(self.rewriter.internal(sender), self.rewriter.internal(address))
            if len(self._answers) >= _CACHE_SIZE:
                self._answers.clear()
            self._answers[key] = answer
        return answer

    def resolve_rewritten(self, sender: str, address: str) -> Resolution:
        """Resolve an address; both are in internal form and have been rewritten. `sender` is empty if it is unknown."""
        answer = _Answer(self.view)
        try:
            self._resolve(answer, sender, address)
        except TableLookupError as failure:
            answer.warnings.append(f"{failure.parameter} lookup failure")
            return answer.failed(failure)
        except EndlessRoutingError as error:
            answer.warnings.append(str(error))
            return answer.failed(None)
        except _NullTransportError as error:
            answer.warnings.append(str(error))
            return answer.failed(None)
        return answer.resolution()

    def _resolve(self, answer: _Answer, sender: str, address: str) -> None:
        parts, local_domain, match = self._routing.strip(address)
        is_local = local_domain is not None
        if local_domain is not None:
            append(parts, local_domain)
        answer.recipient = tokens.internal(parts)
        user, _, domain = answer.recipient.rpartition("@")
        if not self._is_domain(domain, answer.recipient):
            if not self._is_numeric(domain, answer.recipient):
                answer.is_bad = True
                return
            domain = f"[{domain}]"
            answer.recipient = f"{user}@{domain}"
            own = self.view.local(domain)
            is_local, match = is_local or own is not None, own or match
        first = next(index for index, each in enumerate(answer.recipient) if each in _ROUTING)
        answer.is_routed = answer.recipient[first + 1 :] != domain
        if is_local:
            answer.decide_class(AddressClass.LOCAL, match)
        else:
            self._classify(answer, domain)
        if self._warns:
            self._warn_of_two_classes(answer, domain)
        self._choose_hop(answer, domain, sender)
        if answer.recipient.startswith("-") and not self._min_user:
            answer.is_bad = True

    def _is_domain(self, domain: str, recipient: str) -> bool:
        if domain.startswith("["):
            return literal_address(domain) is not None
        return self._is_text(recipient) and is_domain(domain, smtputf8=self._smtputf8)

    def _is_numeric(self, domain: str, recipient: str) -> bool:
        return self._numeric_domain and self._is_text(recipient) and is_address(domain)

    def _is_text(self, recipient: str) -> bool:
        return not self._smtputf8 or recipient.isascii() or _is_utf8(recipient)

    def _classify(self, answer: _Answer, domain: str) -> None:
        for address_class, domains in self._domains.items():
            match = domains.match(domain)
            if match:
                answer.decide_class(address_class, match)
                return
        answer.decide_class(AddressClass.DEFAULT, None)

    def _warn_of_two_classes(self, answer: _Answer, domain: str) -> None:
        """Warn of a domain that another class has, too; local domains are not compared with relay_domains."""
        chosen = answer.address_class
        later = list(AddressClass)[list(AddressClass).index(chosen) + 1 :] if chosen else []
        for other in later:
            if other not in self._domains or (chosen is AddressClass.LOCAL and other is AddressClass.RELAY):
                continue
            try:
                is_there = bool(self._domains[other].match(domain))
            except TableLookupError:
                continue
            if chosen and is_there:
                answer.warnings.append(f"do not list domain {domain} in BOTH {_DOMAINS[chosen]} and {_DOMAINS[other]}")

    def _choose_hop(self, answer: _Answer, domain: str, sender: str) -> None:
        chosen = answer.address_class
        if chosen is None or chosen is AddressClass.VIRTUAL_ALIAS:
            table = " in virtual alias table" if self.view.yes("show_user_unknown_table_name") else ""
            answer.decide_hop(Hop("error", f"5.1.1 User unknown{table}"), _DOMAINS[AddressClass.VIRTUAL_ALIAS])
        else:
            self._start(answer, chosen, domain, sender)
            found = self._transports.find(answer.recipient)
            if found is not None:
                answer.decide_hop(answer.hop.overridden(found.value, domain), TRANSPORT_MAPS, found)
        moved = self.view.addresses.find(self._relocated, answer.recipient)
        if moved is not None:
            answer.decide_hop(Hop("error", self._reason(answer, moved.found)), "relocated_maps", moved.found)

    def _reason(self, answer: _Answer, moved: Found) -> str:
        """Return the text for a user that has moved, which the table has whole with relocated_prefix_enable = no."""
        parameter = "relocated_prefix_enable"
        if parameter not in self.view.view.config.release.defaults or self.view.yes(parameter):
            return f"5.1.6 User has moved to {moved.value}"
        match = _STATUS_AND_TEXT.fullmatch(moved.value)
        if match is None:
            problem = f"relocated_maps result must contain RFC 3463 status and text: '{moved.value[:100]}'"
            answer.warnings.append(problem)
            return "5.2.0 Mailbox is unavailable"
        return f"{match[1]} {match[2]}"

    def _start(self, answer: _Answer, chosen: AddressClass, domain: str, sender: str) -> None:
        """Choose the transport and next hop that hold without an entry in transport_maps."""
        parameter = _TRANSPORTS[chosen]
        by_sender: Found | None = None
        if chosen is AddressClass.DEFAULT:
            by_sender = self._by_sender(
                self._sender_transports, sender, "empty_address_default_transport_maps_lookup_key"
            )
        value = self.view.text(parameter) if by_sender is None else by_sender.value
        relay, relay_parameter = None, ""
        nexthop = domain
        if chosen in _OFF_HOST:
            relay = self._by_sender(self._sender_relays, sender, "empty_address_relayhost_maps_lookup_key")
            relayhost = self.view.text("relayhost")
            if relay is not None:
                nexthop, relay_parameter = relay.value, relay.parameter
            elif relayhost:
                nexthop, relay_parameter = relayhost, "relayhost"
        transport, _, own_nexthop = value.partition(":")
        if by_sender is not None:
            parameter = by_sender.parameter
        if not transport:
            where = f"file {self.view.text('config_directory')}/main.cf: parameter {parameter}"
            raise _NullTransportError(f"{where}: null transport is not allowed")
        answer.decide_hop(Hop(transport, domain), parameter, by_sender)
        if relay_parameter:
            answer.decide_nexthop(nexthop, relay_parameter, relay)
        if own_nexthop:
            answer.decide_nexthop(own_nexthop, parameter, by_sender)

    def _by_sender(self, maps: MapList, sender: str, null_key: str) -> Found | None:
        """Return the entry for a sender, unless it is DUNNO."""
        if not maps:
            return None
        found = self.view.addresses.find(maps, sender or self.view.text(null_key))
        return None if found is None or ascii_lower(found.found.value) == "dunno" else found.found


class _NullTransportError(ValueError):
    """A setting that names no transport; the text is Postfix's warning."""


class _Answer:
    """A resolution in the making."""

    def __init__(self, view: MailView) -> None:
        self._view = view
        self.address_class: AddressClass | None = None
        self.hop = Hop("", "")
        self.recipient = ""
        self.is_routed = False
        self.is_bad = False
        self.decisions: list[Decision] = []
        self.warnings: list[str] = []

    def decide_class(self, address_class: AddressClass, match: PatternMatch | None) -> None:
        self.address_class = address_class
        self._decided("class", address_class.value, match.parameter if match else "", match)

    def decide_hop(self, hop: Hop, parameter: str, found: Found | None = None) -> None:
        if hop.transport != self.hop.transport:
            self._decided("transport", hop.transport, parameter, found)
        if hop.nexthop != self.hop.nexthop:
            self._decided("nexthop", hop.nexthop, parameter, found)
        self.hop = hop

    def decide_nexthop(self, nexthop: str, parameter: str, found: Found | None) -> None:
        self.decide_hop(Hop(self.hop.transport, nexthop), parameter, found)

    def resolution(self) -> Resolution:
        transport, nexthop = self.hop
        known = None if self.is_bad else self.address_class
        decisions, warnings = tuple(self.decisions), tuple(self.warnings)
        return Resolution(
            known, transport, nexthop, self.recipient, self.is_routed, self.is_bad, None, decisions, warnings
        )

    def failed(self, failure: TableLookupError | None) -> Resolution:
        decisions, warnings = tuple(self.decisions), tuple(self.warnings)
        return Resolution(None, failure=failure, decisions=decisions, warnings=warnings)

    def _decided(self, subject: str, value: str, parameter: str, source: Found | PatternMatch | None) -> None:
        self.decisions.append(Decision(subject, value, parameter, self._view.view, source))


def _is_utf8(text: str) -> bool:
    """Return True if a text has no bytes that are not UTF-8."""
    return not any("\ud800" <= each <= "\udfff" for each in text)
