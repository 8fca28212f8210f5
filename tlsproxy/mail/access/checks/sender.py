"""Restrictions that look at the sender, as far as they need no DNS."""

from __future__ import annotations

from ... import addresses
from ...tables import TableLookupError
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..smtp.replies import SENDER_CLASS
from .helo import without_final_dot
from .unlisted import reject_unlisted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def reject_non_fqdn_address(evaluation: Evaluation, address: str, subject: str) -> Result:
    """Reject an address whose domain, as typed, is bad or has no dot; address literals pass."""
    domain = addresses.split(address)[1]
    if domain.startswith("[") and domain.endswith("]"):
        return Result.DUNNO
    tested = without_final_dot(domain)
    if "." in tested and addresses.is_domain(tested, smtputf8=evaluation.smtputf8):
        return Result.DUNNO
    code = evaluation.settings.number("non_fqdn_reject_code")
    return evaluation.reject(code, "4.5.2", f"<{address}>: {subject} rejected: need fully-qualified address")


@handles("reject_non_fqdn_sender")
def reject_non_fqdn_sender(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender without a full domain."""
    return reject_non_fqdn_address(evaluation, evaluation.sender, SENDER_CLASS) if evaluation.sender else Result.DUNNO


@handles("reject_unlisted_sender")
def reject_unlisted_sender(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender that would be rejected as a recipient."""
    if not evaluation.sender:
        return Result.DUNNO
    return reject_unlisted(evaluation, evaluation.sender, SENDER_CLASS)


@handles("reject_authenticated_sender_login_mismatch")
def reject_authenticated_sender_login_mismatch(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender that the client, which has logged in, does not own."""
    return _for_sender(evaluation, lambda sender: _must_own(evaluation, sender, allows_unknown=False))


@handles("reject_unauthenticated_sender_login_mismatch")
def reject_unauthenticated_sender_login_mismatch(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender with an owner, if the client has not logged in."""
    return _for_sender(evaluation, lambda sender: _must_log_in(evaluation, sender))


@handles("reject_known_sender_login_mismatch")
def reject_known_sender_login_mismatch(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a sender with an owner that is not the client, whether it has logged in or not."""
    if evaluation.sasl_user:
        return _for_sender(evaluation, lambda sender: _must_own(evaluation, sender, allows_unknown=True))
    return _for_sender(evaluation, lambda sender: _must_log_in(evaluation, sender))


def _for_sender(evaluation: Evaluation, check: Callable[[str], Result]) -> Result:
    if not evaluation.settings.yes("smtpd_sasl_auth_enable"):
        evaluation.warn("restriction ignored: no SASL support")
        return Result.DUNNO
    return check(evaluation.sender) if evaluation.sender else Result.DUNNO


def _must_own(evaluation: Evaluation, sender: str, *, allows_unknown: bool) -> Result:
    user = evaluation.sasl_user
    if not user:
        return Result.DUNNO
    owners = _owners(evaluation, sender)
    if owners is None and allows_unknown:
        return Result.DUNNO
    if owners is not None and any(addresses.same(user, owner) for owner in owners):
        return Result.DUNNO
    return evaluation.reject(553, "5.7.1", f"<{sender}>: Sender address rejected: not owned by user {user}")


def _must_log_in(evaluation: Evaluation, sender: str) -> Result:
    if evaluation.sasl_user or _owners(evaluation, sender) is None:
        return Result.DUNNO
    return evaluation.reject(553, "5.7.1", f"<{sender}>: Sender address rejected: not logged in")


def _owners(evaluation: Evaluation, sender: str) -> list[str] | None:
    """Return the login names that own an address (smtpd_sender_login_maps), or None if it has no owner."""
    resolved = evaluation.resolve(sender, is_sender=True)
    maps = evaluation.smtpd.maps("smtpd_sender_login_maps")
    try:
        found = evaluation.smtpd.mail_lookup(maps, resolved.recipient)
    except TableLookupError as error:
        raise evaluation.mail_lookup_failure(sender, error) from error
    if found is None:
        return None
    evaluation.entry = (found.table, found.key, found.value, lambda: found.place)
    return found.value.replace(",", " ").split()
