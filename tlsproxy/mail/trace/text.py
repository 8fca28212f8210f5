"""Traces as text for a person: the session line by line with the restrictions behind each reply, then the routes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from postconf import Place

    from ..access.evaluation import Step
    from ..access.session import Exchange
    from ..decisions import Decision
    from .tracing import Route, Trace, Tracer

_COMMANDS = {"MAIL": "MAIL FROM:<{}>", "RCPT": "RCPT TO:<{}>", "EOD": ".", "CONNECT": "connect from {}"}
_WIDTH = 40


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
    yield f"{f'postscreen(8) in front of {tracer.service}':{_WIDTH}}  {screening.outcome}"
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


def _step_lines(step: Step) -> Iterator[str]:
    indent = "  " * (step.depth + 2)
    name = f"{step.restriction} {step.argument}".rstrip()
    yield f"{indent}{name}: {step.outcome}{_at(step.place)}"
    if step.table:
        yield f"{indent}  {step.table}, key {step.key}: {step.value}{_at(step.entry_place)}"
    if step.reply and step.outcome == "warn":
        yield f"{indent}  would be: {step.reply}"
    if step.note:
        yield f"{indent}  {step.note}"


def _at(place: Place | None) -> str:
    return f"  ({place})" if place is not None else ""


def _route_lines(route: Route) -> Iterator[str]:
    resolution, delivery = route.resolution, route.delivery
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
        yield f"  {subject:<12}{value}{_why(resolution.decisions, subject)}"
    yield from _recipient_lines(route)
    if delivery is None:
        return
    if delivery.content_filter:
        yield f"  {'filter':<12}{delivery.content_filter}{_at(delivery.filter_place)}: all mail goes there first"
    if delivery.agent:
        where = _at(delivery.service_place)
        yield f"  {'agent':<12}{delivery.agent}(8), service {delivery.transport}/unix{where}"
    elif delivery.transport not in ("error", "retry", "discard"):
        yield f"  {'agent':<12}none: no service {delivery.transport}/unix in master.cf, so mail is deferred"
    if delivery.tls:
        yield f"  {'TLS':<12}{delivery.tls}"
    if delivery.credentials:
        yield f"  {'login':<12}{delivery.credentials}"


def _recipient_lines(route: Route) -> Iterator[str]:
    if route.refusal:
        yield f"  {'recipients':<12}none: {route.refusal}"
        return
    yield f"  {'recipients':<12}{', '.join(route.final_recipients)}"
    for decision in route.mappings:
        source = f"{decision.table}, key {decision.key}" if decision.table else decision.parameter
        yield f"  {'':<12}  {decision.value}: {decision.parameter}, {source}{_at(decision.place)}"


def _why(decisions: tuple[Decision, ...], subject: str) -> str:
    chosen = [each for each in decisions if each.subject == subject]
    if not chosen or not chosen[-1].parameter:
        return ""
    decision = chosen[-1]
    table = f" {decision.table}, key {decision.key}" if decision.table else ""
    place = f" {decision.place}" if decision.place else ""
    return f"  ({decision.parameter}{table}{place})"
