"""Open relays: the reply to a stranger who sends mail to a stranger.

A stranger is a client outside mynetworks without a login or a certificate, with a verified name. Sender and recipient
are in domains that no configuration should contain. All restriction lists are evaluated as in smtpd(8), with the
existing tables.
"""

from __future__ import annotations

from typing import NamedTuple

from ..tables import TableLookupError
from .restrictions.evaluation import RestrictionStep
from .smtp.facts import SmtpClient, SmtpSession, Tls
from .smtp.replies import Reply
from .smtp.session import outcomes
from .world import NOWHERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .smtp.session import Conversation, Exchange
    from .smtpd import Smtpd
    from .world import World

HELO_NAME = "mail.stranger.example"
SENDER = "someone@stranger.example"
RECIPIENT = "someone@elsewhere.example"
_MAX_EVALUATIONS = 48
CLIENTS = (
    SmtpClient.named("203.0.113.77", HELO_NAME),
    SmtpClient.named("9.9.9.9", HELO_NAME),
    SmtpClient.named("2620:fe::9", HELO_NAME),
)
"""Addresses far from each other: tables may know one of them, and those of documentation are in lists of bogons."""


class RelayVerdict(NamedTuple):
    """The answer for one service.

    `permits` is True if a stranger may relay while the world answers `unlisted`, `DUNNO` and the like; `depends` are
    the questions to the world whose answers would change that, empty for a certain verdict. `steps` are the
    restrictions that were evaluated, and `reply` is the last reply. `session` is the one that was tried.
    """

    permits: bool
    depends: tuple[str, ...]
    session: SmtpSession
    steps: tuple[RestrictionStep, ...]
    reply: Reply

    @property
    def path(self) -> tuple[RestrictionStep, ...]:
        """The restrictions that permitted, or the one that rejected, with the lists they are in."""
        wanted = ("permit",) if self.permits else ("reject", "defer", "error")
        return tuple(step for step in self.steps if step.outcome in wanted)


class Claims(NamedTuple):
    """Values that a stranger sends besides those that no table knows, because a table permits them."""

    senders: tuple[str, ...] = ()
    helo_names: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    """Addresses of other sites that look like own ones."""


def stranger_may_relay(smtpd: Smtpd, world: World = NOWHERE, claims: Claims | None = None) -> RelayVerdict:
    """Return the verdict on relaying by strangers through a service: the worst of several attempts."""
    verdicts = [_verdict(smtpd, session, world) for session in _sessions(smtpd, claims or Claims())]
    return max(verdicts, key=lambda verdict: (verdict.permits, bool(verdict.depends)))


def _sessions(smtpd: Smtpd, claims: Claims) -> Iterator[SmtpSession]:
    """Yield the sessions to try: one client, and others that could get another answer."""
    tls = Tls() if smtpd.requires_tls else None
    first, *others = CLIENTS
    asks_tables = smtpd.asks_tables
    yield SmtpSession(first, HELO_NAME, SENDER, (RECIPIENT,), tls=tls)
    for client in others:
        if asks_tables or _is_trusted(smtpd, client):
            yield SmtpSession(client, HELO_NAME, SENDER, (RECIPIENT,), tls=tls)
    if asks_tables:
        yield SmtpSession(first, HELO_NAME, "", (RECIPIENT,), tls=tls)
    for sender in claims.senders:
        yield SmtpSession(first, HELO_NAME, sender, (RECIPIENT,), tls=tls)
    for name in claims.helo_names:
        yield SmtpSession(first, name, SENDER, (RECIPIENT,), tls=tls)
    for recipient in claims.recipients:
        yield SmtpSession(first, HELO_NAME, SENDER, (recipient,), tls=tls)


def _is_trusted(smtpd: Smtpd, client: SmtpClient) -> bool:
    try:
        return bool(smtpd.mynetworks.match(client.name, client.address))
    except TableLookupError:
        return True


def _verdict(smtpd: Smtpd, session: SmtpSession, world: World) -> RelayVerdict:
    exploration = outcomes(smtpd, session, world, limit=_MAX_EVALUATIONS)
    quiet = exploration.branches[0].outcome
    permits = _relays(quiet)
    questions = exploration.responsible(lambda other: _relays(other) != permits)
    exchange = _decisive(quiet)
    depends = tuple(dict.fromkeys(question.name for question in questions))
    return RelayVerdict(permits, depends, session, exchange.steps, exchange.reply)


def _relays(conversation: Conversation) -> bool:
    """Return True if the recipient was accepted, and the message is not thrown away."""
    return bool(conversation.accepted) and not any(action.name == "DISCARD" for action in conversation.actions)


def _decisive(conversation: Conversation) -> Exchange:
    """Return the exchange that decided: RCPT if it was accepted, else the first rejection."""
    if conversation.accepted:
        return next(each for each in conversation.exchanges if each.command == "RCPT")
    return next((each for each in conversation.exchanges if not each.reply.is_good), conversation.exchanges[-1])
