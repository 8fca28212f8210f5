"""Offers of the client role: smtp(8) and lmtp(8) by their level and by the entries of policy tables, and tlsproxy(8).

An offer is the content of a ClientHello. Levels that depend on DNS are as with usable records.
"""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ConfigError, ServiceView, View
from postconf.models import TlsSettings, load
from postconf.values import Grade, SecurityLevel, cipher_exclusions, protocols

from ....policy.destination import Destination
from ....policy.entry import PolicyEntry, parse_entry
from ....policy.errors import PolicyError, Where
from ....policy.per_site import parse_site
from ....policy.policies import Policy, with_settings
from ....policy.settings import PolicySettings
from ....tls.client.contexts import ClientContexts
from ....tls.settings.ciphers import cipher_list, list_parameter
from ....tls.settings.client import DANE_LEVELS, ClientContextSettings, client_init
from ....tls.settings.errors import SettingsError
from ....tls.settings.levels import client_is_configured, client_level
from ....tls.settings.options import context_options, protocol_options
from ....tls.settings.parameters import CLIENT, FILES, CertificateFiles
from ....tls.settings.release_behaviour import Behaviour
from ...context import Context
from ...facts.tables.named import Named, entries_of, named_tables
from ...facts.tls.daemon_loader import LoaderVerdict
from ...facts.tls.key_files import is_hidden, level_parameter
from ..openssl.groups import chosen_groups
from ..openssl.library import Library
from ..openssl.negotiation import Side, enabled_versions, security_level
from .identities import assumed, below_root, certificates, files_of
from .offer import Offer, OfferedCertificate
from .origins import OfferWarnings, origins

_MOST_ENTRIES = 1000
"""Entries of policy tables that are reported for each service."""


def client_offers(context: Context, library: Library) -> Iterator[Offer]:
    """Yield the offers of all services with a client role: their level, then the entries of their tables."""
    for view in context.views("smtp", "lmtp"):
        program = view.service.command.rpartition("/")[2] if isinstance(view, ServiceView) else "smtp"
        yield from _Client(context, library, view, program).offers()
    for proxy in context.services("tlsproxy"):
        yield from _proxy_offers(context, library, proxy)


def _proxy_offers(context: Context, library: Library, view: ServiceView) -> Iterator[Offer]:
    """Yield the offer of tlsproxy(8): requests decide on the rest, and come with the settings of smtp(8)."""
    try:
        client = load(view).client
    except ConfigError:
        return
    if client_is_configured(client):
        level = max(client_level(client), SecurityLevel.MAY)
        yield from _Client(context, library, view, "smtp", prefix=CLIENT).offers(level)


