"""Security levels: plaintext, verification, and settings without effect at a level."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ServiceView, View

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ...context import Context
from ...facts.readings import readings_of
from ...facts.tls.key_files import ENFORCED, client_level, is_level_valid, server_level
from ...findings import Edit, Finding, Fix, Severity
from ...fixes import replace_line
from ...rule import Rule
from ...text.sources import Assignment
from ..services.master import IMPLICIT_TLS, SUBMISSION, is_local, is_orphan, port

_SIDES = ("smtpd", "smtp", "lmtp", "postscreen", "tlsproxy", "tlsproxy_client")


def level_name(old: str) -> str:
    """Return the parameter that has taken the place of …_use_tls and …_enforce_tls."""
    side = old.removesuffix("_use_tls").removesuffix("_enforce_tls")
    return f"{side}_security_level" if side == "tlsproxy_client" else f"{side}_tls_security_level"


def behind(each: Assignment, text: str) -> Edit:
    """Return the edit that puts a line behind a setting of main.cf."""
    number = each.line.last_number
    while number > each.line.number and number not in each.source.content(each.line):
        number -= 1
    column = len(each.source.line(number)) + 1
    return Edit(each.source.path, number, column, number, column, "\n" + text)


class UseTlsAndLevel(Rule):
    """Obsolete TLS switches, with or instead of a security level.

    smtpd_use_tls and similar switches yield to a security level. Postfix 3.9 and later warn of them at each start.
    """

    id = "L001"
    name = "use-tls-and-level"
    severity = Severity.WARNING
    effect = "works with 3.7; 3.9 and later warn."
    bad = "smtpd_use_tls = yes\n"
    good = "smtpd_tls_security_level = may\n"
    lookalike = "smtp_tls_security_level = encrypt\nsmtp_tls_note_starttls_offer = yes\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for side in _SIDES:
            pair = self._pair(context, side)
            if pair:
                yield self._of_pair(side, *pair)
            for each in context.named(f"{side}_use_tls", f"{side}_enforce_tls"):
                if each in pair:
                    continue
                level = level_name(each.name)
                view = context.view(each)
                given = context.setting(level, view)
                fix = None
                if given:
                    message, help = f"{level} is set, and {each.name} has no effect", "remove it"
                    if not each.service and given.name == level and not given.service:
                        fix = Fix("remove it", context.main.removal(each.line), safe=True)
                else:
                    is_on = (context.expanded(each) or "").lower() == "yes"
                    word = ("encrypt" if "enforce" in each.name else "may") if is_on else "none"
                    message, help = f"{each.name} is an old switch", f"write {level} = {word}"
                    if is_on and not each.service and not self._other_switch(context, each):
                        fix = Fix(help, replace_line(each, f"{level} = {word}"), safe=True)
                yield self.finding(
                    each.name_span(), message, help, related=[(given.span(), "the level")] if given else (), fix=fix
                )

    @staticmethod
    def _pair(context: Context, side: str) -> tuple[Assignment, ...]:
        """Return both switches of a side, if they are in main.cf alone and nothing else decides the level."""
        names = (f"{side}_use_tls", f"{side}_enforce_tls")
        found = context.named(*names)
        if len(found) != len(names) or any(each.service for each in found):
            return ()
        return () if context.setting(level_name(names[0])) else tuple(found)

    def _of_pair(self, side: str, first: Assignment, second: Assignment) -> Finding:
        on = [each.name for each in (first, second) if each.value.lower() == "yes"]
        word = "encrypt" if f"{side}_enforce_tls" in on else "may" if on else "none"
        help = f"write {level_name(first.name)} = {word} for both"
        edits = (*replace_line(first, f"{level_name(first.name)} = {word}"), *self._removal(second))
        return self.finding(
            first.name_span(),
            f"{first.name} and {second.name} are old switches",
            help,
            related=[(second.name_span(), "the other one")],
            fix=Fix(help, edits, safe=True) if on and edits[1:] else None,
        )

    @staticmethod
    def _removal(each: Assignment) -> tuple[Edit, ...]:
        return each.source.removal(each.line)

    @staticmethod
    def _other_switch(context: Context, each: Assignment) -> bool:
        side = each.name.removesuffix("_use_tls").removesuffix("_enforce_tls")
        names = {f"{side}_use_tls", f"{side}_enforce_tls"} - {each.name}
        return bool(context.named(*names))


class VerifyWithoutAnchors(Rule):
    """Verification level without trusted authorities: all mail at that level is deferred."""

    id = "L002"
    name = "verify-without-anchors"
    bad = "smtp_tls_security_level = verify\n"
    good = "smtp_tls_security_level = verify\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    lookalike = "smtp_tls_security_level = secure\ntls_append_default_CA = yes\nsmtp_tls_CApath = /etc/ssl/certs\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for view in context.views("smtp"):
            level = client_level(context, view)
            has_anchors = context.value("smtp_tls_CAfile", view) or context.value("smtp_tls_CApath", view)
            if level not in ("verify", "secure") or has_anchors:
                continue
            span = context.span("smtp_tls_security_level", view)
            if str(span) in reported:
                continue
            reported.add(str(span))
            yield self.finding(
                span,
                f"level {level}, and no certification authority is trusted: no server can be verified",
                "set may or dane, or smtp_tls_CAfile, for example to /etc/ssl/certs/ca-certificates.crt",
                fix=Fix(
                    "trust the authorities of the distribution",
                    (context.main.addition("smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt"),),
                    safe=False,
                ),
            )


class ClientPathInChroot(Rule):
    """Directory of authorities that a client in a chroot can't see.

    smtp_tls_CAfile is read before chroot(2), smtp_tls_CApath afterwards. Debian copies the directory at start.
    """

    id = "L003"
    name = "capath-in-chroot"
    severity = Severity.WARNING
    needs_files = True
    bad = (
        "compatibility_level = 3.6\nsmtp_tls_CApath = $config_directory\nqueue_directory = /var/spool/nowhere\n"
        "--- master.cf\nsmtp unix - - y - - smtp\n"
    )
    good = "compatibility_level = 3.6\nsmtp_tls_CApath = $config_directory\n--- master.cf\nsmtp unix - - n - - smtp\n"
    lookalike = "smtp_tls_CAfile = $config_directory/root.pem\n--- master.cf\nsmtp unix - - y - - smtp\n"

    _COPIES = "/usr/lib/postfix/configure-instance.sh"
    """Debian's script, which copies the files of smtp_tls_CApath into the default queue directory."""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        queue = context.value("queue_directory")
        if queue == context.release.defaults["queue_directory"] and context.files.exists(self._COPIES):
            return
        for parameter, programs in (("smtp_tls_CApath", ("smtp",)), ("tlsproxy_client_CApath", ("tlsproxy",))):
            for view in context.services(*programs):
                directory = context.value(parameter, view)
                if not directory or not context.is_chrooted(view) or not context.is_set(parameter, view):
                    continue
                if context.files.exists(directory) and not context.files.exists(f"{queue}{directory}"):
                    yield self.finding(
                        context.span(parameter, view),
                        f"{view.service.name} runs in {queue}, where there is no {directory}",
                        f"set {parameter.replace('CApath', 'CAfile')} instead, or put the directory there",
                        related=[(context.service_span(view, 4), "in a chroot")],
                    )
                    break


