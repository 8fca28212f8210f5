"""Values by their kind: one rule for each family of kinds that `postconf.kinds` reads.

The readers find the words without a meaning, and know Postfix's reaction to them. A rule here has examples, and a
severity for each outcome; a value that no program reads now is a warning at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from postconf.kinds import Outcome

from ...context import Context
from ...facts.readings import BadValue, bad_values
from ...findings import Finding, Severity
from ...rule import Rule


class KindRule(Rule):
    """Reports the values that the readers of some kinds don't accept."""

    kinds: ClassVar[tuple[str, ...]] = ()
    outcomes: ClassVar[tuple[Outcome, ...]] = tuple(Outcome)
    """The problems that it reports, by their outcome."""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        found = bad_values(context)
        for kind in self.kinds if found else ():
            for each in found.get(kind, ()):
                if each.problem.outcome in self.outcomes:
                    yield self.report(each)

    def report(self, bad: BadValue) -> Finding:
        """Make the finding."""
        return self.finding(bad.span, bad.message, bad.problem.suggestion, severity=bad.severity, related=bad.related)


class BadWord(KindRule):
    """Value that is not one of the allowed keywords."""

    id = "V010"
    name = "bad-word"
    in_templates = True
    kinds = ("enum", "permissions", "eecdh-grade", "milter-protocol", "table-type")
    effect = (
        '`smtp_address_preference = ipv5`: smtp(8) is fatal, "bad smtp_address_preference value". '
        "`smtpd_sasl_type = dovcot`: smtpd(8) is fatal if smtpd_sasl_auth_enable is on. "
        "`milter_default_action = accpet`: 451 where a filter does not answer, instead of accept."
    )
    bad = "smtp_address_preference = ipv5\npostscreen_greet_action = enforced\n"
    good = "smtp_address_preference = ipv6\npostscreen_greet_action = enforce\n"
    lookalike = "smtp_address_preference = IPv6\nsmtp_dns_support_level =\n"


class BadFlag(KindRule):
    """Unknown keyword in a list; keywords are case-sensitive.

    The program that reads the list is fatal.
    """

    id = "V011"
    name = "bad-flag"
    in_templates = True
    kinds = ("mask", "sasl-options", "classes")
    effect = '`notify_classes = resource, sofware`: smtpd(8) is fatal, "unknown notify_classes value".'
    bad = (
        "notify_classes = resource, sofware\n--- master.cf\npickup unix n - y 60 1 pickup\n"
        "  -o receive_override_options=no_unknown_recipient_check\nsmtp inet n - y - - smtpd\n"
    )
    good = "notify_classes = resource, software\n"
    lookalike = "mine = bounce\nnotify_classes = $mine, 2bounce\nreceive_override_options =\n"


class UnknownListWord(KindRule):
    """Unknown keyword that Postfix ignores without a warning."""

    id = "V012"
    name = "unknown-list-word"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("mask-any-case", "names")
    effect = "`smtpd_discard_ehlo_keywords = chunkng`: CHUNKING is announced, nothing is logged."
    bad = "smtpd_discard_ehlo_keywords = chunkng, dsn\n"
    good = "smtpd_discard_ehlo_keywords = chunking, dsn\n"
    lookalike = "smtpd_discard_ehlo_keywords = CHUNKING, silent-discard\n"


class BadAccessWord(KindRule):
    """Unknown action in a list of actions and tables: the rest of the list is ignored."""

    id = "V017"
    name = "bad-access-word"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("access-list", "rewrite-clients", "requiretls")
    effect = '`local_header_rewrite_clients = permit_mynetwork`: smtpd(8) warns, "invalid request".'
    bad = "postscreen_access_list = permit_mynetwork, cidr:/etc/postfix/access.cidr\n"
    good = "postscreen_access_list = permit_mynetworks, cidr:/etc/postfix/access.cidr\n"
    lookalike = "local_header_rewrite_clients = permit_mynetworks check_address_map hash:/etc/postfix/clients\n"


class TwoTables(KindRule):
    """Two tables where only one is allowed."""

    id = "V028"
    name = "two-tables"
    in_templates = True
    kinds = ("table",)
    effect = "`smtpd_command_filter = pcre:/a, pcre:/b`: the name of the table is `/a, pcre:/b`."
    bad = "smtpd_command_filter = pcre:/etc/postfix/a, pcre:/etc/postfix/b\n"
    good = "smtpd_command_filter = pcre:/etc/postfix/a\n"
    lookalike = "smtp_header_checks = pcre:/etc/postfix/a, pcre:/etc/postfix/b\n"


class UnbalancedBraces(KindRule):
    """Unbalanced brace in a list of restrictions."""

    id = "V030"
    name = "unbalanced-braces"
    in_templates = True
    kinds = ("restrictions",)
    effect = '`check_policy_service { unix:private/policy`: smtpd(8) is fatal, "policy service syntax error".'
    bad = "smtpd_client_restrictions = check_policy_service { unix:private/policy, timeout=10s\n"
    good = "smtpd_client_restrictions = check_policy_service { unix:private/policy, timeout=10s }\n"
    lookalike = "smtpd_client_restrictions = check_client_access inline:{192.0.2.1=reject}\n"


class BadForm(KindRule):
    """Value with an invalid format: a rate, a header name, a level, a pair of characters, a name in a template."""

    id = "V027"
    name = "bad-form"
    in_templates = True
    kinds = (
        "rate",
        "verp-delimiters",
        "headers",
        "environment",
        "level",
        "charset",
        "random-source",
        "macro-values",
        "template",
    )
    effect = "`default_verp_delimiters = +`, `compatibility_level = latest`: every program is fatal."
    bad = "default_verp_delimiters = +\nslow_destination_concurrency_negative_feedback = 1/x\n"
    good = "default_verp_delimiters = +=\nslow_destination_concurrency_negative_feedback = 1/8\n"
    lookalike = "default_destination_concurrency_positive_feedback = 1/concurrency\ncompatibility_level = 3.6\n"


class BadFingerprint(KindRule):
    """Fingerprint or digest that can match no certificate."""

    id = "V029"
    name = "bad-fingerprint"
    severity = Severity.WARNING
    in_templates = True
    kinds = ("fingerprints", "digests")
    bad = "smtp_tls_fingerprint_cert_match = sha256:0A:1B:2C\n"
    good = "smtp_tls_fingerprint_cert_match = 0A:1B:2C:3D\n"
    lookalike = "smtp_tls_fingerprint_cert_match = 0a:1b:2c:3d | 4e:5f:60:71\n"
