"""Protocol lists, cipher grades and lists."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from postconf.kinds import Outcome
from postconf.values import PROTOCOLS, Protocols, protocols

from ...context import Context
from ...facts.readings import locate, readings_of
from ...facts.tls.cipher_words import ignored_exclusions
from ...facts.tls.key_files import ENFORCED, client_level, server_level
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment
from ...text.templates import templates
from ..parameters.kinds import KindRule


def protocol_settings(context: Context) -> Iterator[tuple[Assignment, str, Protocols | None]]:
    """Yield all protocol lists: the setting, its expanded text, and its meaning, None if Postfix refuses it."""
    for read in readings_of(context, "tls-protocols"):
        is_bad = any(each.outcome is Outcome.NO_TLS for each in read.reading.problems)
        yield read.assignment, read.text, None if is_bad else protocols(read.text)


def _allowed(found: Protocols) -> list[str]:
    return [
        name
        for name, version in PROTOCOLS.items()
        if name not in found.excluded and version >= found.minimum and (not found.maximum or version <= found.maximum)
    ]


def _legacy(found: Protocols | None) -> list[str]:
    return [name for name in _allowed(found) if name in ("SSLv3", "TLSv1", "TLSv1.1")] if found else []


def _legacy_where_mandatory(each: Assignment, found: Protocols | None) -> list[str]:
    return _legacy(found) if "_mandatory_" in each.name else []


class BadProtocolList(KindRule):
    """Invalid protocol list: Postfix turns TLS off."""

    id = "P001"
    name = "bad-protocol-list"
    kinds = ("tls-protocols",)
    outcomes = (Outcome.NO_TLS,)
    in_templates = True
    effect = '"Invalid TLS protocol list … disabling TLS support": 454 from smtpd(8), status 0 from tlsproxy(8).'
    bad = "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1.O\n"
    good = "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1\n"
    lookalike = "smtpd_tls_protocols = >=TLSv1.2 : <=0304\n"


class IncludeListFreezes(Rule):
    """List of enabled protocols: it excludes all newer protocols, and often an existing one."""

    id = "P002"
    name = "include-list-freezes"
    severity = Severity.WARNING
    in_templates = True
    bad = "smtpd_tls_protocols = TLSv1.2\n"
    good = "smtpd_tls_protocols = >=TLSv1.2\n"
    lookalike = "smtpd_tls_protocols = !SSLv2, !SSLv3\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        markup = templates(context)
        for each, text, found in protocol_settings(context):
            words = text.replace(",", " ").replace(":", " ").split()
            listed = [word for word in words if word[0] not in "!<>="]
            if found is None or not listed or any(word in (">=", "<=") for word in words):
                continue
            if each in context.keep(without_effect) or (each.service and each.value.endswith(",")):
                continue  # M002 reports a list that a blank cuts
            missing = [name for name in ("TLSv1.2", "TLSv1.3") if name not in _allowed(found)]
            if not missing or (not markup and _legacy_where_mandatory(each, found)):  # P003 has the same remedy
                continue
            lowest = _allowed(found)[:1]
            modern = context.release.since("3.6")
            fix = None
            if modern and lowest and "$" not in each.value and len(listed) == len(words):
                span, last = each.span(0, 1), each.span(len(each.value) - 1, 1)
                edit = Edit(span.path, span.line, span.column, last.line, last.end_column, f">={lowest[0]}")
                fix = Fix(f"write >={lowest[0]}", (edit,), safe=False)
            yield self.finding(
                each.span(),
                f"this list leaves out {' and '.join(missing)}",
                f"write >={lowest[0]}" if modern and lowest else "exclude the old versions: !SSLv2, !SSLv3",
                fix=fix,
            )


class LegacyProtocols(Rule):
    """Broken or deprecated protocols (RFC 8996) where TLS is mandatory.

    Where it is optional, an old protocol is still better than none.
    """

    id = "P003"
    name = "legacy-protocols"
    severity = Severity.WARNING
    bad = "smtpd_tls_mandatory_protocols = !SSLv2\n"
    good = "smtpd_tls_mandatory_protocols = >=TLSv1.2\n"
    lookalike = "smtpd_tls_protocols = !SSLv2, !SSLv3\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each, _, found in protocol_settings(context):
            if each in context.keep(without_effect) or (each.service and each.value.endswith(",")):
                continue  # M002 reports a list that a blank cuts
            if old := _legacy_where_mandatory(each, found):
                yield self.finding(
                    each.span(),
                    f"{', '.join(old)} may be used",
                    "write >=TLSv1.2" if context.release.since("3.6") else "write !SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
                )
            elif "SSLv3" in _legacy(found):
                yield self.finding(each.span(), "SSLv3 may be used", "exclude it: !SSLv3", severity=Severity.INFO)


class AllProtocolsExcluded(Rule):
    """Protocol list that leaves no protocol: no handshake can succeed."""

    id = "P004"
    name = "all-protocols-excluded"
    bad = "smtpd_tls_protocols = >=TLSv1.3, !TLSv1.3\n"
    good = "smtpd_tls_protocols = >=TLSv1.3\n"
    lookalike = "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each, _, found in protocol_settings(context):
            if found is not None and set(_allowed(found)) <= {"SSLv3"}:  # which OpenSSL no longer has
                yield self.finding(each.span(), "no protocol is left", "allow at least TLSv1.2 and TLSv1.3")


def without_effect(context: Context) -> tuple[Assignment, ...]:
    """Return the settings for required TLS of a side that nothing requires TLS of."""
    found: list[Assignment] = []
    if context.master is None:
        return ()  # somewhere a service may require TLS
    for side, level in (("smtpd", server_level), ("smtp", client_level)):
        levels = {level(context, view) for view in (context.config, *context.views(side))}
        is_open = side == "smtp" and (
            context.value("smtp_tls_policy_maps")
            or context.value("smtp_tls_per_site")
            or context.has_program("postscreen")
        )
        if is_open or levels.intersection(ENFORCED):
            continue
        found += (
            each
            for each in context.named(f"{side}_tls_mandatory_protocols", f"{side}_tls_mandatory_ciphers")
            if each.value and (context.expanded(each) or "") != context.expanded_default(each.name)
        )
    return tuple(found)


class MandatoryWithoutEffect(Rule):
    """Settings for mandatory TLS where TLS is optional: they have no effect.

    smtpd_tls_mandatory_… applies at level encrypt and above. Level may uses smtpd_tls_protocols and smtpd_tls_ciphers.
    """

    id = "P005"
    name = "mandatory-has-no-effect"
    severity = Severity.WARNING
    bad = (
        "smtpd_tls_security_level = may\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n--- master.cf\n"
        "smtp inet n - y - - smtpd\n"
    )
    good = "smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_protocols = >=TLSv1.2\n"
    lookalike = (
        "smtpd_tls_mandatory_protocols = >=TLSv1.2\n--- master.cf\nsubmission inet n - y - - smtpd\n"
        "  -o smtpd_tls_security_level=encrypt\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.keep(without_effect):
            yield self.finding(
                each.name_span(),
                "this counts where TLS is required, and no service requires it",
                f"set {each.name.replace('_mandatory', '')}, too",
            )


class BadCipherGrade(KindRule):
    """Unknown cipher grade."""

    id = "P006"
    name = "bad-cipher-grade"
    kinds = ("tls-grade",)
    in_templates = True
    effect = '`smtpd_tls_ciphers = strong`: 220, then the connection is dropped: "invalid cipher grade".'
    bad = "smtpd_tls_ciphers = strong\n"
    good = "smtpd_tls_ciphers = high\n"
    lookalike = "smtpd_tls_ciphers = MEDIUM\n"


class BadExclusion(KindRule):
    """Excluded cipher with an operator: only names are allowed.

    Postfix itself puts `!` in front of each item; an item that begins with an operator is invalid.
    """

    id = "P007"
    name = "bad-exclude-token"
    kinds = ("tls-exclusions",)
    in_templates = True
    effect = 'each handshake is dropped: "invalid unary … in cipher exclusion".'
    bad = "smtpd_tls_exclude_ciphers = !aNULL, MD5\n"
    good = "smtpd_tls_exclude_ciphers = aNULL, MD5\n"
    lookalike = "smtpd_tls_exclude_ciphers = ECDHE-RSA-DES-CBC3-SHA, kRSA+AES, 3DES\n"


class MisspelledExclusion(Rule):
    """Unknown cipher in a list of exclusions: OpenSSL ignores the word, and the cipher that was meant stays in use.

    Known are the aliases and suites of OpenSSL 1.0.1 to 3.5. A word that resembles none of them is a hint only.
    """

    id = "P014"
    name = "misspelled-exclusion"
    severity = Severity.WARNING
    effect = "`smtpd_tls_exclude_ciphers = aRSAA`: ciphers with RSA certificates are still accepted, nothing is logged."
    bad = "smtpd_tls_exclude_ciphers = aNUL, EDH-RSA-DES-CDC3-SHA, KRB5-DES, CBC3-SHA\n"
    good = "smtpd_tls_exclude_ciphers = aNULL, EDH-RSA-DES-CBC3-SHA, KRB5-DES-CBC3-SHA\n"
    lookalike = "smtpd_tls_exclude_ciphers = KRB5, EXPORT56, aNULL+AES, kDHr, GOST2001-GOST89-GOST89\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for read in readings_of(context, "tls-exclusions"):
            words = read.reading.words
            for each in ignored_exclusions([word.text for word in words]):
                span = locate(context, read.assignment, words[each.first].start, words[each.last].end)[1]
                if span not in reported:
                    reported.add(span)
                    severity = Severity.WARNING if each.is_misspelled else Severity.INFO
                    yield self.finding(span, each.problem, each.remedy, severity=severity)


class OverriddenCipherList(Rule):
    """Customized cipher grade: it does not follow the improvements of Postfix and OpenSSL."""

    id = "P008"
    name = "overridden-cipherlist"
    severity = Severity.WARNING
    in_templates = True
    bad = "tls_high_cipherlist = ECDHE-RSA-AES256-GCM-SHA384\n"
    good = "smtpd_tls_ciphers = high\n"
    lookalike = "tls_high_cipherlist = aNULL:-aNULL:HIGH:@STRENGTH\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("tls_high_cipherlist", "tls_medium_cipherlist", "tls_low_cipherlist"):
            if each.value != context.release.defaults.get(each.name):
                yield self.finding(
                    each.name_span(),
                    f"{each.name} is not Postfix's own",
                    "remove it; choose a grade, and exclude ciphers where you must",
                )


class Obsolete(Rule):
    """Obsolete key exchange setting."""

    id = "P010"
    name = "obsolete-key-exchange"
    severity = Severity.WARNING
    in_templates = True
    bad = "smtpd_tls_dh512_param_file = /etc/postfix/dh512.pem\nsmtpd_tls_eecdh_grade = ultra\n"
    good = "smtpd_tls_eecdh_grade = auto\n"
    lookalike = "smtpd_tls_eecdh_grade = none\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("smtpd_tls_dh512_param_file", "tlsproxy_tls_dh512_param_file"):
            if each.value:
                yield self.finding(each.name_span(), "export ciphers are gone, and with them this file", "remove it")
        for each in context.named("smtpd_tls_eecdh_grade", "tlsproxy_tls_eecdh_grade"):
            if each.value.lower() in ("strong", "ultra"):
                is_ignored = context.release.since("3.6")
                yield self.finding(
                    each.span(),
                    f"{each.value} is {'ignored since Postfix 3.6' if is_ignored else 'one curve only'}",
                    "remove it, and let curves be negotiated",
                )


class BlankAfterOperator(Rule):
    """Blank after `>=`: the limit is lost, and the protocol after it is the only one."""

    id = "P012"
    name = "blank-after-operator"
    in_templates = True
    effect = "`>= TLSv1.2` is accepted without a word and means TLSv1.2 only."
    bad = "smtpd_tls_protocols = >= TLSv1.2\n"
    good = "smtpd_tls_protocols = >=TLSv1.2\n"
    lookalike = "smtpd_tls_protocols = !SSLv3, >=TLSv1.2\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each, text, _ in protocol_settings(context):
            words = text.replace(",", " ").replace(":", " ").split()
            for sign, following in pairwise(words):
                if sign not in (">=", "<="):
                    continue
                start = each.value.find(sign)
                after = each.value.find(following, start)
                fix = None
                if start >= 0 and each.span(start, 1).line == each.span(after, 1).line:
                    first, last = each.span(start, len(sign)), each.span(after, 1)
                    edit = Edit(first.path, first.line, first.end_column, last.line, last.column, "")
                    fix = Fix("remove the blank", (edit,), safe=True)
                yield self.finding(
                    each.word(sign), f"{sign} {following} means {following} only", f"write {sign}{following}", fix=fix
                )


class UnknownOption(KindRule):
    """Unknown keyword in OpenSSL options."""

    id = "P013"
    name = "unknown-tls-option"
    kinds = ("tls-options",)
    severity = Severity.WARNING
    in_templates = True
    bad = "tls_ssl_options = NO_COMPRESION\n"
    good = "tls_ssl_options = NO_COMPRESSION, NO_RENEGOTIATION\n"
    lookalike = "tls_ssl_options = 0x40000000\n"


class UnknownGroup(Rule):
    """Unknown key exchange group or curve: it is skipped."""

    id = "P011"
    name = "unknown-group"
    severity = Severity.WARNING
    in_templates = True
    effect = 'a warning, "ignoring unknown ECDHE curve"; the others are used.'
    bad = "tls_eecdh_auto_curves = X25519 prime256v2\n"
    good = "tls_eecdh_auto_curves = X25519 prime256v1\n"
    lookalike = "tls_eecdh_auto_curves = X25519 P-256\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for read in readings_of(context, "tls-groups"):
            each = read.assignment
            if each.value == self._default(context, each):
                continue
            from ....tls.settings.groups import usable_groups

            usable = usable_groups(tuple(word.text for word in read.reading.words))
            for word in read.reading.words:
                if word.text not in usable:
                    span = locate(context, each, word.start, word.end)[1]
                    yield self.finding(span, f'"{word.text}" is no group that OpenSSL has', "remove or correct it")

    @staticmethod
    def _default(context: Context, each: Assignment) -> str:
        return context.release.defaults.get(each.name, "")
