"""Services that help others: proxymap, verify, anvil and scache, where the configuration asks for them."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...facts.mail.access import smtpd_lists
from ...facts.readings import readings_of
from ...facts.tables.surveys import surveys
from ...findings import Finding, Severity
from ...rule import Rule
from .programs import missing_services, reads_recipients_by_proxy

_UNVERIFIED = ("reject_unverified_sender", "reject_unverified_recipient")
_RATES = ("smtpd_client_connection_rate_limit", "smtpd_client_message_rate_limit", "smtpd_client_recipient_rate_limit")
_CORE = ("cleanup", "qmgr", "pickup")
_OF_OTHER_RULES = ("tlsproxy_service_name", "smtpd_service_name", "dnsblog_service_name")


class HelperMissing(Rule):
    """Missing service that other programs connect to.

    proxymap(8) opens the tables that begin with `proxy:`, as in the default of local_recipient_maps; verify(8)
    probes addresses; anvil(8) counts clients. A fragment of master.cf is not reported.
    """

    id = "X010"
    name = "helper-missing"
    effect = (
        'Without proxymap: no greeting, "connect #1 to subsystem private/proxymap: No such file or directory". Without '
        'verify: smtpd(8) hangs at MAIL or RCPT. Without anvil: "problem talking to server private/anvil".'
    )
    bad = (
        "virtual_alias_maps = proxy:mysql:/etc/postfix/aliases.cf\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "cleanup unix n - y - 0 cleanup\n"
    )
    good = (
        "virtual_alias_maps = proxy:mysql:/etc/postfix/aliases.cf\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "cleanup unix n - y - 0 cleanup\nproxymap unix - - n - - proxymap\nanvil unix - - y - 1 anvil\n"
    )
    lookalike = (
        "local_recipient_maps = $alias_maps\nsmtpd_client_connection_count_limit = 0\n--- master.cf\n"
        "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if context.master is None or not context.has_main or not context.services(*_CORE):
            return
        for name, line, parameter, effect, severity in self._needs(context):
            if not context.has_service(name):
                setting = context.setting(parameter) if parameter else None
                setting = setting or next(iter(context.named(parameter)), None)
                yield self.finding(
                    setting.name_span() if setting else context.entries[0].span(0),
                    f"this needs the service {name}, and master.cf has none: {effect}"
                    if setting
                    else f"master.cf has no service {name}: {effect}",
                    f"add: {line}",
                    severity=severity,
                )

        yield from self._options(context)

    def _options(self, context: Context) -> Iterator[Finding]:
        """Yield the services that -o settings name, and that are not there."""
        for read in readings_of(context, "service-name"):
            name = read.text.strip()
            if read.assignment.service is None or not name or read.assignment.name in _OF_OTHER_RULES:
                continue
            if not read.reading.problems and not context.has_service(name):
                meant = context.suggestions.did_you_mean(name, _names(context), 0.7)
                yield self.finding(
                    read.assignment.span(),
                    f"master.cf has no service {name}: this service can't connect to it, and answers 451 or waits",
                    meant or f"add a service {name} of type unix",
                )

    def _needs(self, context: Context) -> Iterator[tuple[str, str, str, str, Severity]]:
        """Yield for each service: name, entry of master.cf, the parameter that needs it, and the effect without it."""
        yield from self._tables(context)
        if parameter := _verifying(context):
            name = context.value("address_verify_service_name") or "verify"
            yield name, f"{name} unix - - y - 1 verify", parameter, "mail is refused with 450", Severity.ERROR
        if missing_services(context):
            return  # that has the same remedy
        if parameter := _caching(context):
            name = context.value("connection_cache_service_name") or "scache"
            effect = "each message makes a connection of its own, and smtp(8) warns"
            yield name, f"{name} unix - - y - 1 scache", parameter, effect, Severity.WARNING
        limits = ("smtpd_client_connection_count_limit", *_RATES)
        if context.services("smtpd") and any(context.value(each) not in ("0", "") for each in limits):
            yield "anvil", "anvil unix - - y - 1 anvil", "", "limits of clients have no effect", Severity.WARNING

    @staticmethod
    def _tables(context: Context) -> Iterator[tuple[str, str, str, str, Severity]]:
        name = context.value("proxymap_service_name") or "proxymap"
        line = f"{name} unix - - n - - proxymap"
        asking = [each for each in context.everywhere if "proxy:" in each.value and "proxy_" not in each.name]
        reading = next((each for each in asking if not _is_cache(each.name)), None)
        if reading:
            yield name, line, reading.name, "lookups wait, and fail", Severity.ERROR
        elif reads_recipients_by_proxy(context) and not missing_services(context):  # M018
            yield name, line, "", "smtpd(8) can't look up local recipients", Severity.ERROR
        writing = next((each for each in asking if _is_cache(each.name)), None)
        if writing:
            name = context.value("proxywrite_service_name") or "proxywrite"
            yield name, f"{name} unix - - n - 1 proxymap", writing.name, "the cache can't be opened", Severity.ERROR


def _names(context: Context) -> list[str]:
    return [entry.service.name for entry in context.entries if entry.service and entry.service.type == "unix"]


def _is_cache(name: str) -> bool:
    """Return True for a table that daemons write."""
    return name == "address_verify_map" or name.endswith(("_cache_map", "_cache_database"))


def _verifying(context: Context) -> str:
    """Return the list or class that verifies addresses, or names a table that does; empty without one."""
    for lists in smtpd_lists(context):
        for words in (*lists.lists.values(), *lists.classes.lists):
            if any(word.text.lower() in _UNVERIFIED for word in words.words):
                return words.name
    for survey in surveys(context):
        if any(word.lower() in _UNVERIFIED for word in survey.restrictions):
            return survey.used.named.assignment.name
    return ""


def _caching(context: Context) -> str:
    """Return the parameter that asks for cached connections; empty if none is set."""
    for side in ("smtp", "lmtp"):
        for view in context.services(side):
            if context.value(f"{side}_connection_cache_destinations", view):
                return f"{side}_connection_cache_destinations"
            for name in (f"{side}_connection_cache_on_demand", f"{side}_tls_connection_reuse"):
                if context.is_set(name, view) and context.is_yes(name, view):
                    return name
    return ""
