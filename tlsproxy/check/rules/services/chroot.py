"""Services in a chroot, and the sockets and directories that they reach from there."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...facts.chroots import reached
from ...findings import Finding, Severity, Span
from ...rule import Rule

_OUTSIDE = tuple(f"/{name}/" for name in ("run", "var", "usr", "etc", "opt", "home", "tmp", "srv"))
"""Directories that are outside a queue directory, unless they were copied into it."""
_CONNECTING = ("smtpd", "cleanup", "smtp", "lmtp", "trivial-rewrite", "virtual")
_CHROOT = 4
_ACCOUNTS = {
    "local": "local(8) defers all mail: it finds no accounts and no home directories there",
    "pipe": "pipe(8) is fatal: it finds no account there",
    "spawn": "spawn(8) is fatal: it finds no account there",
}


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
        """Yield the findings."""
        if not context.has_main:
            return  # the level decides on the meaning of -
        reported: set[tuple[Span, str]] = set()
        queue = context.value("queue_directory").rstrip("/")
        for view in context.services(*_CONNECTING):
            if not context.is_chrooted(view):
                continue
            for path, span in reached(context, view):
                if self._is_reached(context, queue, path) or (span, path) in reported:
                    continue
                reported.add((span, path))
                inner = path.removeprefix(queue + "/")
                is_certain = inner != path or (context.files.enabled and context.files.exists(path))
                yield self.finding(
                    span,
                    f"{view.service.name} runs in {queue}, where {path} is {queue}{path}",
                    f"write {inner}" if inner != path else f"put it below {queue}, or write n in the chroot column",
                    severity=Severity.ERROR if is_certain else Severity.WARNING,
                    related=[(context.service_span(view, _CHROOT), "in a chroot")],
                )

    @staticmethod
    def _is_reached(context: Context, queue: str, path: str) -> bool:
        """Return True if a path is there from within; by its form, if files can't be read."""
        if context.files.enabled and context.files.exists(queue + path):
            return True
        if context.files.enabled and context.files.exists(path):
            return False
        return not path.startswith((f"{queue}/", *_OUTSIDE))


class ChrootWithoutAccounts(Rule):
    """Program in a chroot that needs accounts, home directories or other programs, which are not there.

    local(8), pipe(8) and spawn(8) become the user of a delivery. proxymap(8) exists to be outside of the
    chroot.
    """

    id = "M019"
    name = "chroot-without-accounts"
    in_templates = True
    effect = (
        '`local unix - n y - - local`: deferred, "user lookup error". `pipe` with chroot y: fatal, '
        '"unknown username", even for accounts that exist.'
    )
    bad = "--- master.cf\nmaildrop unix - n y - - pipe flags=R user=vmail argv=/usr/bin/maildrop\n"
    good = "--- master.cf\nmaildrop unix - n n - - pipe flags=R user=vmail argv=/usr/bin/maildrop\n"
    lookalike = "--- master.cf\nvirtual unix - n y - - virtual\nlmtp unix - - y - - lmtp\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        queue = context.value("queue_directory").rstrip("/")
        for view in context.services(*_ACCOUNTS, "proxymap"):
            is_stated = view.service.fields[_CHROOT] == "y"
            if not context.is_chrooted(view) or not (is_stated or context.has_main):
                continue
            if context.files.enabled and context.files.exists(f"{queue}/etc/passwd"):
                continue
            program = view.service.command.rpartition("/")[2]
            effect = _ACCOUNTS.get(program)
            yield self.finding(
                context.service_span(view, _CHROOT),
                f"{view.service.name} runs in {queue}: "
                + (effect or "proxymap(8) finds no files of tables there, and no accounts"),
                "write n in the chroot column",
                severity=Severity.ERROR if effect else Severity.WARNING,
            )
