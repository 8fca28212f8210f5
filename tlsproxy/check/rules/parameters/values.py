"""Values of parameters: booleans, numbers, times, levels, paths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf.catalogue import RAW
from postconf.values import SPACE

from ...context import Context
from ...facts.readings import Read, bad_values, locate, readings_of
from ...findings import Finding, Severity
from ...rule import Rule
from ...text.sources import Assignment
from .kinds import KindRule

_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_UNIT_WORDS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hour", "hours", "hr", "hrs"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
}
_DIGITS = 9
"""Digits of a level that are looked at: Python refuses to read thousands (CVE-2020-10735)."""
_LAST_HARMLESS = 2
_REPLY_CODE = re.compile(r"[45][0-9]{2}|0*")
"""A reply that refuses; 0 means no reply, as for smtpd_forbid_bare_newline_reject_code."""
SERVER_LEVEL_NAMES = ("smtpd_tls_security_level", "tlsproxy_tls_security_level", "postscreen_tls_security_level")
CLIENT_LEVEL_NAMES = ("smtp_tls_security_level", "lmtp_tls_security_level", "tlsproxy_client_security_level")


class BadBoolean(KindRule):
    """Boolean that is neither yes nor no.

    Each program that has the parameter exits at start, and master(8) restarts it every minute.
    """

    id = "V001"
    name = "bad-boolean"
    in_templates = True
    kinds = ("boolean",)
    effect = "`smtpd_tls_ask_ccert = maybe`: smtpd(8) and tlsproxy(8) are fatal."
    bad = "smtpd_tls_ask_ccert = maybe\n"
    good = "smtpd_tls_ask_ccert = yes\n"
    lookalike = "my_choice = NO\nsmtpd_tls_ask_ccert = $my_choice\n"


class BadInteger(KindRule):
    """Not a number, or a number out of range."""

    id = "V002"
    name = "bad-integer"
    in_templates = True
    kinds = ("number",)
    effect = "The programs that have the parameter are fatal at start."
    bad = "smtpd_tls_ccert_verifydepth = many\n"
    good = "smtpd_tls_ccert_verifydepth = 9\n"
    lookalike = (
        "default_process_limit = 100\n"
        "smtpd_client_connection_count_limit = ${{$default_process_limit} > {50} ? {20} : {5}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        for read in readings_of(context, *self.kinds):
            is_code = read.assignment.name.endswith(("reject_code", "defer_code"))
            if is_code and not read.reading.problems and not _REPLY_CODE.fullmatch(read.text.strip()):
                yield self._code(read)

    def _code(self, read: Read) -> Finding:
        return self.finding(
            read.assignment.span(),
            f"{read.text} is no code of a rejection: smtpd(8) warns, and answers 450 4.7.1 Service unavailable",
            "write 4NN or 5NN",
            severity=Severity.WARNING,
        )


class BadTime(KindRule):
    """Invalid time, or one with another meaning than it seems.

    A time is a whole number and one letter: s, m, h, d or w. Text behind the letter is ignored: `500ms` are 500
    minutes.
    """

    id = "V003"
    name = "bad-time"
    in_templates = True
    kinds = ("time",)
    effect = (
        "`smtpd_starttls_timeout = 10y`: smtpd(8) is fatal. `tlsproxy_watchdog_timeout = 1s`: tlsproxy(8) is fatal."
    )
    bad = "smtpd_starttls_timeout = 10y\nsmtp_starttls_timeout = 500ms\n"
    good = "smtpd_starttls_timeout = 300s\n"
    lookalike = "smtpd_starttls_timeout = ${stress?{10}:{300}}s\nmaximal_queue_lifetime = 5\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        for read in readings_of(context, *self.kinds):
            text = read.text.lstrip(SPACE).lstrip("+").rstrip(" ")
            rest = text.lstrip("0123456789")
            if not read.reading.problems and rest and rest.lower() not in _UNIT_WORDS.get(rest[0], ()):
                digits = text[: len(text) - len(rest)]
                unit = _UNITS[rest[0]]
                yield self.finding(
                    read.assignment.span(),
                    f"{read.text} means {digits} {unit}{'' if digits == '1' else 's'}: only the first letter counts",
                    "write a whole number and one of s, m, h, d, w",
                    severity=Severity.WARNING,
                )


class BadLevel(KindRule):
    """Unknown TLS security level, or one of the other side.

    dane and the levels above it are for the client, which has a server to verify.
    """

    id = "V004"
    name = "bad-level"
    in_templates = True
    kinds = ("client-level", "server-level")
    effect = (
        '`smtpd_tls_security_level = mandatory` or `= dane`: fatal, "Invalid TLS level". `= '
        "verify`: a warning, and encrypt."
    )
    bad = "smtpd_tls_security_level = mandatory\n"
    good = "smtpd_tls_security_level = encrypt\n"
    lookalike = "smtp_tls_security_level = dane\nsmtpd_tls_security_level =\n"


class BadLogLevel(KindRule):
    """Invalid TLS log level, or one that logs too much.

    From 3 on, packets of the handshake are logged, from 4 on everything: mail and passwords.
    """

    id = "V005"
    name = "bad-loglevel"
    severity = Severity.WARNING
    in_templates = True
    effect = "`smtpd_tls_loglevel = many`: a warning, TLS works."
    bad = "smtpd_tls_loglevel = many\n"
    good = "smtpd_tls_loglevel = 1\n"
    lookalike = "smtpd_tls_loglevel = summary, untrusted\n"

    kinds = ("tls-loglevel",)

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        yield from super().check(context)
        for read in readings_of(context, *self.kinds):
            for word in read.reading.words:
                level = int(word.text.lstrip("0")[:_DIGITS] or 0) if word.text.isdecimal() else 0
                if level > _LAST_HARMLESS:
                    contents = "the handshake" if level == _LAST_HARMLESS + 1 else "mail and passwords"
                    yield self.finding(
                        locate(context, read.assignment, word.start, word.end)[1],
                        f"level {word.text} logs {contents}, packet by packet",
                        "1 is right for production",
                    )


class RelativePath(KindRule):
    """Relative file name: Postfix looks for it in the queue directory."""

    id = "V006"
    name = "relative-path"
    in_templates = True
    bad = "smtpd_tls_cert_file = ./fullchain.pem\n"
    good = "smtpd_tls_cert_file = /etc/ssl/fullchain.pem\n"
    lookalike = "smtpd_tls_cert_file = ${config_directory}/fullchain.pem\nsmtp_tls_cert_file = none\n"

    kinds = ("file", "files", "directory", "directories", "colon-directories", "program")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings, once for a setting."""
        last = None
        for kind in self.kinds:
            for each in bad_values(context).get(kind, ()):
                if each.read.assignment is not last and each.read.assignment.name != "tls_config_file":  # C005
                    last = each.read.assignment
                    yield self.report(each)


