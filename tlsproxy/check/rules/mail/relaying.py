"""Relaying: open relays, and clients that smtpd(8) treats as its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from ....mail.access.relaying import HELO_NAME, RECIPIENT, SENDER, RelayVerdict
from ...context import Context, words_of
from ...facts.mail.access import Lists, relay_verdict, smtpd_lists
from ...facts.mail.domains import domains_of, keys_among
from ...facts.top_level import TOP_LEVEL
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment

_SAMPLE = (ipaddress.ip_network("168.100.189.0/28"), ipaddress.ip_network("168.100.3.0/28"))
"""The networks in the sample main.cf, which belong to Postfix's author."""
_BRIDGE = ipaddress.IPv4Network("172.17.0.0/16")
"""The default network of Docker's bridge: forwarded connections can come from its gateway."""
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")
"""Addresses between a provider and its customers (RFC 6598)."""
_LISTS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
_PARENTS = "parent_domain_matches_subdomains"
_TOP_LEVEL_KEYS = frozenset(f"{dot}{name}" for name in TOP_LEVEL for dot in ("", "."))
_LEAST_BITS = {4: 16, 6: 32}
"""The shortest prefix of public addresses that one site is likely to own."""


class NoRelayControl(Rule):
    """No relay control: smtpd(8) refuses to serve any client.

    Without a compatibility_level of at least 1, smtpd_relay_restrictions is empty by default.
    """

    id = "R010"
    name = "no-relay-control"
    effect = (
        'smtpd(8): fatal at the first connection, "in parameter smtpd_relay_restrictions or '
        'smtpd_recipient_restrictions, specify at least one working instance of …"; throttled. Port 25 is dead.'
    )
    bad = "smtpd_recipient_restrictions = permit_mynetworks\n"
    good = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n"
    lookalike = "compatibility_level = 2\nsmtpd_recipient_restrictions = permit_mynetworks\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for lists in smtpd_lists(context):
            if lists.has_relay_control or not (context.has_main or _sets_lists(lists)) or _is_cut(lists):
                continue
            if lists.misspelled_controls:
                continue  # R001 reports the word
            span = self._span(context, lists)
            if span not in reported:
                reported.add(span)
                is_by_default = not any(context.setting(name, lists.view) for name in (*_LISTS, "compatibility_level"))
                yield self.finding(
                    span,
                    "smtpd does not start: neither smtpd_relay_restrictions nor smtpd_recipient_restrictions rejects "
                    "mail for other destinations"
                    + (", and both are empty by default without compatibility_level" * is_by_default),
                    "add: smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, "
                    "defer_unauth_destination",
                )

    @staticmethod
    def _span(context: Context, lists: Lists) -> Span:
        for name in _LISTS:
            setting = context.setting(name, lists.view)
            if setting and (setting.value or setting.service):
                return setting.span()
        for name in (*_LISTS, "compatibility_level"):
            if setting := context.setting(name, lists.view):
                return setting.span()
        return (
            Span(context.main.path, 1, 1, 2)
            if context.has_main
            else context.span("smtpd_relay_restrictions", lists.view)
        )


def _sets_lists(lists: Lists) -> bool:
    """Return True if the service has a list that a main.cf that is not there can't change."""
    found = [each for name in _LISTS if (each := lists.context.setting(name, lists.view)) and each.service]
    return bool(found) and not any(lists.context.undefined(each) for each in found)


def _is_cut(lists: Lists) -> bool:
    """Return True if a blank ends a list of the service too early, which another rule reports."""
    found = [lists.context.setting(name, lists.view) for name in _LISTS]
    return any(each and each.service and each.value.endswith(",") for each in found)


