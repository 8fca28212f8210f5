"""Expectations against a configuration: the ones that hold, and the real outcomes of the others."""

from __future__ import annotations

from typing import NamedTuple

from ...access.smtp.session import outcomes
from ...access.world import World
from ...routing import Router
from ..tracing import Tracer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from postconf import Config

    from ...access.smtp.session import Conversation, Exchange
    from ...access.world import Question
    from ..tracing import RouteTrace
    from .files import Expectations, ExpectedRoute, ExpectedSession


class JudgedExpectation(NamedTuple):
    """One expectation that was judged.

    `difference` is the real outcome, empty if the expectation holds. `questions` are those to the world that decide
    whether it holds.
    """

    name: str
    line: int
    difference: str = ""
    questions: tuple[Question, ...] = ()

    @property
    def holds(self) -> bool:
        """True if all is as expected."""
        return not self.difference


class Judge:
    """Judges the expectations of one configuration; services are made when they are first needed."""

    def __init__(self, config: Config, world: World) -> None:
        self._config = config
        self._world = world
        self._router = Router(config)
        self._tracers: dict[str, Tracer] = {}

    def judge(self, expectations: Expectations) -> Iterator[JudgedExpectation]:
        """Yield a verdict for each expectation; raise the errors of `Tracer`."""
        for session in expectations.sessions:
            yield JudgedExpectation(session.name, session.line, *self._session(session))
        if not expectations.routes:
            return
        service = expectations.sessions[0].service if expectations.sessions else _any_service(self._config)
        for route in expectations.routes:
            yield JudgedExpectation(route.name, route.line, self._route(self._tracer(service), route))

    def _tracer(self, service: str) -> Tracer:
        if service not in self._tracers:
            self._tracers[service] = Tracer(self._config, service, world=self._world, router=self._router)
        return self._tracers[service]

    def _session(self, expected: ExpectedSession) -> tuple[str, tuple[Question, ...]]:
        tracer = self._tracer(expected.service)
        world = self._world.with_assumptions(expected.assumed)
        if tracer.postscreen is not None:
            screening = tracer.screen(expected.session, world)
            if screening is not None and screening.outcome != "pass":
                return "" if expected.expect in ("reject", "refuse") else f"postscreen(8): {screening.reply}", ()
        exploration = outcomes(tracer.smtpd, expected.session, world)
        conversations = [branch.outcome for branch in exploration.branches]
        differences = [_difference(each, expected) for each in conversations]
        if expected.expect == "depends":
            words = {_outcome(each) for each in conversations}
            return "" if len(words) > 1 else f"it does not depend: {_summary(conversations[0])}", ()
        if not any(differences):
            return "", ()
        if all(differences):
            return differences[0], ()
        holds = not differences[0]
        questions = exploration.responsible(lambda other: (not _difference(other, expected)) != holds)
        names = ", ".join(dict.fromkeys(question.name for question in questions))
        return f"depends on {names}: {next(each for each in differences if each)}", questions

    def _route(self, tracer: Tracer, expected: ExpectedRoute) -> str:
        traced = tracer.route(expected.sender, expected.recipient)
        route = traced.route
        resolution = route.resolution
        if resolution.address_class is None:
            if expected.address_class == "bad":
                return ""
            return "the address is bad" if resolution.is_bad else f"{resolution.failure or 'the resolver fails'}"
        found = {
            "class": (expected.address_class, resolution.address_class.value),
            "transport": (expected.transport, resolution.transport),
            "nexthop": (expected.nexthop, resolution.nexthop),
            "tls": (expected.tls, ", ".join(dict.fromkeys(_levels(traced)))),
        }
        differences = [
            f"{name} is {actual or 'empty'}, not {wanted or 'empty'}"
            for name, (wanted, actual) in found.items()
            if wanted is not None and wanted != actual
        ]
        final = expected.final_recipients
        if final is not None and final != set(route.envelope.recipients):
            refusal = route.envelope.refusal
            shown = ", ".join(route.envelope.recipients) or f"none ({refusal.text if refusal else 'no recipients'})"
            differences.append(f"final recipients are {shown}, not {', '.join(sorted(final))}")
        return "; ".join(differences)


def _levels(traced: RouteTrace) -> Iterator[str]:
    for delivery in traced.deliveries:
        yield from (session.level for session in delivery.sessions)


def _any_service(config: Config) -> str:
    for view in config.services():
        if view.service.command.rpartition("/")[2] == "smtpd":
            return view.service.key
    return "smtp/inet"


def _difference(conversation: Conversation, expected: ExpectedSession) -> str:
    """Return the real outcome, or an empty text if it is the expected one."""
    outcome = _outcome(conversation)
    wanted = ("reject", "defer") if expected.expect == "refuse" else (expected.expect,)
    if outcome not in wanted:
        return _summary(conversation)
    exchange = _decisive(conversation)
    if expected.reply and not str(exchange.reply).startswith(expected.reply):
        return f"the reply is {exchange.reply}"
    step = exchange.decided_by
    if expected.by and (step is None or step.restriction.lower() != expected.by):
        return f"decided by {step.restriction if step else 'no restriction'}: {exchange.reply}"
    return ""


def _outcome(conversation: Conversation) -> str:
    """Return `accept`, `reject`, `defer`, or `mixed` if some recipients are accepted and others not."""
    refused = [each for each in conversation.exchanges if not each.reply.is_good]
    if not refused:
        return "accept"
    decisive = _decisive(conversation)
    if conversation.accepted and decisive.command == "RCPT":
        return "mixed"
    return "reject" if decisive.reply.code >= 500 or decisive.reply.code == 0 else "defer"


def _decisive(conversation: Conversation) -> Exchange:
    """Return the first rejection of a recipient, or else the first rejection; without one the last RCPT."""
    refused = [each for each in conversation.exchanges if not each.reply.is_good]
    recipients = [each for each in conversation.exchanges if each.command == "RCPT"]
    if not refused:
        return recipients[-1] if recipients else conversation.exchanges[-1]
    before = [each for each in refused if each.command in ("CONNECT", "AUTH", "MAIL")]
    return next(iter(before or [each for each in refused if each.command == "RCPT"] or refused))


def _summary(conversation: Conversation) -> str:
    exchange = _decisive(conversation)
    step = exchange.decided_by
    by = f", by {step.parameter}: {step.restriction}" if step is not None else ""
    what = {"accept": "accepted", "mixed": "accepted for some recipients only"}.get(_outcome(conversation), "refused")
    return f"{what} at {exchange.command}: {exchange.reply}{by}"
