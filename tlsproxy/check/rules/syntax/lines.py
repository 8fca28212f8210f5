"""Lines of main.cf and master.cf: assignments, comments, quotes, dollar signs, duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postconf.syntax.lines import SPACE
from postconf.syntax.maincf import AssignmentError, split_assignment
from postconf.syntax.mastercf import FIELDS, TYPES, closing_brace

from ...context import Context
from ...facts.readings import comment_start, comment_words, is_quoted
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment, MasterFile, Source
from ..parameters.names import levels_of_one_side

_COMMAND = 7
_MOST_REPEATED = 100
"""Repeated settings that are reported one by one."""


class MissingEquals(Rule):
    """Line of main.cf without `=`.

    Every program of Postfix refuses to start with such a file.
    """

    id = "S001"
    name = "missing-equals"
    in_templates = True
    effect = "postconf(1) and every daemon: fatal, \"missing '=' after attribute name\"."
    bad = "smtpd_tls_cert_file /etc/ssl/mail.pem\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\n"
    lookalike = "smtpd_tls_cert_file\n  = /etc/ssl/mail.pem\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for line, error in context.main.broken:
            span = Span.at(line.place(min(error.offset, max(0, len(line.text) - 1))))
            yield self.finding(span, str(error), "write NAME = VALUE, or # in front of a comment")


class InlineComment(Rule):
    """`#` after a value: it does not start a comment there.

    Comments are whole lines. The text after `#` becomes part of the value, which is then often invalid. An invalid
    protocol list turns TLS off.
    """

    id = "S002"
    name = "inline-comment"
    in_templates = True
    effect = (
        "`smtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1`: no STARTTLS, 454 from smtpd(8), status 0 from tlsproxy(8)."
    )
    bad = "smtpd_tls_protocols = !SSLv2, !SSLv3 #, !TLSv1\n"
    good = "# not TLSv1\nsmtpd_tls_protocols = !SSLv2, !SSLv3\n"
    lookalike = "smtpd_banner = $myhostname ESMTP #1 of 2\nheader_checks = regexp:{{/^X: #/ IGNORE}}\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.everywhere:
            start = comment_start(context, each)
            if start >= 0:
                yield self.finding(
                    each.span(start),
                    f'# starts no comment here, and "{each.value[start:]}" is part of the value',
                    "put the comment on a line of its own",
                    fix=self._fix(each, start),
                )
        yield from self._behind_commands(context)

    def _behind_commands(self, context: Context) -> Iterator[Finding]:
        """Report the first comment on each line of master.cf that is behind a command."""
        for entry in context.entries:
            lines: set[int] = set()
            for index in comment_words(entry):
                span = entry.span(index)
                if span.line not in lines:
                    lines.add(span.line)
                    text = context.master.line(span.line) if context.master else ""
                    yield self.finding(
                        replace(span, end_column=len(text.rstrip(SPACE)) + 1),
                        f'# starts no comment here: "{text[span.column - 1 :].strip()}" is given to '
                        f"{entry.words[_COMMAND][0]}, which dies of it",
                        "put the comment on a line of its own",
                    )

    def _fix(self, each: Assignment, start: int) -> Fix | None:
        first, last = each.span(start, 1), each.span(len(each.value) - 1, 1)
        if each.service or first.line != each.line.number or last.line != first.line:
            return None
        edits = (
            Edit(first.path, first.line, 1, first.line, 1, each.value[start:] + "\n"),
            Edit(
                first.path,
                first.line,
                first.column - (len(each.value[:start]) - len(each.value[:start].rstrip(SPACE))),
                last.line,
                last.end_column,
                "",
            ),
        )
        return Fix("put the comment on a line of its own", edits, safe=False)


class SwallowedAssignment(Rule):
    """Indented assignment: it continues the line above.

    White space at the beginning of a line continues the line above, also across comments and blank lines.
    """

    id = "S003"
    name = "swallowed-assignment"
    in_templates = True
    effect = "`relayhost =` and an indented next line: relayhost has the value `smtpd_tls_security_level = may`."
    bad = "relayhost =\n smtpd_tls_security_level = may\n"
    good = "relayhost =\nsmtpd_tls_security_level = may\n"
    lookalike = (
        "smtpd_recipient_restrictions =\n  permit_mynetworks,\n  check_recipient_access inline:{ a@b.example=REJECT }\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.main.assignments:
            if each.line.number == each.line.last_number:
                continue
            for number in context.main.content(each.line)[1:]:
                text = context.main.line(number)
                try:
                    name, _, _ = split_assignment(text)
                except AssignmentError:
                    continue
                if name not in context.release.kinds:
                    continue
                indent = len(text) - len(text.lstrip(SPACE))
                edit = Edit(context.main.path, number, 1, number, indent + 1, "")
                yield self.finding(
                    context.main.span(number, indent, indent + len(name)),
                    f"this does not set {name}: it goes on with the value of {each.name}",
                    f"if {name} is meant, remove the white space in front of it",
                    related=[(each.name_span(), f"{each.name} begins here")],
                    fix=Fix("remove the white space", (edit,), safe=False),
                )


class LeadingWhitespace(Rule):
    """Indented first line: it continues nothing, and Postfix drops it."""

    id = "S004"
    name = "leading-whitespace-first"
    in_templates = True
    effect = "postconf(1) warns and ends with status 0; the setting is dropped."
    bad = " smtpd_tls_security_level = may\n"
    good = "smtpd_tls_security_level = may\n"
    lookalike = " # a comment may be indented\n\nsmtpd_tls_security_level = may\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for source in context.sources:
            for number, text in enumerate(source.lines, 1):
                stripped = text.strip(SPACE)
                if not stripped or stripped.startswith("#"):
                    continue
                if text[0] in SPACE:
                    yield self.finding(
                        source.span(number),
                        "Postfix drops this line: it is indented, and continues no other line",
                        "remove the white space in front of it",
                        fix=Fix("remove the white space", tuple(self._edits(source, number)), safe=True),
                    )
                break

    @staticmethod
    def _edits(source: Source, first: int) -> Iterator[Edit]:
        """Yield the removal of white space in front of a line, and of those that would then continue it by mistake."""
        is_master = isinstance(source, MasterFile)
        for number in range(first, len(source.lines) + 1):
            text = source.line(number)
            if text and text[0] not in SPACE and text[0] != "#":
                return
            words = text.split()
            begins = len(words) >= len(FIELDS) and words[1] in TYPES if is_master else words[1:2] == ["="]
            if number == first or (begins and not words[0].startswith("#")):
                indent = len(text) - len(text.lstrip(SPACE))
                yield Edit(source.path, number, 1, number, indent + 1, "")


class CommentedContinuation(Rule):
    """Comment inside a value: the lines after it still belong to the value."""

    id = "S005"
    name = "commented-continuation"
    severity = Severity.INFO
    bad = "mynetworks = 127.0.0.0/8\n#  192.0.2.0/24\n  198.51.100.0/24\n"
    good = "mynetworks = 127.0.0.0/8\n  198.51.100.0/24\n"
    lookalike = "# local ones\nmynetworks = 127.0.0.0/8\n# more\nrelayhost =\n"
    optional = True

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for source in context.sources:
            for line in source.logical:
                for number in range(line.number + 1, line.last_number):
                    if source.line(number).lstrip(SPACE).startswith("#"):
                        yield self.finding(
                            source.span(number), "the lines behind this comment still go on with the value"
                        )
                        break


class UnbalancedMacro(Rule):
    """Unterminated or invalid reference, or a `-o { …` without a closing brace.

    Postfix can't expand the value, and no program that needs it starts. Of the brace in master.cf postconf(1) warns,
    and master(8) does not start.
    """

    id = "S006"
    name = "unbalanced-macro"
    effect = 'postconf(1) and every daemon: fatal, "macro processing error".'
    bad = "myorigin = ${mydomain\n"
    good = "myorigin = ${mydomain}\n"
    lookalike = (
        "smtpd_banner = $myhostname costs 5$$\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "  -o { smtpd_banner = $myhostname {really} }\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.everywhere:
            for problem in context.reference_problems(each):
                yield self.finding(
                    each.span(max(0, each.value.find("$"))),
                    problem.split(":")[0],
                    "write $name or ${name}; $$ is a dollar sign",
                )
                break
        for entry in context.master.entries if context.master else []:
            if any("'}'" in warning for warning in entry.warnings):
                field = next((at for at, (word, _) in enumerate(entry.words) if _is_broken(word)), 0)
                yield self.finding(entry.span(field), "the braces don't match: master(8) does not start", "close them")


def _is_broken(word: str) -> bool:
    """Return True if a word begins with a brace that is not closed at its end."""
    return word.startswith("{") and closing_brace(word, 0) != len(word) - 1


class QuotedValue(Rule):
    """Quoted value: the quotes are part of it.

    Postfix has no quotes in main.cf, except for a few values in braces.
    """

    id = "S007"
    name = "quoted-value"
    in_templates = True
    effect = '`smtpd_tls_chain_files = "/etc/x.pem"`: STARTTLS is offered, then there is no certificate.'
    bad = 'smtpd_tls_cert_file = "/etc/ssl/mail.pem"\n'
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\n"
    lookalike = 'mailbox_command = "/usr/bin/deliver"\n'

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.everywhere:
            if not is_quoted(context, each):
                continue
            first, last = each.span(0, 1), each.span(len(each.value) - 1, 1)
            edits = tuple(
                Edit(each.source.path, at.line, at.column, at.line, at.column + 1, "") for at in (first, last)
            )
            yield self.finding(
                each.span(),
                f"the quotes are part of the value of {each.name}",
                "remove them",
                fix=Fix("remove the quotes", edits, safe=True),
            )


class DuplicateParameter(Rule):
    """Duplicate parameter: the last assignment counts."""

    id = "S011"
    name = "duplicate-parameter"
    severity = Severity.WARNING
    effect = "postconf(1) warns if the values differ, and ends with status 0; the last one wins."
    bad = "smtpd_tls_security_level = may\nsmtpd_tls_security_level = encrypt\n"
    good = "smtpd_tls_security_level = encrypt\n"
    lookalike = "smtpd_tls_security_level = may\nsmtp_tls_security_level = may\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if len(context.main.effective) == len(context.main.assignments):
            return
        last: dict[str, Assignment] = {}
        repeated: list[tuple[Assignment, Assignment]] = []
        guesses = {last for _, last, _ in levels_of_one_side(context)}  # one may be meant for the other side: N003
        for each in context.main.assignments:
            if each.name in last:
                repeated.append((last[each.name], each))
            last[each.name] = each
        for earlier, each in repeated[:_MOST_REPEATED]:
            same = earlier.value == each.value
            yield self.finding(
                each.name_span(),
                f"{each.name} is set again{' to the same value' if same else ', and this one counts'}",
                "keep one of them",
                severity=self._severity(earlier, each),
                related=[(earlier.name_span(), "set before here")],
                fix=Fix("remove the earlier one", context.main.removal(earlier.line), safe=each not in guesses),
            )
        if more := repeated[_MOST_REPEATED:]:
            yield self.finding(
                more[0][1].name_span(),
                f"{len(more)} more settings from here on repeat earlier ones; the last one of a parameter counts",
                "keep one of each",
                severity=max(self._severity(earlier, each) for earlier, each in more),
                fix=Fix(
                    "remove the earlier ones",
                    tuple(edit for earlier, _ in more for edit in context.main.removal(earlier.line)),
                    safe=guesses.isdisjoint(each for _, each in more),
                ),
            )

    @staticmethod
    def _severity(earlier: Assignment, later: Assignment) -> Severity:
        if earlier.value == later.value:
            return Severity.INFO
        return Severity.ERROR if "tls" in later.name else Severity.WARNING


class EmptyOverridesDefault(Rule):
    """Empty value where Postfix requires one.

    Without a name of the host or a directory, master(8) does not start. Without a value that TLS needs, its services
    die. postconf(1) does not warn.
    """

    id = "S012"
    name = "empty-overrides-default"
    in_templates = True
    effect = "`myhostname =`: master(8) is fatal at start. `smtpd_tls_ciphers =`: smtpd(8) is, at the first connection."
    bad = "myhostname =\nsmtpd_tls_ciphers =\n"
    good = "myhostname = mail.example.com\n"
    lookalike = "relayhost =\nsmtpd_tls_exclude_ciphers =\nsmtpd_tls_security_level =\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.everywhere:
            if each.value or each.name not in context.release.kinds:
                continue
            parameter = context.release.parameter(each.name)
            is_text = parameter.kind in ("str", "raw", "computed")
            is_read = "libglobal" in parameter.programs or "tls_" in each.name
            if is_text and parameter.minimum > 0 and is_read and not self._is_template(context):
                yield self.finding(
                    each.name_span(), f"{each.name} must not be empty", "give a value, or remove the line"
                )

    @staticmethod
    def _is_template(context: Context) -> bool:
        """Return True for the main.cf of the source distribution, whose placeholders the installation fills."""
        sendmail = context.main.effective.get("sendmail_path")
        return sendmail is not None and not sendmail.value
