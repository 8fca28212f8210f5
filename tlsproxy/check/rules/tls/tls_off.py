"""TLS that other settings turn off, or make useless, in spite of its level."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ServiceView, View

from ....tls.settings.parameters import KEYS
from ...context import Context
from ...facts.tls.key_files import client_level, server_level
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment
from ..services.master import is_local


def _public(context: Context) -> list[View]:
    """Return the smtpd(8) services that others than this machine can reach."""
    return [
        view
        for view in context.views("smtpd")
        if not isinstance(view, ServiceView) or not is_local(context.entry(view.service))
    ]


class StartTlsOff(Rule):
    """STARTTLS switched off although a TLS level is set.

    Without EHLO there is no STARTTLS; smtpd(8) and smtp(8) ignore a discarded keyword.
    """

    id = "L015"
    name = "starttls-off"
    effect = "`smtpd_discard_ehlo_keywords = starttls`: the answer to EHLO is without STARTTLS."
    bad = "smtpd_tls_security_level = may\nsmtpd_discard_ehlo_keywords = chunking, starttls\n"
    good = "smtpd_tls_security_level = may\nsmtpd_discard_ehlo_keywords = chunking\n"
    lookalike = "smtp_tls_security_level = none\nsmtp_never_send_ehlo = yes\nsmtpd_discard_ehlo_keywords = starttls\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for finding in self._found(context):
            if finding.span not in reported:
                reported.add(finding.span)
                yield finding

    def _found(self, context: Context) -> Iterator[Finding]:
        for view in _public(context):
            setting = context.setting("smtpd_discard_ehlo_keywords", view)
            wrapped = context.is_yes("smtpd_tls_wrappermode", view)
            if setting and not wrapped and server_level(context, view) != "none" and _has_starttls(context, setting):
                effect = "every client is refused" if server_level(context, view) == "encrypt" else "no client uses TLS"
                yield self.finding(
                    setting.span(), f"STARTTLS is not offered, and {effect}", "take starttls out of the list"
                )
        for view in context.views("smtp"):
            level = client_level(context, view)
            if level in ("none", "") or context.is_yes("smtp_tls_wrappermode", view):
                continue
            effect = "mail is sent in clear" if level in ("may", "dane") else "mail is deferred"
            if context.is_yes("smtp_never_send_ehlo", view):
                yield self.finding(
                    context.span("smtp_never_send_ehlo", view),
                    f"without EHLO there is no STARTTLS: {effect}",
                    "remove it",
                )
            setting = context.setting("smtp_discard_ehlo_keywords", view)
            if setting and _has_starttls(context, setting):
                yield self.finding(
                    setting.span(), f"STARTTLS of servers is ignored: {effect}", "take starttls out of the list"
                )


def _has_starttls(context: Context, setting: Assignment) -> bool:
    return "starttls" in (context.expanded(setting) or "").lower().replace(",", " ").split()


class LoginNeverOffered(Rule):
    """smtpd_tls_auth_only without TLS: clients can't log in."""

    id = "L016"
    name = "login-never-offered"
    severity = Severity.WARNING
    bad = "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n"
    good = "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\nsmtpd_tls_security_level = may\n"
    lookalike = "smtpd_sasl_auth_enable = no\nsmtpd_tls_auth_only = yes\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main:
            return
        reported: set[Span] = set()
        for view in _public(context):
            asked = context.is_yes("smtpd_sasl_auth_enable", view) and context.is_yes("smtpd_tls_auth_only", view)
            if not asked or server_level(context, view) != "none":
                continue
            span = context.span("smtpd_tls_auth_only", view)
            if span not in reported:
                reported.add(span)
                yield self.finding(
                    span, "logins need TLS, and no TLS is offered: clients can't log in", "set smtpd_tls_security_level"
                )


