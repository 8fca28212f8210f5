"""DNS lists in restriction lists and in postscreen(8): arguments, lists that are gone, and their order."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.kinds.dnsbl import filter_problem

from ....mail.access.restrictions.table import CLIENT, RECIPIENT, Argument, Outside, Verdict, find
from ...context import Context
from ...facts.mail.access import Lists, smtpd_lists
from ...facts.mail.dnsbl import (
    OF_ADDRESSES,
    OF_DOMAINS,
    REFUSES_ADDRESSES,
    gone,
    is_among,
    lists_good_senders,
)
from ...findings import Finding, Severity, Span
from ...rule import Rule
from .restrictions import ListRule

_BY_ADDRESS = ("reject_rbl_client", "permit_dnswl_client")


class DnsList(Rule):
    """DNS list that no longer exists, or is used for another purpose: an allowlist to reject, domains for addresses."""

    id = "R007"
    name = "dns-list"
    severity = Severity.WARNING
    in_templates = True
    effect = (
        "A list that is gone costs a timeout for each client, or lists every address: then all mail is refused. "
        "`reject_rbl_client dbl.spamhaus.org`: the list answers 127.0.1.255 for each address, and all mail is refused."
    )
    bad = "smtpd_client_restrictions = reject_rbl_client dnsbl.sorbs.net\n"
    good = "smtpd_client_restrictions = reject_rbl_client zen.spamhaus.org\n"
    lookalike = "smtpd_client_restrictions = permit_dnswl_client list.dnswl.org, reject_rbl_client sorbs.example.net\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for lists in smtpd_lists(context):
            for parameter, _, found in lists.elements:
                for each in found:
                    if each.restriction and each.restriction.outside is Outside.DNSBL and each.argument:
                        rejects = Verdict.REJECT in each.restriction.verdict
                        span = lists.span(each.argument, parameter)
                        if span not in reported:
                            reported.add(span)
                            of_addresses = each.restriction.canonical in _BY_ADDRESS
                            yield from self._judge(span, each.argument.text, rejects=rejects, of_addresses=of_addresses)
        for setting in context.named("postscreen_dnsbl_sites"):
            for word in (context.expanded(setting) or "").replace(",", " ").split():
                site, _, weight = word.partition("*")
                yield from self._judge(setting.word(word), site, rejects=not weight.startswith("-"), of_addresses=True)

    def _judge(self, span: Span, text: str, *, rejects: bool, of_addresses: bool) -> Iterator[Finding]:
        domain, _, answers = text.partition("=")
        if end := gone(domain):
            yield self.finding(span, f"the DNS list {domain} ended {end}", "remove it", severity=Severity.ERROR)
        elif rejects and lists_good_senders(text):
            yield self.finding(
                span,
                f"{domain} lists hosts whose mail is wanted, and here they are rejected",
                "use permit_dnswl_client",
            )
        elif of_addresses and is_among(domain, OF_DOMAINS):
            refuses = is_among(domain, (REFUSES_ADDRESSES,)) and not answers
            effect = "it lists each of them" if refuses else "no client is found"
            message = f"{domain} is a list of domains, and here addresses are looked up: {effect}"
            yield self.finding(
                span,
                message,
                "use reject_rhsbl_sender in smtpd(8)",
                severity=Severity.ERROR if refuses else Severity.WARNING,
            )
        elif not of_addresses and is_among(domain, OF_ADDRESSES):
            message = f"{domain} is a list of addresses, and here domains are looked up: none is found"
            yield self.finding(span, message, "use reject_rbl_client")


class ListsBeforeLogin(ListRule):
    """DNS list before permit_sasl_authenticated: own users are rejected for their address."""

    id = "R009"
    name = "dnsbl-before-login"
    severity = Severity.WARNING
    effect = "Users who have logged in from dynamic addresses are refused."
    bad = "smtpd_sasl_auth_enable = yes\nsmtpd_client_restrictions = reject_rbl_client zen.spamhaus.org\n"
    good = (
        "smtpd_sasl_auth_enable = yes\n"
        "smtpd_client_restrictions = permit_sasl_authenticated, reject_rbl_client zen.spamhaus.org\n"
    )
    lookalike = (
        "smtpd_client_restrictions = reject_rbl_client zen.spamhaus.org\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        if not lists.context.is_yes("smtpd_sasl_auth_enable", lists.view):
            return
        for stage in (CLIENT, RECIPIENT):
            for each in lists.entries(stage):
                name = each.restriction.canonical if each.restriction else ""
                if name in ("permit_sasl_authenticated", "reject", "permit") or each.is_class:
                    break
                if name == "reject_rbl_client" and not each.warn_only:
                    message = "a DNS list of dynamic addresses rejects users who have logged in, too"
                    where = lists.span(each.name, stage.parameter)
                    yield self.finding(where, message, "put permit_sasl_authenticated in front of it")
                    break


class DnsListArgument(ListRule):
    """Wrong argument of a DNS list: a restriction or a URL in place of its domain, or an invalid filter."""

    id = "R015"
    name = "dns-list-argument"
    in_templates = True
    effect = (
        "`reject_rhsbl_sender, permit_mynetworks`: permit_mynetworks is the domain, and permits nothing; nothing is "
        'logged. `reject_rbl_client list.example=127.0.0`: smtpd(8) is fatal, "RBL reply error".'
    )
    bad = "smtpd_client_restrictions = reject_rbl_client permit_mynetworks, reject_rbl_client list.example=127.0.0\n"
    good = "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client list.example=127.0.0.2\n"
    lookalike = "smtpd_client_restrictions = reject_rbl_client list.example=127.0.[0..2].[2;4..11]\n"

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, _, found in lists.elements:
            for each in found:
                if each.restriction is None or each.restriction.argument is not Argument.DOMAIN or not each.argument:
                    continue
                text = each.argument.text
                where = lists.span(each.argument, parameter)
                domain, equals, answers = text.partition("=")
                if find(text) or text in lists.classes:
                    message = f"{text} is taken for the domain of {each.name.text}, and not for a restriction"
                    yield self.finding(where, message, f"write {each.name.text} domain, {text}")
                elif "/" in domain or ":" in domain:
                    host = domain.partition("://")[2].partition("/")[0] or domain.partition("/")[0]
                    message = f'"{domain}" is no domain: nothing is found in this list'
                    yield self.finding(where, message, f"write {host.partition(':')[0] or 'the domain alone'}")
                elif equals and (problem := filter_problem(answers)):
                    message = f'"{answers}" is no filter: {problem}; smtpd(8) exits when it asks {domain}'
                    yield self.finding(where, message, "write 127.0.0.2 or 127.0.0.[2..11]")
