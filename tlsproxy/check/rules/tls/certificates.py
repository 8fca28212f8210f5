"""Content of certificates: chains, validity, names, and levels that need one. Whether they fit a key: `loader`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ...context import Context
from ...facts.tls.key_files import AUTHORITIES, is_level_valid, level_of, level_parameter, servers, used_files
from ...findings import Finding, Severity
from ...rule import Rule
from ..services.master import is_orphan

_SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class IncompleteChain(Rule):
    """Certificate without its intermediate: clients that verify can't build a chain."""

    id = "K006"
    name = "incomplete-chain"
    severity = Severity.WARNING
    needs_files = True
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/leaf-only.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/full.pem\n"
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import chains, is_self_signed, subjects

        for used, chain in chains(context):
            leaf = chain[0]
            if not used.is_server or is_self_signed(leaf) or any(each.subject == leaf.issuer for each in chain):
                continue
            others = [each.path for each in used_files(context) if each.suffix == AUTHORITIES]
            if not any(leaf.issuer in subjects(context, path) for path in (*others, _SYSTEM_AUTHORITIES)):
                yield self.finding(
                    used.assignment.word(used.path),
                    f"{used.path} does not have the certificate of the issuer, {leaf.issuer.rfc4514_string()}",
                    "append the certificates of the issuers, the nearest first; certbot's fullchain.pem has them",
                )


class Validity(Rule):
    """Certificate that has expired, expires soon, or is not valid yet.

    The option --expiry-days sets how soon.
    """

    id = "K007"
    name = "expired"
    needs_files = True
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/expired.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = "smtpd_tls_security_level = none\nsmtpd_tls_chain_files = $config_directory/expired.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import chains

        now = datetime.datetime.now(datetime.UTC)
        soon = now + datetime.timedelta(days=context.options.expiry_days)
        for used, chain in chains(context):
            for position, each in enumerate(chain):
                which = "the certificate" if position == 0 else f"certificate {position + 1}"
                severity = None
                if each.not_valid_after_utc <= now:
                    problem = f"has expired on {each.not_valid_after_utc:%Y-%m-%d}"
                elif each.not_valid_before_utc > now:
                    problem = f"is not valid before {each.not_valid_before_utc:%Y-%m-%d}"
                elif each.not_valid_after_utc <= soon and position == 0:
                    problem, severity = f"expires on {each.not_valid_after_utc:%Y-%m-%d}", Severity.WARNING
                else:
                    continue
                yield self.finding(
                    used.assignment.word(used.path),
                    f"{which} in {used.path} {problem}",
                    "renew it, and reload Postfix",
                    severity=severity,
                )
                break


class NameNotInCertificate(Rule):
    """Certificate without the name of this host: clients that verify it refuse to deliver."""

    id = "K010"
    name = "name-not-in-san"
    severity = Severity.WARNING
    needs_files = True
    bad = (
        "myhostname = mail.example.com\nsmtpd_tls_security_level = may\n"
        "smtpd_tls_chain_files = $config_directory/elsewhere.pem\n"
    )
    good = (
        "myhostname = mail.example.com\nsmtpd_tls_security_level = may\n"
        "smtpd_tls_chain_files = $config_directory/chain.pem\n"
    )
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/elsewhere.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import is_for, leaves, names_of

        host = context.main.effective.get("myhostname")
        if host is None or not (name := context.expanded(host) or "") or context.undefined(host):
            return
        found = list(leaves(context))
        if found and not any(is_for(leaf, name) for _, leaf in found):
            used, leaf = found[0]
            yield self.finding(
                used.assignment.word(used.path),
                f"this certificate is for {', '.join(names_of(leaf)) or 'no host'}, and this host is {name}",
                f"get one for {name}, or for the name in your MX record",
                related=[(host.span(), "the name of this host")],
            )


