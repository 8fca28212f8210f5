"""A configuration, ready to be asked: sessions with one of its smtpd(8) services, and routes of their recipients."""

from __future__ import annotations

from typing import NamedTuple

from ..access.smtp.session import Conversation, Exchange, converse
from ..access.smtpd import service_of
from ..access.world import NOWHERE, explore
from ..routing import Router

TYPE_CHECKING = False
if TYPE_CHECKING:
    from postconf import Config

    from ..access.postscreen import Postscreen, Screening
    from ..access.restrictions.evaluation import Action
    from ..access.smtp.facts import SmtpSession
    from ..access.world import World
    from ..routing import Route
    from ..routing.delivery import Delivery


class RouteTrace(NamedTuple):
    """The route of one recipient, and the deliveries of its final recipients; none of them if they are not wanted."""

    route: Route
    deliveries: tuple[Delivery, ...]


class Trace(NamedTuple):
    """All answers to one session. `screening` is the decision of postscreen(8) before, None if it is not in front."""

    session: SmtpSession
    conversation: Conversation
    routes: tuple[RouteTrace, ...]
    screening: Screening | None = None

    @property
    def refused(self) -> Exchange | None:
        """The first rejection; None if all recipients and the message were accepted."""
        return next((each for each in self.conversation.exchanges if not each.reply.is_good), None)


class Tracer:
    """Asks one service of a configuration."""

    def __init__(
        self,
        config: Config,
        service: str,
        *,
        world: World = NOWHERE,
        traces: bool = True,
        deliveries: bool = True,
        router: Router | None = None,
    ) -> None:
        """`service` is `name/type`; for one of postscreen(8), `smtpd/pass` is asked, which it hands clients to.

        `router` is one of the same configuration, shared with other tracers. `traces` is False if the places of table
        entries are not wanted, `deliveries` if those of final recipients are not. Raises `ServiceError`, and
        `ConfigError` for a setting with which smtpd(8) dies.
        """
        self.config = config
        self.service = service
        self.world = world
        self._delivers = deliveries
        self.postscreen = _postscreen(config, service)
        self.router = router or Router(config)
        self.asked = "smtpd/pass" if self.postscreen else service
        self.smtpd = service_of(self.router, self.asked, traces=traces)
        if world.inquirer is not None:
            world.inquirer.serve(self.smtpd)

    def trace(self, session: SmtpSession) -> Trace:
        """Hold a session, and find the routes of its recipients."""
        screening = self.screen(session, self.world)
        conversation = Conversation((), None, (), ())
        if screening is None or screening.outcome == "pass":
            conversation = converse(self.smtpd, session, self.world)
        actions = conversation.actions
        routes = tuple(self.route(session.sender, each, actions) for each in session.recipients)
        return Trace(session, conversation, routes, screening)

    def route(self, sender: str, recipient: str, actions: tuple[Action, ...] = ()) -> RouteTrace:
        """Return the route of a recipient; addresses are as in a session, `actions` those of access tables."""
        route = self.router.route(sender, recipient, self.asked)
        filters = [action.text for action in actions if action.name == "FILTER"]
        if filters:
            route = route._replace(content_filter=filters[-1])
        if not self._delivers or route.resolution.address_class is None:
            return RouteTrace(route, ())
        return RouteTrace(route, self.router.deliveries(route))

    def screen(self, session: SmtpSession, world: World) -> Screening | None:
        """Return the decision of postscreen(8) on a client; None without it. Lists of unknown content list nothing."""
        if self.postscreen is None:
            return None
        postscreen = self.postscreen
        exploration = explore(lambda each: postscreen.screen(session.client, each), world)
        quiet = exploration.branches[0].outcome
        questions = exploration.responsible(lambda other: other.outcome != quiet.outcome)
        return quiet._replace(depends=tuple(question.name for question in questions))


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
