"""Restrictions that ask DNS lists of addresses and domains (DNSBL, RHSBL, DNSWL)."""

from __future__ import annotations

import ipaddress

from postconf.syntax.expressions import ExpressionError

from ... import addresses
from ...tables import TableLookupError
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..smtp.attributes import expand_reply
from ..smtp.facts import UNKNOWN
from ..smtp.replies import RECIPIENT_CLASS, SENDER_CLASS, fix_status, split_status
from ..world import LISTED_OR_NOT, Answer, Question, QuestionKind
from .access_tables import CLIENT_CLASS, HELO_CLASS, REVERSE_CLIENT_CLASS
from .recipient import is_authorized

_UNLISTED = Answer("unlisted")


@handles("reject_rbl_client", "reject_rbl")
def reject_rbl_client(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a client whose address is listed."""
    if not zone:
        return Result.DUNNO
    address = evaluation.client.address
    return _reject(evaluation, zone, address, CLIENT_CLASS, _address(evaluation, zone, address, LISTED_OR_NOT))


@handles("reject_maps_rbl")
def reject_maps_rbl(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Reject a client whose address is in one of maps_rbl_domains. Postfix 3.9 has removed it."""
    if evaluation.smtpd.has_removed("reject_maps_rbl"):
        raise evaluation.misconfigured('support for restriction "reject_maps_rbl" has been removed')
    for zone in evaluation.settings.words("maps_rbl_domains"):
        result = reject_rbl_client(evaluation, zone, frame)
        if result:
            return result
    return Result.DUNNO


@handles("reject_rhsbl_client")
def reject_rhsbl_client(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a client whose name is listed."""
    return _reject_name(evaluation, zone, evaluation.client.name, CLIENT_CLASS)


@handles("reject_rhsbl_reverse_client")
def reject_rhsbl_reverse_client(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a client whose unverified name is listed."""
    return _reject_name(evaluation, zone, evaluation.client.reverse_name, REVERSE_CLIENT_CLASS)


@handles("reject_rhsbl_helo")
def reject_rhsbl_helo(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a HELO name that is listed."""
    return _reject_name(evaluation, zone, evaluation.helo, HELO_CLASS)


@handles("reject_rhsbl_sender")
def reject_rhsbl_sender(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a sender whose domain is listed."""
    return _reject_name(evaluation, zone, evaluation.sender or None, SENDER_CLASS)


@handles("reject_rhsbl_recipient")
def reject_rhsbl_recipient(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Reject a recipient whose domain is listed."""
    return _reject_name(evaluation, zone, evaluation.recipient, RECIPIENT_CLASS)


@handles("permit_dnswl_client")
def permit_dnswl_client(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Permit a client whose address is listed, as far as it does not relay."""
    if not zone or _relays(evaluation):
        return Result.DUNNO
    address = evaluation.client.address
    return _permit(evaluation, address, _address(evaluation, zone, address))


@handles("permit_rhswl_client")
def permit_rhswl_client(evaluation: Evaluation, zone: str, _frame: Frame) -> Result:
    """Permit a client whose name is listed, as far as it does not relay."""
    name = evaluation.client.name
    if not zone or name.lower() == UNKNOWN or _relays(evaluation):
        return Result.DUNNO
    return _permit(evaluation, name, _domain(evaluation, zone, name))


def _reject_name(evaluation: Evaluation, zone: str, name: str | None, subject: str) -> Result:
    if not zone or name is None or (subject in (CLIENT_CLASS, REVERSE_CLIENT_CLASS) and name.lower() == UNKNOWN):
        return Result.DUNNO
    return _reject(evaluation, zone, name, subject, _domain(evaluation, zone, name, LISTED_OR_NOT))


def _relays(evaluation: Evaluation) -> bool:
    recipient = evaluation.recipient
    return evaluation.command == "RCPT" and recipient is not None and not is_authorized(evaluation, recipient)


def _permit(evaluation: Evaluation, what: str, answer: Answer) -> Result:
    if answer.word == "failed":
        text = f"<{what}>: {CLIENT_CLASS} rejected: Service unavailable"
        return evaluation.defer_if_rejected(450, "4.7.1", text)
    return Result.OK if answer.word == "listed" else Result.DUNNO


def _address(evaluation: Evaluation, zone: str, address: str, choices: tuple[Answer, ...] = ()) -> Answer:
    return evaluation.ask(
        Question(QuestionKind.LIST, zone, f"{reversed_address(address)}.{zone.partition('=')[0]}"), choices
    )


def reversed_address(address: str) -> str:
    """Return an IP address as a DNS list has it (RFC 5782): octets, or hexadecimal digits, last one first."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ".".join(reversed(address.split(".")))
    digits = parsed.exploded.replace(":", "") if parsed.version == 6 else parsed.exploded.split(".")
    return ".".join(reversed(digits))


def _domain(evaluation: Evaluation, zone: str, what: str, choices: tuple[Answer, ...] = ()) -> Answer:
    _, at, domain = what.rpartition("@")
    if (at and domain.startswith("[")) or not domain or domain.rpartition(".")[2].isdigit():
        return _UNLISTED
    domain = addresses.to_ascii(domain)
    if not addresses.is_domain(domain, smtputf8=False):
        return _UNLISTED
    return evaluation.ask(Question(QuestionKind.LIST, zone, f"{domain}.{zone.partition('=')[0]}"), choices)


def _reject(evaluation: Evaluation, zone: str, what: str, subject: str, answer: Answer) -> Result:
    if answer.word != "listed":
        return Result.DUNNO
    domain = zone.partition("=")[0]
    values = {
        "rbl_code": str(evaluation.settings.number("maps_rbl_reject_code")),
        "rbl_domain": domain,
        "rbl_reason": answer.data,
        "rbl_txt": answer.data,
        "rbl_what": what,
        "rbl_class": subject,
    }
    reply = _expanded(evaluation, zone, values)
    if reply[:1] not in ("4", "5") or not (reply[1:3].isascii() and reply[1:3].isdigit()) or reply[3:4] != " ":
        evaluation.warn(f"rbl response code configuration error: {reply}")
        return evaluation.reject(450, "4.7.1", "Service unavailable")
    status, text = split_status("4.7.1", reply[4:])
    return evaluation.reject(int(reply[:3]), fix_status(status, subject), text or "Service unavailable")


def _expanded(evaluation: Evaluation, zone: str, values: dict[str, str]) -> str:
    maps = evaluation.smtpd.maps("rbl_reply_maps")
    try:
        found = maps.find(zone) if maps else None
    except TableLookupError as error:
        raise evaluation.misconfigured(str(error)) from error
    if found is not None:
        try:
            return expand_reply(evaluation, found.value, values)
        except ExpressionError:
            evaluation.warn(f"bad rbl reply template for domain {zone}: {found.value}")
    try:
        return expand_reply(evaluation, evaluation.settings.text("default_rbl_reply"), values)
    except ExpressionError as error:
        raise evaluation.misconfigured(f"bad default rbl reply template: {error}") from error