class WeakKey(Rule):
    """Weak key or signature that current clients reject."""

    id = "K011"
    name = "weak-key"
    severity = Severity.WARNING
    needs_files = True
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/weak.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
        "smtpd_tls_eecdh_grade = ultra\nsmtpd_tls_CAfile = $config_directory/weak.pem\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

        from ...facts.tls.certificates import chains, is_self_signed

        for used, chain in chains(context):
            leaf = chain[0]
            try:
                key = leaf.public_key()
                digest = leaf.signature_hash_algorithm
            except (ValueError, UnsupportedAlgorithm):
                continue
            problem = ""
            if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
                problem = f"the key in {used.path} has {key.key_size} bits only"
            elif isinstance(key, dsa.DSAPublicKey):
                problem = f"the key in {used.path} is DSA, which TLS 1.3 does not have"
            elif digest is not None and digest.name in ("md5", "sha1") and not is_self_signed(leaf):
                problem = f"the certificate in {used.path} is signed with {digest.name.upper()}"
            elif isinstance(key, ec.EllipticCurvePublicKey) and (other := self._only_curve(context, key.curve.name)):
                problem = f"the key in {used.path} is on {key.curve.name}, and {other} is the only curve allowed"
            if problem:
                yield self.finding(used.assignment.word(used.path), problem, "use ECDSA P-256, or RSA with 2048 bits")

    @staticmethod
    def _only_curve(context: Context, curve: str) -> str:
        """Return the only curve of an old release, if the key has another: then TLS 1.2 clients find no cipher."""
        grade = context.value("smtpd_tls_eecdh_grade").lower()
        if context.release.since("3.6") or grade not in ("strong", "ultra"):
            return ""
        allowed = context.value(f"tls_eecdh_{grade}_curve")
        return "" if curve == {"prime256v1": "secp256r1"}.get(allowed, allowed) else allowed


class CertificateOnClientSide(Rule):
    """Server certificate used as client certificate: few servers ask for one, and some fail with it."""

    id = "K013"
    name = "cert-on-client-side"
    severity = Severity.INFO
    optional = True
    bad = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtp_tls_cert_file = $smtpd_tls_cert_file\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\n"
    lookalike = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtp_tls_cert_file = /etc/ssl/client.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for suffix in (CHAIN_FILES, *CERTIFICATES):
            each = context.main.effective.get(f"smtp_tls_{suffix}")
            if each and each.value and context.value(each.name) == context.value(f"smtpd_tls_{suffix}"):
                yield self.finding(each.name_span(), "clients need no certificate, as a rule", "remove it")


class LevelWithoutCertificate(Rule):
    """TLS server without a certificate."""

    id = "K015"
    name = "level-without-certificate"
    effect = "454 from smtpd(8), status 0 from tlsproxy(8)."
    bad = "smtpd_tls_security_level = may\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /etc/ssl/mail.pem\n"
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = none\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main:
            return
        reported: set[str] = set()
        for view in servers(context):
            if any(context.value(f"smtpd_tls_{suffix}", view) for suffix in (CHAIN_FILES, *CERTIFICATES)):
                continue
            if not is_level_valid(context, view, "smtpd"):
                continue  # reported as a bad value
            parameter = level_parameter(context, view, "smtpd")
            if level_of(context, view, "smtpd") == "none":
                parameter = "smtpd_tls_wrappermode"
            span = context.span(parameter, view)
            given = context.setting("smtpd_tls_chain_files", view) or context.setting("smtpd_tls_cert_file", view)
            if str(span) in reported or (given and context.undefined(given)) or is_orphan(context, view, span):
                continue
            reported.add(str(span))
            yield self.finding(
                span,
                "TLS is to be offered, and there is no certificate: "
                + ("handshakes fail" if context.is_yes("smtpd_tls_wrappermode", view) else "clients get 454"),
                self._help(context),
                related=[(given.span(), "nothing is left of this")] if given else (),
            )

    @staticmethod
    def _help(context: Context) -> str:
        for suffix in (CHAIN_FILES, *CERTIFICATES):
            if context.value(f"smtp_tls_{suffix}") and context.is_set(f"smtp_tls_{suffix}"):
                return f"smtp_tls_{suffix} is for mail that goes out; did you mean smtpd_tls_{suffix}?"
        return "set smtpd_tls_chain_files"


class AuthoritiesAreOwnChain(Rule):
    """The server's own certificate used as certification authority."""

    id = "L004"
    name = "cafile-is-own-chain"
    severity = Severity.WARNING
    needs_files = True
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/full.pem\n"
        "smtp_tls_security_level = verify\nsmtp_tls_CAfile = $config_directory/full.pem\n"
    )
    good = "smtp_tls_security_level = verify\nsmtp_tls_CAfile = $config_directory/root.pem\n"
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/full.pem\n"
        "smtpd_tls_CAfile = $config_directory/full.pem\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import certificates, chains

        for used in used_files(context):
            if used.suffix != AUTHORITIES or used.is_server:
                continue
            trusted = certificates(context, used.path)
            for server, chain in chains(context):
                if server.is_server and chain[0] in trusted and all(each in chain for each in trusted):
                    yield self.finding(
                        used.assignment.span(),
                        f"{used.path} has this server's own certificate, and no authority of others",
                        f"use {_SYSTEM_AUTHORITIES}",
                        related=[(server.assignment.span(), "the server's own")],
                    )
                    break