class CircularMacro(Rule):
    """Circular references: the values can't be expanded."""

    id = "V007"
    name = "circular-macro"
    effect = 'postconf(1) and daemons: fatal, "unreasonable macro call nesting".'
    bad = "mydestination = $mydomain\nmydomain = $mydestination\n"
    good = "mydestination = $mydomain\nmydomain = example.com\n"
    lookalike = "smtpd_banner = $myhostname $$smtpd_banner\nmydomain = example.com\nmydestination = $mydomain\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.everywhere:
            if "$" not in each.value or context.expanded(each) is not None or context.reference_problems(each):
                continue
            if _refers_to_itself(context, each):
                message = f"the value of {each.name} refers to itself, perhaps through others"
                yield self.finding(each.span(), message, "break the circle")
            elif not context.is_exhausted and not context.is_too_complex(each):
                message = f"the value of {each.name} goes through more than 100 references, one in another"
                yield self.finding(each.span(), message, "write the value out")


def _refers_to_itself(context: Context, assignment: Assignment) -> bool:
    view = context.view(assignment)
    waiting, seen = list(context.names_in(assignment)), set[str]()
    while waiting:
        name = waiting.pop()
        if name == assignment.name:
            return True
        if name in seen:
            continue
        seen.add(name)
        if context.release.kinds.get(name) != RAW:
            waiting += context.config.names_in(view.lookup(name) or "")[0]
    return False


class EqualsDefault(Rule):
    """Setting equal to the default."""

    id = "V008"
    name = "equals-default"
    severity = Severity.INFO
    optional = True
    bad = "smtpd_tls_loglevel = 0\n"
    good = "smtpd_tls_loglevel = 1\n"
    lookalike = "smtpd_tls_security_level = may\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.main.effective.values():
            default = context.release.defaults.get(each.name)
            if default is not None and each.value == default and context.release.kinds[each.name] != "computed":
                yield self.finding(each.name_span(), f"this is the default of {each.name}", "the line can be removed")


class BadFamily(KindRule):
    """Unknown value of inet_protocols or inet_interfaces; values are lowercase.

    Every program needs them, and none starts.
    """

    id = "V009"
    name = "bad-family"
    in_templates = True
    kinds = ("families", "network-style")
    effect = '`inet_protocols = IPv4`: postconf(1) and every daemon are fatal, "unknown inet_protocols value".'
    bad = "inet_protocols = IPv4\nmynetworks_style = net\n"
    good = "inet_protocols = ipv4\nmynetworks_style = host\n"
    lookalike = "inet_protocols =\ninet_interfaces = 192.0.2.7\nmynetworks = 192.0.2.0/24\nmynetworks_style = subnet\n"
