"""Settings of features that are off, and settings that virtual(8) needs to deliver."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import View
from postconf.values import InvalidValueError, integer

from ...context import Context
from ...facts.mail.access import smtpd_lists
from ...facts.tables.surveys import number_of_entries, surveys
from ...facts.tables.uses import Use
from ...findings import Finding, Severity
from ...rule import Rule

_FEATURES = (
    ("relay_domains", "", ("relay_recipient_maps",)),
    ("masquerade_domains", "", ("masquerade_exceptions", "masquerade_classes")),
    ("smtp_sasl_auth_enable", "smtp", ("smtp_sender_dependent_authentication",)),
    ("smtpd_sasl_auth_enable", "smtpd", ("smtpd_sasl_path", "smtpd_sasl_local_domain")),
)
"""A parameter that turns a feature on, the program whose services can set it, and settings of the feature alone."""
_RESTRICTED = (
    ("smtpd_sender_login_maps", "_sender_login_mismatch"),
    ("relay_clientcerts", "permit_tls_clientcerts"),
    ("permit_mx_backup_networks", "permit_mx_backup"),
)
"""Parameters that nothing but a restriction reads, and the end of the restriction's name."""
_SCREEN = "postscreen_"
_SHARED = ("postscreen_cache_map",)
_OF_VIRTUAL = ("virtual_mailbox_base", "virtual_uid_maps", "virtual_gid_maps")
_CORE = ("cleanup", "qmgr", "pickup")


class UnreadSetting(Rule):
    """Setting of a feature that is off: nothing reads it.

    postscreen_… settings need a service that runs postscreen(8); some tables are only read by restrictions, which no
    list and no access table has. A lone main.cf is not reported, because master.cf could turn the feature on.
    """

    id = "Q008"
    name = "unread-setting"
    severity = Severity.WARNING
    effect = "`postscreen_dnsbl_sites = …` without postscreen in master.cf: clients are not looked up, silently."
    bad = (
        "postscreen_dnsbl_sites = zen.spamhaus.org\nsmtpd_sender_login_maps = inline:{a@b.example=joe}\n--- master.cf\n"
        "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"
    )
    good = (
        "postscreen_dnsbl_sites = zen.spamhaus.org\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "smtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\n"
    )
    lookalike = (
        "smtpd_sasl_path = private/auth\nsmtpd_sender_login_maps = inline:{a@b.example=joe}\n--- master.cf\n"
        "cleanup unix n - y - 0 cleanup\nsubmission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
        "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if context.master is None or not context.has_main or not context.services(*_CORE):
            return
        yield from self._screen(context)
        yield from self._features(context)
        yield from self._restrictions(context)

    def _screen(self, context: Context) -> Iterator[Finding]:
        if context.services("postscreen"):
            return
        found = [each for name, each in context.main.effective.items() if name.startswith(_SCREEN)]
        found = [
            each for each in found if each.value and each.name not in _SHARED and each.name in context.release.kinds
        ]
        if found:
            more = f", and {len(found) - 1} more settings" if len(found) > 1 else ""
            yield self.finding(
                found[0].name_span(),
                f"no service of master.cf runs postscreen(8), which reads this{more}",
                "make postscreen the program of port 25, or remove it",
            )

    def _features(self, context: Context) -> Iterator[Finding]:
        for feature, program, names in _FEATURES:
            views = context.views(program) if program else [context.config]
            if any(context.value(feature, view) not in ("", "no") for view in views):
                continue
            for name in names:
                setting = context.main.effective.get(name)
                if setting and setting.value and not context.names_in(setting) and setting.value != "no":
                    yield self.finding(
                        setting.name_span(),
                        f"nothing reads this while {feature} is not set",
                        f"set {feature}, or remove it",
                        severity=Severity.INFO,
                    )

    def _restrictions(self, context: Context) -> Iterator[Finding]:
        used = {
            word.text.lower()
            for lists in smtpd_lists(context)
            for words in (*lists.lists.values(), *map(lists.classes.get, lists.classes.names))
            for word in (words.words if words else ())
        }
        for survey in surveys(context):
            if survey.used.use is Use.ACCESS:
                if not number_of_entries(context, survey.used.named):
                    return  # an unread table may have any restriction as an action, access(5)
                used |= {word.lower() for word in survey.restrictions}
        for name, ending in _RESTRICTED:
            setting = context.main.effective.get(name)
            if setting and setting.value and not any(each.endswith(ending) for each in used):
                wanted = f"reject{ending}" if ending.startswith("_") else ending
                yield self.finding(
                    setting.name_span(), f"no restriction list has {wanted}, which reads this", f"add {wanted}"
                )


class VirtualDelivery(Rule):
    """Missing or refused setting without which virtual(8) can't deliver.

    It needs a directory for mailboxes, and an account for each of them with a number of at least virtual_minimum_uid.
    """

    id = "Q009"
    name = "virtual-delivery"
    effect = (
        'virtual(8): "not found in virtual_uid_maps", "bad uid 8 in virtual_uid_maps", both deferred; without '
        'virtual_mailbox_base fatal, "bad string length 0 < 1".'
    )
    bad = "virtual_mailbox_domains = example.com\nvirtual_mailbox_base = /var/mail\nvirtual_uid_maps = static:8\n"
    good = (
        "virtual_mailbox_domains = example.com\nvirtual_mailbox_base = /var/mail\nvirtual_uid_maps = static:5000\n"
        "virtual_gid_maps = static:5000\n"
    )
    lookalike = "virtual_mailbox_domains = example.com\nvirtual_transport = lmtp:unix:private/lmtp\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        domains = context.main.effective.get("virtual_mailbox_domains")
        if domains is None:
            return
        for view, missing in virtual_deliveries(context):
            if missing:
                effect = "is fatal" if _OF_VIRTUAL[0] in missing else "defers all mail"
                message = f"virtual(8) {effect} without {', '.join(missing)}"
                is_used = context.value("virtual_mailbox_maps", view)
                yield self.finding(
                    domains.name_span(),
                    message if is_used else f"{message}, as soon as an address has no alias",
                    "set them, or another virtual_transport",
                    severity=Severity.ERROR if is_used else Severity.WARNING,
                )
                return
            for name in _OF_VIRTUAL[1:]:
                value = context.value(name, view)
                setting = context.setting(name, view)
                if setting and self._is_too_low(context, name, value):
                    number = value.partition(":")[2]
                    message = f"virtual(8) defers all mail: it refuses the account {number}"
                    yield self.finding(setting.span(), message, "name an account of at least virtual_minimum_uid")
                    return

    @staticmethod
    def _is_too_low(context: Context, name: str, value: str) -> bool:
        kind, _, number = value.partition(":")
        if kind != "static" or not number.isdigit():
            return False
        if name == "virtual_gid_maps":
            return number == "0"
        try:
            return int(number) < integer(
                context.release.parameter("virtual_minimum_uid"), context.value("virtual_minimum_uid")
            )
        except (InvalidValueError, KeyError):
            return False


def virtual_deliveries(context: Context) -> list[tuple[View, list[str]]]:
    """Return the services of virtual(8) that deliver virtual_mailbox_domains, with the settings that each lacks."""
    transport = context.value("virtual_transport").partition(":")[0]
    if not context.value("virtual_mailbox_domains") or transport != "virtual" or context.is_set("transport_maps"):
        return []  # transport_maps may have a transport for each of the domains
    return [
        (view, [name for name in _OF_VIRTUAL if not context.value(name, view)]) for view in context.views("virtual")
    ]
