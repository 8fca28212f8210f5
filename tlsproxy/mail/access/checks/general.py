"""Restrictions that look at nothing in particular: permit, reject and their relatives, and policy services."""

from __future__ import annotations

from ..restrictions.evaluation import Evaluation, Frame, Result, handles
from ..world import Question, QuestionKind
from .access_tables import Item, apply

_DEFAULT_ACTION = "451 4.3.5 Server configuration problem"
"""The action in place of a default action that asks the failing service again."""


@handles("permit")
def permit(_evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Permit the command."""
    return Result.OK


@handles("reject")
def reject(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Reject with reject_code."""
    code = evaluation.settings.number("reject_code")
    return evaluation.reject(code, "5.7.1", f"<{frame.name}>: {frame.subject} rejected: Access denied")


@handles("defer")
def defer(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Reject with defer_code."""
    code = evaluation.settings.number("defer_code")
    return evaluation.reject(code, "4.3.2", f"<{frame.name}>: {frame.subject} rejected: Try again later")


@handles("defer_if_permit")
def defer_if_permit(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Defer a command that would be permitted."""
    text = f"<{frame.name}>: {frame.subject} rejected: defer_if_permit requested"
    return evaluation.defer_unless_rejected(450, "4.7.0", text)


@handles("defer_if_reject")
def defer_if_reject(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Defer a command that would be rejected."""
    text = f"<{frame.name}>: {frame.subject} rejected: defer_if_reject requested"
    return evaluation.defer_if_rejected(450, "4.7.0", text)


@handles("sleep")
def sleep(_evaluation: Evaluation, _seconds: str, _frame: Frame) -> Result:
    """Wait, which changes no answer."""
    return Result.DUNNO


@handles("reject_unauth_pipelining")
def reject_unauth_pipelining(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Reject a client that speaks out of turn."""
    if not evaluation.session.pipelines:
        return Result.DUNNO
    text = f"<{frame.name}>: {frame.subject} rejected: Improper use of SMTP command pipelining"
    return evaluation.reject(503, "5.5.0", text)


@handles("reject_plaintext_session")
def reject_plaintext_session(evaluation: Evaluation, _argument: str, _frame: Frame) -> Result:
    """Reject a session without TLS."""
    if evaluation.session.tls is not None:
        return Result.DUNNO
    code = evaluation.settings.number("plaintext_reject_code")
    return evaluation.reject(code, "4.7.1", "Session encryption is required")


@handles("reject_multi_recipient_bounce")
def reject_multi_recipient_bounce(evaluation: Evaluation, _argument: str, frame: Frame) -> Result:
    """Reject more than one recipient of the null sender."""
    allowed = 0 if evaluation.command == "RCPT" else 1
    if evaluation.sender != "" or evaluation.recipient_count <= allowed:
        return Result.DUNNO
    code = evaluation.settings.number("multi_recipient_bounce_reject_code")
    return evaluation.reject(code, "5.5.3", f"<{frame.name}>: {frame.subject} rejected: Multi-recipient bounce")


@handles("check_policy_service")
def check_policy_service(evaluation: Evaluation, argument: str, frame: Frame) -> Result:
    """Ask a policy service; its answer is that of an access table (SMTPD_POLICY_README)."""
    service = evaluation.smtpd.policy_service(argument)
    request = evaluation.policy_request(service.context)
    answer = evaluation.ask(Question(QuestionKind.POLICY, service.endpoint, request))
    item = Item(frame.name, frame.subject)
    evaluation.entry = (service.endpoint, "policy query", answer.data, lambda: None)
    if answer.word != "failed":
        return apply(evaluation, service.endpoint, answer.data, item, frame)
    action = service.default_action if evaluation.policy_failures == 0 else _DEFAULT_ACTION
    evaluation.warn(f"problem talking to server {service.endpoint}")
    evaluation.policy_failures += 1
    try:
        return apply(evaluation, service.endpoint, action, item, frame)
    finally:
        evaluation.policy_failures -= 1
