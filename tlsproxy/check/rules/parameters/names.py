"""Names of parameters: unknown, undefined, unused, of other releases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from postconf.catalogue import ADHOC, Release, release, upstream_releases
from postconf.kinds import kind_of

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES
from ...context import Context
from ...facts.removed import LAST_RELEASE
from ...facts.tls.key_files import server_level
from ...findings import Edit, Finding, Fix, Severity
from ...rule import Rule
from ...text.sources import Assignment

_ALL: dict[str, Release] = {}


def other_releases() -> dict[str, Release]:
    """Return all releases, the oldest first; read when the first unknown name needs them."""
    if not _ALL:
        _ALL.update((name, release(name)) for name in upstream_releases())
    return _ALL


_BYTE_ORDER_MARK = "\ufeff"


def unknown(context: Context) -> list[Assignment]:
    """Return settings of unknown names: not built in, not of a service, and without any reference."""
    return context.keep(_unknown)


def _unknown(context: Context) -> list[Assignment]:
    found = []
    legacy = context.release.legacy()
    for each in context.everywhere:
        name = each.name
        if name in context.release.kinds or name in legacy or name in context.options.known:
            continue
        if name in context.service_names or name in context.references or name in context.release.deprecated():
            continue
        if name.startswith(_BYTE_ORDER_MARK):
            continue  # S008
        if not context.master and context.service_of(name):
            continue
        found.append(each)
    return found


def _known_elsewhere(name: str) -> list[str]:
    if name in LAST_RELEASE:
        return [LAST_RELEASE[name]]
    return [version for version, each in other_releases().items() if name in each.kinds]


def _rename(each: Assignment, name: str) -> Fix:
    span = each.name_span()
    edit = Edit(span.path, span.line, span.column, span.line, span.end_column, name)
    return Fix(f"rename it to {name}", (edit,), safe=False)


class UnknownParameter(Rule):
    """Unknown parameter, probably a typo.

    Postfix accepts any name, because users may define their own. A typing error therefore sets nothing, and only
    postconf(1) warns of it.
    """

    id = "N001"
    name = "unknown-parameter"
    in_templates = True
    effect = '`smtpd_tls_security_leve = may`: no TLS; postconf(1) warns "unused parameter" with status 0.'
    bad = "smtpd_tls_security_leve = may\n"
    good = "smtpd_tls_security_level = may\n"
    lookalike = "my_networks = 192.0.2.0/24\nmynetworks = $my_networks\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        near = context.suggestions
        for each in unknown(context):
            meant = near.nearest_parameter(each.name) or near.nearest_of_service(each.name)
            if meant and not is_another_case(each.name, meant) and not _known_elsewhere(each.name):
                yield self.finding(
                    each.name_span(),
                    f"there is no parameter {each.name}, and nothing refers to it",
                    f'did you mean "{meant}"?',
                    fix=_rename(each, meant),
                )


class UndefinedMacro(Rule):
    """Reference to an undefined parameter: it expands to an empty text."""

    id = "N002"
    name = "undefined-macro"
    effect = "postconf(1) warns with status 0; the value is empty there."
    bad = "smtpd_tls_key_file = $smtpd_tls_cerfile\n"
    good = "smtpd_tls_key_file = $smtpd_tls_cert_file\n"
    lookalike = "smtpd_banner = $myhostname ESMTP $mail_name ${my_suffix?$my_suffix}\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main:
            return  # it may be set in a main.cf that is not there
        for each in context.everywhere:
            if "$" not in each.value or not (undefined := context.undefined(each)):
                continue
            kind = kind_of(each.name, context.release)
            is_list = kind is not None and kind.name == "restrictions"
            for name in undefined:
                meant = context.suggestions.nearest_parameter(name)
                yield self.finding(
                    each.word("$" + name) if f"${name}" in each.value else each.word(name),
                    f"{name} is not set anywhere, and ${name} is replaced by nothing",
                    f'did you mean "{meant}"?' if meant else self._help(name, is_list=is_list),
                    severity=Severity.ERROR if meant or (is_list and not _is_custom(name)) else Severity.WARNING,
                )

    @staticmethod
    def _help(name: str, *, is_list: bool) -> str:
        if is_list:
            return f"set {name} in main.cf: until then, the list lacks its restrictions"
        return "set it, or write $$ for a dollar sign"


def _is_custom(name: str) -> bool:
    """Return True for the names of lists that the sample master.cf proposes."""
    return name.startswith("mua_")


_OF_SERVERS = ("smtpd_tls_auth_only", "smtpd_tls_received_header", "smtpd_tls_ask_ccert", "smtpd_tls_req_ccert")


class WrongSide(Rule):
    """Half of a pair set for the server, the other half for the client.

    smtpd_* is for mail that comes in, smtp_* for mail that goes out. A level that is set twice for one of them and not
    for the other is a typing error most often.
    """

    id = "N003"
    name = "wrong-side"
    severity = Severity.WARNING
    bad = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtp_tls_key_file = /etc/ssl/mail.key\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtpd_tls_key_file = /etc/ssl/mail.key\n"
    lookalike = "smtp_tls_cert_file = /etc/ssl/c.pem\nsmtp_tls_key_file = /etc/ssl/c.key\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for this, other in (("smtp", "smtpd"), ("smtpd", "smtp")):
            for kind in ("", "ec", "d"):
                for one, half in (("key", "cert"),):
                    name = f"{this}_tls_{kind}{one}_file"
                    if name not in context.main.effective or not context.main.effective[name].value:
                        continue
                    is_pair = f"{this}_tls_{kind}{half}_file" in context.main.effective
                    is_crossed = (
                        f"{other}_tls_{kind}{half}_file" in context.main.effective
                        and f"{other}_tls_{kind}{one}_file" not in context.main.effective
                    )
                    if not is_pair and is_crossed:
                        each = context.main.effective[name]
                        yield self.finding(
                            each.name_span(),
                            f"{name} has no effect without {this}_tls_{kind}{half}_file",
                            f'did you mean "{other}_tls_{kind}{one}_file"?',
                            related=[
                                (
                                    context.main.effective[f"{other}_tls_{kind}{half}_file"].name_span(),
                                    "its other half?",
                                )
                            ],
                        )
        yield from self._twice(context)
        yield from self._server_without(context)

    def _server_without(self, context: Context) -> Iterator[Finding]:
        """Report a certificate of the client beside settings for TLS of a server that has none."""
        main = context.main.effective
        switch = next((main[name] for name in _OF_SERVERS if name in main and main[name].value.lower() != "no"), None)
        if switch is None or any(server_level(context, view) != "none" for view in context.views("smtpd")):
            return
        ends = (CHAIN_FILES, *CERTIFICATES)
        given = next((main[f"smtp_tls_{end}"] for end in ends if context.value(f"smtp_tls_{end}")), None)
        if given is not None and not any(context.value(f"smtpd_tls_{end}") for end in ends):
            yield self.finding(
                given.name_span(),
                "there is a certificate for the client only, and settings for TLS of the server, which offers none",
                f'did you mean "{given.name.replace("smtp_", "smtpd_", 1)}"?',
                related=[(switch.name_span(), "it is for the server")],
            )

    def _twice(self, context: Context) -> Iterator[Finding]:
        for first, last, meant in levels_of_one_side(context):
            yield self.finding(
                last.name_span(),
                f"{last.name} is set twice, and {meant} not at all",
                f'did you mean "{meant}" here, or there?',
                related=[(first.name_span(), "set before here")],
            )


def levels_of_one_side(context: Context) -> list[tuple[Assignment, Assignment, str]]:
    """Return the first and the last setting of a level that is set to two values, and the level of the unset side."""
    found = []
    for this, other in (("smtp", "smtpd"), ("smtpd", "smtp")):
        name, meant = f"{this}_tls_security_level", f"{other}_tls_security_level"
        if name not in context.main.effective or context.is_set(meant):
            continue
        settings = [each for each in context.main.assignments if each.name == name]
        if settings[0].value != settings[-1].value:
            found.append((settings[0], settings[-1], meant))
    return found


class UnusedUserParameter(Rule):
    """User-defined parameter that nothing refers to.

    If another program reads it, name it with `known` in the settings of the checker.
    """

    id = "N004"
    name = "unused-user-parameter"
    severity = Severity.WARNING
    bad = "office_relay = [192.0.2.1]\n"
    good = "office_relay = [192.0.2.1]\nrelayhost = $office_relay\n"
    lookalike = "virtual_alias_maps = mysql:valiases\nvaliases_hosts = db\nvaliases_dbname = mail\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in unknown(context):
            if context.suggestions.nearest_parameter(each.name) or _known_elsewhere(each.name):
                continue
            if context.suggestions.nearest_of_service(each.name):
                continue
            service = context.service_of(each.name)
            if service and each.service and "_destination_" in each.name:
                continue  # M015: no service reads it from there
            if service:
                message, help = f"there is no service {service} that this could be for", "remove it"
            else:
                message = f"nothing refers to {each.name}"
                help = f"remove it, or accept it with --known {each.name} if another program reads it"
                meant = context.suggestions.similar_parameter(each.name)
                if meant.partition("_")[0] == each.name.partition("_")[0]:
                    help = f'did you mean "{meant}"?'
            severity = None
            if context.master is None and not service:
                severity = Severity.INFO  # master.cf may refer to it
                message = f"nothing in main.cf refers to {each.name}"
            yield self.finding(each.name_span(), message, help, severity=severity)


class NotInThisVersion(Rule):
    """Parameter of newer releases: this release ignores it."""

    id = "N005"
    name = "not-in-this-version"
    severity = Severity.WARNING
    in_templates = True
    bad = "tls_config_name = postfix\nsmtp_tlsrpt_enable = yes\n"
    good = "smtp_tls_loglevel = 1\n"
    lookalike = "smtp_tlsrpt_enable_here = $smtp_tlsrpt_on\nsmtp_tlsrpt_on = x\nrelayhost = $smtp_tlsrpt_enable_here\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in unknown(context):
            versions = _known_elsewhere(each.name)
            if versions and _numbers(versions[0]) > context.release.version:
                yield self.finding(
                    each.name_span(),
                    f"Postfix {context.release.name} has no {each.name}; {_branch(versions[0])} has",
                    "remove it, or say --postfix-version if you have a newer one",
                )


class RemovedInThisVersion(Rule):
    """Parameter of older releases only."""

    id = "N006"
    name = "removed-in-this-version"
    severity = Severity.WARNING
    in_templates = True
    bad = "tls_dane_digest_agility = on\n"
    good = "tls_dane_digests = sha512 sha256\n"
    lookalike = "disable_dns_lookups = no\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in unknown(context):
            versions = _known_elsewhere(each.name)
            if versions and _numbers(versions[0]) <= context.release.version:
                last = context.main.removal(each.line) if each.service is None else ()
                yield self.finding(
                    each.name_span(),
                    f"Postfix {context.release.name} has no {each.name} any more; {_branch(versions[-1])} was the last",
                    "remove it",
                    fix=Fix("remove it", last, safe=True) if last else None,
                )


class ReadOnly(Rule):
    """Assignment to a parameter that each process sets itself: it has no effect."""

    id = "N007"
    name = "read-only"
    severity = Severity.WARNING
    in_templates = True
    bad = "service_name = smtp\n"
    good = "smtpd_service_name = smtpd\n"
    lookalike = "syslog_name = postfix/$service_name\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named(*_read_only(context.release)):
            yield self.finding(each.name_span(), f"{each.name} is read-only", "remove the line")


@cache
def _read_only(release: Release) -> tuple[str, ...]:
    return tuple(name for name, kind in release.kinds.items() if kind == ADHOC)


def is_another_case(name: str, meant: str) -> bool:
    """Return True if two names differ only in case and dashes."""
    return name != meant and name.lower().replace("-", "_") == meant.lower()


@cache
def _by_lower_case(release: Release) -> dict[str, str]:
    return {name.lower(): name for name in release.kinds}


class CaseOrDash(Rule):
    """Known parameter in a different case or with dashes: names are case-sensitive."""

    id = "N008"
    name = "case-or-dash"
    in_templates = True
    bad = "SMTPD_TLS_security_level = may\n"
    good = "smtpd_tls_security_level = may\n"
    lookalike = "smtpd_tls_CAfile = /etc/ssl/ca.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        names = _by_lower_case(context.release)
        for each in unknown(context):
            meant = names.get(each.name.lower().replace("-", "_"), "")
            if meant and is_another_case(each.name, meant):
                fix = _rename(each, meant)
                yield self.finding(
                    each.name_span(),
                    f"there is no parameter {each.name}",
                    f'write "{meant}"',
                    fix=Fix(fix.title, fix.edits, safe=meant not in context.main.effective),
                )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.partition("-")[0].split("."))


def _branch(version: str) -> str:
    return ".".join(version.split(".")[:2])
