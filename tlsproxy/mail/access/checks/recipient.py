"""Restrictions that look at the recipient, as far as they need no DNS."""

from __future__ import annotations

from ...routing.resolver import AddressClass
from ...tables import TableLookupError
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..smtp.replies import RECIPIENT_CLASS
from .sender import reject_non_fqdn_address
from .unlisted import reject_unlisted

FINAL = (AddressClass.LOCAL, AddressClass.VIRTUAL_ALIAS, AddressClass.VIRTUAL_MAILBOX)
"""The classes of domains that this host is the final destination of."""


def is_authorized(evaluation: Evaluation, recipient: str) -> bool:
    """Return True for a recipient that this server has to take mail for, and that is not routed further."""
    resolved = evaluation.resolve(recipient, is_sender=False)
    if "@" not in resolved.recipient:
        return True
    if resolved.is_routed and not evaluation.smtpd.allows_untrusted_routing:
        evaluation.warn("the address is routed further")
        return False
    authorized = resolved.address_class in FINAL or resolved.address_class is AddressClass.RELAY
    if resolved.address_class is not None:
        domain = resolved.recipient.rpartition("@")[2]
        evaluation.warn(f"{domain} is a domain of class {resolved.address_class.value}")
    return authorized


@handles("permit_auth_destination")
def permit_auth_destination(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit mail to own domains and relay domains."""
    recipient = evaluation.recipient
    return Result.OK if recipient is not None and is_authorized(evaluation, recipient) else Result.DUNNO


@handles("reject_unauth_destination")
def reject_unauth_destination(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject mail to other domains than own ones and relay domains."""
    return _reject_relaying(evaluation, evaluation.settings.number("relay_domains_reject_code"), "5.7.1")


@handles("defer_unauth_destination")
def defer_unauth_destination(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject as reject_unauth_destination does, with a code of 100 less."""
    return _reject_relaying(evaluation, evaluation.settings.number("relay_domains_reject_code") - 100, "4.7.1")


def _reject_relaying(evaluation: Evaluation, code: int, status: str) -> Result:
    recipient = evaluation.recipient
    if recipient is None or is_authorized(evaluation, recipient):
        return Result.DUNNO
    return evaluation.reject(code, status, f"<{recipient}>: Relay access denied")


@handles("check_relay_domains")
def check_relay_domains(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Permit mail from and to relay domains and own domains, reject other mail. Postfix 3.9 has removed it."""
    if evaluation.smtpd.has_removed("check_relay_domains"):
        raise evaluation.misconfigured('support for restriction "check_relay_domains" has been removed')
    recipient = evaluation.recipient
    if recipient is None:
        return Result.DUNNO
    try:
        is_relay_client = evaluation.smtpd.relay_domains.match(evaluation.client.name)
    except TableLookupError as error:
        evaluation.warn(str(error))
        raise evaluation.lookup_failure(frame.name) from error
    if is_relay_client or is_authorized(evaluation, recipient):
        return Result.OK
    code = evaluation.settings.number("relay_domains_reject_code")
    return evaluation.reject(code, "5.7.1", f"<{recipient}>: {RECIPIENT_CLASS} rejected: Relay access denied")


@handles("reject_non_fqdn_recipient")
def reject_non_fqdn_recipient(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a recipient without a full domain."""
    recipient = evaluation.recipient
    return Result.DUNNO if recipient is None else reject_non_fqdn_address(evaluation, recipient, RECIPIENT_CLASS)


@handles("reject_unlisted_recipient", "check_recipient_maps")
def reject_unlisted_recipient(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a recipient that is in no table of its domain's class."""
    if not evaluation.recipient:
        return Result.DUNNO
    return reject_unlisted(evaluation, evaluation.recipient, RECIPIENT_CLASS)
