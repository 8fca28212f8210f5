"""Contents of lookup tables, by their use: values that mean nothing, and keys that match nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf.syntax.lines import decode

from ...context import Context, words_of
from ...facts.tables.aliases import alias_faults
from ...facts.tables.contents import PATTERNS, flags, span_of
from ...facts.tables.covered import covered
from ...facts.tables.named import FILES, Named, as_text, named_tables, place_of_warning
from ...facts.tables.related import doubled_paths, other_digests
from ...facts.tables.surveys import faults_of, surveys
from ...facts.tables.uses import Use, used_tables
from ...findings import Finding, Severity, Span
from ...rule import Rule


class BadTableValue(Rule):
    """Invalid value in a lookup table for the use of the table.

    Tables are checked for their use: actions of access(5) and header_checks(5), transports and next hops,
    passwords. For indexed files, the source is read.
    """

    id = "T008"
    name = "table-value"
    effect = (
        '`check_client_access inline:{192.0.2.1=REJCT}`: 451 4.3.5 for that client, "unknown smtpd restriction". '
        '`header_checks = regexp:{{/^X-Spam/ REJCT}}`: cleanup(8) warns, "unknown command in header_checks map". '
        "`transport_maps = inline:{{example.com=smtp:[mail.example.com}}`: smtp(8) is fatal."
    )
    bad = "smtpd_client_restrictions = check_client_access inline:{192.0.2.1=REJCT}\n"
    good = "smtpd_client_restrictions = check_client_access inline:{192.0.2.1=REJECT}\n"
    lookalike = (
        "smtpd_restriction_classes = strict\nstrict = reject\n"
        "smtpd_client_restrictions = check_client_access inline:{a.example=strict, {b.example=450 4.7.1 later}}\n"
        "header_checks = regexp:{{/^Subject: (.*)/ REPLACE Subject: $$1}}\n"
        "transport_maps = inline:{{.example.com=:[mail.example.net]}, {example.org=error:5.1.2 no such domain}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for survey in surveys(context):
            used = survey.used
            related = [(used.named.span(), "the table is used here")]
            for entry, fault in survey.values:
                yield self.finding(
                    span_of(context, used.named, entry),
                    f"{decode(entry.key)}: {fault.message}",
                    fault.suggestion,
                    severity=fault.severity,
                    related=related if entry.line else (),
                )
            if survey.more_values:
                more = f"{survey.more_values} more values of {used.named.text} mean nothing for {used.use.value}"
                yield self.finding(used.named.span(), more, "correct them, too")
        for named, entry in doubled_paths(context):
            base = context.value("virtual_mailbox_base")
            yield self.finding(
                span_of(context, named, entry),
                f"virtual(8) puts {base} in front of this path, which has it already",
                f"write {decode(entry.value)[len(base) :].lstrip('/')}",
                severity=Severity.WARNING,
                related=[(named.span(), "the table is used here")] if entry.line else (),
            )


class DeadKey(Rule):
    """Lookup table key that is never looked up.

    The keys depend on the use of the table: transport(5), access(5), virtual(5) and others list them.
    """

    id = "T009"
    name = "dead-key"
    severity = Severity.WARNING
    effect = "`transport_maps = inline:{{@example.com=smtp:[mail.example.net]}}`: the entry is ignored silently."
    bad = "transport_maps = inline:{{@example.com=smtp:[mail.example.net]}}\n"
    good = "transport_maps = inline:{{example.com=smtp:[mail.example.net]}}\n"
    lookalike = (
        "virtual_alias_maps = inline:{@example.com=joe, joe=jane@example.net}\n"
        "transport_maps = regexp:{{/@example\\.com$$/ smtp:}}\n"
        "smtpd_sender_restrictions = check_sender_access inline:{joe@=REJECT}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for survey in surveys(context):
            used = survey.used
            related = [(used.named.span(), "the table is used here")]
            for entry, dead in survey.keys:
                span = span_of(context, used.named, entry)
                if not entry.line:
                    span = used.named.assignment.word(decode(entry.key))
                yield self.finding(span, dead.message, dead.suggestion, related=related if entry.line else ())
            if survey.more_keys:
                more = f"{survey.more_keys} more keys of {used.named.text} are never looked up"
                yield self.finding(used.named.span(), more, "correct them, too")
        for named, entry, message in other_digests(context):
            yield self.finding(
                span_of(context, named, entry),
                message,
                "set smtpd_tls_fingerprint_digest, or compute it again",
                related=[(named.span(), "the table is used here")] if entry.line else (),
            )


class CoveredNetwork(Rule):
    """Network of a cidr table behind a larger one with another value: the first rule that matches decides."""

    id = "T017"
    name = "covered-network"
    severity = Severity.WARNING
    effect = "`10.0.0.0/8 REJECT` before `10.1.2.0/24 OK`: clients in 10.1.2.0/24 are rejected."
    bad = "smtpd_client_restrictions = check_client_access cidr:{{10.0.0.0/8 REJECT},{10.1.2.0/24 OK}}\n"
    good = "smtpd_client_restrictions = check_client_access cidr:{{10.1.2.0/24 OK},{10.0.0.0/8 REJECT}}\n"
    lookalike = (
        "smtpd_client_restrictions = check_client_access cidr:{{10.0.0.0/8 OK},{10.1.2.0/24 OK},{::/0 REJECT}}\n"
        "postscreen_access_list = cidr:{{if 10.0.0.0/8},{10.0.0.0/8 reject},{endif},{10.0.0.7 permit}}\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[tuple[str, str]] = set()
        for named in named_tables(context):
            if named.kind != "cidr" or (named.kind, named.name) in reported:
                continue
            reported.add((named.kind, named.name))
            for rule, before in covered(context, named):
                yield self.finding(
                    span_of(context, named, rule),
                    f"{decode(before.key)} decides before, and {decode(rule.key)} is never looked at",
                    "put the smaller network first",
                    related=[(span_of(context, named, before), "it decides")] if rule.line else (),
                )


class CaseFlag(Rule):
    """Flag `i` of a pattern: it makes the pattern case-sensitive, because the default is not.

    Each flag switches to the opposite of the default (regexp_table(5), pcre_table(5)). The rule is about headers and
    bodies; smtpd(8) looks up addresses in lower case.
    """

    id = "T018"
    name = "case-flag"
    severity = Severity.WARNING
    effect = "`/^subject: offer/i REJECT` does not match `Subject: Offer`; without `i` it does."
    bad = "header_checks = regexp:{{/^Subject: offer/i REJECT}}\n"
    good = "header_checks = regexp:{{/^Subject: offer/ REJECT}}\n"
    lookalike = "header_checks = pcre:{{/^X-Id: [0-9]+/x REJECT}}, regexp:{{/^[0-9]+:/i WARN}}\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_tables(context):
            if used.use not in _OF_LINES or used.named.kind not in PATTERNS:
                continue
            patterns = flags(context, used.named)
            found = [each for each, of_it in patterns if b"i" in of_it and _LETTER.search(each.key)]
            if found:
                more = f", and {len(found) - 1} more patterns" if len(found) > 1 else ""
                yield self.finding(
                    span_of(context, used.named, found[0]),
                    f"the flag i makes this pattern case-sensitive{more}",
                    "remove the i to ignore case",
                    related=[(used.named.span(), "the table is used here")] if found[0].line else (),
                )


_OF_LINES = (Use.CHECKS, Use.BODY_CHECKS, Use.CLIENT_CHECKS, Use.CLIENT_BODY_CHECKS)
_LETTER = re.compile(rb"(?<!\\)[A-Za-z]")


class BadAliases(Rule):
    """Invalid lines in an aliases(5) file.

    postalias(1) skips them. Names are local parts, without a domain.
    """

    id = "T010"
    name = "bad-aliases"
    severity = Severity.WARNING
    needs_files = True
    effect = 'postalias(1) warns, "need name:value pair", "name must be local", and leaves the line out.'
    bad = (
        "alias_maps = hash:$config_directory/aliases\n--- aliases\npostmaster: root\nabuse root\n"
        "joe@example.com: jane\n"
    )
    good = "alias_maps = hash:$config_directory/aliases\n--- aliases\npostmaster: root\nabuse: root\n"
    lookalike = (
        "alias_maps = hash:$config_directory/aliases\n"
        '--- aliases\n# local\nowner-list: joe\nlist: :include:/etc/list,\n  "|/usr/bin/filter -x"\n'
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used in used_tables(context):
            if used.use is Use.ALIASES and used.named.kind in FILES:
                for number, message, suggestion in alias_faults(context, used.named):
                    span = Span(context.files.outside(used.named.name), number)
                    yield self.finding(
                        span, message, suggestion, related=[(used.named.span(), "the table is used here")]
                    )


class ListFileMissing(Rule):
    """Missing pattern file in a list: each lookup that reaches it fails.

    Lists of domains, clients and names can contain the full path of a file with more elements.
    """

    id = "T011"
    name = "list-file-missing"
    needs_files = True
    effect = '`mydestination = /etc/postfix/nofile`: smtpd(8) and others are fatal, "open file … No such file".'
    bad = "mydestination = $myhostname, $config_directory/nofile\n"
    good = "mydestination = $myhostname, $config_directory/domains\n--- domains\nexample.com\n"
    lookalike = "mydestination = $myhostname, localhost\nmyorigin = /etc/mailname\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ...facts.readings import locate, readings

        reported: set[str] = set()
        for read in readings(context):
            for word in read.reading.words:
                is_file = word.role == "file" and word.text.startswith("/") and read.kind.name in _LISTS
                if is_file and word.text not in reported and not context.files.exists(word.text):
                    reported.add(word.text)
                    _, span = locate(context, read.assignment, word.start, word.end)
                    yield self.finding(span, f"there is no {word.text}: lookups fail", "correct the name")


_LISTS = ("domains", "clients", "networks", "strings", "users", "mechanisms")


class OtherSyntax(Rule):
    """Table type that contradicts the file name: regexp, pcre or neither.

    The syntax differs: a pattern of one type is invalid in the other, or has other matches.
    """

    id = "T012"
    name = "other-syntax"
    severity = Severity.WARNING
    in_templates = True
    bad = "header_checks = regexp:/etc/postfix/header_checks.pcre\n"
    good = "header_checks = pcre:/etc/postfix/header_checks.pcre\n"
    lookalike = "header_checks = regexp:/etc/postfix/pcre_header_checks\ntransport_maps = hash:/etc/postfix/hash_maps\n"

    _SUFFIXES = ("pcre", "regexp", "cidr", "mysql", "pgsql", "ldap", "sqlite")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for named in named_tables(context):
            suffix = named.name.rpartition(".")[2].lower() if "." in named.name.rpartition("/")[2] else ""
            if suffix in self._SUFFIXES and suffix != named.kind and self._differs(named, suffix):
                span = named.span()
                if span not in reported:
                    reported.add(span)
                    yield self.finding(span, f"{named.name} is read as {named.kind}", f"write {suffix}:{named.name}")

    @staticmethod
    def _differs(named: Named, suffix: str) -> bool:
        return named.name.startswith("/") and named.kind in ("pcre", "regexp", "cidr", *FILES, "texthash", suffix)


class ChecksWithoutPatterns(Rule):
    """Table with fixed keys where whole lines are looked up: nothing matches.

    header_checks(5), body_checks and filters of replies ask for a complete header, line or reply, which only patterns
    match.
    """

    id = "T015"
    name = "checks-without-patterns"
    severity = Severity.WARNING
    in_templates = True
    effect = "`header_checks = hash:/etc/postfix/header_checks`: no entry matches, silently."
    bad = "header_checks = hash:/etc/postfix/header_checks\n"
    good = "header_checks = regexp:/etc/postfix/header_checks\n"
    lookalike = "body_checks = pcre:/etc/postfix/body_checks\nsmtp_header_checks = static:IGNORE\n"

    _SUFFIXES = ("header_checks", "body_checks", "_reply_filter", "_delivery_status_filter", "_command_filter")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for named in named_tables(context):
            is_fixed = named.kind in (*FILES, "texthash", "inline", "cidr")
            if is_fixed and named.assignment.name.endswith(self._SUFFIXES) and named.span() not in reported:
                reported.add(named.span())
                message = f"{named.kind}: has fixed keys, and {named.assignment.name} looks up whole lines"
                yield self.finding(named.span(), message, "use regexp: or pcre:")


class PasswordsReadable(Rule):
    """Passwords for other servers in a file that others can read.

    smtp(8) opens the table before it gives up root's privileges, so that it can be for root alone.
    """

    id = "T013"
    name = "passwords-readable"
    severity = Severity.WARNING
    needs_files = True
    bad = "smtp_sasl_password_maps = texthash:$config_directory/cert.pem\n"
    good = "smtp_sasl_password_maps = texthash:$config_directory/key.pem\n"
    lookalike = (
        "smtp_sasl_password_maps = texthash:$config_directory/nofile\n"
        "alias_maps = texthash:$config_directory/cert.pem\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        for named in named_tables(context):
            if not named.assignment.name.endswith("_sasl_password_maps") or not named.name.startswith("/"):
                continue
            for path in (named.name, named.name + FILES.get(named.kind, "")):
                if path not in reported and self._is_open(context, path):
                    reported.add(path)
                    yield self.finding(
                        named.span(), f"others can read the passwords in {path}", f"chmod 600 {path}, as root's"
                    )

    @staticmethod
    def _is_open(context: Context, path: str) -> bool:
        try:
            return bool(context.files.stat(path).st_mode & 0o004)
        except OSError:
            return False


_OF_ALIASES = ("alias_maps", "alias_database")


class BadSource(Rule):
    """Lines of a table's source that postmap(1) leaves out, or that come twice."""

    id = "T014"
    name = "bad-source"
    severity = Severity.WARNING
    needs_files = True
    effect = 'postmap(1) warns, "expected format: key whitespace value", "duplicate entry"; the first one counts.'
    bad = "transport_maps = hash:$config_directory/transport\n--- transport\nexample.com\nexample.com smtp:\n"
    good = "transport_maps = hash:$config_directory/transport\n--- transport\nexample.com smtp:\n"
    lookalike = "alias_maps = hash:$config_directory/aliases\n--- aliases\npostmaster: root\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[str] = set()
        # local_recipient_maps usually has $alias_maps.
        aliases = {word for name in _OF_ALIASES for word in words_of(context.value(name))}
        for named in named_tables(context):
            is_alias = f"{named.kind}:{named.name}" in aliases or named.assignment.name in _OF_ALIASES
            if named.kind not in FILES or is_alias or named.is_written_by_daemons or named.name in reported:
                continue
            if named.assignment.name == "tls_server_sni_maps":
                continue  # T004
            reported.add(named.name)
            faults = faults_of(context, as_text(named))
            for warning in faults.first:
                span, problem = place_of_warning(context, named, warning)
                yield self.finding(span, problem, "correct it", related=[(named.span(), "the table is used here")])
            if faults.more:
                yield self.finding(named.span(), f"{faults.more} more faults are in {named.name}", "correct them, too")
