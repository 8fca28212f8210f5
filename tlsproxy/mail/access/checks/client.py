"""Restrictions that look at the client: its address, name, login and certificate."""

from __future__ import annotations

from ...tables import TableLookupError
from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..smtp.facts import NameStatus


@handles("permit_mynetworks")
def permit_mynetworks(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Permit a client in mynetworks."""
    client = evaluation.client
    try:
        found = evaluation.smtpd.mynetworks.match(client.name, client.address)
    except TableLookupError as error:
        evaluation.warn(str(error))
        raise evaluation.lookup_failure(frame.name) from error
    if found is not None:
        evaluation.entry = (found.pattern, found.key, "", lambda: found.place)
    return Result.OK if found else Result.DUNNO


@handles("permit_inet_interfaces")
def permit_inet_interfaces(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit a client at an address of this host."""
    address = evaluation.client.socket_address or evaluation.client.address
    return Result.OK if evaluation.smtpd.is_own_address(address) else Result.DUNNO


@handles("permit_sasl_authenticated")
def permit_sasl_authenticated(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit a client that has logged in."""
    return Result.OK if evaluation.sasl_user else Result.DUNNO


@handles("permit_tls_clientcerts")
def permit_tls_clientcerts(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Permit a client whose certificate or public key is in relay_clientcerts."""
    return _by_certificate(evaluation, frame)


@handles("permit_tls_all_clientcerts")
def permit_tls_all_clientcerts(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Permit a client with a certificate of a trusted authority, or one that is in relay_clientcerts."""
    tls = evaluation.session.tls
    return Result.OK if tls is not None and tls.trusted else _by_certificate(evaluation, frame)


def _by_certificate(evaluation: Evaluation, frame: Frame) -> Result:
    tls = evaluation.session.tls
    if tls is None:
        return Result.DUNNO
    if not tls.has_certificate:
        if not evaluation.settings.yes("smtpd_tls_ask_ccert"):
            evaluation.warn('client certificates are requested, but "smtpd_tls_ask_ccert = no"')
        return Result.DUNNO
    maps = evaluation.smtpd.relay_clientcerts
    try:
        for fingerprint in (tls.certificate_fingerprint, tls.public_key_fingerprint):
            found = maps.find(fingerprint) if fingerprint else None
            if found is not None:
                evaluation.entry = (found.table, found.key, found.value, lambda entry=found: entry.place)
                return Result.OK
    except TableLookupError as error:
        evaluation.warn(str(error))
        raise evaluation.lookup_failure(frame.name) from error
    return Result.DUNNO


@handles("reject_unknown_client_hostname", "reject_unknown_client")
def reject_unknown_client_hostname(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a client without a verified name."""
    client = evaluation.client
    text = f"Client host rejected: cannot find your hostname, [{client.address}]"
    return _by_name(evaluation, client.name_status, "4.7.25", text)


@handles("reject_unknown_reverse_client_hostname")
def reject_unknown_reverse_client_hostname(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a client whose address has no name."""
    client = evaluation.client
    text = f"Client host rejected: cannot find your reverse hostname, [{client.address}]"
    return _by_name(evaluation, client.reverse_name_status, "4.7.1", text)


def _by_name(evaluation: Evaluation, status: NameStatus, dsn: str, text: str) -> Result:
    if status is NameStatus.VERIFIED:
        return Result.DUNNO
    code = 450 if status is NameStatus.FAILED else evaluation.settings.number("unknown_client_reject_code")
    return evaluation.reject(code, dsn, text)
