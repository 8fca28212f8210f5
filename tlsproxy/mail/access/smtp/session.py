"""One SMTP session: greeting, HELO, MAIL, RCPT, DATA and the end of the data, answered as smtpd(8) does.

`Smtpd` is the service, `SmtpSession` has the commands of the client. The result has each reply with the steps that led
to it. `run` raises `UndecidedError` where the world outside decides; `converse` finds the replies that depend on it.
"""

from __future__ import annotations

from typing import NamedTuple

from ...addresses import parse_path, split, unquoted
from ...tables import TableLookupError
from ..restrictions.evaluation import Action, Evaluation, HangupError, RestrictionStep
from ..restrictions.stages import Stages
from ..world import MAX_EVALUATIONS, Question, QuestionKind, UndecidedError, explore
from .attributes import expand_reply
from .commands import CommandToken, path_and_options, tokens
from .replies import Reply, parse, printable, soften, with_footer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..smtpd import Smtpd
    from ..world import Exploration, World
    from .facts import SmtpSession

_NEUTERED = str.maketrans(dict.fromkeys(' <>()\\";@', "?"))
_BODIES = ("body=8bitmime", "body=7bit")
"""The option BODY of MAIL, in lower case."""


class Exchange(NamedTuple):
    """One command of the client, the reply, and the steps that led to it.

    `command` is CONNECT, AUTH, HELO, MAIL, RCPT, DATA or EOD (the end of the data). `depends` are the names of the
    questions to the world whose answers would change the reply; the one given is that for the quiet answers.
    """

    command: str
    argument: str
    reply: Reply
    steps: tuple[RestrictionStep, ...] = ()
    depends: tuple[str, ...] = ()

    @property
    def decided_by(self) -> RestrictionStep | None:
        """The restriction that rejected, or that permitted relaying; None if no restriction decided."""
        if not self.reply.is_good:
            bad = [step for step in self.steps if step.outcome in ("reject", "defer", "error")]
            waiting = [step for step in self.steps if step.outcome in ("defer_if_permit", "defer_if_reject")]
            return next(iter(bad or waiting), None)
        permits = [step for step in self.steps if step.outcome == "permit" and step.depth == 0]
        return permits[-1] if permits and self.command == "RCPT" else None


class Conversation(NamedTuple):
    """All of a session. `accepted` are the recipients, in internal form; `actions` those of tables on the message."""

    exchanges: tuple[Exchange, ...]
    sender: str | None
    accepted: tuple[str, ...]
    actions: tuple[Action, ...]


def converse(smtpd: Smtpd, session: SmtpSession, world: World) -> Conversation:
    """Hold a session; replies that depend on the world name the questions that decide."""
    exploration = outcomes(smtpd, session, world)
    first, *others = exploration.branches
    if not others and not exploration.unexplored:
        return first.outcome
    exchanges = []
    for index, exchange in enumerate(first.outcome.exchanges):

        def differs(other: Conversation, index: int = index, reply: Reply = exchange.reply) -> bool:
            return index >= len(other.exchanges) or other.exchanges[index].reply != reply

        questions = exploration.responsible(differs, index)
        exchanges.append(exchange._replace(depends=tuple(dict.fromkeys(each.name for each in questions))))
    return first.outcome._replace(exchanges=tuple(exchanges))


def outcomes(
    smtpd: Smtpd, session: SmtpSession, world: World, *, limit: int = MAX_EVALUATIONS
) -> Exploration[Conversation]:
    """Hold a session once for all that the world may answer, at most `limit` times."""
    return explore(lambda each: run(smtpd, session, each), world, limit)


def run(smtpd: Smtpd, session: SmtpSession, world: World) -> Conversation:
    """Hold a session once; raise `UndecidedError` for a question that the world can't answer."""
    conversation = _Conversation(smtpd, session, world)
    try:
        conversation.hold()
    except UndecidedError as undecided:
        undecided.progress = len(conversation.exchanges)
        raise
    evaluation = conversation.evaluation
    return Conversation(
        tuple(conversation.exchanges), evaluation.sender, tuple(conversation.accepted), tuple(evaluation.actions)
    )


class _EndOfSessionError(Exception):
    """The end of a session."""