class LevelNoneWithCertificate(Rule):
    """Certificate for a server that does not offer TLS."""

    id = "L005"
    name = "level-none-with-certs"
    severity = Severity.WARNING
    bad = "smtpd_tls_cert_file = /etc/ssl/mail.pem\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtpd_tls_security_level = may\n"
    lookalike = (
        "smtpd_tls_cert_file = /etc/ssl/mail.pem\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "submissions inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        views = [context.config, *context.services("smtpd")]
        if any(server_level(context, view) != "none" for view in views):
            return
        if any(context.value(f"{side}_tls_security_level") not in ("", "none") for side in ("postscreen", "tlsproxy")):
            return
        for name in (f"smtpd_tls_{end}" for end in (CHAIN_FILES, *CERTIFICATES)):
            each = context.main.effective.get(name)
            if each is None or (context.expanded(each) or "none").lower() == "none":
                continue
            level = context.setting("smtpd_tls_security_level")
            yield self.finding(
                each.name_span(),
                "there is a certificate, and no service offers TLS"
                if context.master
                else "there is a certificate, and main.cf offers no TLS; services of master.cf may",
                "set smtpd_tls_security_level = may",
                severity=None if context.master else Severity.INFO,
                related=[(level.span(), "this turns it off")] if level else (),
                fix=None
                if level
                else Fix("offer TLS", (context.main.addition("smtpd_tls_security_level = may"),), safe=False),
            )
            return


class EncryptOnMx(Rule):
    """Mandatory TLS on port 25: mail from servers without TLS is refused.

    A public server must not require TLS on port 25 (RFC 3207): there are senders without.
    """

    id = "L006"
    name = "encrypt-on-mx"
    severity = Severity.WARNING
    bad = "smtpd_tls_security_level = encrypt\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    good = "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    lookalike = "--- master.cf\nsubmission inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            if port(entry) not in ("25", "smtp") or is_local(entry) or entry.service is None:
                continue
            side = "postscreen" if entry.service.command == "postscreen" else "smtpd"
            view = context.service_view(entry)
            name = f"{side}_tls_security_level"
            is_enforced = is_level_valid(context, view, side) and context.value(name, view).lower() in ENFORCED
            span = context.span(name, view)
            if entry.service.command in ("smtpd", "postscreen") and is_enforced and not is_orphan(context, view, span):
                yield self.finding(
                    span,
                    f"{entry.service.name} takes encrypted mail only, and some senders have no TLS",
                    "use encrypt for submission, and may for mail from the Internet",
                    related=[(entry.span(0), "the service")],
                )


_ROUTES = ("relayhost", "transport_maps", "sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps")


class SmtpsRelay(Rule):
    """Mismatch between implicit TLS and STARTTLS for the relay host, or implicit TLS for every mail exchanger."""

    id = "L007"
    name = "smtps-relay"
    bad = "relayhost = [smtp.example.com]:465\nsmtp_tls_security_level = encrypt\n"
    good = "relayhost = [smtp.example.com]:465\nsmtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n"
    lookalike = "relayhost = [smtp.example.com]:587\nsmtp_tls_security_level = encrypt\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        relay = context.main.effective.get("relayhost")
        if relay is None or not (target := context.expanded(relay)):
            wrapper = context.main.effective.get("smtp_tls_wrappermode")
            if wrapper and context.is_yes(wrapper.name) and not any(map(context.value, _ROUTES)):
                message = "smtp(8) begins with TLS at each mail exchanger, and port 25 does not: all mail is deferred"
                yield self.finding(wrapper.name_span(), message, "set it for a service with a relay host on port 465")
            return
        used = target.rpartition(":")[2] if ":" in target.rpartition("]")[2] else "25"
        view = self._view(context)
        wrapped = context.is_yes("smtp_tls_wrappermode", view)
        level = client_level(context, view)
        if used in IMPLICIT_TLS and not (wrapped and level in ENFORCED):
            missing = [] if wrapped else ["smtp_tls_wrappermode = yes"]
            missing += [] if level in ENFORCED else ["smtp_tls_security_level = encrypt"]
            names = [each.partition(" ")[0] for each in missing]
            fix = None
            if not any(context.is_set(name, view) for name in names):
                fix = Fix("add it", tuple(context.main.addition(each) for each in missing), safe=False)
            yield self.finding(
                relay.span(),
                f"port {used} expects TLS from the first byte, and smtp(8) does not begin with it",
                f"set {' and '.join(missing)}",
                fix=fix,
            )
        elif used in ("25", "smtp", *SUBMISSION) and wrapped:
            yield self.finding(
                context.span("smtp_tls_wrappermode", view),
                f"smtp(8) begins with TLS, and port {used} of {target} does not",
                "remove smtp_tls_wrappermode, or use port 465",
                related=[(relay.span(), "the relay host")],
            )

    @staticmethod
    def _view(context: Context) -> View:
        name = context.value("default_transport").partition(":")[0]
        found = [each for each in context.services("smtp") if each.service.name == name]
        return found[0] if found else context.config


class ClientCertificateWithoutEffect(Rule):
    """Client certificates required where TLS is optional or off.

    Postfix only requires a certificate where it requires TLS.
    """

    id = "L008"
    name = "req-ccert-no-effect"
    severity = Severity.WARNING
    effect = 'a warning, "Can\'t require client certs unless TLS is required".'
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_req_ccert = yes\n"
    good = "smtpd_tls_security_level = encrypt\nsmtpd_tls_req_ccert = yes\n"
    lookalike = "smtpd_tls_security_level = may\nsmtpd_tls_ask_ccert = yes\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("smtpd_tls_req_ccert", "smtpd_tls_ask_ccert"):
            if (context.expanded(each) or "").lower() != "yes":
                continue
            views = [context.view(each)] if each.service else [context.config, *context.services("smtpd")]
            levels = {server_level(context, view) for view in views}
            needed = {"encrypt"} if "req" in each.name else {"encrypt", "may"}
            if not levels & needed:
                yield self.finding(
                    each.name_span(),
                    "no client certificate is required unless TLS is"
                    if "req" in each.name
                    else "no client is asked for a certificate without TLS",
                    "set smtpd_tls_security_level = encrypt" if "req" in each.name else "set smtpd_tls_security_level",
                )


class AuthInClear(Rule):
    """Passwords accepted before TLS.

    M009 is the same for submission ports.
    """

    id = "L009"
    name = "auth-in-clear"
    severity = Severity.WARNING
    effect = "The answer to EHLO has AUTH, before STARTTLS and where there is none."
    bad = "smtpd_tls_security_level = may\nsmtpd_sasl_auth_enable = yes\n"
    good = "smtpd_tls_security_level = may\nsmtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = yes\n"
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_sasl_auth_enable = yes\n"
        "smtpd_sasl_security_options = noanonymous, noplaintext\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Assignment] = set()
        for view in context.views("smtpd"):
            if isinstance(view, ServiceView):
                entry = context.entry(view.service)
                if port(entry) in SUBMISSION + IMPLICIT_TLS or is_local(entry):
                    continue
            setting = context.setting("smtpd_sasl_auth_enable", view)
            is_open = (
                context.is_yes("smtpd_sasl_auth_enable", view)
                and server_level(context, view) in ("may", "none")
                and not context.is_yes("smtpd_tls_auth_only", view)
                and "noplaintext" not in context.value("smtpd_sasl_security_options", view)
            )
            if not is_open or setting is None or setting in reported:
                continue
            reported.add(setting)
            only = context.setting("smtpd_tls_auth_only", view)
            has_tls = server_level(context, view) == "may"
            fix = None
            if only is None and not setting.service and has_tls:
                edit = behind(setting, "smtpd_tls_auth_only = yes")
                fix = Fix("require TLS for it", (edit,), safe=False)
            yield self.finding(
                setting.name_span(),
                "clients may send passwords without TLS"
                if has_tls
                else "clients send passwords in clear: there is no TLS",
                "set smtpd_tls_auth_only = yes" + ("" if has_tls else ", and smtpd_tls_security_level = may"),
                related=[(only.span(), "here it is allowed")] if only else (),
                fix=fix,
            )


class FingerprintDigest(Rule):
    """Fingerprint algorithm that is unknown or too weak."""

    id = "L011"
    name = "fingerprint-digest"
    severity = Severity.WARNING
    effect = '`smtpd_tls_fingerprint_digest = sha999`: "Digest algorithm not found", TLS is disabled.'
    bad = "smtpd_tls_fingerprint_digest = sha999\n"
    good = "smtpd_tls_fingerprint_digest = sha256\n"
    lookalike = "smtpd_tls_fingerprint_digest = SHA512\n"

    _WEAK = ("md4", "md5", "sha", "sha1")
    _KNOWN = ("sha224", "sha256", "sha384", "sha512", "sha512-256", "sha3-256", "sha3-384", "sha3-512", "ripemd160")
    _USES = ("permit_tls_clientcerts", "check_ccert_access", "relay_clientcerts")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for read in readings_of(context, "digest"):
            each, digest = read.assignment, read.text.lower()
            if digest in self._WEAK:
                yield self.finding(each.span(), f"{digest} is too weak for fingerprints", "use sha256")
            elif digest not in self._KNOWN and not self._is_known(digest):
                yield self.finding(
                    each.span(),
                    f'there is no digest algorithm "{digest}": TLS is turned off',
                    "use sha256",
                    severity=Severity.ERROR,
                )
        yield from self._weak_default(context)

    def _weak_default(self, context: Context) -> Iterator[Finding]:
        digest = context.value("smtpd_tls_fingerprint_digest")
        if digest not in self._WEAK or context.is_set("smtpd_tls_fingerprint_digest"):
            return
        for each in context.everywhere:
            if each.name.startswith("smtpd_") and any(use in each.value for use in self._USES):
                use = next(use for use in self._USES if use in each.value)
                yield self.finding(
                    each.span(each.value.index(use), len(use)),
                    f"{use} compares fingerprints, which are {digest} by default here: too weak",
                    "set smtpd_tls_fingerprint_digest = sha256, and write the fingerprints again",
                )
                return

    @staticmethod
    def _is_known(digest: str) -> bool:
        from ....tls.settings.digests import digest_by_name

        return digest_by_name(digest) is not None