class _Client:
    """One service."""

    def __init__(self, context: Context, library: Library, view: View, program: str, *, prefix: str = "") -> None:
        """`prefix`: of the parameters of files, if it is not the one of the program."""
        self.context = context
        self.library = library
        self.view = view
        self.program = program
        self.prefix = f"{program}_tls_"
        self.files_prefix = prefix or self.prefix
        self.name = f"{view.service.name}/{view.service.type}" if isinstance(view, ServiceView) else program

    def offers(self, level: SecurityLevel | None = None) -> Iterator[Offer]:
        """Yield the offer of the service, if it has a level, and those of its policies; `level` replaces the level."""
        try:
            settings = PolicySettings.load(self.view, self.program)
            library = load(self.view)
        except ConfigError as error:
            yield Offer(self.name, "client", "none", self.view, problems=(str(error),))
            return
        if level is not None:
            yield self._offer(settings, library, PolicyEntry(level), self.name)
            return
        if settings.level:
            yield self._offer(settings, library, PolicyEntry(settings.level), self.name)
        for key, entry, place in self._entries(settings):
            if entry.level:
                offer = self._offer(settings, library, entry, f"{self.name} {key}")
                offer.origins = {**offer.origins, **({self._table_parameter(settings): place} if place else {})}
                yield offer

    def _table_parameter(self, settings: PolicySettings) -> str:
        return settings.parameter("policy_maps" if settings.policy_maps else "per_site")

    def _entries(self, settings: PolicySettings) -> Iterator[tuple[str, PolicyEntry, str]]:
        """Yield the entries of readable tables, each with its place; bad ones have rules of their own."""
        parameter = self._table_parameter(settings)
        wanted = self.context.setting(parameter, self.view)
        tables = [each for each in named_tables(self.context) if each.assignment == wanted]
        count = 0
        for table in tables:
            for key, value, line, _ in entries_of(self.context, table):
                count += 1
                if count > _MOST_ENTRIES:
                    return
                name = key.decode("utf-8", "replace")
                try:
                    if settings.policy_maps:
                        entry = parse_entry(value, Where(parameter, name), self.context.release)
                    else:
                        entry = PolicyEntry(parse_site(value, Where(parameter, name)))
                except PolicyError:
                    continue
                yield name, entry, self._place(table, line)

    def _place(self, table: Named, line: int) -> str:
        if line:
            return f"{self.context.files.outside(table.name)}:{line}"
        span = table.span()
        return f"{span.path}:{span.line}"

    def _offer(self, settings: PolicySettings, tls: TlsSettings, entry: PolicyEntry, name: str) -> Offer:
        mandatory = "mandatory_" if entry.level > SecurityLevel.MAY else ""
        offer = Offer(name, "client", entry.level.word, self.view)
        offer.parameters = {
            "level": level_parameter(self.context, self.view, self.program),
            "protocols": settings.parameter(f"{mandatory}protocols"),
            "grade": settings.parameter(f"{mandatory}ciphers"),
            "exclude": settings.parameter("exclude_ciphers"),
            "groups": "tls_eecdh_auto_curves",
            "finite groups": "tls_ffdhe_auto_groups",
            "options": "tls_ssl_options",
            "cache": settings.parameter("session_cache_database"),
            **({"exclude also": settings.parameter("mandatory_exclude_ciphers")} if mandatory else {}),
        }
        log = OfferWarnings(self.view, self.context.files)
        try:
            policy = with_settings(Policy(entry.level, Destination.parse("example.com")), entry, settings)
            self._negotiate(offer, policy, tls, log)
        except (PolicyError, SettingsError, ConfigError) as error:
            log.lines.append(str(error))
        offer.problems = tuple(dict.fromkeys(log.lines))
        files = (f"{self.files_prefix}{name}" for name in FILES)
        offer.origins = origins(self.view, (*offer.parameters.values(), *files))
        return offer

    def _negotiate(self, offer: Offer, policy: Policy, tls: TlsSettings, log: LoaderVerdict) -> None:
        library = tls.globals
        allowed = protocols(policy.protocols)
        if allowed is None:
            raise SettingsError(f'Invalid TLS protocol list "{policy.protocols}": aborting TLS session', "protocols")
        if policy.level in DANE_LEVELS:
            allowed = allowed._replace(excluded=allowed.excluded | {"SSLv3"})
        behaviour = Behaviour.of(self.context.release)
        offer.certificates = self._certificates(tls, behaviour, log)
        offer.client_certificate = "ask" if offer.certificates else "none"
        grade = Grade.of(policy.cipher_grade)
        offer.parameters = {**offer.parameters, "list": list_parameter(library, grade)}
        wanted = cipher_list(library, grade, cipher_exclusions(policy.cipher_exclusions))
        names = self.library.ciphers(wanted)
        if names is None:
            raise SettingsError(f'error setting cipher grade: "{wanted.grade}"', f"tls_{wanted.grade}_cipherlist")
        options = context_options(library, log, server=False) | protocol_options(allowed)
        side = Side(
            names,
            security_level(wanted.text, authenticate=policy.level > SecurityLevel.ENCRYPT),
            enabled_versions(allowed, options),
            chosen_groups(library, self.library, log, defaults=behaviour.default_groups),
            self.library.version,
        )
        offer.ciphers, offer.groups = side.agreed(server=False)
        offer.protocols = tuple(offer.ciphers)
        offer.prefers = True
        has_cache = bool(self.context.value(f"{self.prefix}session_cache_database", self.view))
        offer.resumption = ("cache",) if has_cache and offer.protocols else ()

    def _certificates(
        self, tls: TlsSettings, behaviour: Behaviour, log: LoaderVerdict
    ) -> tuple[OfferedCertificate, ...]:
        files = self.context.files
        init = below_root(client_init(self.view, self.files_prefix), files)
        if not files.enabled or any(is_hidden(self.context, files.inside(file)) for file in files_of(init)):
            return assumed(CertificateFiles.of(init))
        contexts = ClientContexts(tls.globals, ClientContextSettings.of(init, traces=False), behaviour, log)
        return certificates(contexts.identities)
