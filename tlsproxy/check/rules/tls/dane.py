"""DANE and MTA-STS: their requirements, and the settings that disable them."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...facts.tls.key_files import client_level
from ...findings import Edit, Finding, Fix, Severity
from ...rule import Rule

_DANE = ("dane", "dane-only")


class DaneWithoutDnssec(Rule):
    """DANE without DNSSEC: no TLSA record can be trusted.

    smtp(8) asks for DNSSEC validation only if smtp_dns_support_level is dnssec.
    """

    id = "D001"
    name = "dane-without-dnssec"
    bad = "smtp_tls_security_level = dane\n"
    good = "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n"
    lookalike = "smtp_tls_security_level = may\nsmtp_dns_support_level = enabled\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for view in context.views("smtp"):
            level = client_level(context, view)
            span = context.span("smtp_tls_security_level", view)
            if level not in _DANE or str(span) in reported:
                continue
            if context.value("smtp_dns_support_level", view).lower() != "dnssec":
                reported.add(str(span))
                support = context.setting("smtp_dns_support_level", view)
                if support is None:
                    edits = (context.main.addition("smtp_dns_support_level = dnssec"),)
                else:
                    at = support.span()
                    edits = (Edit(at.path, at.line, at.column, at.line, at.end_column, "dnssec"),)
                yield self.finding(
                    span,
                    f"level {level} needs DNSSEC, and smtp(8) does not ask for it",
                    "set smtp_dns_support_level = dnssec, with a resolver of your own that validates",
                    related=[(support.span(), "here")] if support else (),
                    fix=Fix("ask for DNSSEC", edits, safe=not support or bool(support.value)),
                )
            elif "dns" not in context.value("smtp_host_lookup", view).lower().replace(",", " ").split():
                reported.add(str(span))
                yield self.finding(
                    context.span("smtp_host_lookup", view),
                    f"level {level} needs DNS, and smtp_host_lookup does without",
                    "set smtp_host_lookup = dns",
                )


class PolicyOverridesDane(Rule):
    """MTA-STS policy service that overrides DANE: the table decides, TLSA records are ignored."""

    id = "D002"
    name = "sts-overrides-dane"
    severity = Severity.WARNING
    bad = (
        "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n"
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix\n"
    )
    good = (
        "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n"
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8642:QUERYwithTLSRPT\n"
    )
    lookalike = "smtp_tls_security_level = may\nsmtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("smtp_tls_policy_maps"):
            words = (context.expanded(each) or "").replace(",", " ").split()
            first = next((word for word in words if word.startswith("socketmap:")), "")
            if client_level(context, context.view(each)) not in _DANE or not first:
                continue
            if first.endswith(":8461:postfix") or "sts" in first.rpartition("/")[2]:
                yield self.finding(
                    each.word(first),
                    "a domain with an MTA-STS policy is no longer verified by its TLSA records",
                    "use a policy service that looks for DANE first",
                )


class TlsaRecords(Rule):
    """TLSA records (3 1 1) of the configured keys, to compare with DNS."""

    id = "D003"
    name = "tlsa-print"
    severity = Severity.INFO
    optional = True
    needs_files = True
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    good = "smtpd_tls_security_level = may\n"
    lookalike = "smtpd_tls_security_level = none\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import leaves, public_key_digest

        for used, leaf in leaves(context):
            name = context.value("myhostname")
            yield self.finding(
                used.assignment.word(used.path), f"_25._tcp.{name}. IN TLSA 3 1 1 {public_key_digest(leaf)}"
            )


class DeadAnchors(Rule):
    """Certification authorities at a DANE level, where only TLSA records count."""

    id = "D004"
    name = "dane-trust-anchors-mix"
    severity = Severity.INFO
    bad = (
        "smtp_tls_security_level = dane-only\nsmtp_dns_support_level = dnssec\n"
        "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    )
    good = "smtp_tls_security_level = dane-only\nsmtp_dns_support_level = dnssec\n"
    lookalike = (
        "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n"
        "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        levels = {client_level(context, view) for view in context.views("smtp")}
        if levels != {"dane-only"} or context.value("smtp_tls_policy_maps"):
            return
        for each in context.named("smtp_tls_CAfile", "smtp_tls_CApath"):
            if each.value:
                yield self.finding(each.name_span(), "level dane-only does not look at authorities", "remove it")
