"""A configuration, ready to be asked: sessions with one of its smtpd(8) services, and routes of their recipients."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from ..access.session import Conversation, Exchange, converse
from ..access.smtpd import open_service
from ..access.world import NOWHERE, explore
from ..addresses import parse_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from postconf import Config

    from ..access.evaluation import Action
    from ..access.facts import Session
    from ..access.postscreen import Postscreen, Screening
    from ..access.world import World
    from ..decisions import Decision
    from ..resolver import Resolution
    from .delivery import Deliveries, Delivery


class Route(NamedTuple):
    """Where mail for one recipient goes.

    `final_recipients` are those that cleanup(8) writes to the queue, for a message to this recipient only; they are
    empty if it refuses the message, with `refusal` as its answer. `mappings` say how they came to be. `delivery` is the
    hop, None where traces are not wanted.
    """

    recipient: str
    resolution: Resolution
    final_recipients: tuple[str, ...] = ()
    refusal: str = ""
    mappings: tuple[Decision, ...] = ()
    delivery: Delivery | None = None


class Trace(NamedTuple):
    """All answers to one session. `screening` is what postscreen(8) does before, None if it is not in front."""

    session: Session
    conversation: Conversation
    routes: tuple[Route, ...]
    screening: Screening | None = None

    @property
    def refused(self) -> Exchange | None:
        """The first rejection; None if all recipients and the message were accepted."""
        return next((each for each in self.conversation.exchanges if not each.reply.is_good), None)


class Tracer:
    """Asks one service of a configuration."""

    def __init__(self, config: Config, service: str, *, world: World = NOWHERE, traces: bool = True) -> None:
        """`service` is `name/type`; for one of postscreen(8), `smtpd/pass` is asked, which it hands clients to.

        `traces` is False if only replies and routes are wanted. Raises `ServiceError`, and `ConfigError` for what
        smtpd(8) dies of.
        """
        self.config = config
        self.service = service
        self.world = world
        self.traces = traces
        self.postscreen = _postscreen(config, service)
        self.smtpd = open_service(config, "smtpd/pass" if self.postscreen else service, traces=traces)
        self.resolver = self.smtpd.resolver
        if world.inquirer is not None:
            world.inquirer.serve(self.smtpd)

    def trace(self, session: Session) -> Trace:
        """Hold a session, and find the routes of its recipients."""
        screening = self.screen(session, self.world)
        conversation = Conversation((), None, (), ())
        if screening is None or screening.outcome == "pass":
            conversation = converse(self.smtpd, session, self.world)
        actions = conversation.actions
        routes = tuple(self.route(session.sender, each, actions) for each in session.recipients)
        return Trace(session, conversation, routes, screening)

    def route(self, sender: str, recipient: str, actions: tuple[Action, ...] = ()) -> Route:
        """Return the route of a recipient; addresses are as in a session, `actions` those of access tables."""
        sender, address = parse_path(sender).address, parse_path(recipient).address
        resolution = self.resolver.resolve(sender, address)
        if resolution.address_class is None:
            return Route(recipient, resolution)
        envelope = self.smtpd.envelope(sender, [address])
        refusal = f"{envelope.refusal.code} {envelope.refusal.text}" if envelope.refusal else ""
        if not self.traces:
            return Route(recipient, resolution, envelope.recipients, refusal)
        delivery = self._deliveries.of(resolution, sender, actions)
        return Route(recipient, resolution, envelope.recipients, refusal, envelope.decisions, delivery)

    @cached_property
    def _deliveries(self) -> Deliveries:
        from .delivery import Deliveries

        return Deliveries(self.config, self.smtpd)

    def screen(self, session: Session, world: World) -> Screening | None:
        """Return what postscreen(8) does with a client; None without it. Lists of unknown content list nothing."""
        if self.postscreen is None:
            return None
        postscreen = self.postscreen
        return explore(lambda each: postscreen.screen(session.client, each), world).branches[0].outcome


def _postscreen(config: Config, service: str) -> Postscreen | None:
    name, _, kind = service.rpartition("/")
    try:
        view = config.service(name, kind)
    except KeyError:
        return None
    if view.service.command.rpartition("/")[2] != "postscreen":
        return None
    from ..access.postscreen import Postscreen

    return Postscreen(view)
