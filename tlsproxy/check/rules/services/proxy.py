"""The services around TLS: tlsproxy(8), tlsmgr(8), postscreen(8), postlogd(8), and their common settings."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ServiceView, View

from ....tls.settings.parameters import FILES
from ...context import Context
from ...facts.tls.key_files import client_level, level_of, server_level
from ...findings import Edit, Finding, Fix, Severity
from ...rule import Rule
from ...text.sources import Assignment
from .programs import ProcessLimit

_USUAL_NAME = "tlsproxy"
RENAMED = {
    "tlsproxy_client_level": "tlsproxy_client_security_level",
    "tlsproxy_client_policy": "tlsproxy_client_policy_maps",
}
"""Names of tlsproxy(8) settings since Postfix 3.7."""


def reusing_clients(context: Context) -> list[View]:
    """Return the smtp(8) services that hand TLS to tlsproxy(8)."""
    return [
        view
        for view in context.views("smtp")
        if context.is_yes("smtp_tls_connection_reuse", view) and client_level(context, view) != "none"
    ]


def screens_with_tls(context: Context) -> list[ServiceView]:
    """Return the postscreen(8) services that offer TLS."""
    return [view for view in context.services("postscreen") if screen_level(context, view) != "none"]


def screen_level(context: Context, view: View) -> str:
    """Return the level of a postscreen(8) service."""
    return level_of(context, view, "postscreen")


def missing_service(context: Context, line: str) -> Fix | None:
    """Return the fix that adds a service."""
    if context.master is None:
        return None
    return Fix(f"add {line.split(maxsplit=1)[0]}", (context.master.addition(line),), safe=False)


class ProxyLimit(ProcessLimit):
    """tlsproxy(8) with a process limit.

    One process serves all sessions, and starts only with a limit of 0.
    """

    id = "X001"
    name = "tlsproxy-limit"
    in_templates = True
    effect = 'tlsproxy(8): fatal, "requires a process limit of 0".'
    bad = "--- master.cf\ntlsproxy unix - - y - 5 tlsproxy\n"
    good = "--- master.cf\ntlsproxy unix - - y - 0 tlsproxy\n"
    lookalike = "default_process_limit = 5\n--- master.cf\ntlsproxy unix - - y - 0 tlsproxy\n"

    programs = ("tlsproxy",)


class ProxyMissing(Rule):
    """tlsproxy(8) is needed, but master.cf has no such service.

    A `tlsproxy_service_name` of another name is taken for a daemon that master(8) does not start (docs/daemon.md).
    """

    id = "X002"
    name = "tlsproxy-missing"
    effect = "STARTTLS is sent, then the hand-off fails: mail is deferred, and at level may goes in clear after that."
    bad = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "tlsmgr unix - - y 1000? 1 tlsmgr\n"
    )
    good = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "tlsproxy unix - - y - 0 tlsproxy\n"
    )
    lookalike = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\ntlsproxy_service_name = standalone\n"
        "--- master.cf\nsmtp unix - - y - - smtp\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for view in [*reusing_clients(context), *screens_with_tls(context)]:
            name = context.value("tlsproxy_service_name", view)
            if context.has_service(name) or name in reported or is_standalone(context, name):
                continue
            reported.add(name)
            is_screen = isinstance(view, ServiceView) and view.service.command == "postscreen"
            yield self.finding(
                context.span("postscreen_tls_security_level" if is_screen else "smtp_tls_connection_reuse", view),
                f"this needs the service {name}, and master.cf has none",
                f"add: {name} unix - - y - 0 tlsproxy",
                fix=missing_service(context, f"{name}  unix  -       -       y       -       0       tlsproxy"),
            )


def is_standalone(context: Context, name: str) -> bool:
    """Return True if the service is one that master(8) does not start: main.cf names it, and not `tlsproxy`.

    A daemon of its own then has the socket, and may not run while the configuration is checked.
    """
    return name != _USUAL_NAME and context.is_set("tlsproxy_service_name")


class ManagerMissing(Rule):
    """TLS without tlsmgr(8), which provides random numbers and cached sessions."""

    id = "X003"
    name = "tlsmgr-missing"
    effect = '"no entropy … disabling TLS support".'
    bad = "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    good = (
        "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - - smtpd\ntlsmgr unix - - y 1000? 1 tlsmgr\n"
    )
    lookalike = "smtpd_tls_security_level = none\n--- master.cf\nsmtp inet n - y - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if context.master is None:
            return
        using = [
            *(
                (view, "smtpd_tls_security_level")
                for view in context.services("smtpd")
                if server_level(context, view) != "none"
            ),
            *(
                (view, "smtp_tls_security_level")
                for view in context.services("smtp")
                if client_level(context, view) != "none"
            ),
        ]
        for view, parameter in using:
            name = context.value("tlsmgr_service_name", view)
            if not context.has_service(name):
                yield self.finding(
                    context.span(parameter, view),
                    f"TLS needs the service {name}, and master.cf has none",
                    f"add: {name} unix - - y 1000? 1 tlsmgr",
                    fix=missing_service(context, f"{name}    unix  -       -       y       1000?   1       tlsmgr"),
                )
                return


class RoleOff(Rule):
    """Disabled role of tlsproxy(8) that a service needs."""

    id = "X004"
    name = "tlsproxy-role-off"
    severity = Severity.WARNING
    bad = (
        "postscreen_tls_security_level = may\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "tlsproxy unix - - y - 0 tlsproxy\n"
    )
    good = (
        "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "tlsproxy unix - - y - 0 tlsproxy\n"
    )
    lookalike = "--- master.cf\nsmtp inet n - y - 1 postscreen\ntlsproxy unix - - y - 0 tlsproxy\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for proxy in context.services("tlsproxy"):
            client = context.value("tlsproxy_client_security_level", proxy).lower()
            server_on = level_of(context, proxy, "tlsproxy") != "none"
            for view in [] if server_on else screens_with_tls(context):
                yield self.finding(
                    context.span("postscreen_tls_security_level", view),
                    "postscreen(8) offers TLS, and tlsproxy(8) is reported not to serve it",
                    "set smtpd_tls_security_level = may, which both of them follow",
                    related=[(context.span("tlsproxy_tls_security_level", proxy), "the server role is off")],
                )
            own = context.setting("tlsproxy_client_security_level", proxy)
            if own and client == "none" and own.name.startswith("tlsproxy_client") and reusing_clients(context):
                yield self.finding(
                    own.span(),
                    "smtp(8) leaves TLS to tlsproxy(8), which is reported not to be a client",
                    "remove it",
                )


class SettingsDiffer(Rule):
    """-o settings of TLS that tlsproxy(8) does not see.

    It reads its files before it drops privileges, by its own tlsproxy_… settings. Key files that only a -o setting of
    smtp(8) names can't be read later, and -o smtpd_tls_… of postscreen(8) has no effect.
    """

    id = "X005"
    name = "client-settings-differ"
    severity = Severity.WARNING
    bad = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "  -o smtp_tls_chain_files=/etc/ssl/client.pem\ntlsproxy unix - - y - 0 tlsproxy\n"
    )
    good = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "  -o smtp_tls_chain_files=/etc/ssl/client.pem\ntlsproxy unix - - y - 0 tlsproxy\n"
        "  -o tlsproxy_client_chain_files=/etc/ssl/client.pem\n"
    )
    lookalike = (
        "smtp_tls_security_level = may\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "  -o smtp_tls_chain_files=/etc/ssl/client.pem\ntlsproxy unix - - y - 0 tlsproxy\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for proxy in context.services("tlsproxy"):
            for view in reusing_clients(context):
                yield from self._client(context, view, proxy)
        for view in context.services("postscreen"):
            for each in context.overrides:
                if each.service is view.service and each.name.startswith("smtpd_tls_") and "level" not in each.name:
                    yield self.finding(
                        each.name_span(),
                        "postscreen(8) leaves TLS to tlsproxy(8), which does not see this",
                        f"set {each.name.replace('smtpd_tls_', 'tlsproxy_tls_')} for tlsproxy",
                    )

    def _client(self, context: Context, view: View, proxy: ServiceView) -> Iterator[Finding]:
        for suffix in FILES:
            mine, its = f"smtp_tls_{suffix}", f"tlsproxy_client_{suffix}"
            each = context.setting(mine, view)
            value = context.value(mine, view)
            if each and each.service and value and value != context.value(its, proxy):
                yield self.finding(
                    each.name_span(),
                    f"tlsproxy(8) has no privileges when it learns of this: {its} is another",
                    f"set {its} for tlsproxy, too",
                )


class LegacyProxyNames(Rule):
    """Parameter names of tlsproxy(8) before Postfix 3.7."""

    id = "X006"
    name = "legacy-tlsproxy-names"
    severity = Severity.WARNING
    in_templates = True
    bad = "tlsproxy_client_level = encrypt\n"
    good = "tlsproxy_client_security_level = encrypt\n"
    lookalike = "tlsproxy_client_loglevel = 1\ntlsproxy_client_policy_maps = $smtp_tls_policy_maps\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named(*RENAMED):
            new = RENAMED[each.name]
            if each.name in context.release.kinds:
                continue
            yield self.finding(
                each.name_span(),
                f"{each.name} is called {new} since Postfix 3.7",
                "rename it",
                fix=rename(each, new, safe=not context.is_set(new, context.view(each))),
            )


def rename(each: Assignment, name: str, *, safe: bool) -> Fix:
    """Return the fix that gives a setting another name."""
    span = each.name_span()
    edit = Edit(span.path, span.line, span.column, span.line, span.end_column, name)
    return Fix(f"rename it to {name}", (edit,), safe=safe)


class SessionCache(Rule):
    """Session cache that Postfix may not write, or that is not needed.

    tlsmgr(8) has no privileges and writes in $data_directory only. Servers use session tickets, and need no cache.
    """

    id = "X007"
    name = "session-cache-db"
    severity = Severity.WARNING
    bad = "smtp_tls_session_cache_database = btree:/etc/postfix/smtp_scache\n"
    good = "smtp_tls_session_cache_database = btree:$data_directory/smtp_scache\n"
    lookalike = (
        "smtp_tls_session_cache_database = btree:/var/lib/postfix/smtp_scache\nsmtpd_tls_session_cache_database =\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        data = context.value("data_directory").rstrip("/")
        for side in ("smtpd", "smtp", "lmtp"):
            for each in context.named(f"{side}_tls_session_cache_database"):
                value = context.expanded(each) or ""
                kind, _, path = value.partition(":")
                if context.undefined(each) or kind == "memcache" or not path.startswith("/"):
                    continue
                if not path.startswith(f"{data}/"):
                    yield self.finding(
                        each.span(),
                        f"tlsmgr(8) writes below {data} only, and warns of this at each start",
                        f"write {kind}:$data_directory/{path.rpartition('/')[2]}",
                    )
                elif side == "smtpd" and context.value("tls_session_ticket_cipher"):
                    yield self.finding(
                        each.name_span(),
                        "session tickets are enabled, so the cache is not needed",
                        "remove it",
                        severity=Severity.INFO,
                    )


class LogServiceMissing(Rule):
    """Log file without the postlog service that writes it."""

    id = "X008"
    name = "postlog-missing"
    bad = "maillog_file = /var/log/postfix.log\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    good = "maillog_file = /var/log/postfix.log\n--- master.cf\npostlog unix-dgram n - n - 1 postlogd\n"
    lookalike = "--- master.cf\nsmtp inet n - y - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        each = context.main.effective.get("maillog_file")
        name = context.value("postlog_service_name")
        if each and each.value and not context.has_service(name):
            yield self.finding(
                each.span(),
                f"this needs the service {name}, and master.cf has none",
                f"add: {name} unix-dgram n - n - 1 postlogd",
                fix=missing_service(context, f"{name}   unix-dgram n  -       n       -       1       postlogd"),
            )
