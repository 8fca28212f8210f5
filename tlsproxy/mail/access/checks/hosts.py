"""Restrictions that ask DNS for domains and their servers, and the probe service for addresses."""

from __future__ import annotations

from itertools import islice

from maps import TableError
from postconf.syntax.lines import decode

from ... import addresses
from ..restrictions.evaluation import HANDLERS, Evaluation, Frame, Result, handles
from ..smtp.facts import UNKNOWN
from ..smtp.replies import RECIPIENT_CLASS, SENDER_CLASS
from ..world import Answer, Question, QuestionKind
from .access_tables import (
    CLIENT_CLASS,
    HELO_CLASS,
    REVERSE_CLIENT_CLASS,
    Item,
    address_keys,
    apply,
    domain_keys,
    forbid_permit,
    look_up,
)
from .helo import reject_invalid_address
from .recipient import FINAL, is_authorized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_REASON = 250
_MAX_ENTRIES = 1000
_MAX_RESULTS = 10


@handles("reject_unknown_helo_hostname", "reject_unknown_hostname")
def reject_unknown_helo_hostname(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a HELO name without address or mail exchanger."""
    name = evaluation.helo
    if name is None:
        return Result.DUNNO
    if name.startswith("["):
        return reject_invalid_address(evaluation, name)
    answer = evaluation.ask(Question(QuestionKind.DOMAIN, name, "A, AAAA, MX")).word
    if answer in ("exists", "nullmx"):
        return Result.DUNNO
    text = f"<{name}>: {HELO_CLASS} rejected: {_problem(answer, 'Host not found')}"
    if answer != "failed":
        return evaluation.reject(evaluation.settings.number("unknown_hostname_reject_code"), "4.7.1", text)
    return evaluation.defer_unless_rejected(
        450, "4.7.1", text, at_once=evaluation.smtpd.defers_at_once("unknown_helo_hostname_tempfail_action")
    )


def _problem(answer: str, otherwise: str) -> str:
    return "Malformed DNS server reply" if answer == "malformed" else otherwise


@handles("reject_unknown_sender_domain", "reject_unknown_address")
def reject_unknown_sender_domain(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender whose domain has neither mail exchanger nor address."""
    if not evaluation.sender:
        return Result.DUNNO
    return _reject_unknown_domain(evaluation, evaluation.sender, SENDER_CLASS)


@handles("reject_unknown_recipient_domain")
def reject_unknown_recipient_domain(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a recipient whose domain has neither mail exchanger nor address."""
    if evaluation.recipient is None:
        return Result.DUNNO
    return _reject_unknown_domain(evaluation, evaluation.recipient, RECIPIENT_CLASS)


def _reject_unknown_domain(evaluation: Evaluation, address: str, subject: str) -> Result:
    is_sender = subject == SENDER_CLASS
    resolved = evaluation.resolve(address, is_sender=is_sender)
    _, at, domain = resolved.recipient.rpartition("@")
    if not at or resolved.address_class in FINAL or (domain.startswith("[") and domain.endswith("]")):
        return Result.DUNNO
    domain = addresses.to_ascii(domain)
    answer = evaluation.ask(Question(QuestionKind.DOMAIN, domain, "MX, A, AAAA")).word
    if answer == "exists":
        return Result.DUNNO
    if answer == "nullmx":
        text = f"<{address}>: {subject} rejected: Domain {domain} does not accept mail (nullMX)"
        return evaluation.reject(*((550, "4.7.27") if is_sender else (556, "4.1.10")), text)
    status = "4.1.8" if is_sender else "4.1.2"
    text = f"<{address}>: {subject} rejected: {_problem(answer, 'Domain not found')}"
    if answer != "failed":
        return evaluation.reject(evaluation.settings.number("unknown_address_reject_code"), status, text)
    return evaluation.defer_unless_rejected(
        450, status, text, at_once=evaluation.smtpd.defers_at_once("unknown_address_tempfail_action")
    )


@handles("reject_unverified_sender")
def reject_unverified_sender(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender that a probe can't reach."""
    return _reject_unverified(evaluation, evaluation.sender, SENDER_CLASS, "4.1.7", "sender")


@handles("reject_unverified_recipient")
def reject_unverified_recipient(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a recipient that a probe can't reach."""
    return _reject_unverified(evaluation, evaluation.recipient, RECIPIENT_CLASS, "4.1.1", "recipient")


def _reject_unverified(evaluation: Evaluation, address: str | None, subject: str, status: str, which: str) -> Result:
    if not address:
        return Result.DUNNO
    answer = evaluation.ask(Question(QuestionKind.PROBE, address))
    settings = evaluation.settings
    at_once = evaluation.smtpd.defers_at_once(f"unverified_{which}_tempfail_action")
    start = f"<{address}>: {subject} rejected: "
    if answer.word == "failed":
        return evaluation.defer_unless_rejected(450, status, f"{start}address verification problem", at_once=at_once)
    if answer.word == "deliverable":
        return Result.DUNNO
    kind = "reject" if answer.word == "undeliverable" else "defer"
    code = settings.number(f"unverified_{which}_{kind}_code")
    reason = (settings.text(f"unverified_{which}_reject_reason") if code >= 400 else "") or answer.data
    if 200 <= code < 300:
        return Result.DUNNO
    if 400 <= code < 500:
        text = f"{start}unverified address: {reason[:_MAX_REASON]}"
        return evaluation.defer_unless_rejected(code, status, text, at_once=at_once)
    return evaluation.reject(code, status, f"{start}undeliverable address: {reason}")


@handles("permit_mx_backup")
def permit_mx_backup(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit mail to own domains, relay domains, and domains that this server is a backup mail exchanger of."""
    recipient = evaluation.recipient
    if recipient is None:
        return Result.DUNNO
    resolved = evaluation.resolve(recipient, is_sender=False)
    if is_authorized(evaluation, recipient):
        return Result.OK
    if resolved.is_routed and not evaluation.smtpd.allows_untrusted_routing:
        return Result.DUNNO
    domain = resolved.recipient.rpartition("@")[2]
    if domain.startswith("[") and domain.endswith("]"):
        return Result.DUNNO
    answer = evaluation.ask(Question(QuestionKind.BACKUP, addresses.to_ascii(domain))).word
    if answer == "failed":
        problem = "Unable to look up mail exchanger information: Host not found, try again"
        text = f"<{recipient}>: {RECIPIENT_CLASS} rejected: {problem}"
        return evaluation.defer_if_rejected(450, "4.4.4", text)
    return Result.OK if answer == "yes" else Result.DUNNO


# Tables of the servers of a domain.


def _servers_check(name: str, kind: str, subject: str, target: Callable[[Evaluation], str | None]) -> None:
    """Register `check_…_KIND_access`; `target` returns the name or address whose domain is looked at."""

    def check(evaluation: Evaluation, table: str, frame: Frame) -> Result:
        what = target(evaluation)
        if not what or (subject in (CLIENT_CLASS, REVERSE_CLIENT_CLASS) and what.lower() == UNKNOWN):
            return Result.DUNNO
        shown = evaluation.name_and_address if subject == CLIENT_CLASS else what
        result = _look_up_servers(evaluation, table, (kind, what), Item(shown, subject), frame)
        return forbid_permit(evaluation, name, result, what)

    HANDLERS[name] = check


for _kind in ("a", "mx", "ns"):
    _servers_check(f"check_client_{_kind}_access", _kind, CLIENT_CLASS, lambda each: each.client.name)
    _servers_check(
        f"check_reverse_client_hostname_{_kind}_access",
        _kind,
        REVERSE_CLIENT_CLASS,
        lambda each: each.client.reverse_name,
    )
    _servers_check(f"check_helo_{_kind}_access", _kind, HELO_CLASS, lambda each: each.helo)
    _servers_check(f"check_sender_{_kind}_access", _kind, SENDER_CLASS, lambda each: each.sender)
    _servers_check(f"check_recipient_{_kind}_access", _kind, RECIPIENT_CLASS, lambda each: each.recipient)


def _possible(evaluation: Evaluation, table: str) -> tuple[Answer, ...]:
    """Return the answers that make a difference: no entry, and each result that a table of few entries has."""
    maps = evaluation.smtpd.access_table(table)
    results: dict[str, None] = {}
    try:
        for each in maps.tables.tables if maps is not None else ():
            for _, value in islice(each.entries(), _MAX_ENTRIES):
                results[decode(value)] = None
    except TableError:
        return ()
    if len(results) > _MAX_RESULTS:
        return ()
    return (Answer("none"), *(Answer("result", result) for result in results))


def _look_up_servers(evaluation: Evaluation, table: str, of: tuple[str, str], item: Item, frame: Frame) -> Result:
    kind, what = of
    _, at, domain = what.rpartition("@")
    domain = domain if at else what
    if domain.startswith("["):
        address = addresses.mailhost_address(domain[1:-1]) if domain.endswith("]") and kind != "ns" else None
        return Result.DUNNO if address is None else look_up(evaluation, table, address_keys(address), item, frame)[0]
    answer = evaluation.ask(
        Question(QuestionKind.SERVERS, f"{kind}/{addresses.to_ascii(domain)}", table), _possible(evaluation, table)
    )
    if answer.word == "result":
        return apply(evaluation, table, answer.data, item, frame)
    if answer.word != "found":
        return Result.DUNNO
    dotted = not evaluation.smtpd.parents_match
    for server in answer.data.replace(",", " ").split():
        if addresses.is_address(server):
            keys = address_keys(server)
        elif kind == "a":
            continue
        else:
            keys = domain_keys(server, dotted=dotted)
        result, found = look_up(evaluation, table, keys, item, frame)
        if result or found:
            return result
    return Result.DUNNO
