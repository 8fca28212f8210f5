"""Syntax of main.cf: lines, comments, quotes, dollar signs, duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from postconf.syntax.lines import SPACE
from postconf.syntax.maincf import AssignmentError, split_assignment
from postconf.syntax.mastercf import FIELDS, TYPES, closing_brace

from ...context import Context
from ...facts.readings import comment_start, comment_words, is_quoted, too_long
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule
from ...text.sources import MOST_CHARACTERS, TOO_LARGE, Assignment, MasterFile, Source
from ...text.templates import UNRENDERED, templates

_COMMAND = 7


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
        """Yield what is found."""
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
        """Yield what is found."""
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
    lookalike = "smtpd_recipient_restrictions =\n  permit_mynetworks,\n  check_recipient_access inline:{ a=b }\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        for each in context.main.assignments:
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
        """Yield what is found."""
        for source in context.sources:
            for number, text in enumerate(source.lines, 1):
                stripped = text.strip(SPACE)
                if not stripped or stripped.startswith("#"):
                    continue
                if text[0] in SPACE:
                    yield self.finding(
                        source.span(number),
                        "this line is dropped: it goes on with a line that is not there",
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
        """Yield what is found."""
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
        """Yield what is found."""
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
        """Yield what is found."""
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


class StrangeBytes(Rule):
    """Carriage return, NUL or byte order mark: Postfix takes it for text, or cuts the line there."""

    id = "S008"
    name = "strange-bytes"
    severity = Severity.WARNING
    in_templates = True
    bad = "\ufeffmyhostname = mail.example.com\n"
    good = "myhostname = mail.example.com\n"
    lookalike = "smtpd_banner = $myhostname Grüße\r\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        for source in context.sources:
            if source.text.startswith("\ufeff"):
                edit = Edit(source.path, 1, 1, 1, 2, "")
                yield self.finding(
                    Span(source.path, 1, 1, 2),
                    "a byte order mark becomes part of the first name",
                    "save the file without one",
                    severity=Severity.ERROR,
                    fix=Fix("remove the byte order mark", (edit,), safe=True),
                )
            if "\0" not in source.text and "\r" not in source.text:
                continue
            for number, text in enumerate(source.lines, 1):
                for character, word in (
                    ("\0", "NUL: what is behind it is lost"),
                    ("\r", "carriage return within a line"),
                ):
                    at = text.rstrip("\r").find(character)
                    if at >= 0:
                        yield self.finding(Span(source.path, number, at + 1, at + 2), word, "remove it")


class NoFinalNewline(Rule):
    """No newline at end of file: text that a script appends joins the last line."""

    id = "S009"
    name = "no-final-newline"
    severity = Severity.WARNING
    bad = "myhostname = mail.example.com"
    good = "myhostname = mail.example.com\n"
    lookalike = "myhostname = mail.example.com\n# the end\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        for source in context.sources:
            if source.text and not source.text.endswith("\n"):
                last, column = len(source.lines), len(source.lines[-1])
                edit = Edit(source.path, last, column + 1, last, column + 1, "\n")
                yield self.finding(
                    Span(source.path, last, max(1, column), column + 1),
                    "the last line does not end: what is appended becomes part of it",
                    "end it",
                    fix=Fix("end the last line", (edit,), safe=True),
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
        """Yield what is found."""
        first: dict[str, Assignment] = {}
        for each in context.main.assignments:
            earlier = first.get(each.name)
            first[each.name] = each
            if earlier is None:
                continue
            same = earlier.value == each.value
            level = Severity.INFO if same else Severity.ERROR if "tls" in each.name else Severity.WARNING
            yield self.finding(
                each.name_span(),
                f"{each.name} is set again{' to the same value' if same else ', and this one counts'}",
                "keep one of them",
                severity=level,
                related=[(earlier.name_span(), "set before here")],
                fix=Fix("remove the earlier one", context.main.removal(earlier.line), safe=True),
            )


class EmptyOverridesDefault(Rule):
    """Empty value where Postfix requires one.

    Without a name of the host or a directory master(8) does not start, without what TLS needs its services die; and
    postconf(1) says nothing.
    """

    id = "S012"
    name = "empty-overrides-default"
    in_templates = True
    effect = "`myhostname =`: master(8) is fatal at start. `smtpd_tls_ciphers =`: smtpd(8) is, at the first connection."
    bad = "myhostname =\nsmtpd_tls_ciphers =\n"
    good = "myhostname = mail.example.com\n"
    lookalike = "relayhost =\nsmtpd_tls_exclude_ciphers =\nsmtpd_tls_security_level =\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
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


class TooLarge(Rule):
    """Configuration too large to be checked.

    Main.cf and master.cf may have four million characters each, and all references together may expand to some sixty
    million. Postfix has no such limits; a checker that reads configurations of strangers needs them. Nothing else is
    reported of a file that is too long. Values whose expansion is over the limit are not judged, nor is a value of more
    than a hundred thousand characters.
    """

    id = TOO_LARGE
    name = "too-large"
    in_templates = True
    bad = "a0 = 0123456789\n" + "".join(
        f"a{number} = " + " ".join([f"$a{number - 1}"] * 10) + "\n" for number in range(1, 9)
    )
    good = "a0 = 0123456789\na1 = $a0 $a0\nmydestination = $a1\n"
    lookalike = "a0 = 0\na1 = $a0 $a0 $a0 $a0 $a0 $a0 $a0\na2 = $a1 $a1 $a1 $a1 $a1 $a1\nmydestination = $a2\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        for source in context.sources:
            if source.is_too_long:
                yield self.finding(
                    Span(source.path),
                    f"the file has more than {MOST_CHARACTERS:,} characters, and was not checked",
                    "split it, or check what it is generated from",
                )
        for each in context.everywhere:
            if "$" not in each.value or context.expanded(each) is not None:
                continue
            if context.is_too_complex(each):
                yield self.finding(
                    each.span(), f"the value of {each.name} has too many braces to be checked", "simplify it"
                )
            elif context.is_exhausted:
                yield self.finding(
                    each.span(),
                    f"the value of {each.name} expands to more than can be looked at; such values were not checked",
                    "refer to fewer names",
                )
                break
        for each in too_long(context)[:1]:
            yield self.finding(
                each.span(),
                f"the value of {each.name} is too long to be read word by word, and was not judged",
                "keep long lists in files or tables",
            )


class UnrenderedTemplate(Rule):
    """Unrendered template: template markup or environment variables.

    It is reported once for each file. To Postfix, statements are lines without `=`, and in a value markup is text; so
    it must not be installed as it is. Check what is made from it, or say `# tlsproxy-check: ignore-file=S013` in it. In
    a template only what a line alone shows is reported, and nothing of lines that will be others.
    """

    id = UNRENDERED
    name = "unrendered-template"
    in_templates = True
    effect = "`{% if x %}`: postconf(1) and every daemon are fatal. `{{ x }}` is taken for the value."
    bad = "{% if tls %}\nsmtpd_tls_cert_file = {{ certificate }}\n{% endif %}\nmyhostname = ${MAIL_HOST}\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nmyhostname = mail.example.com\n"
    lookalike = (
        "# made from {{ template }}\nheader_checks = regexp:{{/^X: #/ IGNORE}}, inline:{{a=b}, {c=d}}\n"
        "smtpd_banner = ${{$mail_version} >= {3} ? {new} : {old}}\n"
        'mailbox_command = procmail -a "$EXTENSION"\n'
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield what is found."""
        for span, text in templates(context).first:
            yield self.finding(
                span, f'"{text}" is still to be replaced: this looks like a template', "check what is made from it"
            )
