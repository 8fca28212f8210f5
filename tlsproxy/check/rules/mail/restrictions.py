"""Restriction lists of smtpd(8): names, arguments, classes, and elements that can't have an effect."""

from __future__ import annotations

from collections.abc import Iterator

from postconf.spelling import nearest
from postconf.syntax.lines import decode

from ....mail.access.restrictions.lists import ListElement
from ....mail.access.restrictions.table import (
    CLASSES,
    CLIENT,
    DATA,
    END_OF_DATA,
    ETRN,
    HELO,
    RECIPIENT,
    RELAY,
    RESTRICTIONS,
    Argument,
    Outside,
    Stage,
    Subject,
)
from ...context import Context, words_of
from ...facts.mail.access import Lists, has_argument, smtpd_lists
from ...facts.mail.classes import in_circles
from ...facts.readings import is_quoted
from ...facts.tables.catch_all import decides_always
from ...facts.tables.contents import contents, is_readable
from ...facts.tables.named import split_table
from ...facts.tables.uses import Use, used_tables
from ...findings import Finding, Severity, Span
from ...rule import Rule

_WITHOUT_CHECK = (DATA, END_OF_DATA)
_BEFORE_SENDERS = (CLIENT, HELO)
_PERMITS = ("permit_mynetworks", "permit_sasl_authenticated", "permit_tls_clientcerts", "permit_tls_all_clientcerts")
_OF_ADDRESSES = ("cidr",)
_USUAL = ["permit_mynetworks", "permit_sasl_authenticated", "defer_unauth_destination"]
"""The default of smtpd_relay_restrictions, which names logins whether there are any or not."""
_ASKED_ALWAYS = ("check_client_access", "check_sender_access", "check_recipient_access")
"""Checks with a key for each message."""
_SASL = "smtpd_sasl_auth_enable"
_ASKING = ("smtpd_tls_ask_ccert", "smtpd_tls_req_ccert")
_OF_OWNERS = (
    "reject_sender_login_mismatch",
    "reject_authenticated_sender_login_mismatch",
    "reject_known_sender_login_mismatch",
)


class ListRule(Rule):
    """Looks at the lists of all smtpd(8) services, and reports each place once."""

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for lists in smtpd_lists(context):
            for finding in self.judge(lists):
                if finding.span not in reported:
                    reported.add(finding.span)
                    yield finding

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        raise NotImplementedError


