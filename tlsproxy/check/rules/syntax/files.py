"""Files as a whole: bytes, ends, sizes, and templates that nothing has rendered."""

from __future__ import annotations

from collections.abc import Iterator

from ...context import Context
from ...facts.mail.access import unread_lists
from ...facts.readings import too_long
from ...findings import Edit, Finding, Fix, Severity, Span
from ...rule import Rule
from ...text.sources import LONGEST_ENTRY, MOST_CHARACTERS, MOST_LINES, MOST_PHYSICAL_LINES, TOO_LARGE, MasterFile
from ...text.templates import UNRENDERED, templates


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
        """Yield the findings."""
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
                    ("\0", "NUL: the text behind it is lost"),
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
        """Yield the findings."""
        for source in context.sources:
            if source.text and not source.text.endswith("\n"):
                last, column = len(source.lines), len(source.lines[-1])
                edit = Edit(source.path, last, column + 1, last, column + 1, "\n")
                yield self.finding(
                    Span(source.path, last, max(1, column), column + 1),
                    "the last line does not end: appended text becomes part of it",
                    "end it",
                    fix=Fix("end the last line", (edit,), safe=True),
                )


class TooLarge(Rule):
    """Configuration too large to be checked.

    Main.cf and master.cf may have four million characters and half a million lines each, 20,000 settings or services
    and 20,000 -o settings, an entry of master.cf a hundred thousand characters, and all references together may
    expand to some sixteen million. Postfix has no such limits; a checker that reads configurations of strangers needs
    them. Nothing else is reported of a file with too many characters or lines. Of too many settings, the first ones are
    checked for mistakes that a line alone shows. Values whose expansion is over the limit are not judged, nor are
    values of more than a hundred thousand characters.
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
        """Yield the findings."""
        for source in context.sources:
            if source.is_too_long:
                yield self.finding(
                    Span(source.path),
                    f"more than {MOST_CHARACTERS:,} characters or {MOST_PHYSICAL_LINES:,} lines: not checked",
                    "split it, or check the file it is generated from",
                )
            if rest := source.rest:
                is_long = isinstance(source, MasterFile) and len(rest.text) > LONGEST_ENTRY
                limit = (
                    f"{LONGEST_ENTRY:,} characters in an entry" if is_long else f"{MOST_LINES:,} settings or services"
                )
                yield self.finding(
                    source.span(rest.number),
                    f"more than {limit}: nothing was checked from here on, and above only what a line alone shows",
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
        if (view := unread_lists(context)) is not None:
            yield self.finding(
                context.span("smtpd_recipient_restrictions", view),
                "the restriction lists of all services are too long: from this service on they were not judged",
                "shorten them, or use restriction classes",
            )
        for each in too_long(context)[:1]:
            yield self.finding(
                each.span(),
                f"the value of {each.name} is too long to be read word by word, and was not judged",
                "keep long lists in files or tables",
            )


class UnrenderedTemplate(Rule):
    """Unrendered template: template markup or environment variables.

    It is reported once for each file. To Postfix, statements are lines without `=`, and in a value markup is text; so
    it must not be installed as it is. Check the rendered file, or write `# tlsproxy-check: ignore-file=S013` in it. In
    a template, a rule reports only mistakes that one line shows, and none in lines that will change.
    """

    id = UNRENDERED
    name = "unrendered-template"
    in_templates = True
    effect = "`{% if x %}`: postconf(1) and every daemon are fatal. `{{ x }}` is taken for the value."
    bad = "{% if tls %}\nsmtpd_tls_cert_file = {{ certificate }}\n{% endif %}\nmyhostname = ${MAIL_HOST}\n"
    good = "smtpd_tls_cert_file = /etc/ssl/mail.pem\nmyhostname = mail.example.com\n"
    lookalike = (
        "# made from {{ template }}\nheader_checks = regexp:{{/^X: #/ IGNORE}}\n"
        "virtual_alias_maps = inline:{{a=b}, {c=d}}\n"
        "smtpd_banner = ${{$mail_version} >= {3} ? {new} : {old}}\n"
        'mailbox_command = procmail -a "$EXTENSION"\n'
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for span, text in templates(context).first:
            yield self.finding(
                span, f'"{text}" is still to be replaced: this looks like a template', "check the rendered file"
            )
