"""Logins at other servers (smtp(8) as a SASL client): passwords, their tables, and the TLS that protects them."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ServiceView, View
from postconf.syntax.lines import decode

from ...context import Context, words_of
from ...facts.mail.nexthops import Nexthop, named_nexthops, other_nexthop
from ...facts.tables.contents import WITH_KEYS, contents, span_of
from ...facts.tables.uses import Use, UsedTable, used_tables
from ...facts.tls.key_files import level_of
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ..services.programs import named_transports

_ENCRYPTED = ("encrypt", "dane-only", "fingerprint", "verify", "secure")
_MAY = ("may", "dane")


def _clients(context: Context) -> list[tuple[str, View]]:
    """Return the smtp(8) and lmtp(8) services, with the prefix of their parameters."""
    return [(side, view) for side in ("smtp", "lmtp") for view in context.views(side)]


class NoPasswords(Rule):
    """SASL client without a password table: smtp(8) does not start."""

    id = "L012"
    name = "no-passwords"
    effect = 'smtp(8) is fatal, "specify a password table via the `smtp_sasl_password_maps\' configuration parameter".'
    bad = "smtp_sasl_auth_enable = yes\nrelayhost = [mail.example.com]:587\n"
    good = (
        "smtp_sasl_auth_enable = yes\nrelayhost = [mail.example.com]:587\n"
        "smtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
    )
    lookalike = "smtp_sasl_auth_enable = no\nsmtpd_sasl_auth_enable = yes\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for side, view in _clients(context):
            span = context.span(f"{side}_sasl_auth_enable", view)
            if not context.is_yes(f"{side}_sasl_auth_enable", view) or context.value(
                f"{side}_sasl_password_maps", view
            ):
                continue
            if span not in reported and context.is_set(f"{side}_sasl_auth_enable", view):
                reported.add(span)
                yield self.finding(
                    span,
                    f"{side}(8) is to log in, and has no passwords: it is fatal, and no mail is sent",
                    f"set {side}_sasl_password_maps",
                )


class PasswordInClear(Rule):
    """SASL client without mandatory TLS: the password is sent in cleartext, or an attacker can strip TLS.

    At level may, smtp(8) goes on without TLS if the server does not offer it. With `noplaintext` among the security
    options it uses no mechanism that reveals the password.
    """

    id = "L013"
    name = "password-in-clear"
    severity = Severity.WARNING
    effect = "At level none, AUTH PLAIN goes over the network in clear; at may, whenever STARTTLS is not offered."
    bad = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_sasl_security_options = noanonymous\n"
    )
    good = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = encrypt\n"
    )
    lookalike = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_tls_security_level = may\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for side, view in _clients(context):
            name = f"{side}_sasl_auth_enable"
            if not context.is_yes(name, view) or not context.value(f"{side}_sasl_password_maps", view):
                continue
            if side == "lmtp" and isinstance(view, ServiceView) and view.service.name not in named_transports(context):
                continue
            level = level_of(context, view, side)
            if level in _ENCRYPTED or context.is_yes(f"{side}_tls_wrappermode", view) or self._is_local(context, view):
                continue
            if "noplaintext" in words_of(context.value(f"{side}_sasl_security_options", view)):
                continue
            if context.value(f"{side}_tls_policy_maps", view):
                continue  # the table may have the servers that want a password
            span = context.span(name, view)
            if span in reported:
                continue
            reported.add(span)
            given = context.setting(f"{side}_tls_security_level", view)
            without = level not in _MAY
            yield self.finding(
                span,
                "passwords are sent in clear: there is no TLS"
                if without
                else "passwords are sent in clear if the server offers no TLS, or an attacker removes the offer",
                f"set {side}_tls_security_level = encrypt",
                severity=Severity.ERROR if without and side == "smtp" else Severity.WARNING,
                related=[(given.span(), "the level")] if given else (),
            )

    @staticmethod
    def _is_local(context: Context, view: View) -> bool:
        return context.value("relayhost", view).strip("[").startswith(("127.", "localhost", "::1"))


class NoMechanism(Rule):
    """SASL client with the default security options, which exclude PLAIN and LOGIN: most servers offer nothing else."""

    id = "L018"
    name = "no-mechanism"
    severity = Severity.WARNING
    effect = (
        'smtp(8) warns, "SASL authentication failure: No worthy mechs found", and defers the mail, "no mechanism '
        'available".'
    )
    bad = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_tls_security_level = encrypt\n"
    )
    good = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_tls_security_level = encrypt\nsmtp_sasl_tls_security_options = noanonymous\n"
    )
    lookalike = (
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = hash:/etc/postfix/passwords\n"
        "smtp_sasl_security_options = noplaintext, noanonymous\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for side, view in _clients(context):
            enabled = context.setting(f"{side}_sasl_auth_enable", view)
            if side == "lmtp" or enabled is None or not context.is_yes(enabled.name, view):
                continue
            has_passwords = context.value(f"{side}_sasl_password_maps", view)
            names = (f"{side}_sasl_security_options", f"{side}_sasl_tls_security_options")
            chosen = [*names, f"{side}_sasl_mechanism_filter"]
            if not has_passwords or any(context.is_set(each, view) for each in chosen):
                continue
            if enabled.name_span() not in reported:
                reported.add(enabled.name_span())
                is_in_tls = level_of(context, view, side) in (*_MAY, *_ENCRYPTED)
                yield self.finding(
                    enabled.name_span(),
                    "PLAIN and LOGIN are not used by default, and most servers offer nothing else: mail is deferred",
                    f"set {names[is_in_tls]} = noanonymous",
                )


class OtherDestination(Rule):
    """Key with the next hop's host, but without its brackets or port: the entry is never found.

    The next hop is looked up as written; for passwords, the host alone is looked up first. `[mail.example.com]` and
    `mail.example.com:587` differ from `[mail.example.com]:587`. A TLS policy is looked up for the next hop, and not for
    the domain of the recipient, if relayhost or a transport table sends its mail elsewhere.
    """

    id = "F007"
    name = "other-destination"
    effect = "Without the entry, smtp(8) does not log in, or uses another TLS level; nothing is logged of it."
    bad = (
        "relayhost = [mail.example.com]:587\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_password_maps = inline:{{mail.example.com:587=user:secret}}\n"
    )
    good = (
        "relayhost = [mail.example.com]:587\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_password_maps = inline:{{[mail.example.com]:587=user:secret}}\n"
    )
    lookalike = (
        "relayhost = [mail.example.com]:587\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_password_maps = inline:{{mail.example.com=user:secret}}\n"
        "smtp_tls_policy_maps = inline:{{[mail.example.com]:587=encrypt},{mail.example.com:25=may}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        hops = named_nexthops(context)
        if not hops:
            return
        hosts = {hop.host for hop in hops}
        for used in used_tables(context):
            if used.use not in (Use.PASSWORDS, Use.POLICY) or used.named.kind not in WITH_KEYS:
                continue
            keys: dict[str, Span] = {}
            for entry in contents(context, used.named):
                key = decode(entry.key).lower()
                if Nexthop.read(key).host in hosts:
                    span = span_of(context, used.named, entry)
                    keys[key] = span if entry.line else used.named.assignment.word(decode(entry.key))
            for hop in hops:
                if hop.text in keys or (hop.host in keys and (used.use is Use.PASSWORDS or hop.is_plain)):
                    continue
                for key, span in keys.items():
                    if Nexthop.read(key).host == hop.host and not any(other.text == key for other in hops):
                        yield self.finding(
                            span,
                            f'"{key}" is not found for the next hop {hop.text}',
                            f"write {hop.text}",
                            severity=Severity.ERROR if used.use is Use.PASSWORDS else Severity.WARNING,
                            related=[(hop.span, "the next hop")],
                        )
                        break
            if used.use is Use.POLICY:
                yield from self._of_recipients(context, used)

    def _of_recipients(self, context: Context, used: UsedTable) -> Iterator[Finding]:
        """Yield the policies of domains whose mail has another next hop."""
        first: tuple[str, Span, Nexthop] | None = None
        more = 0
        for entry in contents(context, used.named):
            domain = decode(entry.key).lower()
            hop = other_nexthop(context, domain)
            if hop is not None:
                first = first or (domain, span_of(context, used.named, entry), hop)
                more += 1
        if first:
            domain, span, hop = first
            others = f", nor that of {more - 1} more" if more > 1 else ""
            yield self.finding(
                span,
                f"the policy of {domain} is not looked up{others}: the next hop of its mail is {hop.text}",
                f"add a policy for {hop.text}",
                severity=Severity.WARNING,
                related=[(hop.span, "the next hop")],
            )


class PolicyWithoutMeans(Rule):
    """TLS policy whose prerequisite is missing: mail for the destination is deferred, or DANE is not used.

    The levels verify and secure need certification authorities, dane and dane-only need DNSSEC.
    """

    id = "L014"
    name = "policy-without-means"
    effect = (
        'verify: deferred, "Server certificate not verified". dane-only: deferred. dane: a warning, "dane configured '
        'with dnssec lookups disabled", and mail goes without it.'
    )
    bad = "smtp_tls_policy_maps = inline:{{bank.example=secure}}\n"
    good = (
        "smtp_tls_policy_maps = inline:{{bank.example=secure}}\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    )
    lookalike = (
        "smtp_tls_policy_maps = inline:{{bank.example=dane},{b.example=secure tafile=/etc/ta.pem}}\n"
        "smtp_dns_support_level = dnssec\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_tables(context):
            if used.use is not Use.POLICY:
                continue
            view = context.view(used.named.assignment)
            has_anchors = (
                context.value("smtp_tls_CAfile", view)
                or context.value("smtp_tls_CApath", view)
                or context.is_yes("tls_append_default_CA", view)
            )
            has_dnssec = context.value("smtp_dns_support_level", view).lower() == "dnssec"
            has_fingerprints = context.value("smtp_tls_fingerprint_cert_match", view)
            if has_anchors and has_dnssec and has_fingerprints:
                continue
            for entry in contents(context, used.named):
                level = decode(entry.value).replace(",", " ").partition(" ")[0].lower()
                if level in ("verify", "secure") and not has_anchors and "tafile=" not in decode(entry.value):
                    message = f"level {level}, and no certification authority is trusted: mail for it is deferred"
                    hint = "set smtp_tls_CAfile, for example to /etc/ssl/certs/ca-certificates.crt"
                elif level in ("dane", "dane-only") and not has_dnssec:
                    effect = "mail for it is deferred" if level == "dane-only" else "it is not used"
                    message = f"level {level} needs DNSSEC, and smtp(8) does not ask for it: {effect}"
                    hint = "set smtp_dns_support_level = dnssec, with a resolver of your own that validates"
                elif level == "fingerprint" and not has_fingerprints and "match=" not in decode(entry.value):
                    message = "level fingerprint without fingerprints to match: mail for it is deferred"
                    hint = "add match=12:34:AB:…"
                else:
                    continue
                yield self.finding(
                    span_of(context, used.named, entry),
                    f"{decode(entry.key)}: {message}",
                    hint,
                    related=[(used.named.span(), "the table is used here")] if entry.line else (),
                )
                break  # one setting corrects all of them