class UnknownRestriction(ListRule):
    """Unknown restriction: neither built in nor in smtpd_restriction_classes."""

    id = "R001"
    name = "unknown-restriction"
    in_templates = True
    effect = (
        'smtpd(8): warning "unknown smtpd restriction", and `451 4.3.5 Server configuration error` for each recipient '
        "for whom the list is evaluated so far. Without another relay control, smtpd(8) is fatal: see R010."
    )
    bad = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destinatoin\n"
    good = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n"
    lookalike = (
        "smtpd_restriction_classes = insiders\ninsiders = check_sender_access inline:{a=OK}, reject\n"
        "smtpd_recipient_restrictions = Permit_MyNetworks, insiders, inline:{b=OK}, reject_unauth_destination\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, _, found in lists.elements:
            for each in found:
                if each.restriction is None and not each.is_class and not each.implied:
                    setting = lists.context.setting(parameter, lists.view)
                    if setting and is_quoted(lists.context, setting):
                        continue  # S007
                    yield self._finding(lists, parameter, each)

    def _finding(self, lists: Lists, parameter: str, entry: ListElement) -> Finding:
        text = entry.name.text
        if text in lists.classes.undefined:
            message = f"the restriction class {text} has no value"
            hint = f"give {text} a value"
        else:
            known = [*RESTRICTIONS, *lists.classes.names]
            meant = nearest(text, known)
            is_control = entry in lists.misspelled_controls
            effect = (
                "smtpd does not start, as nothing else rejects mail for other destinations"
                if is_control
                else "mail is refused with 451 where the list comes to it"
            )
            message = f"there is no restriction {text}: {effect}"
            near = lists.context.suggestions
            hint = f'did you mean "{meant}"?' if meant else near.did_you_mean(text.lower(), known, 0.7)
            if not hint and lists.context.setting(text, lists.view):
                hint = f"add {text} to smtpd_restriction_classes"
        return self.finding(lists.span(entry.name, parameter), message, hint or "correct the name, or remove it")


class MissingArgument(ListRule):
    """Incomplete restriction: a check without its table or domain, or a table without a check."""

    id = "R002"
    name = "restriction-argument"
    in_templates = True
    effect = (
        "`check_client_access hash /etc/postfix/clients`: 451 4.3.5 for each recipient. `reject_rbl_client` without a "
        "domain: a warning for each client, and nothing is checked. A lone table in smtpd_data_restrictions: 451 4.3.5."
    )
    bad = "smtpd_sender_restrictions = check_sender_access, permit\nsmtpd_data_restrictions = inline:{a=REJECT}\n"
    good = "smtpd_sender_restrictions = check_sender_access inline:{a=REJECT}, permit\n"
    lookalike = (
        "smtpd_sender_restrictions = inline:{a=REJECT}\nsmtpd_client_restrictions = reject_rbl_client a.example\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, stage, found in lists.elements:
            for each in found:
                text = each.name.text
                if each.implied and stage in _WITHOUT_CHECK:
                    message = f"{text} stands alone: {parameter} has no check of its own, and mail is refused with 451"
                    yield self.finding(lists.span(each.name, parameter), message, f"write check_…_access {text}")
                if each.restriction is None or has_argument(each):
                    continue
                kind = each.restriction.argument
                where = lists.span(each.argument or each.name, parameter)
                if kind is Argument.TABLE:
                    got = f', and "{each.argument.text}" is none' if each.argument else ""
                    message = f"{text} needs a table{got}: mail is refused with 451"
                    yield self.finding(where, message, f"write {text} type:name")
                elif kind is Argument.SERVICE:
                    message = f"{text} needs a policy service: mail is refused with 451"
                    yield self.finding(where, message, f"write {text} inet:host:port")
                elif kind is Argument.NUMBER:
                    message = f"{text} needs a number of seconds: mail is refused with 451"
                    yield self.finding(where, message, f"write {text} 1")
                elif kind is Argument.RESTRICTION:
                    message = f"{text} has nothing behind it, and no effect"
                    yield self.finding(where, message, "remove it", severity=Severity.WARNING)
                else:
                    message = f"{text} needs an argument ({kind.value}): nothing is checked"
                    yield self.finding(where, message, "add it, or remove the restriction", severity=Severity.WARNING)


class ClassProblem(Rule):
    """Restriction class that is undefined, refers to itself, or is unused."""

    id = "R003"
    name = "restriction-class"
    in_templates = True
    effect = (
        'Without a value: smtpd(8) is fatal at its start, "restriction class `X\' needs a definition". A circle: '
        "`451 4.3.5 Server configuration error` when smtpd(8) goes round."
    )
    bad = "smtpd_restriction_classes = insiders\n"
    good = (
        "smtpd_restriction_classes = insiders\ninsiders = check_sender_access inline:{a=OK}, reject\n"
        "smtpd_sender_restrictions = insiders\n"
    )
    lookalike = (
        "smtpd_restriction_classes = greylist\ngreylist = check_policy_service inet:127.0.0.1:10023\n"
        "smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/greylisted\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("smtpd_restriction_classes"):
            view = context.view(each)
            for word in (context.expanded(each) or "").replace(",", " ").split():
                if not context.value(word, view) and context.setting(word, view) is None:
                    message = f"the class {word} has no value: smtpd does not start"
                    yield self.finding(each.word(word), message, f"add a line: {word} = …")
                elif word.lower() in RESTRICTIONS:
                    message = f"{word} is a restriction of smtpd(8), and counts in place of the class"
                    yield self.finding(each.word(word), message, "give the class another name")
        reported: set[str] = set()
        for lists in smtpd_lists(context):
            for name in sorted(in_circles(lists) - reported):
                reported.add(name)
                message = f"the class {name} refers to itself, perhaps through others or tables"
                yield self.finding(context.span(name, lists.view), message, "break the circle")
        yield from self._unused(context)

    def _unused(self, context: Context) -> Iterator[Finding]:
        """Yield the classes of main.cf that no list names, nor a table; nothing if a table or a program could."""
        setting = context.main.effective.get("smtpd_restriction_classes")
        found = smtpd_lists(context)
        if setting is None or not found:
            return
        named = {
            word
            for each in context.everywhere
            for word in words_of(context.expanded(each) or "")
            if each.name != setting.name
        }
        for used in used_tables(context):
            if used.use is not Use.ACCESS:
                continue
            if not (used.named.kind in ("static", "inline") or is_readable(context, used.named.name)):
                return
            named.update(word for entry in contents(context, used.named) for word in words_of(decode(entry.value)))
        for lists in found:
            if any(
                each.restriction and each.restriction.outside is Outside.POLICY
                for _, _, entries in lists.elements
                for each in entries
            ):
                return
        for name in words_of(context.expanded(setting) or ""):
            if name not in named and context.value(name):
                message = f"no list and no table names the class {name}"
                yield self.finding(setting.word(name), message, "remove it", severity=Severity.WARNING)


class DeadRestriction(ListRule):
    """Unreachable restriction: one before it always decides.

    That is `permit`, `reject` or `defer`, or a table that permits or rejects every key: `static:REJECT`, the
    pattern `//`, or the networks `0.0.0.0/0` and `::/0`.
    """

    id = "R004"
    name = "dead-restriction"
    severity = Severity.WARNING
    in_templates = True
    effect = (
        "smtpd(8): warning \"restriction `reject_rbl_client' after `permit' is ignored\". Behind a table nothing is "
        "logged: `check_client_access static:REJECT, permit_mynetworks` answers 554 to own clients, too."
    )
    bad = "smtpd_client_restrictions = permit_mynetworks, permit, reject_rbl_client dnsbl.example\n"
    good = "smtpd_client_restrictions = permit_mynetworks, reject_rbl_client dnsbl.example, permit\n"
    lookalike = (
        "smtpd_client_restrictions = permit_mynetworks, warn_if_reject reject, reject_rbl_client dnsbl.example\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, stage, found in lists.elements:
            for position, each in enumerate(found[:-1]):
                if each.restriction and not each.warn_only and self._decides(lists, parameter, stage, each):
                    dead = found[position + 1]
                    yield self.finding(
                        lists.span(dead.warn_only or dead.name, parameter),
                        f"nothing behind {_title(each)} is evaluated",
                        f"move {each.name.text} to the end",
                        related=[(lists.span(each.name, parameter), "decides always")],
                    )
                    break

    @staticmethod
    def _decides(lists: Lists, parameter: str, stage: Stage | None, entry: ListElement) -> bool:
        """Return True if a restriction decides for each client, or asks a table that does."""
        restriction = entry.restriction
        if restriction is None or entry.argument is None or restriction.name not in _ASKED_ALWAYS:
            return bool(restriction and restriction.unconditional)
        of_recipients = restriction.subject is Subject.RECIPIENT
        if of_recipients and stage in (None, *_WITHOUT_CHECK):
            return False  # of several recipients none is known there
        delays = lists.context.is_yes("smtpd_delay_reject", lists.view)
        if stage and not delays and not restriction.subject & stage.known:
            return False
        setting = lists.context.setting(parameter, lists.view)
        tables = split_table(setting, entry.argument.text) if setting else ()
        return any(decides_always(lists.context, named) for named in tables)


def _title(entry: ListElement) -> str:
    """Return the name of a restriction, with its table."""
    return entry.name.text if entry.argument in (None, entry.name) else f"{entry.name.text} {entry.argument.text}"


class LatePermit(ListRule):
    """Own clients permitted only after the restriction that rejects them.

    The restriction that rejects other destinations belongs after the permits; else no client can send mail elsewhere.
    """

    id = "R005"
    name = "late-permit"
    effect = "`554 5.7.1 <…>: Relay access denied` for the own clients, too."
    bad = "smtpd_relay_restrictions = reject_unauth_destination, permit_mynetworks, permit_sasl_authenticated\n"
    good = "smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n"
    lookalike = (
        "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
        "smtpd_recipient_restrictions = reject_unknown_recipient_domain, permit_mynetworks, reject_rbl_client x\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for stage in (RELAY, RECIPIENT):
            rejects: ListElement | None = None
            permitted = False
            for each in lists.entries(stage):
                name = each.restriction.canonical if each.restriction else ""
                if name in _PERMITS and rejects is None:
                    permitted = True
                elif name in ("reject_unauth_destination", "defer_unauth_destination") and not each.warn_only:
                    rejects = rejects or each
                elif name in _PERMITS and rejects and not permitted:
                    yield self.finding(
                        lists.span(each.name, stage.parameter),
                        f"this comes too late: {rejects.name.text} has rejected mail for other destinations before",
                        f"move {rejects.name.text} behind the permits",
                        related=[(lists.span(rejects.name, stage.parameter), "rejects")],
                    )
                    break


class NoEffect(ListRule):
    """Restriction without effect: its data is not known yet, or a feature that it needs is off."""

    id = "R006"
    name = "restriction-without-effect"
    severity = Severity.WARNING
    in_templates = True
    bad = "smtpd_delay_reject = no\nsmtpd_client_restrictions = check_recipient_access inline:{a=OK}\n"
    good = "smtpd_client_restrictions = check_recipient_access inline:{a=OK}\n"
    lookalike = "smtpd_delay_reject = no\nsmtpd_recipient_restrictions = check_client_access inline:{a=OK}, reject\n"

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        context, view = lists.context, lists.view
        delays = context.is_yes("smtpd_delay_reject", view)
        for parameter, stage, found in lists.elements:
            for each in found:
                if each.restriction is None:
                    continue
                name, subject = each.name.text, each.restriction.subject
                if stage and not delays and subject is not Subject.NONE and not subject & stage.known:
                    message = (
                        f"{name} does nothing here: with smtpd_delay_reject = no, {_what(subject)} is not known yet"
                    )
                    yield self.finding(
                        lists.span(each.name, parameter), message, "move it to the list of a later command"
                    )
                elif stage is ETRN and subject is not Subject.NONE and not subject & stage.known:
                    message = f"{name} does nothing here: ETRN has no {_what(subject).removeprefix('the ')}"
                    yield self.finding(lists.span(each.name, parameter), message, "remove it")
                elif stage in _BEFORE_SENDERS and name.lower() == "reject_unlisted_sender":
                    message = f"{name} is skipped for some messages here: smtpd(8) remembers an earlier sender's result"
                    yield self.finding(
                        lists.span(each.name, parameter), message, "move it to smtpd_sender_restrictions"
                    )
                elif Subject.ETRN in subject and stage and stage.name != "etrn":
                    message = f"{name} is for smtpd_etrn_restrictions"
                    yield self.finding(lists.span(each.name, parameter), message, "move it there")
                elif name.lower() in _OF_OWNERS and self._has_no_owners(lists):
                    message = f"{name} needs smtpd_sender_login_maps: without, no login owns any address"
                    yield self.finding(lists.span(each.name, parameter), message, "set smtpd_sender_login_maps")
                elif needed := self._missing(lists, each):
                    usual = name.lower() == _PERMITS[1]
                    if not usual or [one.name.text for one in found] != _USUAL:
                        yield self.finding(
                            lists.span(each.name, parameter),
                            f"{name} has no effect: {needed} is not set for any service",
                            f"set {needed}, or remove {name}",
                            severity=Severity.INFO if usual else Severity.WARNING,
                        )

    @staticmethod
    def _missing(lists: Lists, entry: ListElement) -> str:
        """Return the parameter without which a restriction has no effect, if no service has it."""
        context = lists.context
        needed = entry.restriction.requires if entry.restriction else ""
        if not context.has_main or context.master is None or (not needed and entry.name.text not in CLASSES):
            return ""
        if needed in ("", _SASL):
            return "" if context.keep(_has_logins) else _SASL
        if context.keep(_asks_for_certificates):
            uses_list = entry.name.text.lower() == "permit_tls_clientcerts"
            return "relay_clientcerts" if uses_list and not context.value("relay_clientcerts", lists.view) else ""
        return needed

    @staticmethod
    def _has_no_owners(lists: Lists) -> bool:
        context, view = lists.context, lists.view
        logs_in = context.has_main and context.is_yes("smtpd_sasl_auth_enable", view)
        return logs_in and not context.value("smtpd_sender_login_maps", view)


def _has_logins(context: Context) -> bool:
    return any(context.is_yes(_SASL, view) for view in context.views("smtpd"))


def _asks_for_certificates(context: Context) -> bool:
    return any(context.is_yes(name, view) for name in _ASKING for view in context.views("smtpd"))


def _what(subject: Subject) -> str:
    names = {Subject.HELO: "the HELO name", Subject.SENDER: "the sender", Subject.RECIPIENT: "the recipient"}
    return next((text for part, text in names.items() if part in subject), "it")


class TableShape(ListRule):
    """Network table for a lookup key that is not an address: no key matches."""

    id = "R008"
    name = "access-table-shape"
    in_templates = True
    bad = "smtpd_sender_restrictions = check_sender_access cidr:/etc/postfix/senders\n"
    good = "smtpd_sender_restrictions = check_sender_access hash:/etc/postfix/senders\n"
    lookalike = "smtpd_client_restrictions = check_client_access cidr:/etc/postfix/clients\n"

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, _, found in lists.elements:
            for each in found:
                if each.restriction is None or each.argument is None or each.restriction.argument is not Argument.TABLE:
                    continue
                kind = each.argument.text.removeprefix("proxy:").partition(":")[0]
                looks_at_hosts = each.restriction.outside is Outside.DNS or Subject.CLIENT in each.restriction.subject
                if kind in _OF_ADDRESSES and (not looks_at_hosts or each.restriction.requires):
                    message = f"a {kind} table has networks, and {each.restriction.name} looks up none: nothing matches"
                    yield self.finding(lists.span(each.argument, parameter), message, "use another type of table")
