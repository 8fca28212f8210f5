"""One smtpd(8) service, ready for sessions: its restriction lists, tables, match lists, and requests to other daemons.

All settings are read when the service is made; afterwards only tables are asked. The `-o` settings
of the service count for it alone: addresses are resolved by trivial-rewrite(8), which has main.cf's.
"""

from __future__ import annotations

import ipaddress
from functools import cached_property

from maps import open_table
from postconf import ServiceView
from postconf.machine.host import own_addresses
from postconf.syntax.expressions import compatibility_level
from postconf.syntax.mastercf import split_words
from postconf.values import (
    LIST_SEPARATORS,
    SERVER_LEVELS,
    InvalidValueError,
    SecurityLevel,
    resulting_level,
    security_level,
)

from ...errors import TlsproxyError
from ..addresses import Delimiters, fold, same
from ..lookup import Order
from ..routing import Router
from .checks import HANDLERS
from .restrictions import table as restrictions
from .restrictions.arguments import PolicyService, policy_services, read_policy_service
from .restrictions.lists import Classes, RestrictionList, list_from_text, read_list
from .restrictions.table import RESTRICTIONS, STAGES, Stage
from .smtp.attributes import unescaped
from .startup import check_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from postconf import Config, View

    from ..lookup import MailFound
    from ..matching import MatchList
    from ..routing.cleanup import Cleanup, Envelope
    from ..routing.resolver import Resolution
    from ..tables import Found, MapList, Opener
    from .smtp.facts import SmtpSession

_COMPATIBLE = "permit_mynetworks, permit_sasl_authenticated, permit_auth_destination"
"""The list in place of relay restrictions that are not set, below compatibility level 1: it only logs."""
_CACHE_SIZE = 1000


class ServiceError(TlsproxyError, ValueError):
    """A service that is not in master.cf, or one of another program."""


