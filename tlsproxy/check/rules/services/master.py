"""master.cf: entries, their fields, and their -o settings."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ServiceView, View
from postconf.syntax.lines import SPACE
from postconf.syntax.mastercf import TYPES

from ...context import Context
from ...facts.endpoints import same_endpoints
from ...facts.readings import comment_words
from ...facts.tls.key_files import server_level
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule
from ...text.sources import MasterEntry, MasterFile

_PRIVATE = 2
_OWN_ARGUMENTS = ("pipe", "spawn")
"""Programs whose arguments are not only options."""
_WITH_FLAGS = ("smtp", "lmtp")
"""Those that have an argument flags=… behind their options (since 3.5)."""
IMPLICIT_TLS = ("465", "smtps", "submissions")
SUBMISSION = ("587", "submission")
STARTTLS = ("25", "smtp", *SUBMISSION)


def port(entry: MasterEntry) -> str:
    """Return the port of an inet service, as written."""
    return entry.service.name.rpartition(":")[2] if entry.service and entry.service.type == "inet" else ""


def is_local(entry: MasterEntry) -> bool:
    """Return True for an inet service on a loopback address."""
    return bool(entry.service) and entry.words[0][0].startswith(("127.", "localhost:", "[::1]", "::1:"))


class BadFieldCount(Rule):
    """Entry of master.cf with fewer than eight fields."""

    id = "M001"
    name = "bad-field-count"
    in_templates = True
    effect = 'postconf(1) and master(8): fatal, "bad field count".'
    bad = "--- master.cf\nsmtp inet n - y - smtpd\n"
    good = "--- master.cf\nsmtp inet n - y - - smtpd\n"
    lookalike = "--- master.cf\nsmtp inet n\n  - y - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.master.entries if context.master else []:
            if entry.error and "field count" in entry.error.message:
                yield self.finding(entry.span(0), f"this entry has {len(entry.words)} of 8 fields", entry.error.remedy)


class BadField(Rule):
    """Invalid field of master.cf: type, flags, wake-up time or process limit."""

    id = "M005"
    name = "bad-field"
    in_templates = True
    effect = (
        "postconf(1) and master(8) are fatal. `smtp inet - - y - - smtpd`: postconf(1) accepts it, and master(8) does "
        'not start, "inet service cannot be private".'
    )
    bad = "--- master.cf\nsmtp inet n - yes - - smtpd\n"
    good = "--- master.cf\nsmtp inet n - y - - smtpd\n"
    lookalike = "--- master.cf\npickup unix n - y 60? 1 pickup\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.master.entries if context.master else []:
            if entry.error and entry.error.place and "field count" not in entry.error.message:
                place = entry.error.place
                field = next((n for n, (_, at) in enumerate(entry.words) if entry.line.place(at) == place), 0)
                yield self.finding(entry.span(field), entry.error.message.partition(' in "')[0], entry.error.remedy)
            elif entry.service and entry.service.type == "inet" and entry.service.fields[_PRIVATE] != "n":
                span = entry.span(_PRIVATE)
                edit = Edit(span.path, span.line, span.column, span.line, span.end_column, "n")
                yield self.finding(
                    span,
                    "an inet service can't be private: master(8) does not start",
                    "write n",
                    fix=Fix("write n", (edit,), safe=True),
                )


class OptionSpaces(Rule):
    """Blank in a -o setting: the rest is not part of it.

    master(8) starts, and the service dies at its first connection. A value with blanks needs braces.
    """

    id = "M002"
    name = "option-spaces"
    in_templates = True
    effect = (
        'smtpd(8): fatal at the first connection, "missing \'=\'" or "unexpected command-line argument"; throttled.'
    )
    bad = "--- master.cf\nsmtp inet n - y - - smtpd\n  -o smtpd_tls_security_level = may\n"
    good = "--- master.cf\nsmtp inet n - y - - smtpd\n  -o { smtpd_tls_security_level = may }\n"
    lookalike = (
        "--- master.cf\nmaildrop unix - n n - - pipe\n  flags=DRhu user=vmail argv=/usr/bin/maildrop -d ${recipient}\n"
        "lmtp unix - - n - - lmtp flags=O\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            service = entry.service
            if service is None or service.command in _OWN_ARGUMENTS or "/" in service.command:
                continue
            yield from self._check(entry)

    def _check(self, entry: MasterEntry) -> Iterator[Finding]:
        words = entry.words
        if entry.service and entry.service.command in _WITH_FLAGS:
            while len(words) > 1 and words[-1][0].lower().startswith("flags="):
                words = words[:-1]
        position = 8
        comment = next(comment_words(entry), len(words))
        while position < min(comment, len(words)):
            word, _ = words[position]
            following = words[position + 1][0] if position + 1 < len(words) else ""
            if word == "-o":
                if following and "=" not in following and not following.startswith("{"):
                    rest = self._value_end(words, position + 1)
                    yield self._finding(entry, position + 1, rest, "this -o setting has no =")
                    position = rest
                    continue
                if following:
                    extra = self._value_end(words, position + 1)
                    if extra > position + 2 and not following.startswith("{"):
                        yield self._finding(
                            entry, position + 1, extra, f'"{words[position + 2][0]}" is not part of the setting'
                        )
                    position = extra
                    continue
                message = "this -o has no setting: the service dies when it starts"
                yield self.finding(entry.span(position), message, "write -o NAME=VALUE, or remove it")
            elif not word.startswith("-"):
                previous = words[position - 1][0]
                if position == 8 or not previous.startswith("-"):
                    yield self.finding(
                        entry.span(position), f'"{word}" is no option', "settings are written -o NAME=VALUE"
                    )
            position += 1

    @staticmethod
    def _value_end(words: list[tuple[str, int]], start: int) -> int:
        end = start + 1
        while end < len(words) and not words[end][0].startswith("-"):
            end += 1
        return end

    def _finding(self, entry: MasterEntry, start: int, end: int, message: str) -> Finding:
        span = entry.span(start)
        text = " ".join(word for word, _ in entry.words[start:end])
        last = entry.span(end - 1)
        fix = None
        if "=" in text and span.line == entry.ends_on(end - 1):
            edit = Edit(span.path, span.line, span.column, last.line, last.end_column, f"{{ {text} }}")
            fix = Fix("put it in braces", (edit,), safe=True)
        return self.finding(
            span,
            message + ": the service dies when it starts",
            f"write -o {{ {text} }}" if "=" in text else "write -o NAME=VALUE",
            fix=fix,
        )


def commented_service(master: MasterFile, entry: MasterEntry) -> int:
    """Return the number of the first line within an entry that is a service in a comment; 0 without one."""
    for number in range(entry.line.number + 1, entry.line.last_number):
        line = master.line(number)
        words = line.strip(SPACE).lstrip("#").split()
        if line.startswith("#") and len(words) >= 8 and words[1] in TYPES:
            return number
    return 0


def is_orphan(context: Context, view: View, span: Span) -> bool:
    """Return True for an option of a service that is a comment, which M003 reports."""
    if context.master is None or span.path != context.master.path or not isinstance(view, ServiceView):
        return False
    entry = context.entry(view.service)
    comment = commented_service(context.master, entry)
    return bool(comment) and comment < span.line <= entry.line.last_number


class OrphanOptions(Rule):
    """-o settings after a service that is commented out: they apply to the service above."""

    id = "M003"
    name = "orphan-options"
    in_templates = True
    bad = (
        "--- master.cf\nsmtp inet n - y - - smtpd\n#submission inet n - y - - smtpd\n"
        "  -o smtpd_tls_security_level=encrypt\n"
    )
    good = (
        "--- master.cf\nsmtp inet n - y - - smtpd\n#submission inet n - y - - smtpd\n"
        "#  -o smtpd_tls_security_level=encrypt\n"
    )
    lookalike = "--- master.cf\nsmtp inet n - y - - smtpd\n# local policy\n  -o smtpd_tls_security_level=may\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if (master := context.master) is None:
            return
        for entry in master.entries:
            number = commented_service(master, entry)
            if not number:
                continue
            following = next(each for each in master.content(entry.line) if each > number)
            yield self.finding(
                master.span(following),
                f"this belongs to {entry.words[0][0]}: the service above it is a comment",
                "make it a comment, too",
                related=[
                    (entry.span(0), f"{entry.words[0][0]} begins here"),
                    (master.span(number), "the comment"),
                ],
            )


class DuplicateService(Rule):
    """Duplicate service: the last entry counts, with the -o settings of both.

    That holds for `smtp` and `25` as well, since Postfix 3.6. Of two services with different names for one address,
    each takes some of the connections.
    """

    id = "M004"
    name = "duplicate-service"
    severity = Severity.WARNING
    effect = (
        "master(8) warns and uses the last entry. `localhost:25` and `127.0.0.1:25`: both listen (SO_REUSEPORT), and "
        "the system gives each connection to one of them by chance."
    )
    bad = "--- master.cf\nsmtp inet n - y - - smtpd\nsmtp inet n - y - 1 postscreen\n"
    good = "--- master.cf\nsmtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n"
    lookalike = "--- master.cf\nsmtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        seen: dict[str, MasterEntry] = {}
        for entry in context.master.entries if context.master else []:
            if entry.service is None:
                continue
            key = entry.service.key
            if key in seen:
                yield self.finding(
                    entry.span(0),
                    f"there is another entry {key}; this one counts",
                    "keep one of them",
                    related=[(seen[key].span(0), "the other one")],
                )
            seen[key] = entry
        is_recent = context.release.since("3.6")
        for entry, other in same_endpoints(context):
            is_same_host = entry.words[0][0].rpartition(":")[0] == other.words[0][0].rpartition(":")[0]
            chosen = "this entry counts" if is_same_host else "chance decides which one a client reaches"
            effect = chosen if is_recent else "master(8) does not start"
            yield self.finding(
                entry.span(0),
                f"{other.words[0][0]} has this address and port as well: {effect}",
                "keep one of them, or give it another port",
                related=[(other.span(0), "the other one")],
            )


class ImplicitChroot(Rule):
    """Services that are chrooted by default.

    Below compatibility level 1, `-` in the chroot column means yes.
    """

    id = "M006"
    name = "implicit-chroot"
    severity = Severity.WARNING
    bad = "myhostname = mail.example.com\n--- master.cf\nsmtp inet n - - - - smtpd\n"
    good = "compatibility_level = 3.6\n--- master.cf\nsmtp inet n - - - - smtpd\n"
    lookalike = "myhostname = mail.example.com\n--- master.cf\nsmtp inet n - n - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main or not context.chroot_by_default:
            return
        found = [entry for entry in context.entries if entry.service and entry.service.fields[4] == "-"]
        if found:
            edits = tuple(self._edit(entry.span(4)) for entry in found)
            yield self.finding(
                found[0].span(4),
                f"{len(found)} service{'s run' if len(found) > 1 else ' runs'} in a chroot: "
                "- means y at compatibility level 0",
                "write y or n, or set compatibility_level",
                fix=Fix("write y", edits, safe=True),
            )

    @staticmethod
    def _edit(span: Span) -> Edit:
        return Edit(span.path, span.line, span.column, span.line, span.end_column, "y")


class WrapperMode(Rule):
    """Implicit TLS on a port for STARTTLS, or the reverse.

    Ports 465, submissions and smtps are for TLS from the first byte; on 25 and 587 it begins with STARTTLS.
    """

    id = "M008"
    name = "submissions-without-wrappermode"
    bad = "--- master.cf\nsubmissions inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
    good = "--- master.cf\nsubmissions inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"
    lookalike = "--- master.cf\nsubmission inet n - y - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            if entry.service is None or entry.service.command != "smtpd":
                continue
            view = context.service_view(entry)
            wrapped = context.is_yes("smtpd_tls_wrappermode", view)
            if port(entry) in IMPLICIT_TLS and not wrapped:
                yield self.finding(
                    entry.span(0),
                    "clients begin with TLS on this port, and this service does not",
                    "add -o smtpd_tls_wrappermode=yes",
                )
            if port(entry) in STARTTLS and wrapped:
                span = context.span("smtpd_tls_wrappermode", view)
                if is_orphan(context, view, span):
                    continue
                yield self.finding(
                    span,
                    f"clients of {entry.service.name} don't begin with TLS",
                    "set smtpd_tls_wrappermode for port 465 only",
                    related=[(entry.span(0), "the service")],
                )


class SubmissionPlaintext(Rule):
    """Passwords accepted in cleartext on a submission port."""

    id = "M009"
    name = "submission-plaintext-auth"
    bad = (
        "smtpd_tls_security_level = may\n--- master.cf\nsubmission inet n - y - - smtpd\n"
        "  -o smtpd_sasl_auth_enable=yes\n"
    )
    good = (
        "--- master.cf\nsubmission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"
        "  -o smtpd_tls_security_level=encrypt\n"
    )
    lookalike = (
        "smtpd_tls_auth_only = yes\n--- master.cf\nsubmission inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            if entry.service is None or entry.service.command != "smtpd" or port(entry) not in SUBMISSION:
                continue  # M008 reports a port for implicit TLS without it; with it, nothing is in clear
            view = context.service_view(entry)
            if is_local(entry) or (not context.has_main and not context.is_set("smtpd_tls_auth_only", view)):
                continue  # a main.cf that is not there may have it
            is_safe = (
                context.is_yes("smtpd_tls_auth_only", view)
                or server_level(context, view) == "encrypt"
                or "noplaintext" in context.value("smtpd_sasl_security_options", view)
            )
            if context.is_yes("smtpd_sasl_auth_enable", view) and not is_safe:
                yield self.finding(
                    entry.span(0),
                    "clients may send passwords in clear here",
                    "add -o smtpd_tls_security_level=encrypt",
                )


class OverrideDefeatsMain(Rule):
    """TLS setting of a service that contradicts main.cf."""

    id = "M010"
    name = "override-defeats-main"
    severity = Severity.INFO
    optional = True
    bad = (
        "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - - smtpd\n  -o smtpd_tls_security_level=none\n"
    )
    good = "smtpd_tls_security_level = may\n--- master.cf\nsmtp inet n - y - - smtpd\n"
    lookalike = (
        "smtpd_tls_security_level = may\nsmtpd_tls_auth_only = no\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "  -o smtpd_tls_security_level=may -o smtpd_sasl_auth_enable=yes\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.overrides:
            main = context.main.effective.get(each.name)
            if main and "tls" in each.name and main.value != each.value:
                yield self.finding(
                    each.span(), f"main.cf says {main.value or 'nothing'}", "", related=[(main.span(), "in main.cf")]
                )
