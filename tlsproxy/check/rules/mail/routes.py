"""Routes of mail: transports, address classes, recipients that are not checked, and aliases."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context, words_of
from ...facts.mail.domains import domains_of, keys_among
from ...facts.mail.unlisted import takes_every_domain, unlisted_domains
from ...facts.readings import locate, readings_of
from ...facts.tables.alias_loops import loops
from ...facts.tables.contents import span_of
from ...facts.tables.dead_ends import dead_ends
from ...facts.tables.named import named_tables
from ...facts.tables.surveys import surveys
from ...facts.tables.uses import Use, used_tables
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ..parameters.unread import virtual_deliveries
from ..services.programs import missing_services

_CORE = ("cleanup", "qmgr", "pickup")
_NEEDED_BY_ALL = ("error", "retry")
"""Services that another rule misses."""
_USED_FOR = {
    "local_transport": ("mydestination",),
    "mailbox_transport": ("mydestination",),
    "fallback_transport": ("mydestination",),
    "virtual_transport": ("virtual_mailbox_domains",),
    "relay_transport": ("relay_domains",),
    "default_transport": (),
}
"""The parameters that give a transport its domains."""
_LOOPS = {
    Use.ALIASES: "local(8) returns the mail",
    Use.VIRTUAL: "cleanup(8) refuses mail for it with 451",
    Use.CANONICAL: "cleanup(8) refuses mail for it, or rewrites it many times",
}
_REPEATED = ("canonical_maps", "sender_canonical_maps", "recipient_canonical_maps")
"""Tables that cleanup(8) asks again with the result."""
_VERIFYING = "reject_unverified_recipient"
_CLASSES = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")


class TransportMissing(Rule):
    """Transport or filter without a service in master.cf: its mail is deferred.

    Parameters, -o settings, transport tables and FILTER actions name transports. For an unknown name in
    defer_transports no mail is held back. A master.cf without cleanup(8),
    qmgr(8) and pickup(8) is taken for a fragment, and not reported.
    """

    id = "F001"
    name = "transport-missing"
    effect = '`content_filter = amavis:[127.0.0.1]:10024`: all mail is deferred, "mail transport unavailable".'
    bad = (
        "content_filter = amavis:[127.0.0.1]:10024\ntransport_maps = inline:{slow.example=smtp-slo:}\n"
        "--- master.cf\nqmgr unix n - n 300 1 qmgr\nsmtp unix - - y - - smtp\nlocal unix - n n - - local\n"
    )
    good = (
        "content_filter = amavis:[127.0.0.1]:10024\n--- master.cf\nqmgr unix n - n 300 1 qmgr\n"
        "amavis unix - - y - 2 smtp\nsmtp unix - - y - - smtp\nlocal unix - n n - - local\n"
    )
    lookalike = (
        "mydestination =\ntransport_maps = inline:{.example=:[mail.example.net]}\n"
        "virtual_transport = $local_transport\n"
        "local_transport = error:no local mail\n--- master.cf\nqmgr unix n - n 300 1 qmgr\n"
        "smtp unix - - y - - smtp\nerror unix - - y - - error\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if context.master is None or not context.services(*_CORE):
            return
        yield from self._settings(context)
        yield from self._tables(context)
        yield from self._held(context)
        if context.has_main and not missing_services(context):  # else that rule has the same remedy
            yield from self._defaults(context)

    def _settings(self, context: Context) -> Iterator[Finding]:
        reported: set[Span] = set()
        for read in readings_of(context, "transport"):
            if read.reading.problems:
                continue
            for word in read.reading.words:
                if word.role != "transport" or self._exists(context, word.text):
                    continue
                _, span = locate(context, read.assignment, word.start, word.end)
                if span not in reported:
                    reported.add(span)
                    users = _USED_FOR.get(read.assignment.name, ())
                    unused = bool(users) and not any(context.value(each) for each in users)
                    yield self.finding(
                        span,
                        f"master.cf has no service {word.text}: "
                        + (f"mail is deferred as soon as {users[0]} is set" if unused else "its mail is deferred"),
                        self._help(context, word.text),
                        severity=Severity.WARNING if unused else Severity.ERROR,
                    )

    def _tables(self, context: Context) -> Iterator[Finding]:
        for survey in surveys(context):
            named = survey.used.named
            for name, entry in survey.transports.items():
                if not self._exists(context, name):
                    yield self.finding(
                        span_of(context, named, entry),
                        f"master.cf has no service {name}: its mail is deferred",
                        self._help(context, name),
                        related=[(named.span(), "the table is used here")] if entry.line else (),
                    )

    def _held(self, context: Context) -> Iterator[Finding]:
        """Yield the names in defer_transports, which qmgr(8) compares with those of services."""
        for read in readings_of(context, "transports"):
            for word in read.reading.words:
                if word.text and not self._exists(context, word.text):
                    _, span = locate(context, read.assignment, word.start, word.end)
                    message = f"master.cf has no service {word.text}: no mail is held back"
                    yield self.finding(span, message, self._help(context, word.text), severity=Severity.WARNING)

    def _defaults(self, context: Context) -> Iterator[Finding]:
        for parameter, users in _USED_FOR.items():
            name = context.value(parameter).partition(":")[0].strip()
            if not name or context.is_set(parameter) or self._exists(context, name):
                continue
            if all(context.value(each) for each in users) and (users != ("relay_domains",) or context.is_set(*users)):
                yield self.finding(
                    context.entries[0].span(0),
                    f"master.cf has no service {name}, which {parameter} has by default: its mail is deferred",
                    f"copy the entry {name} from the master.cf that comes with Postfix, or set {parameter}",
                )

    @staticmethod
    def _exists(context: Context, name: str) -> bool:
        return name in _NEEDED_BY_ALL or context.has_service(name)

    @staticmethod
    def _help(context: Context, name: str) -> str:
        return (
            context.suggestions.did_you_mean(name, context.keep(_transports), 0.7)
            or f"add a service {name} of type unix to master.cf"
        )


def _transports(context: Context) -> list[str]:
    return sorted({entry.service.name for entry in context.entries if entry.service and entry.service.type == "unix"})


class TwoClasses(Rule):
    """Domain in two address classes: the first one counts, and mail for it may go to the wrong place.

    The order is mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains.
    """

    id = "F003"
    name = "two-classes"
    severity = Severity.WARNING
    effect = 'trivial-rewrite(8) warns, "do not list domain example.com in BOTH mydestination and …".'
    bad = "mydestination = $myhostname, example.com\nvirtual_alias_domains = example.com\n"
    good = "mydestination = $myhostname\nvirtual_alias_domains = example.com\n"
    lookalike = (
        "mydestination = example.com\nrelay_domains = $mydestination\nvirtual_alias_domains = !example.com, a.net\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        lists = {name: domains_of(context, name) for name in _CLASSES}
        reported: set[str] = set()
        for index, first in enumerate(_CLASSES):
            for second in _CLASSES[index + 1 :]:
                both = [domain for domain in lists[second] if domain in lists[first]]
                if both and (first, second) != ("mydestination", "relay_domains"):
                    reported.update(both)
                    names = both[0] + (f" and {len(both) - 1} more" if len(both) > 1 else "")
                    yield self._finding(lists[second][both[0]], names, first, second, lists[first][both[0]])
        yield from self._of_tables(context, lists, reported)

    def _of_tables(self, context: Context, lists: dict[str, dict[str, Span]], reported: set[str]) -> Iterator[Finding]:
        for parameter in _CLASSES:
            others = {
                domain: (name, span)
                for name in _CLASSES
                if name != parameter and {name, parameter} != {"mydestination", "relay_domains"}
                for domain, span in lists[name].items()
            }
            for domain, span in keys_among(context, parameter, frozenset(others)):
                if domain not in reported:
                    reported.add(domain)
                    name, other = others[domain]
                    first, second = sorted((name, parameter), key=_CLASSES.index)
                    yield self._finding(span, domain, first, second, other)

    def _finding(self, span: Span, domain: str, first: str, second: str, other: Span) -> Finding:
        return self.finding(
            span,
            f"{domain}: in {first} and in {second}, and the former counts",
            "remove it from one of them",
            related=[(other, "the other one")],
        )


class UncheckedRecipients(Rule):
    """Backscatter: mail for unknown recipients is accepted, and later returned to forged senders."""

    id = "F004"
    name = "unchecked-recipients"
    severity = Severity.WARNING
    effect = "`local_recipient_maps =`: RCPT for any local part is answered with 250, and the mail bounces."
    bad = "local_recipient_maps =\n"
    good = "local_recipient_maps = proxy:unix:passwd.byname $alias_maps\n"
    lookalike = (
        "local_recipient_maps =\nluser_relay = postmaster\nvirtual_mailbox_domains = example.com\n"
        "virtual_mailbox_maps = hash:/etc/postfix/users\nvirtual_transport = lmtp:unix:private/lmtp\n"
    )

    _MAPS = (
        ("virtual_mailbox_domains", "virtual_mailbox_maps", "virtual_transport"),
        ("relay_domains", "relay_recipient_maps", "relay_transport"),
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main or self._verifies(context):
            return
        local = context.setting("local_recipient_maps")
        is_off = context.value("local_transport").startswith(("error", "discard"))
        maps = context.value("local_recipient_maps")
        unlisted = context.main.effective.get("smtpd_reject_unlisted_recipient")
        if unlisted is not None and not context.is_yes("smtpd_reject_unlisted_recipient"):
            yield self.finding(
                unlisted.name_span(),
                "mail for users that don't exist is accepted, and returned to forged senders",
                "remove it, or use reject_unlisted_recipient",
            )
        if (
            local is not None
            and (not maps or maps.startswith("static:"))
            and context.value("mydestination")
            and not context.value("luser_relay")
            and not is_off
        ):
            yield self.finding(
                local.name_span(),
                "mail for local users that don't exist is accepted, and returned to forged senders",
                "remove it: the default lists the accounts and aliases",
            )
        for domains, maps, transport in self._MAPS:
            setting = context.setting(domains)
            if setting is None or setting.name != domains or not context.value(domains) or context.value(maps):
                continue
            if context.value(domains) == context.value("mydestination") or context.value(domains).startswith("!"):
                continue
            if context.value(transport).startswith(("error", "discard")):
                continue
            if transport == "virtual_transport" and any(missing for _, missing in virtual_deliveries(context)):
                continue  # Q009: nothing is delivered
            yield self.finding(
                setting.name_span(),
                f"without {maps}, mail for any recipient there is accepted, and returned if there is none",
                f"set {maps}, or use {_VERIFYING}",
                severity=Severity.INFO,
            )

    @staticmethod
    def _verifies(context: Context) -> bool:
        lists = ("smtpd_recipient_restrictions", "smtpd_relay_restrictions")
        found = [each for each in context.everywhere if each.name in lists or _VERIFYING in each.value]
        texts = [context.expanded(each) or each.value for each in found]
        return any(each in text for text in texts for each in (_VERIFYING, "reject_unlisted_recipient"))


class AliasLoop(Rule):
    """Circular aliases.

    An alias whose value includes its own name is not circular: there, the name is a mailbox.
    """

    id = "F005"
    name = "alias-loop"
    effect = (
        "In virtual_alias_maps: 451 4.6.0 Alias expansion error, at the end of the message. In alias_maps: local(8) "
        'returns the mail, "alias database loop".'
    )
    bad = "virtual_alias_maps = inline:{{a@example.com=b@example.com},{b@example.com=A@example.com}}\n"
    good = "virtual_alias_maps = inline:{{a@example.com=b@example.com},{b@example.com=joe}}\n"
    lookalike = (
        "virtual_alias_maps = inline:{{a@example.com=a@example.com, b@example.com},{b@example.com=b@example.com}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_tables(context):
            if used.use not in _LOOPS or (used.use is Use.CANONICAL and used.named.assignment.name not in _REPEATED):
                continue
            for entry, chain in loops(context, used.named):
                yield self.finding(
                    span_of(context, used.named, entry),
                    f"the alias leads back to itself: {' → '.join(chain)}; {_LOOPS[used.use]}",
                    "let one of them end at a mailbox",
                    related=[(used.named.span(), "the table is used here")],
                )


class AliasDeadEnd(Rule):
    """Virtual alias for an address that does not exist: its domain has nothing but aliases, and none for it."""

    id = "F008"
    name = "alias-dead-end"
    effect = 'Mail for the alias is returned, "User unknown in virtual alias table".'
    bad = "virtual_alias_domains = example.com\nvirtual_alias_maps = inline:{a@example.com=b@example.com}\n"
    good = (
        "virtual_alias_domains = example.com\n"
        "virtual_alias_maps = inline:{{a@example.com=b@example.com},{b@example.com=joe}}\n"
    )
    lookalike = (
        "virtual_alias_domains = example.com\n"
        "virtual_alias_maps = inline:{{a@example.com=b@example.com},{@example.com=joe@example.net}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        domains = frozenset(domains_of(context, "virtual_alias_domains"))
        for named, entry, target in dead_ends(context, domains):
            yield self.finding(
                span_of(context, named, entry),
                f"{decode(entry.key)} leads to {target}, which does not exist: its domain has only aliases",
                f"add an alias {target}, or correct this one",
                related=[(named.span(), "the table is used here")] if entry.line else (),
            )


class UnlistedDomain(Rule):
    """Virtual aliases in a domain that no address class has: mail from elsewhere is refused.

    virtual_alias_domains lists such domains; by default, they are keys of virtual_alias_maps without a local part.
    """

    id = "F010"
    name = "unlisted-domain"
    severity = Severity.WARNING
    effect = "`554 5.7.1 Relay access denied` for the address, to all clients outside mynetworks."
    bad = "virtual_alias_maps = inline:{info@example.com=joe}\n"
    good = "virtual_alias_maps = inline:{example.com=x, info@example.com=joe}\n"
    lookalike = (
        "mydestination = example.net\nrelay_domains = example.org\n"
        "virtual_alias_maps = inline:{a@example.net=joe, b@example.org=joe, c@sub.example.org=joe, d=joe}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main or (context.master is not None and not context.services("smtpd")):
            return
        found = list(unlisted_domains(context))
        if found:
            named, entry, domain = found[0]
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield self.finding(
                span_of(context, named, entry),
                f"{domain}{more}: in no class of domains, so that mail from elsewhere is refused",
                "add the domain to virtual_alias_domains",
                related=[(named.span(), "the table is used here")] if entry.line else (),
            )


class EveryDomain(Rule):
    """Pattern that makes every domain an own one: mail for other sites stays on this host.

    By default, virtual_alias_domains is virtual_alias_maps: a pattern for all addresses matches all domains, too.
    """

    id = "F011"
    name = "every-domain"
    effect = "`virtual_alias_maps = regexp:{{/.*/ joe}}`: `250` for each recipient, and joe has mail of other sites."
    bad = "virtual_alias_maps = regexp:{{/.*/ joe@example.com}}\n"
    good = "virtual_alias_maps = regexp:{{/@example\\.net$$/ joe@example.com}}\n"
    lookalike = "virtual_alias_domains = example.net\nvirtual_alias_maps = regexp:{{/.*/ joe@example.com}}\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        found = takes_every_domain(context) if context.has_main else None
        if found:
            address_class, named = found
            yield self.finding(
                named.span(),
                f"each domain is in the class {address_class}: mail for other sites is delivered here",
                "list the domains, or add @domain to the patterns",
            )


class ProxyRefused(Rule):
    """proxymap(8) table that is not in proxy_read_maps: lookups fail.

    proxymap(8) opens only the tables in proxy_read_maps of main.cf; the default has those of most parameters.
    """

    id = "F006"
    name = "proxy-refused"
    effect = 'smtpd(8) is fatal, "proxymap service is not configured for table"; proxymap(8) warns of it.'
    bad = (
        "proxy_read_maps = $virtual_alias_maps\nvirtual_alias_maps = proxy:mysql:/etc/postfix/a.cf\n"
        "smtpd_sender_login_maps = proxy:mysql:/etc/postfix/b.cf\n"
    )
    good = (
        "proxy_read_maps = $virtual_alias_maps $smtpd_sender_login_maps\n"
        "virtual_alias_maps = proxy:mysql:/etc/postfix/a.cf\nsmtpd_sender_login_maps = proxy:mysql:/etc/postfix/b.cf\n"
    )
    lookalike = "virtual_alias_maps = proxy:mysql:/etc/postfix/a.cf\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        tables = [each for each in named_tables(context) if each.text.startswith("proxy:") and "{" not in each.text]
        if not context.has_main or not tables:
            return
        approved = frozenset(words_of(context.value("proxy_read_maps")))
        reported: set[Span] = set()
        for named in tables:
            if named.text in approved or named.is_written_by_daemons or named.assignment.name.startswith("proxy_"):
                continue
            span = named.span()
            if span in reported:
                continue
            reported.add(span)
            setting = context.main.effective.get("proxy_read_maps")
            yield self.finding(
                span,
                f"proxymap(8) does not open {named.text}: proxy_read_maps does not have it",
                f"add ${named.assignment.name} to proxy_read_maps in main.cf",
                severity=Severity.ERROR if setting else Severity.WARNING,
                related=[(setting.name_span(), "here")] if setting else (),
            )