class Smtpd:
    """A service of smtpd(8). `traces` is False for callers that need replies only: places are not looked for then."""

    def __init__(self, router: Router, service: str, *, traces: bool = True) -> None:
        """Read the settings that smtpd(8) reads when it starts; `service` is a `name/type` in master.cf.

        Raises `ConfigError` for a setting with which smtpd(8) or trivial-rewrite(8) dies.
        """
        self.router = router
        self.service = service
        self.config = router.config
        self.handlers = HANDLERS
        self.settings = settings = router.view(service)
        self.resolver = router.resolver(settings.text("rewrite_service_name"))
        self.traces = traces
        view = settings.view
        self.classes = Classes(view)
        self.lists: dict[Stage, RestrictionList] = {stage: read_list(view, stage.parameter) for stage in STAGES}
        self.policy_services = policy_services(settings, (*self.lists.values(), *self.classes.lists))
        """The services that lists name, by the argument that names them."""
        check_start(settings, self.lists, self.classes)
        self.logs_port = settings.yes("smtpd_client_port_logging")
        self.hard_error_limit = settings.number("smtpd_hard_error_limit")
        self.delays_rejects = settings.yes("smtpd_delay_reject")
        self.soft_bounce = settings.yes("soft_bounce")
        self.utf8 = settings.smtputf8
        self.allows_untrusted_routing = settings.yes("allow_untrusted_routing")
        self.parents_match = settings.matches_parents("smtpd_access_maps")
        self.maps_addresses = "no_address_mappings" not in settings.words("receive_override_options")
        self.skips_validation = "no_unknown_recipient_checks" in settings.words("receive_override_options")
        self.double_bounce_sender = settings.text("double_bounce_sender")
        self.recipient_stages = self._recipient_stages()
        self._access_tables: dict[str, MapList | None] = {}
        self._resolved: dict[tuple[str, str], Resolution] = {}
        self._probe_sender: str | None = None

    # The tables and policy services that lists refer to.

    def access_table(self, argument: str) -> MapList | None:
        """Return the table that is the argument of a check, None for one in braces: smtpd(8) does not know those."""
        if argument not in self._access_tables:
            in_braces = argument.startswith("{")
            self._access_tables[argument] = (
                None if in_braces else self.settings.tables.maps("smtpd_access_maps", text=argument)
            )
        return self._access_tables[argument]

    def policy_service(self, argument: str) -> PolicyService:
        """Return a policy service by the argument of check_policy_service."""
        if argument not in self.policy_services:  # one in the result of an access table
            self.policy_services[argument] = read_policy_service(self.settings, argument)
        return self.policy_services[argument]

    def defers_at_once(self, parameter: str) -> bool:
        """Return True if a `…_tempfail_action` is `defer`, in place of defer_if_permit."""
        return self.settings.text(parameter).lower() == "defer"

    def has_removed(self, name: str) -> bool:
        """Return True if this release has removed a restriction."""
        return self.config.release.since(RESTRICTIONS[name].removed)

    @cached_property
    def asks_tables(self) -> bool:
        """True if a list names a table, apart from those of parameters."""
        lists = (*self.lists.values(), *self.classes.lists)
        return any(":" in word.text and word.text not in self.policy_services for each in lists for word in each.words)

    # Tables and match lists.

    def maps(self, parameter: str) -> MapList:
        """Return the tables of a parameter."""
        return self.settings.maps(parameter)

    @property
    def delimiters(self) -> Delimiters:
        """The delimiters of address extensions."""
        return self.settings.delimiters

    @cached_property
    def mynetworks(self) -> MatchList:
        """The clients of permit_mynetworks."""
        return self.settings.clients("mynetworks")

    @cached_property
    def relay_domains(self) -> MatchList:
        """The domains of check_relay_domains."""
        return self.settings.domains("relay_domains")

    @cached_property
    def relay_clientcerts(self) -> MapList:
        """The fingerprints of permit_tls_clientcerts."""
        return self.settings.maps("relay_clientcerts")

    @cached_property
    def expansion_filter(self) -> frozenset[str]:
        """The characters that attributes may have in replies."""
        return frozenset(unescaped(self.settings.text("smtpd_expansion_filter")))

    def mail_lookup(self, maps: MapList, address: str) -> Found | None:
        """Look an address up in the order of most tables of addresses."""
        found: MailFound | None = self.settings.addresses.find(maps, address)
        return None if found is None else found.found

    def access_lookup(self, maps: MapList, address: str) -> Found | None:
        """Look an address up in the order of access(5)."""
        found = self.settings.addresses.find(maps, address, Order.ACCESS, parents=self.parents_match)
        return None if found is None else found.found

    @cached_property
    def own_addresses(self) -> frozenset[tuple[str, bytes]]:
        """The addresses of inet_interfaces, as (family, bytes); those of proxies are not among them."""
        host, settings = self.config.host, self.settings
        interfaces, protocols = settings.text("inet_interfaces"), settings.text("inet_protocols")
        if interfaces in ("all", "loopback-only"):
            return frozenset((each.family, each.address) for each in own_addresses(host, interfaces, protocols))
        return frozenset(each for word in settings.words("inet_interfaces") for each in host.resolve(word.strip("[]")))

    def is_own_address(self, address: str) -> bool:
        """Return True for an address of inet_interfaces."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return (f"ipv{parsed.version}", parsed.packed) in self.own_addresses

    def resolve(self, sender: str, address: str) -> Resolution:
        """Return the answer of trivial-rewrite(8) for an address, case folded as smtpd(8) does."""
        key = (sender, address)
        resolution = self._resolved.get(key)
        if resolution is None:
            if len(self._resolved) >= _CACHE_SIZE:
                self._resolved.clear()
            resolution = self.resolver.resolve(sender, address)
            resolution = resolution._replace(recipient=fold(resolution.recipient, utf8=self.utf8))
            self._resolved[key] = resolution
        return resolution

    # Rules of the session.

    def can_authenticate(self, session: SmtpSession) -> bool:
        """Return True if AUTH is offered: with smtpd_tls_auth_only, or where TLS is required, only inside TLS."""
        if not self.settings.yes("smtpd_sasl_auth_enable"):
            return False
        return session.tls is not None or not (self.settings.yes("smtpd_tls_auth_only") or self.requires_tls)

    @cached_property
    def requires_tls(self) -> bool:
        """True if commands are refused without TLS."""
        settings = self.settings
        if settings.yes("smtpd_tls_wrappermode"):
            return True
        try:
            level = security_level(settings.text("smtpd_tls_security_level"), SERVER_LEVELS)
        except InvalidValueError:
            return False
        enforce = settings.yes("smtpd_enforce_tls")
        return resulting_level(level, use=False, enforce=enforce) >= SecurityLevel.ENCRYPT

    def probe_address(self, address: str) -> str | None:
        """Return the address of probes in its own spelling, if this is it (address_verify_sender)."""
        configured = self.settings.text("address_verify_sender")
        if configured in ("", "<>") or self.settings.text("address_verify_sender_ttl")[:1] not in ("0", ""):
            return None
        if self._probe_sender is None:
            self._probe_sender = self.resolver.rewriter.internal(configured)
        return self._probe_sender if same(address, self._probe_sender) else None

    def filters_before_queue(self, address: str) -> tuple[str, ...]:
        """Return the milters and the proxy filter that see a message before it is queued, for a client's address."""
        settings = self.settings
        maps = self.maps("smtpd_milter_maps")
        found = maps.find(address) if maps else None
        milters = settings.text("smtpd_milters") if found is None else found.value
        names = [] if milters.upper() == "DISABLE" else [word for word, _ in split_words(milters, LIST_SEPARATORS)]
        proxy = settings.text("smtpd_proxy_filter")
        return (*names, *([proxy] if proxy else ()))

    @cached_property
    def cleanup(self) -> Cleanup:
        """The cleanup service, which makes envelopes of accepted messages."""
        return self.router.cleanup(self.settings.text("cleanup_service_name"))

    def envelope(self, sender: str, recipients: Sequence[str]) -> Envelope:
        """Return the envelope that cleanup(8) writes for a message; addresses are in internal form."""
        return self.cleanup.envelope(sender, *recipients, mappings=self.maps_addresses)

    def _recipient_stages(self) -> tuple[tuple[Stage, RestrictionList], ...]:
        """Return the relay and the recipient restrictions in the order of their evaluation."""
        settings = self.settings
        relay = (restrictions.RELAY, self.lists[restrictions.RELAY])
        recipient = (restrictions.RECIPIENT, self.lists[restrictions.RECIPIENT])
        if self.is_backwards_compatible:
            return recipient, (restrictions.RELAY, list_from_text("smtpd_relay_restrictions", _COMPATIBLE))
        order = "smtpd_relay_before_recipient_restrictions"  # since Postfix 3.6
        relay_first = order in settings.view and settings.yes(order)
        return (relay, recipient) if relay_first else (recipient, relay)

    @property
    def is_backwards_compatible(self) -> bool:
        """True if smtpd_relay_restrictions is not set, below compatibility level 1: its default is empty then."""
        kind = self.settings.view.origin("smtpd_relay_restrictions").kind
        level = compatibility_level(self.settings.text("compatibility_level"))
        return kind == "default" and level is not None and level < (1, 0, 0)


