"""Files of keys and certificates: those that are missing, those that others can read, and those that services can't."""

from __future__ import annotations

import pwd
from collections.abc import Iterator

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES, KEYS
from ...context import Context
from ...facts.tls.key_files import AUTHORITIES, client_level, is_hidden, missing, used_files
from ...findings import Finding, Fix, Severity
from ...rule import Rule


class _Missing(Rule):
    """Reports used files of some kinds that can't be read."""

    needs_files = True
    suffixes: tuple[str, ...] = ()
    consequence = ""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_files(context):
            if used.suffix in self.suffixes and (reason := missing(context, used.path)):
                yield self.finding(
                    used.assignment.word(used.path),
                    f"{used.path}: {reason}: {self.consequence}",
                    "correct the path, or put the file there",
                )


class CertificateMissing(_Missing):
    """Certificate or key file that is missing or unreadable."""

    id = "K001"
    name = "cert-missing"
    effect = "454 from smtpd(8), status 0 from tlsproxy(8)."
    suffixes = (*CERTIFICATES, *KEYS)
    consequence = "TLS is turned off"
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = /nonexistent.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
    lookalike = "smtpd_tls_security_level = none\nsmtpd_tls_cert_file = /nonexistent.pem\n"


class ChainFileMissing(_Missing):
    """Chain file that is missing or unreadable: all certificates are lost, including those of other files."""

    id = "K002"
    name = "chain-file-missing"
    effect = (
        'smtpd(8) offers STARTTLS, and then fails with "no shared cipher"; only anonymous clients succeed. One missing '
        "file loses all certificates."
    )
    suffixes = (CHAIN_FILES,)
    consequence = "no certificate is loaded, also none of other files"
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem, /nonexistent.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = "smtp_tls_security_level = none\nsmtp_tls_chain_files = /nonexistent.pem\n"


class AuthoritiesMissing(_Missing):
    """File of certification authorities that is missing or unreadable."""

    id = "K016"
    name = "cafile-unreadable"
    effect = "454 from smtpd(8)."
    suffixes = (AUTHORITIES,)
    consequence = "TLS is turned off"
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
        "smtpd_tls_CAfile = /nonexistent.pem\n"
    )
    good = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/chain.pem\n"
        "smtpd_tls_CAfile = $config_directory/root.pem\n"
    )
    lookalike = "smtp_tls_security_level = none\nsmtp_tls_CAfile = /nonexistent.pem\n"


class NotJudged(Rule):
    """Key or certificate that this user may not read, and that is therefore not checked.

    Keys usually belong to root, and daemons read them with root's privileges. Run the check as root to include them.
    """

    id = "K018"
    name = "not-judged"
    severity = Severity.INFO
    needs_files = True

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_files(context):
            if is_hidden(context, used.path):
                yield self.finding(
                    used.assignment.word(used.path),
                    f"this user may not read {used.path}: it is not checked",
                    "run the checker as root, or --ignore K018",
                )


class KeyTooOpen(Rule):
    """Private key that all local users can read, or that the user of Postfix's daemons owns.

    Daemons drop root's privileges so that a mistake in them can't leak the key.
    """

    id = "K008"
    name = "key-too-open"
    severity = Severity.WARNING
    needs_files = True
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/open.pem\n"
    good = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = $config_directory/chain.pem\n"
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = $config_directory/cert.pem\n"
        "smtpd_tls_key_file = $config_directory/key.pem\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.tls.certificates import holds_key

        reported: set[str] = set()
        for used in used_files(context):
            if used.path in reported or used.suffix not in (*KEYS, CHAIN_FILES, *CERTIFICATES):
                continue
            reported.add(used.path)
            try:
                facts = context.files.stat(used.path)
            except (OSError, ValueError):
                continue
            is_open, is_owned = bool(facts.st_mode & 0o007), facts.st_uid == self._daemon(context)
            if (is_open or is_owned) and holds_key(context, used.path):
                who = "everybody" if is_open else context.value("mail_owner")
                yield self.finding(
                    used.assignment.word(used.path),
                    f"{who} can read the private key in {used.path}",
                    f"chmod 600 {used.path}" if is_open else f"chown root {used.path}",
                )

    @staticmethod
    def _daemon(context: Context) -> int:
        """Return the number of the user that daemons become; -1 if this machine does not know it."""
        try:
            return -1 if context.files.is_image else pwd.getpwnam(context.value("mail_owner")).pw_uid
        except KeyError:
            return -1


