"""Restrictions that look at the name in HELO or EHLO, as far as they need no DNS."""

from __future__ import annotations

from ... import addresses
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from .access_tables import HELO_CLASS


def without_final_dot(name: str) -> str:
    """Take one dot off the end of a name that has only one there."""
    return name[:-1] if len(name) > 1 and name[-1] == "." and name[-2] != "." else name


def reject_invalid_address(evaluation: Evaluation, name: str) -> Result:
    """Reject a HELO name in brackets, or of digits, that is no address literal."""
    literal = name[1:-1] if name.startswith("[") and len(name) > 2 and name.endswith("]") else name
    if addresses.mailhost_address(literal) is not None:
        return Result.DUNNO
    code = evaluation.settings.number("invalid_hostname_reject_code")
    return evaluation.reject(code, "5.5.2", f"<{name}>: {HELO_CLASS} rejected: invalid ip address")


@handles("reject_invalid_helo_hostname", "reject_invalid_hostname")
def reject_invalid_helo_hostname(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a HELO name that is neither a host name nor an address."""
    name = evaluation.helo
    if name is None:
        return Result.DUNNO
    if name.startswith("["):
        return reject_invalid_address(evaluation, name)
    tested = without_final_dot(name)
    if addresses.is_domain(tested, smtputf8=False) or (tested and addresses.is_address(tested)):
        return Result.DUNNO
    code = evaluation.settings.number("invalid_hostname_reject_code")
    return evaluation.reject(code, "5.5.2", f"<{name}>: {HELO_CLASS} rejected: Invalid name")


@handles("reject_non_fqdn_helo_hostname", "reject_non_fqdn_hostname")
def reject_non_fqdn_helo_hostname(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a HELO name without a domain."""
    name = evaluation.helo
    if name is None:
        return Result.DUNNO
    if name.startswith("["):
        return reject_invalid_address(evaluation, name)
    tested = without_final_dot(name)
    if "." in tested and addresses.is_domain(tested, smtputf8=evaluation.smtputf8):
        return Result.DUNNO
    code = evaluation.settings.number("non_fqdn_reject_code")
    return evaluation.reject(code, "5.5.2", f"<{name}>: {HELO_CLASS} rejected: need fully-qualified hostname")


@handles("permit_naked_ip_address")
def permit_naked_ip_address(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit a HELO name that is an IPv4 address. Postfix 3.9 has removed it."""
    if evaluation.smtpd.has_removed("permit_naked_ip_address"):
        raise evaluation.misconfigured('support for restriction "permit_naked_ip_address" has been removed')
    name = evaluation.helo
    if name is None or not set(name) <= set("0123456789.:"):
        return Result.DUNNO
    return reject_invalid_address(evaluation, name) or Result.OK
