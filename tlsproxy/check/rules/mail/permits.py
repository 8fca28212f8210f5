"""Permits whose holders others choose: authorities, lists of good senders, domain owners, anonymous logins."""

from __future__ import annotations

from collections.abc import Iterator

from ....mail.access.restrictions.lists import ListElement
from ....mail.access.restrictions.table import MUST_REJECT, RECIPIENT, RELAY, Stage
from ...context import Context, words_of
from ...facts.mail.access import Lists
from ...findings import Finding, Severity, Span
from ...rule import Rule
from .restrictions import ListRule

_PUBLIC = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/certs/ca-bundle.trust.crt",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
)
"""The authorities of distributions, which sign certificates for anybody."""
_LISTS = ("permit_dnswl_client", "permit_rhswl_client")


class PermitByOthers(ListRule):
    """Relaying permitted to clients that another party chooses.

    The rule is about permits in front of reject_unauth_destination: permit_tls_all_clientcerts with public authorities,
    which sign certificates for anybody; a DNS list of good senders; permit_mx_backup for any domain whose owner names
    this host.
    """

    id = "R016"
    name = "permit-by-others"
    severity = Severity.WARNING
    in_templates = True
    bad = (
        "smtpd_relay_restrictions = permit_mynetworks, permit_dnswl_client list.dnswl.org, reject_unauth_destination\n"
    )
    good = (
        "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
        "smtpd_recipient_restrictions = permit_dnswl_client list.dnswl.org, reject_rbl_client zen.spamhaus.org\n"
    )
    lookalike = (
        "smtpd_relay_restrictions = permit_tls_all_clientcerts, permit_mx_backup, reject_unauth_destination\n"
        "smtpd_tls_CAfile = /etc/postfix/own-ca.pem\nsmtpd_tls_ask_ccert = yes\n"
        "permit_mx_backup_networks = 192.0.2.0/24\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        for setting in context.named("allow_untrusted_routing"):
            if context.is_yes(setting.name, context.view(setting)):
                message = "user@elsewhere@own-domain is relayed: the host behind this one may send it to anybody"
                yield self.finding(setting.name_span(), message, "remove it")

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        found = [(stage, self._before_control(lists, stage)) for stage in (RELAY, RECIPIENT)]
        if any(each == [] for _, each in found):
            return  # the other list rejects in any case
        for stage, permits in found:
            for entry, message, hint in permits or ():
                yield self.finding(lists.span(entry.name, stage.parameter), message, hint)

    def _before_control(self, lists: Lists, stage: Stage) -> list[tuple[ListElement, str, str]] | None:
        """Return the permits in front of the restriction that rejects; None for a list without one."""
        permits: list[tuple[ListElement, str, str]] = []
        for each in lists.entries(stage):
            name = each.restriction.canonical if each.restriction else ""
            if name in MUST_REJECT and not each.warn_only:
                return permits
            if name == "permit":
                return None
            if why := self._why(lists, name):
                permits.append((each, *why))
        return None

    @staticmethod
    def _why(lists: Lists, name: str) -> tuple[str, str] | None:
        value = lists.context.value
        if name in _LISTS:
            message = "clients in this list may send mail to anybody: its operator decides who relays"
            return message, "move it to smtpd_recipient_restrictions, behind reject_unauth_destination"
        if name == "permit_mx_backup" and not value("permit_mx_backup_networks", lists.view):
            message = "any domain may have its mail relayed: its owner names this host as mail exchanger"
            return message, "set permit_mx_backup_networks, or use relay_domains"
        if name == "permit_tls_all_clientcerts":
            files = [value(f"smtpd_tls_{each}", lists.view).rstrip("/") for each in ("CAfile", "CApath")]
            if any(each in _PUBLIC for each in files) or lists.context.is_yes("tls_append_default_CA", lists.view):
                message = "public authorities sign certificates for anybody, and their holders may relay"
                return message, "use permit_tls_clientcerts, or an authority of your own"
        return None


class AnonymousLogin(Rule):
    """Anonymous logins: a client that uses the mechanism ANONYMOUS has logged in, and may relay."""

    id = "R017"
    name = "anonymous-login"
    severity = Severity.WARNING
    in_templates = True
    bad = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options =\n"
    good = "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_security_options = noanonymous\n"
    lookalike = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\nsmtpd_sasl_security_options = noplaintext\n"
        "smtpd_sasl_tls_security_options = noanonymous\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for view in context.views("smtpd"):
            if not context.has_main or not context.is_yes("smtpd_sasl_auth_enable", view):
                continue
            names = ["smtpd_sasl_tls_security_options"]
            if not context.is_yes("smtpd_tls_auth_only", view):
                names.insert(0, "smtpd_sasl_security_options")
            for name in names:
                if "noanonymous" in words_of(context.value(name, view)):
                    continue
                setting = context.setting(name, view)
                if setting is not None and setting.name_span() not in reported:
                    reported.add(setting.name_span())
                    message = "without noanonymous, a client may log in anonymously, if the SASL server offers that"
                    yield self.finding(setting.name_span(), message, f"add noanonymous to {setting.name}")
