"""Traces as text for a person: the session line by line with the restrictions behind each reply, then the routes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from postconf import Place

    from ..access.restrictions.evaluation import RestrictionStep
    from ..access.smtp.session import Exchange
    from ..decisions import Decision
    from ..routing.delivery import Delivery
    from .tracing import RouteTrace, Trace, Tracer

_COMMANDS = {"MAIL": "MAIL FROM:<{}>", "RCPT": "RCPT TO:<{}>", "EOD": ".", "CONNECT": "connect from {}"}
_WIDTH = 40
_COLUMN = 12
_LONGEST = 300
"""Characters of a table's name that are shown: one in braces is as long as its entries."""
_MOST_DECISIONS = 200
"""Steps of an alias expansion that are shown."""


def trace_text(trace: Trace, tracer: Tracer) -> str:
    """Return a trace as lines of text."""
    lines: list[str] = []
    if trace.screening is not None:
        lines += _screening_lines(trace, tracer)
    for exchange in trace.conversation.exchanges:
        lines += _exchange_lines(exchange)
    for route in trace.routes:
        lines += ["", *_route_lines(route)]
    return "".join(f"{printable(line)}\n" for line in lines)


def printable(text: str) -> str:
    """Make control characters visible, and bytes that are no UTF-8."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _screening_lines(trace: Trace, tracer: Tracer) -> Iterator[str]:
    screening = trace.screening
    if screening is None:
        return
    title = f"postscreen(8) in front of {tracer.service}"
    yield f"{title:{_WIDTH}}  {' '.join(each for each in (screening.outcome, screening.reply) if each)}"
    if screening.depends:
        yield f"  depends on {', '.join(screening.depends)}: this is the answer if nothing there objects"
    for step in screening.steps:
        yield from _step_lines(step)


def _exchange_lines(exchange: Exchange) -> Iterator[str]:
    command = _COMMANDS.get(exchange.command, exchange.command + " {}").format(exchange.argument).rstrip()
    first, *others = (str(exchange.reply) if exchange.reply.code else "(connection dropped)").split("\n")
    yield f"{command:{_WIDTH}}  {first}"
    for line in others:
        yield f"{'':{_WIDTH}}  {line}"
    if exchange.depends:
        yield f"  depends on {', '.join(exchange.depends)}: this is the answer if nothing there objects"
    parameter = ""
    for step in exchange.steps:
        if step.parameter != parameter:
            parameter = step.parameter
            yield f"  {parameter}"
        yield from _step_lines(step)


def _step_lines(step: RestrictionStep) -> Iterator[str]:
    indent = "  " * (step.depth + 2)
    name = _short(f"{step.restriction} {step.argument}".rstrip())
    yield f"{indent}{name}: {step.outcome}{_at(step.place)}"
    if step.table:
        value = f": {step.value}" if step.value else ""
        yield f"{indent}  {_short(step.table)}, key {step.key}{value}{_at(step.entry_place)}"
    if step.reply and step.outcome == "warn":
        yield f"{indent}  would be: {step.reply}"
    if step.note:
        yield f"{indent}  {step.note}"


def _short(text: str) -> str:
    """Return a text, cut if it is the whole of a long table in braces."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _at(place: Place | None) -> str:
    return f"  ({place})" if place is not None else ""


def _route_lines(trace: RouteTrace) -> Iterator[str]:
    route = trace.route
    resolution, envelope = route.resolution, route.envelope
    yield f"route of <{route.recipient}>"
    if resolution.address_class is None:
        why = "an address that no mail can go to" if resolution.is_bad else resolution.failure or "the resolver fails"
        yield f"  none: {why}"
        return
    values = {
        "class": resolution.address_class.value,
        "transport": resolution.transport,
        "nexthop": resolution.nexthop,
    }
    for subject, value in values.items():
        yield f"  {subject:<{_COLUMN}}{value}{_why(resolution.decisions, subject)}"
    for decision in envelope.decisions[:_MOST_DECISIONS]:
        subject = decision.subject.removeprefix("envelope_")
        yield f"  {subject:<{_COLUMN}}{decision.value}{_because(decision)}"
    if len(envelope.decisions) > _MOST_DECISIONS:
        yield f"  and {len(envelope.decisions) - _MOST_DECISIONS} more"
    if envelope.refusal is not None:
        yield f"  {'refused':<{_COLUMN}}{envelope.refusal.code} {envelope.refusal.text}: {envelope.refusal.error}"
    for delivery in trace.deliveries:
        yield from _delivery_lines(delivery, route.content_filter)


def _delivery_lines(delivery: Delivery, content_filter: str) -> Iterator[str]:
    hop, agent = delivery.hop, delivery.agent
    target = f"{hop.transport}:{hop.nexthop}"
    yield f"  <{delivery.recipient}> goes to {target}{' (content filter)' if content_filter else ''}"
    if agent.program:
        yield f"    {agent.program.rpartition('/')[2]}(8), service {agent.name}/unix{_at(agent.place)}"
    elif hop.transport not in ("error", "retry", "discard"):
        yield f"    no service {agent.name}/unix in master.cf: mail waits"
    for session in delivery.sessions:
        level = f"TLS level {session.level}" if session.level else "no TLS policy"
        problem = f": {session.problem}" if session.problem else ""
        yield f"    {session.destination}: {level}{problem}"
        if session.credentials is not None:
            found = session.credentials
            yield f"    login: {found.parameter} {_short(found.table)}, key {found.key}{_at(found.place)}"
        for each in session.depends:
            yield f"    depends on {each}"


def _place(decision: Decision) -> str:
    return f" {decision.place}" if decision.place is not None else ""


def _why(decisions: tuple[Decision, ...], subject: str) -> str:
    chosen = [each for each in decisions if each.subject == subject]
    if not chosen or not chosen[-1].parameter:
        return ""
    return _because(chosen[-1])


def _because(decision: Decision) -> str:
    table = f" {_short(decision.table)}, key {decision.key}" if decision.table else ""
    return f"  ({decision.parameter}{table}{_place(decision)})"
