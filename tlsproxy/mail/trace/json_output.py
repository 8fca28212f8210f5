"""Traces as JSON: one object for a session."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..access.restrictions.evaluation import RestrictionStep
    from ..access.smtp.session import Exchange
    from .tracing import Trace

JsonObject = dict[str, object]


def trace_object(trace: Trace) -> JsonObject:
    """Return a trace as an object for `json.dumps`."""
    screening = trace.screening
    before: JsonObject = {}
    if screening is not None:
        shown = {"outcome": screening.outcome, "reply": screening.reply, "depends": list(screening.depends)}
        before = {"postscreen": shown}
    return {
        **before,
        "replies": [_reply(each) for each in trace.conversation.exchanges],
        "routes": [each.route.as_json() for each in trace.routes],
    }


def _reply(exchange: Exchange) -> JsonObject:
    decided_by = exchange.decided_by
    return {
        "command": exchange.command,
        "argument": exchange.argument,
        "code": exchange.reply.code,
        "text": exchange.reply.text,
        "decided_by": None if decided_by is None else _step(decided_by),
        "depends": list(exchange.depends),
    }


def _step(step: RestrictionStep) -> JsonObject:
    restriction = f"{step.restriction} {step.argument}".rstrip()
    found: JsonObject = {"parameter": step.parameter, "restriction": restriction}
    if step.place is not None:
        found["place"] = str(step.place)
    if step.table:
        found |= {"table": step.table, "key": step.key, "value": step.value}
    if step.entry_place is not None:
        found["entry_place"] = str(step.entry_place)
    return found
