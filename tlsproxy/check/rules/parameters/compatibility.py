"""Releases: deprecated parameters, changed defaults, and the compatibility level."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from postconf.catalogue import Release
from postconf.syntax.expressions import ExpressionError, expand

from ...context import Context
from ...defaults import cached_default
from ...facts.mail.access import smtpd_lists
from ...facts.tls.key_files import client_level
from ...findings import Finding, Fix, Severity, Span
from ...rule import Rule
from ..services.proxy import RENAMED, rename

_RENAMED = {
    "fallback_relay": "smtp_fallback_relay",
    "postscreen_blacklist_action": "postscreen_denylist_action",
    "postscreen_dnsbl_whitelist_threshold": "postscreen_dnsbl_allowlist_threshold",
    "postscreen_whitelist_interfaces": "postscreen_allowlist_interfaces",
    "virtual_maps": "virtual_alias_maps",
}
"""Old names of parameters that are otherwise the same."""


class Deprecated(Rule):
    """Deprecated parameter: a later Postfix removes it.

    Postfix 3.9 and later warn of it at each start.
    """

    id = "C001"
    name = "deprecated"
    severity = Severity.WARNING
    in_templates = True
    example_version = "3.9"
    bad = "disable_dns_lookups = yes\n"
    good = "smtp_dns_support_level = disabled\n"
    lookalike = "smtp_tls_policy_maps = texthash:/etc/postfix/tls_policy\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        advice = context.release.deprecated()
        for each in context.named(*advice):
            if each.name.endswith(("_use_tls", "_enforce_tls")) or each.name in RENAMED:
                continue
            new = _RENAMED.get(each.name, "")
            hint = f'specify "{new}"' if new else advice[each.name]
            yield self.finding(
                each.name_span(),
                f"{each.name} is deprecated",
                hint if " " in hint else f'specify "{hint}"',
                fix=rename(each, new, safe=not context.is_set(new, context.view(each))) if new else None,
            )


class CompatibilityLevelLow(Rule):
    """compatibility_level below that of the release: some defaults are those of older releases."""

    id = "C002"
    name = "compat-level-low"
    severity = Severity.WARNING
    bad = "compatibility_level = 2\n"
    good = "compatibility_level = 3.6\n"
    lookalike = (
        "compatibility_level = 2\nrespectful_logging = yes\nsmtpd_relay_before_recipient_restrictions = yes\n"
        "smtp_tls_policy_maps = inline:{ {a.example = encrypt} }\nsmtp_tls_fingerprint_digest = sha256\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        each = context.main.effective.get("compatibility_level")
        if each is None:
            return
        changed = {
            name: value for name, value in differing_defaults(context).items() if not _is_unused_digest(context, name)
        }
        if changed:
            shown = ", ".join(f"{name} = {value}" for name, value in changed.items())
            yield self.finding(
                each.span(),
                f"defaults of older releases are in effect: {shown}",
                f"set compatibility_level = {branch(context)} when you have looked at them",
            )


def _is_unused_digest(context: Context, name: str) -> bool:
    """Return True for a digest algorithm of fingerprints on a side that compares none."""
    side, sign, _ = name.partition("_tls_fingerprint_digest")
    if not sign:
        return False
    if side == "smtpd":
        restrictions = [each.value for each in context.everywhere if each.name.startswith("smtpd_")]
        uses = ("permit_tls_clientcerts", "check_ccert_access", "check_policy_service")
        return not context.named("relay_clientcerts") and not any(use in text for use in uses for text in restrictions)
    if context.named(f"{side}_tls_policy_maps", f"{side}_tls_fingerprint_cert_match"):
        return False
    return all("fingerprint" not in each.value.lower() for each in context.named(f"{side}_tls_security_level"))


class CompatibilityLevelMissing(Rule):
    """No compatibility_level: Postfix uses defaults of very old releases, and logs that it does."""

    id = "C003"
    name = "compat-level-missing"
    severity = Severity.INFO
    bad = "myhostname = mail.example.com\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
    good = "myhostname = mail.example.com\ncompatibility_level = 3.6\n"
    lookalike = "# compatibility_level is the newest one\ncompatibility_level = 0\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if any(not lists.has_relay_control for lists in smtpd_lists(context)):
            return  # that is an error, and its remedy is the same
        if context.has_main and context.main.assignments and "compatibility_level" not in context.main.effective:
            line = f"compatibility_level = {branch(context)}"
            yield self.finding(
                Span(context.main.path),
                "there is no compatibility_level, and 0 is assumed",
                f"set {line}",
                fix=Fix(f"set {line}", (context.main.addition(line),), safe=False),
            )


class DefaultChanged(Rule):
    """TLS parameter that is not set, and whose default changes between releases."""

    id = "C004"
    name = "default-changed"
    severity = Severity.INFO
    optional = True
    bad = "smtp_tls_security_level = dane\nsmtp_dns_support_level = dnssec\n"
    good = (
        "smtp_tls_security_level = dane\nsmtp_tls_dane_insecure_mx_policy = dane\n"
        "smtpd_tls_mandatory_protocols = >=TLSv1\n"
    )
    lookalike = "smtp_tls_security_level = may\n"

    _NAMES = ("smtp_tls_security_level", "smtp_tls_dane_insecure_mx_policy")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from .names import other_releases

        for name in self._NAMES:
            if name in context.main.effective or (name != self._NAMES[0] and not self._has_dane(context)):
                continue
            mine = context.release.defaults.get(name)
            others = [version for version, each in other_releases().items() if each.defaults.get(name) != mine]
            if others:
                yield self.finding(
                    Span(context.main.path),
                    f"the default of {name} is {mine or 'empty'} here, and another in {', '.join(others)}",
                    "set it, to have the same with all releases",
                )

    @staticmethod
    def _has_dane(context: Context) -> bool:
        return any(client_level(context, view) in ("dane", "dane-only") for view in context.views("smtp"))


class OpensslConfiguration(Rule):
    """Unusable OpenSSL configuration: TLS is off."""

    id = "C005"
    name = "openssl-config"
    severity = Severity.ERROR
    effect = '"non-default tls_config_file = … is not an absolute pathname, disabling TLS support".'
    bad = "tls_config_file = openssl.cnf\n"
    good = "tls_config_file = /etc/postfix/openssl.cnf\n"
    lookalike = "tls_config_file = none\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("tls_config_file"):
            file = context.expanded(each) or ""
            if each.name not in context.release.kinds or context.undefined(each) or file in ("default", "none"):
                continue
            if not file.startswith("/"):
                yield self.finding(
                    each.span(), f'"{file}" is no full path: TLS is off', "write default, none, or a path"
                )
            elif context.files.enabled and not context.files.exists(file):
                yield self.finding(each.span(), f"there is no {file}: TLS is off", "write default, none, or a path")


def branch(context: Context) -> str:
    """Return the release, as a compatibility level."""
    return ".".join(str(each) for each in context.release.version[:2])


@cache
def _by_level(release: Release) -> dict[str, str]:
    """Return the defaults that depend on the compatibility level."""
    return {name: default for name, default in release.defaults.items() if "compatibility_level" in default}


def differing_defaults(context: Context) -> dict[str, str]:
    """Return the defaults in effect that another compatibility level would change: name → value here."""
    newest = branch(context)
    changed = {}

    def lookup(name: str) -> str | None:
        return newest if name == "compatibility_level" else context.config.lookup(name)

    for name, default in _by_level(context.release).items():
        if name in context.main.effective:
            continue
        here = context.value(name)
        cached = cached_default(name, context.release, context.config.main, newest)
        try:
            there = cached[0] if cached else expand(default, lookup, lambda _: None)
        except ExpressionError:
            continue
        if there is not None and here != there:
            changed[name] = here or "empty"
    return changed