def open_service(config: Config, service: str, *, traces: bool = True, opener: Opener = open_table) -> Smtpd:
    """Return a service of smtpd(8) by its `name/type`, such as `smtp/inet`.

    `opener` opens tables, by default `maps.open_table`. Raises `ServiceError`, and `ConfigError` for a setting with
    which smtpd(8) or trivial-rewrite(8) dies.
    """
    return service_of(Router(config, opener=opener), service, traces=traces)


def service_of(router: Router, service: str, *, traces: bool = True) -> Smtpd:
    """Return a service of smtpd(8) as `open_service` does, for a router that other services have as well."""
    try:
        view = router.view(service or "/").view
    except KeyError:
        raise ServiceError(
            f"no service {service} in {router.config.directory}/master.cf; {_services(router.config)}"
        ) from None
    command = _program(view)
    if command != "smtpd":
        of = f"of {command}(8)" if command else "of no program"
        raise ServiceError(f"{service} is a service {of}, not of smtpd(8); {_services(router.config)}")
    return Smtpd(router, service, traces=traces)


def _services(config: Config) -> str:
    names = [view.service.key for view in config.services() if _program(view) == "smtpd"]
    return f"smtpd(8) has {', '.join(dict.fromkeys(names))}" if names else "smtpd(8) has none"


def _program(view: View) -> str:
    return view.service.command.rpartition("/")[2] if isinstance(view, ServiceView) else ""
