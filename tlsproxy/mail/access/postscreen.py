"""postscreen(8) in front of smtpd(8): its access list and its DNS lists, which decide before any restriction does.

Tests of the client's behaviour, before and after the greeting, are not traced: a client that is traced passes them.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf import ConfigError
from postconf.syntax.mastercf import split_words
from postconf.values import LIST_SEPARATORS

from ..tables import TableLookupError
from ..view import MailView
from .checks.dnsbl import reversed_address
from .restrictions.evaluation import RestrictionStep
from .restrictions.lists import read_list
from .world import LISTED_OR_NOT, Question, QuestionKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from postconf import View

    from .smtp.facts import SmtpClient
    from .world import World

_PARAMETER = "postscreen_access_list"


class Screening(NamedTuple):
    """The verdict of postscreen(8) about a client.

    `outcome` is `pass`, `reject` (each recipient gets `reply`) or `drop` (the client gets `reply` and is hung up on).
    """

    outcome: str
    steps: tuple[RestrictionStep, ...]
    reply: str = ""
    depends: tuple[str, ...] = ()
    """Names of the questions to the world whose answers would change the outcome."""


class Postscreen:
    """A service of postscreen(8)."""

    def __init__(self, view: View) -> None:
        """Read the lists; raise `ConfigError`."""
        self._settings = MailView(view)
        self._words = read_list(view, _PARAMETER).words
        self._view = view

    def screen(self, client: SmtpClient, world: World) -> Screening:
        """Return the verdict about a client; raise `UndecidedError` where DNS decides."""
        steps: list[RestrictionStep] = []
        verdict = self._access_list(client, steps)
        if verdict == "permit":
            return Screening("pass", tuple(steps))
        if verdict == "reject":
            # Named blacklist before Postfix 3.6, which still reads that name.
            names = ("postscreen_denylist_action", "postscreen_blacklist_action")
            action = self._settings.text(next(name for name in names if name in self._view)) or "ignore"
            done = _outcome(action, "5.3.2 Service currently unavailable", steps)
            if done is not None:
                return done
        return self._dns_lists(client, world, steps) or Screening("pass", tuple(steps))

    def _access_list(self, client: SmtpClient, steps: list[RestrictionStep]) -> str:
        for word in self._words:
            name, outcome, key, value, entry = word.text.lower(), "dunno", "", "", None
            try:
                if name == "permit_mynetworks":
                    found = self._settings.clients("mynetworks").match("unknown", client.address)
                    outcome = "permit" if found else "dunno"
                elif ":" in word.text:
                    answer = self._settings.tables.maps(_PARAMETER, text=word.text).find(client.address)
                    if answer is not None:
                        key, value, entry = answer.key, answer.value, answer.place
                        outcome = value.strip().lower()
                elif name in ("permit", "reject"):
                    outcome = name
            except TableLookupError as error:
                steps.append(RestrictionStep(_PARAMETER, word.text, "", word.place, "error", note=str(error)))
                return "dunno"
            steps.append(
                RestrictionStep(
                    _PARAMETER, word.text, "", word.place, outcome, 0, "", word.text if key else "", key, value, entry
                )
            )
            if outcome in ("permit", "reject"):
                return outcome
            if outcome != "dunno":
                return "dunno"
        return "dunno"

    def _dns_lists(self, client: SmtpClient, world: World, steps: list[RestrictionStep]) -> Screening | None:
        settings = self._settings
        action = settings.text("postscreen_dnsbl_action") or "ignore"
        sites = [word for word, _ in split_words(settings.text("postscreen_dnsbl_sites"), LIST_SEPARATORS)]
        if action == "ignore" or not sites:
            return None
        place = settings.place("postscreen_dnsbl_sites")
        score, worst, blamed = 0, 0, ""
        for site in sites:
            zone, star, text = site.partition("*")
            weight = self._weight(site, text) if star else 1
            domain = zone.partition("=")[0]
            question = Question(QuestionKind.LIST, zone, f"{reversed_address(client.address)}.{domain}")
            listed = world.ask(question, LISTED_OR_NOT).word == "listed"
            steps.append(RestrictionStep("postscreen_dnsbl_sites", site, "", place, "reject" if listed else "dunno"))
            if listed:
                score += weight
                if not blamed or weight > worst:
                    worst, blamed = weight, domain
        if score < settings.number("postscreen_dnsbl_threshold"):
            return None
        return _outcome(action, f"5.7.1 Service unavailable; client [{client.address}] blocked using {blamed}", steps)

    def _weight(self, site: str, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            message = f'bad DNSBL weight factor "{text}" in "{site}"'
            place = self._settings.place("postscreen_dnsbl_sites")
            raise ConfigError(message, place, "write a number behind the *") from None


def _outcome(action: str, text: str, steps: list[RestrictionStep]) -> Screening | None:
    if action == "drop":
        return Screening("drop", tuple(steps), f"521 {text}")
    if action == "enforce":
        return Screening("reject", tuple(steps), f"550 {text}")
    return None
