"""Recipient validation: mail for users that do not exist is rejected before it is taken (smtpd_reject_unlisted_…)."""

from __future__ import annotations

from ... import addresses
from ...routing.resolver import AddressClass
from ...tables import TableLookupError
from ..restrictions.evaluation import Evaluation, Result
from ..smtp.replies import SENDER_CLASS, fix_status, split_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...routing.resolver import Resolution
    from ...tables import Found

_TABLES = {
    AddressClass.LOCAL: ("local_recipient_maps", "local recipient"),
    AddressClass.VIRTUAL_MAILBOX: ("virtual_mailbox_maps", "virtual mailbox"),
    AddressClass.RELAY: ("relay_recipient_maps", "relay recipient"),
}
_ALWAYS_LOCAL = ("postmaster", "mailer-daemon")


def reject_unlisted(evaluation: Evaluation, address: str, subject: str) -> Result:
    """Reject an address that no mail can be delivered to; each one is checked once, unless only a warning is wanted."""
    if evaluation.smtpd.skips_validation:
        return Result.DUNNO
    is_sender = subject == SENDER_CLASS
    if evaluation.sender_checked if is_sender else evaluation.recipient_checked:
        return Result.DUNNO
    if not evaluation.warn_only:
        if is_sender:
            evaluation.sender_checked = True
        else:
            evaluation.recipient_checked = True
    resolved = evaluation.resolve(address, is_sender=is_sender)
    try:
        return _check(evaluation, address, subject, resolved)
    except TableLookupError as error:
        raise evaluation.mail_lookup_failure(address, error) from error


def _check(evaluation: Evaluation, address: str, subject: str, resolved: Resolution) -> Result:
    if _is_mapped(evaluation, resolved.recipient, subject):
        return Result.DUNNO
    if resolved.transport in ("error", "retry"):
        return _undeliverable(evaluation, address, subject, resolved)
    if resolved.address_class is None or resolved.address_class not in _TABLES:
        return Result.DUNNO
    if resolved.address_class is AddressClass.LOCAL:
        local = addresses.split(resolved.recipient)[0]
        if any(addresses.same(local, each) for each in (evaluation.smtpd.double_bounce_sender, *_ALWAYS_LOCAL)):
            return Result.DUNNO
    return _require(evaluation, address, subject, resolved, _TABLES[resolved.address_class])


def _require(
    evaluation: Evaluation, address: str, subject: str, resolved: Resolution, tables: tuple[str, str]
) -> Result:
    smtpd = evaluation.smtpd
    parameter, table = tables
    maps = smtpd.maps(parameter)
    if not maps or _found(evaluation, smtpd.mail_lookup(maps, resolved.recipient)):
        return Result.DUNNO
    code = evaluation.settings.number(f"unknown_{parameter.removesuffix('_maps')}_reject_code")
    shown = f" in {table} table" if evaluation.settings.yes("show_user_unknown_table_name") else ""
    status = "5.1.0" if subject == SENDER_CLASS else "5.1.1"
    evaluation.warn(f"not found in {parameter}")
    return evaluation.reject(code, status, f"<{address}>: {subject} rejected: User unknown{shown}")


def _is_mapped(evaluation: Evaluation, recipient: str, subject: str) -> bool:
    smtpd = evaluation.smtpd
    parameters = ["recipient_canonical_maps", "canonical_maps", "virtual_alias_maps"]
    if subject == SENDER_CLASS:
        parameters.insert(1, "sender_canonical_maps")
    for parameter in parameters:
        maps = smtpd.maps(parameter)
        if maps and _found(evaluation, smtpd.mail_lookup(maps, recipient)):
            return True
    return False


def _found(evaluation: Evaluation, found: Found | None) -> bool:
    if found is None:
        return False
    evaluation.entry = (found.table, found.key, found.value, lambda: found.place)
    return True


def _undeliverable(evaluation: Evaluation, address: str, subject: str, resolved: Resolution) -> Result:
    final = resolved.transport == "error"
    default = f"{5 if final else 4}.1.{0 if subject == SENDER_CLASS else 1}"
    status, text = split_status(default, resolved.nexthop)
    code = 550 if final else 450
    if final and resolved.address_class is AddressClass.VIRTUAL_ALIAS:
        code = evaluation.settings.number("unknown_virtual_alias_reject_code")
    return evaluation.reject(code, fix_status(status, subject), f"<{address}>: {subject} rejected: {text}")
