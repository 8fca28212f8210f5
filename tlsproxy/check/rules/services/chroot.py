"""Services in a chroot, and the sockets and directories that they reach from there."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import View
from postconf.kinds import kind_of

from ...context import Context
from ...findings import Finding, Severity, Span
from ...rule import Rule

_OUTSIDE = ("/run/", "/var/run/", "/var/lib/", "/usr/", "/etc/", "/opt/", "/home/")
"""Directories that are not below a queue directory, unless somebody has copied them."""
_MILTERS = {"smtpd": ("smtpd_milters",), "cleanup": ("non_smtpd_milters",)}
_RESTRICTIONS = "restrictions"


class ChrootUnreachable(Rule):
    """Socket or directory that a chrooted service can't reach.

    A chrooted service looks names up below the queue directory; the file is elsewhere. Milters, SASL, policy services,
    proxies and LMTP servers are connected to from the chroot.
    """

    id = "M007"
    name = "chroot-unreachable"
    severity = Severity.WARNING
    effect = (
        "`smtpd_sasl_path = /var/spool/postfix/private/auth` in a chroot: smtpd(8) is fatal at its start, "
        '"no SASL authentication mechanisms". A milter: "connect to Milter service unix:…: No such file or directory".'
    )
    bad = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = /var/spool/postfix/private/auth\n"
        "smtpd_milters = unix:/run/opendkim/opendkim.sock\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    )
    good = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = private/auth\n"
        "smtpd_milters = unix:/run/opendkim/opendkim.sock\n--- master.cf\nsmtp inet n - n - - smtpd\n"
    )
    lookalike = (
        "smtpd_milters = unix:/opendkim/opendkim.sock, inet:localhost:8891\nsmtpd_sasl_path = private/auth\n"
        "--- master.cf\nsmtp inet n - y - - smtpd\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        if not context.has_main:
            return  # the level decides what - means
        reported: set[tuple[Span, str]] = set()
        queue = context.value("queue_directory").rstrip("/")
        for view in context.services("smtpd", "cleanup", "lmtp"):
            if not context.is_chrooted(view):
                continue
            for name, path in _paths(context, view, view.service.command, view.service.name):
                if self._is_reached(context, queue, path):
                    continue
                setting = context.setting(name, view)
                span = setting.word(path) if setting else context.service_span(view)
                if (span, path) not in reported:
                    reported.add((span, path))
                    inner = path.removeprefix(queue + "/")
                    is_certain = inner != path or (context.files.enabled and context.files.exists(path))
                    yield self.finding(
                        span,
                        f"{view.service.name} runs in {queue}, where {path} is {queue}{path}",
                        f"write {inner}" if inner != path else f"put it below {queue}, or write n in the chroot column",
                        severity=Severity.ERROR if is_certain else Severity.WARNING,
                        related=[(context.service_span(view, 4), "in a chroot")],
                    )

    @staticmethod
    def _is_reached(context: Context, queue: str, path: str) -> bool:
        """Return True if a path is there from within; by its form, where files can't say it."""
        if context.files.enabled and context.files.exists(queue + path):
            return True
        if context.files.enabled and context.files.exists(path):
            return False
        return not path.startswith((f"{queue}/", *_OUTSIDE))


def _paths(context: Context, view: View, program: str, service: str) -> Iterator[tuple[str, str]]:
    """Yield the absolute paths that a program connects to or reads in the chroot, with their parameters."""
    for name in _MILTERS.get(program, ()):
        yield from ((name, path) for path in _sockets(context.value(name, view)))
    if program == "smtpd":
        yield from _of_server(context, view)
    if program == "lmtp":
        for name in ("mailbox_transport", "virtual_transport", "local_transport", "relay_transport"):
            transport, _, nexthop = context.value(name).partition(":")
            if transport == service:
                yield from ((name, path) for path in _sockets(nexthop))


def _of_server(context: Context, view: View) -> Iterator[tuple[str, str]]:
    if context.is_yes("smtpd_sasl_auth_enable", view):
        path = context.value("smtpd_sasl_path", view)
        is_socket = context.value("smtpd_sasl_type", view) == "dovecot" or path.startswith(
            context.value("queue_directory") + "/"
        )
        if path.startswith("/") and is_socket:
            yield "smtpd_sasl_path", path
        elif path.startswith("unix:/"):
            yield "smtpd_sasl_path", path.removeprefix("unix:")
    for name in context.release.kinds:
        if name.startswith("smtpd_") and name.endswith("_restrictions"):
            kind = kind_of(name, context.release)
            if kind is not None and kind.name == _RESTRICTIONS:
                yield from ((name, path) for path in _sockets(context.value(name, view)))
    yield from (("smtpd_proxy_filter", path) for path in _sockets(context.value("smtpd_proxy_filter", view)))
    if context.is_yes("smtpd_tls_ask_ccert", view) or context.is_yes("smtpd_tls_req_ccert", view):
        path = context.value("smtpd_tls_CApath", view)
        if path.startswith("/") and context.files.enabled:
            yield "smtpd_tls_CApath", path


def _sockets(value: str) -> Iterator[str]:
    for word in value.replace(",", " ").replace("{", " ").replace("}", " ").split():
        path = word.removeprefix("unix:")
        if path != word and path.startswith("/"):
            yield path