class KeyAfterDrop(Rule):
    """Private key that tlsproxy(8) would have to read without privileges.

    It reads the keys of its own tlsproxy_client_… settings at start. Those that a service of smtp(8) has for itself
    come with each request, when only files of the user postfix can be read.
    """

    id = "K009"
    name = "key-unreadable-after-drop"
    severity = Severity.WARNING
    needs_files = True
    bad = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "  -o smtp_tls_chain_files=$config_directory/chain.pem\ntlsproxy unix - - y - 0 tlsproxy\n"
    )
    good = (
        "smtp_tls_security_level = may\nsmtp_tls_connection_reuse = yes\n"
        "smtp_tls_chain_files = $config_directory/chain.pem\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "tlsproxy unix - - y - 0 tlsproxy\n"
    )
    lookalike = (
        "smtp_tls_security_level = may\n--- master.cf\nsmtp unix - - y - - smtp\n"
        "  -o smtp_tls_chain_files=$config_directory/chain.pem\ntlsproxy unix - - y - 0 tlsproxy\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for proxy in context.services("tlsproxy"):
            for view in context.services("smtp"):
                if not context.is_yes("smtp_tls_connection_reuse", view) or client_level(context, view) == "none":
                    continue
                for suffix in (CHAIN_FILES, *KEYS):
                    value = context.value(f"smtp_tls_{suffix}", view)
                    if not value or value == context.value(f"tlsproxy_client_{suffix}", proxy):
                        continue
                    for path in value.replace(",", " ").split():
                        if self._is_private(context, path):
                            yield self.finding(
                                context.span(f"smtp_tls_{suffix}", view),
                                f"tlsproxy(8) can't read {path} when {view.service.name} asks for it",
                                f"set tlsproxy_client_{suffix} for tlsproxy, too",
                            )

    @staticmethod
    def _is_private(context: Context, path: str) -> bool:
        try:
            facts = context.files.stat(path)
        except (OSError, ValueError):
            return False
        return not facts.st_mode & 0o004


class LegacyAndChainFiles(Rule):
    """Chain files besides the older certificate parameters: the older ones are ignored."""

    id = "K012"
    name = "legacy-and-chain-files"
    severity = Severity.WARNING
    effect = "a warning at start; the older settings are ignored."
    bad = "smtpd_tls_chain_files = /etc/ssl/mail.pem\nsmtpd_tls_cert_file = /etc/ssl/old.pem\n"
    good = "smtpd_tls_chain_files = /etc/ssl/mail.pem\nsmtp_tls_cert_file = /etc/ssl/client.pem\n"
    lookalike = "smtpd_tls_chain_files = /etc/ssl/mail.pem\nsmtpd_tls_cert_file = none\nsmtpd_tls_key_file =\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for side in ("smtpd_tls_", "smtp_tls_", "tlsproxy_tls_", "tlsproxy_client_"):
            chains = context.main.effective.get(side + CHAIN_FILES)
            if chains is None or not chains.value:
                continue
            for suffix in (*CERTIFICATES, *KEYS):
                each = context.main.effective.get(side + suffix)
                if each is None or not each.value or each.value.lower() == "none":
                    continue
                yield self.finding(
                    each.name_span(),
                    f"{chains.name} is set, and this is ignored",
                    "remove it",
                    related=[(chains.name_span(), "chain files")],
                    fix=Fix("remove it", context.main.removal(each.line), safe=True),
                )