class VerifiedByDefault(Rule):
    """Verification required from every server on the Internet: most mail is deferred.

    The levels secure, verify and fingerprint are for destinations that are known, in smtp_tls_policy_maps.
    """

    id = "L017"
    name = "verified-by-default"
    severity = Severity.WARNING
    effect = 'deferred, "Server certificate not verified" or "not trusted", for each server with another certificate.'
    bad = "smtp_tls_security_level = secure\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    good = (
        "smtp_tls_security_level = secure\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
        "relayhost = [mail.example.com]:587\n"
    )
    lookalike = (
        "smtp_tls_security_level = may\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "partner unix - - y - - smtp -o smtp_tls_security_level=secure -o smtp_tls_CAfile=/etc/ssl/ca.pem\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        setting = context.main.effective.get("smtp_tls_security_level")
        if setting is None or context.value("relayhost") or context.value("sender_dependent_relayhost_maps"):
            return
        level = (context.expanded(setting) or "").lower()
        transport = context.value("default_transport").partition(":")[0]
        has_anchors = context.value("smtp_tls_CAfile") or context.value("smtp_tls_CApath")
        if (
            level in ("verify", "secure", "fingerprint")
            and (has_anchors or level == "fingerprint")  # L002 reports a level without authorities
            and transport == "smtp"
            and ":" not in context.value("default_transport")
        ):
            yield self.finding(
                setting.span(),
                f"level {level} for all servers of the Internet: most can't be verified, and their mail is deferred",
                "set may or dane, and this level in smtp_tls_policy_maps",
            )


class AuthoritiesAreKey(Rule):
    """Private key file in place of certification authorities.

    There is no certificate in it.
    """

    id = "K019"
    name = "cafile-is-key"
    effect = '`smtpd_tls_CAfile = $smtpd_tls_key_file`: 454, "no certificate or crl found".'
    bad = "smtpd_tls_key_file = /etc/ssl/private/mail.key\nsmtpd_tls_CAfile = $smtpd_tls_key_file\n"
    good = "smtpd_tls_key_file = /etc/ssl/private/mail.key\nsmtpd_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    lookalike = (
        "smtpd_tls_cert_file = /etc/ssl/both.pem\nsmtpd_tls_key_file = $smtpd_tls_cert_file\n"
        "smtpd_tls_CAfile = $smtpd_tls_cert_file\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for side in ("smtpd", "smtp", "lmtp"):
            for each in context.named(f"{side}_tls_CAfile"):
                view, path = context.view(each), context.expanded(each)
                certificates = [
                    context.value(f"{other}_tls_{kind}_file", view)
                    for other in ("smtpd", "smtp")
                    for kind in ("cert", "eccert", "dcert")
                ]
                if not path or path in certificates:
                    continue
                for other in ("smtpd", "smtp"):
                    for kind in KEYS:
                        name = f"{other}_tls_{kind}"
                        if context.is_set(name, view) and context.value(name, view) == path:
                            yield self.finding(
                                each.span(), f"{path} is the key, and has no certificates", "name the authorities' file"
                            )
                            break


class UnusableDhParameters(Rule):
    """Diffie-Hellman file that is missing or has no parameters: Postfix uses the built-in ones."""

    id = "K020"
    name = "dh-file"
    severity = Severity.WARNING
    needs_files = True
    effect = 'smtpd(8) warns, "error opening DH parameter file", "using compiled-in defaults".'
    bad = "smtpd_tls_dh1024_param_file = $config_directory/nofile.pem\n"
    good = "smtpd_tls_dh1024_param_file =\n"
    lookalike = "smtpd_tls_dh1024_param_file = auto\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("smtpd_tls_dh1024_param_file"):
            path = context.expanded(each) or ""
            if not path.startswith("/"):
                continue
            if not context.files.exists(path):
                yield self.finding(each.span(), f"there is no {path}: the parameters built in are used", "remove it")
                continue
            try:
                data = context.files.read(path)
            except (OSError, ValueError):
                continue
            if b"-----BEGIN DH PARAMETERS-----" not in data and b"-----BEGIN X9.42 DH PARAMETERS-----" not in data:
                yield self.finding(
                    each.span(), f"{path} has no parameters: those built in are used", "make it with openssl dhparam"
                )