class OpenRelay(Rule):
    """Open relay: any client may send mail to any destination.

    The rule evaluates the lists as smtpd(8) does, for a client outside mynetworks that has not logged in, and
    addresses of other sites. It queries the tables that exist; text tables of more than 16 MiB, and regexp and pcre
    tables of more than 1 MiB, count as empty. It also tries a sender and a HELO name that a table permits before the
    relay control, because a client can claim any, and a recipient elsewhere that a pattern without an end permits. A
    top-level domain in relay_domains opens the relay for all domains in it.
    """

    id = "R011"
    name = "open-relay"
    effect = "`250 2.1.5 Ok` for a recipient elsewhere; within hours the host sends spam, and is listed."
    bad = "compatibility_level = 3.6\nmynetworks = 0.0.0.0/0\n"
    good = "compatibility_level = 3.6\nmynetworks = 192.0.2.0/24\n"
    lookalike = (
        "compatibility_level = 3.6\n"
        "smtpd_recipient_restrictions = permit_mynetworks, check_sender_access static:OK, reject_unauth_destination\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for lists, verdict in context.keep(_open_relays):
            finding = self._finding(context, lists, verdict)
            if finding.span not in reported:
                reported.add(finding.span)
                yield finding
        yield from self._top_level(context)

    def _top_level(self, context: Context) -> Iterator[Finding]:
        """Yield the top-level domains that relay_domains has, all of whose domains it takes."""
        listed = domains_of(context, "relay_domains")
        found = [(name, span) for name, span in listed.items() if name.lstrip(".") in TOP_LEVEL]
        has_parents = "relay_domains" in words_of(context.value(_PARENTS))  # then a name with a dot matches nothing
        for name, span in (*found, *keys_among(context, "relay_domains", _TOP_LEVEL_KEYS)):
            if name.startswith(".") is not has_parents:
                message = f"open relay for all domains in .{name.lstrip('.')}: any client may send mail to them"
                yield self.finding(span, message, "name the domains that this host relays mail for")

    def _finding(self, context: Context, lists: Lists, verdict: RelayVerdict) -> Finding:
        related = [
            (Span.at(step.place, len(step.restriction)), f"{step.restriction} permits")
            for step in verdict.path
            if step.place is not None
        ]
        takes_all = not related and _takes_all(context, lists)
        parameter = "relay_domains" if takes_all else "smtpd_relay_restrictions"
        networks = _networks_of_strangers(context, lists, verdict)
        related += [(network, "a network of strangers") for network in networks]
        span = related[-1][0] if related else context.span(parameter, lists.view)
        why = verdict.path[-1].restriction if verdict.path else "nothing rejects it"
        why = "relay_domains has each domain" if takes_all else why
        where = f" through {lists.service}" if lists.service else ""
        session = verdict.session
        claim = "" if session.sender in ("", SENDER) else f"the sender <{session.sender}>"
        claim = claim or ("" if session.helo == HELO_NAME else f"the HELO name {session.helo}")
        claim = f", with {claim}, which anybody can claim," if claim else ""
        client, recipient = session.client.address, session.recipients[0]
        remedy = "permit own clients only, in front of reject_unauth_destination"
        if networks:
            remedy = "name the networks of this site"
        elif recipient != RECIPIENT:
            remedy = "end the pattern with $"
        return self.finding(
            span,
            f"open relay: {client} may send mail for <{recipient}>{where}{claim} ({why})",
            remedy,
            related=related[:-1],
        )


def _open_relays(context: Context) -> list[tuple[Lists, RelayVerdict]]:
    """Return the lists through which a stranger may certainly relay, with the verdicts on them."""
    found = []
    for lists in smtpd_lists(context):
        if not lists.has_relay_control or not (context.has_main or _sets_lists(lists)):
            continue
        if lists.may_permit_strangers or trusts_strangers(context, lists) or _takes_all(context, lists):
            verdict = relay_verdict(lists)
            if verdict is not None and verdict.permits and not verdict.depends:
                found.append((lists, verdict))
    return found


def _networks_of_strangers(context: Context, lists: Lists, verdict: RelayVerdict) -> list[Span]:
    """Return the networks in mynetworks that let the client of a verdict relay."""
    setting = context.setting("mynetworks", lists.view)
    if setting is None or not verdict.path or verdict.path[-1].restriction != "permit_mynetworks":
        return []
    client = ipaddress.ip_address(verdict.session.client.address)
    return [setting.word(word) for word, network in _networks(context, setting) if client in network][:1]


def trusts_strangers(context: Context, lists: Lists) -> bool:
    """Return True if mynetworks may hold addresses of strangers."""
    setting = context.setting("mynetworks", lists.view)
    if setting is None:
        return context.value("mynetworks_style", lists.view).lower() == "class"
    return any(_bits(network) or "/" not in text for text, network in _networks(context, setting)) or any(
        (":" in word.strip("[]") and not word.startswith("[")) or word.startswith("/")
        for word in (context.expanded(setting) or "").replace(",", " ").split()
    )


def _takes_all(context: Context, lists: Lists) -> bool:
    """Return True if relay_domains has a table that could match each domain."""
    words = words_of(context.value("relay_domains", lists.view))
    return any(word.removeprefix("proxy:").startswith(("regexp:", "pcre:", "static:")) for word in words)


def _networks(
    context: Context, setting: Assignment
) -> Iterator[tuple[str, ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    for word in (context.expanded(setting) or "").replace(",", " ").split():
        text = word.replace("[", "").replace("]", "")
        try:
            yield word, ipaddress.ip_network(text)
        except ValueError:
            continue


@lru_cache(maxsize=1024)
def _bits(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Return True for a public network that is larger than one site is likely to own."""
    if network.is_private or network.is_loopback or network.is_link_local:
        return False
    if isinstance(network, ipaddress.IPv4Network) and network.subnet_of(_SHARED):
        return False
    return network.prefixlen < _LEAST_BITS[network.version]


class TrustedNetworks(Rule):
    """Foreign networks in mynetworks: their clients may relay, where a list has permit_mynetworks.

    R011 reports a network that makes an open relay.
    """

    id = "R012"
    name = "trusted-networks"
    severity = Severity.WARNING
    effect = "Clients with such an address may send mail to anybody, where a list has permit_mynetworks."
    bad = "mynetworks = 127.0.0.0/8, 192.0.0.0/8\n"
    good = "mynetworks = 127.0.0.0/8, 192.168.0.0/16\n"
    lookalike = "mynetworks = 10.0.0.0/8, [::1]/128, [fe80::]/64, 198.51.100.0/24\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        opened = {span for each in context.keep(_open_relays) for span in _networks_of_strangers(context, *each)}
        for setting in context.named("mynetworks"):
            for word, network in _networks(context, setting):
                message, severity = self._judge(network)
                if message and setting.word(word) not in opened:  # R011 reports those
                    yield self.finding(setting.word(word), message, "name the networks of this site", severity=severity)
        for setting in context.named("mynetworks_style"):
            view = context.view(setting)
            if (context.expanded(setting) or "").lower() == "class" and not context.is_set("mynetworks", view):
                message = (
                    "class trusts the whole class A, B or C network of each own address, and its clients may relay"
                )
                yield self.finding(setting.span(), message, "set mynetworks_style = host, or mynetworks")

    @staticmethod
    def _judge(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[str, Severity]:
        if network.prefixlen == 0:
            return f"{network} is the whole Internet, and its clients may relay", Severity.ERROR
        if _bits(network):
            return f"{network} has public addresses of many sites, and their clients may relay", Severity.ERROR
        if network in _SAMPLE:
            return f"{network} is the sample in Postfix's documentation, and belongs to others", Severity.ERROR
        if isinstance(network, ipaddress.IPv4Network) and network.prefixlen > 8 and network.supernet_of(_BRIDGE):
            message = f"{network} has Docker's bridge {_BRIDGE}: clients whose connections Docker forwards may relay"
            return message, Severity.WARNING
        return "", Severity.INFO