class _Conversation:
    """A session that is being held."""

    def __init__(self, smtpd: Smtpd, session: SmtpSession, world: World) -> None:
        self.smtpd = smtpd
        self.settings = smtpd.settings
        self.session = session
        self.evaluation = Evaluation(smtpd, session, world)
        self.stages = Stages(self.evaluation)
        self.exchanges: list[Exchange] = []
        self.accepted: list[str] = []
        self.denied = ""
        """The rejection of the client, with smtpd_delay_reject = no."""
        self.errors = 0

    def hold(self) -> None:
        """Go through the session."""
        session = self.session
        try:
            self._connect()
            if session.sasl_user and not self.evaluation.sasl_user:
                self._say("AUTH", session.sasl_user, self._refuse_login)
            if session.helo is not None:
                self._say("EHLO" if session.esmtp else "HELO", session.helo, self._helo)
            self._say("MAIL", session.sender, self._mail)
            for recipient in session.recipients:
                self._say("RCPT", recipient, self._rcpt)
            if self.accepted and self._say("DATA", "", self._data).code == _GO_ON:
                self._say("EOD", "", self._end_of_data)
        except _EndOfSessionError:
            pass

    # Commands and replies.

    def _say(self, command: str, argument: str, action: Callable[[str], str]) -> Reply:
        evaluation = self.evaluation
        evaluation.steps = []
        try:
            if self.errors >= self.smtpd.hard_error_limit:
                host = self.settings.text("myhostname")
                text = f"421 4.7.0 {host} Error: too many errors"
            elif self.denied:
                text = self._deny()
            elif command in _NEED_TLS and self.smtpd.requires_tls and self.session.tls is None:
                text = "530 5.7.0 Must issue a STARTTLS command first"
            else:
                evaluation.command = _PROTOCOL_STATES.get(command, command)
                text = action(argument)
        except HangupError:
            self.exchanges.append(Exchange(command, argument, _NO_REPLY, tuple(evaluation.steps)))
            raise _EndOfSessionError from None
        reply = self._reply(text)
        self.exchanges.append(Exchange(command, argument, reply, tuple(evaluation.steps)))
        if not reply.is_good:
            self.errors += 1
        if reply.ends_session:
            raise _EndOfSessionError
        return reply

    def _reply(self, text: str) -> Reply:
        if text[0] in "45":
            footer = self._footer(text)
            if footer:
                text = with_footer(text, footer, self._expand)
            if self.smtpd.soft_bounce:
                text = "\r\n".join(soften(line) for line in text.split("\r\n"))
        return parse(text)

    def _footer(self, reply: str) -> str:
        maps = self.smtpd.maps("smtpd_reject_footer_maps")
        try:
            found = maps.find(reply) if maps else None
        except TableLookupError:
            found = None
        return self.settings.text("smtpd_reject_footer") if found is None else found.value

    def _expand(self, template: str) -> str:
        return expand_reply(self.evaluation, template, {})

    def _deny(self) -> str:
        if self.denied[1:3] == "21":
            return self.denied
        return f"503 5.7.0 Error: access denied for {self.evaluation.name_and_address}"

    # The commands.

    def _connect(self) -> None:
        self._say("CONNECT", self.session.client.address, self._greet)

    def _greet(self, _address: str) -> str:
        if not self.smtpd.delays_rejects:
            rejection = self.stages.client()
            if rejection:
                self.denied = rejection
                return rejection
        return f"220 {self.settings.text('smtpd_banner')}"

    def _refuse_login(self, _user: str) -> str:
        if self.smtpd.requires_tls and self.session.tls is None:
            return "530 5.7.0 Must issue a STARTTLS command first"
        return "503 5.5.1 Error: authentication not enabled"

    def _helo(self, name: str) -> str:
        command = "EHLO" if self.session.esmtp else "HELO"
        words = [token.text for token in tokens(f"{command} {name}")[1:]]
        if not words:
            return f"501 Syntax: {command} hostname"
        name = " ".join(words)
        if not self.smtpd.delays_rejects:
            rejection = self.stages.helo(name)
            if rejection:
                return rejection
        self.evaluation.helo = printable(name, "?", utf8=self.smtpd.utf8).translate(_NEUTERED)
        return f"250 {self.settings.text('myhostname')}"

    def _mail(self, argument: str) -> str:
        evaluation = self.evaluation
        if self.settings.yes("smtpd_helo_required") and evaluation.helo is None:
            return "503 5.5.1 Error: send HELO/EHLO first"
        path, *options = path_and_options(argument)
        if not path.is_whole:
            return _BAD_SENDER
        address = self._address(path, allows_null=True)
        if address is None:
            return _BAD_SENDER
        problem = _problem_of_options([option.text for option in options])
        if problem:
            return problem
        address = self.smtpd.probe_address(address) or address
        if not self.smtpd.delays_rejects:
            rejection = self.stages.sender(address)
            if rejection:
                return rejection
        failure = self._local_header_rewriting()
        if failure:
            return failure
        if not address.isascii() and self.settings.yes("strict_smtputf8"):
            return _NEEDS_SMTPUTF8
        evaluation.sender = address
        return "250 2.1.0 Ok"

    def _local_header_rewriting(self) -> str:
        """Return the rejection for a table of local_header_rewrite_clients that fails, or an empty text."""
        evaluation, client = self.evaluation, self.session.client
        for word in self.settings.words("local_header_rewrite_clients"):
            try:
                if word.lower() == "permit_inet_interfaces":
                    permitted = self.smtpd.is_own_address(client.socket_address or client.address)
                elif word.lower() == "permit_mynetworks":
                    permitted = bool(self.smtpd.mynetworks.match(client.name, client.address))
                elif ":" in word:
                    maps = self.settings.tables.maps("local_header_rewrite_clients", text=word)
                    permitted = maps.find(client.address) is not None
                else:
                    permitted = word.lower() == "permit_sasl_authenticated" and bool(evaluation.sasl_user)
            except TableLookupError:
                return "451 4.3.0 Temporary lookup error"
            if permitted:
                break
        return ""

    def _rcpt(self, argument: str) -> str:
        evaluation = self.evaluation
        if evaluation.sender is None:
            return "503 5.5.1 Error: need MAIL command"
        path, *options = path_and_options(argument)
        address = self._address(path, allows_null=False) if path.is_whole else None
        if address is None:
            return "501 5.1.3 Bad recipient address syntax"
        if options:
            return f"555 5.5.4 Unsupported option: {options[0].text}"
        limit = self.settings.number("smtpd_recipient_limit")
        if limit and evaluation.recipient_count >= limit:
            return "452 4.5.3 Error: too many recipients"
        if not address.isascii() and self.settings.yes("strict_smtputf8"):
            return _NEEDS_SMTPUTF8
        probe = self.smtpd.probe_address(address)
        if probe is None:
            rejection = self.stages.recipient(address)
            if rejection:
                return rejection
        else:
            address = probe
        evaluation.recipient_count += 1
        self.accepted.append(address)
        if evaluation.recipient is None:
            evaluation.recipient = address
        return "250 2.1.5 Ok"

    def _address(self, token: CommandToken, *, allows_null: bool) -> str | None:
        """Return the address in a path, in internal form; None if smtpd(8) does not take it."""
        evaluation, strict = self.evaluation, self.settings.yes("strict_rfc821_envelopes")
        text = token.text
        in_brackets = text.startswith("<") and text.endswith(">")
        path = parse_path(text[1:-1] if in_brackets else text)
        if path.addresses > 1 or (strict and (path.has_extras or not text.startswith("<"))):
            return None
        address = path.address
        if not address:
            return "" if allows_null else None
        if strict and address.startswith("@"):
            return None
        resolution = self.smtpd.resolve(evaluation.sender or "", address)
        if resolution.is_bad or not split(resolution.recipient)[1].isascii():
            return None
        return address

    def _data(self, _argument: str) -> str:
        return self.stages.data() or "354 End data with <CR><LF>.<CR><LF>"

    def _end_of_data(self, _argument: str) -> str:
        rejection = self.stages.end_of_data()
        if rejection:
            return rejection
        evaluation = self.evaluation
        added = [unquoted(action.text) for action in evaluation.actions if action.name == "BCC"]
        refusal = self.smtpd.envelope(evaluation.sender or "", [*self.accepted, *added]).refusal
        if refusal is not None:
            return f"{refusal.code} {refusal.text}"
        for filter_ in self.smtpd.filters_before_queue(self.session.client.address):
            if evaluation.ask(Question(QuestionKind.FILTER, filter_)).data != "accept":
                return f"550 5.7.1 Command rejected by {filter_}"
        return "250 2.0.0 Ok: queued as ID"


_GO_ON = 354
_NO_REPLY = Reply(0, "")
"""In place of a reply where the connection is dropped."""
_NEED_TLS = frozenset(["MAIL", "RCPT", "DATA", "EOD"])
_PROTOCOL_STATES = {"EOD": "END-OF-MESSAGE"}
_BAD_SENDER = "501 5.1.7 Bad sender address syntax"
_NEEDS_SMTPUTF8 = "553 5.6.7 Must declare SMTPUTF8 to send unicode address"


def _problem_of_options(options: list[str]) -> str:
    """Return the rejection of the options behind the path in MAIL, or an empty text."""
    for option in options:
        name, _, value = option.partition("=")
        if name.lower() == "size":
            if not (value.isascii() and value.isdigit()):
                return "501 5.5.4 Bad message size syntax"
        elif option.lower() not in _BODIES:
            return f"555 5.5.4 Unsupported option: {option}"
    return ""
