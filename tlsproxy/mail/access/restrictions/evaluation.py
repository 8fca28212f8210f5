"""The evaluation of restriction lists: results, nested lists, warnings instead of rejections, deferrals that wait.

`Evaluation` is the state of one session and the loop over a list (smtpd_check.c, generic_checks). Restrictions
themselves are functions in other modules of this package, registered in `HANDLERS` by the name that `restrictions`
has them under. Nothing here does I/O.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from maps import ConfigurationLookupError

from ....errors import TlsproxyError
from ..smtp.replies import rejection, soften
from . import table as restrictions
from .table import Argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from postconf import Place

    from ...routing.resolver import Resolution
    from ...tables import TableLookupError
    from ..smtp.facts import SmtpClient, SmtpSession
    from ..smtpd import Smtpd
    from ..world import Answer, Question, World
    from .lists import ListWord, RestrictionList

MAX_DEPTH = 100
"""Lists in lists; beyond that the result of a table is not evaluated."""
_MAX_RESTRICTIONS = 20_000
"""Restrictions that are evaluated in a session. smtpd(8) knows no limit: classes in classes can be endless work."""
_CRASH_DEPTH = 120
"""Only classes that contain themselves come so far: smtpd(8) knows no limit for these, and crashes."""


class Result(enum.IntEnum):
    """The decision of a restriction or a list."""

    DUNNO = 0
    OK = 1
    REJECT = 2


class Frame(NamedTuple):
    """The context of a list: name and class for replies, and the check that a table without a name means."""

    name: str
    subject: str
    default_check: str = ""


class RestrictionStep(NamedTuple):
    """One restriction that was evaluated.

    `outcome` is `permit`, `reject`, `defer`, `warn` (a rejection behind warn_if_reject), `dunno`, `defer_if_permit`,
    `defer_if_reject` or `error`; `depth` is 0 for a list of a parameter, more for classes and results of tables.
    `table`, `key` and `value` are the entry that decided, `entry_place` is where it is written. `note` is a warning
    that smtpd(8) logs, or another remark.
    """

    parameter: str
    restriction: str
    argument: str
    place: Place | None
    outcome: str
    depth: int = 0
    reply: str = ""
    table: str = ""
    key: str = ""
    value: str = ""
    entry_place: Place | None = None
    note: str = ""


class Action(NamedTuple):
    """Something that an access table does to the message: FILTER, REDIRECT, BCC, PREPEND, HOLD or DISCARD."""

    name: str
    text: str


class RejectionError(TlsproxyError):
    """An error that ends the evaluation of all lists; the reply is in the evaluation."""


class HangupError(TlsproxyError):
    """The end of a session without a reply: the HANGUP action, or a crash."""


class Deferral:
    """A reply that waits (defer_if_permit, defer_if_reject). The first reason is kept."""

    __slots__ = ("code", "reason", "status")

    def __init__(self, code: int, status: str, reason: str) -> None:
        self.code = code
        self.status = status
        self.reason = reason


class Evaluation:
    """The state of one session: the facts that are known by now, the replies that wait, and the steps."""

    MAX_DEPTH = MAX_DEPTH

    def __init__(self, smtpd: Smtpd, session: SmtpSession, world: World) -> None:
        self.smtpd = smtpd
        self.settings = smtpd.settings
        self.session = session
        self.client: SmtpClient = session.client
        self.world = world
        self.sasl_user = session.sasl_user if smtpd.can_authenticate(session) else ""
        self.helo: str | None = None
        self.sender: str | None = None
        self.recipient: str | None = None
        self.etrn_domain: str | None = None
        self.recipient_count = 0
        self.command = "CONNECT"
        self.reply = ""
        """The text of the last rejection."""
        self.warn_only = 0
        """The depth at which warn_if_reject was met; 0 outside."""
        self.depth = 0
        self.defer_if_permit: Deferral | None = None
        self.defer_if_reject: Deferral | None = None
        self.discards = False
        self.sender_checked = False
        self.recipient_checked = False
        self.actions: list[Action] = []
        self.steps: list[RestrictionStep] = []
        self.parameter = ""
        self._count = 0
        self.note = ""
        self.policy_failures = 0
        """Policy services that failed while the default action of one is done."""
        self.smtputf8 = False
        """True if the client has declared SMTPUTF8."""
        self.entry: tuple[str, str, str, Callable[[], Place | None]] | None = None

    @property
    def name_and_address(self) -> str:
        """The client as replies name it: `name[address]`, with smtpd_client_port_logging `name[address]:port`."""
        client = self.client
        port = f":{client.port}" if self.smtpd.logs_port else ""
        return f"{client.name}[{client.address}]{port}"

    def resolve(self, address: str, *, is_sender: bool) -> Resolution:
        """Return the resolution of an address; raise `RejectionError` if a table fails."""
        other = (self.recipient if is_sender else self.sender) or ""
        resolution = self.smtpd.resolve(other, address)
        if resolution.address_class is None and not resolution.is_bad:
            self.warn(str(resolution.failure or ""))
            raise self.lookup_failure(address)
        return resolution

    def policy_request(self, context: str) -> str:
        """Return the request of this moment to a policy service (SMTPD_POLICY_README)."""
        client, tls = self.client, self.session.tls
        counts = self.command in ("DATA", "END-OF-MESSAGE")
        attributes = {
            "request": "smtpd_access_policy",
            "protocol_state": self.command,
            "protocol_name": "ESMTP" if self.session.esmtp else "SMTP",
            "client_address": client.address,
            "client_name": client.name,
            "client_port": client.port,
            "reverse_client_name": client.reverse_name,
            "helo_name": self.helo or "",
            "sender": self.sender or "",
            "recipient": self.recipient or "",
            "recipient_count": str(self.recipient_count if counts else 0),
            "queue_id": "",
            "instance": "",
            "size": "0",
            "etrn_domain": self.etrn_domain or "",
            "sasl_method": "PLAIN" if self.sasl_user else "",
            "sasl_username": self.sasl_user,
            "sasl_sender": "",
            "ccert_subject": tls.common_name if tls and tls.trusted else "",
            "ccert_fingerprint": tls.certificate_fingerprint if tls else "",
            "ccert_pubkey_fingerprint": tls.public_key_fingerprint if tls else "",
            "policy_context": context,
        }
        return "".join(f"{name}={value}\n" for name, value in attributes.items()) + "\n"

    # The methods that restrictions call.

    def ask(self, question: Question, choices: tuple[Answer, ...] = ()) -> Answer:
        """Return the world's answer; raise `UndecidedError`, with the `choices` that make a difference."""
        return self.world.ask(question, choices)

    def warn(self, text: str) -> None:
        """Note a warning of smtpd(8), or a reason, for the step that is being made."""
        self.note = f"{self.note}; {text}" if self.note else text

    def reject(self, code: int, status: str, text: str, *, always: bool = False) -> Result:
        """Reject, unless only a warning is wanted; `always` is for errors, of which warn_if_reject makes no warning."""
        reply = rejection(code, status, text, utf8=self.smtpd.utf8)
        warn_only = bool(self.warn_only) and not always
        if not warn_only and self.defer_if_reject is not None and reply.startswith("5"):
            deferral = self.defer_if_reject
            self.warn_only, self.defer_if_reject = 0, None
            return self.reject(deferral.code, deferral.status, deferral.reason)
        self.reply = soften(reply) if self.smtpd.soft_bounce else reply
        return Result.DUNNO if warn_only else Result.REJECT

    def defer_unless_rejected(self, code: int, status: str, text: str, *, at_once: bool = False) -> Result:
        """Defer if the mail would be permitted (defer_if_permit); `at_once`, or behind warn_if_reject, reject now."""
        if self.warn_only or at_once:
            return self.reject(code, status, text)
        if self.defer_if_permit is None:
            self.defer_if_permit = Deferral(code, status, text)
        return Result.DUNNO

    def defer_if_rejected(self, code: int, status: str, text: str) -> Result:
        """Turn a later rejection with 5xx into this deferral (defer_if_reject)."""
        if self.defer_if_reject is None:
            self.defer_if_reject = Deferral(code, status, text)
        return Result.DUNNO

    def lookup_failure(self, name: str) -> RejectionError:
        """Return the error for a table that fails outside access tables; to be raised."""
        self.reject(451, "4.3.0", f"<{name}>: Temporary lookup failure", always=True)
        return RejectionError(self.reply)

    def mail_lookup_failure(self, name: str, error: TableLookupError) -> RejectionError:
        """Return the error for a table of addresses that fails; to be raised."""
        self.warn(str(error))
        if isinstance(error.__cause__, ConfigurationLookupError):
            return self.misconfigured()
        return self.lookup_failure(name)

    def hangup(self, text: str) -> HangupError:
        """Return the error that ends the session without a reply; to be raised."""
        self.act("HANGUP", text)
        return HangupError(text)

    def misconfigured(self, warning: str = "") -> RejectionError:
        """Return the error for a mistake in a list, with smtpd(8)'s warning; to be raised."""
        if warning:
            self.warn(warning)
        self.reject(451, "4.3.5", "Server configuration error", always=True)
        return RejectionError(self.reply)

    def act(self, name: str, text: str) -> None:
        """Record an action on the message."""
        self.actions.append(Action(name, text))

    # The loop.

    def run_stage(self, words: RestrictionList, frame: Frame) -> Result:
        """Evaluate the list of a stage; an error in it is its rejection."""
        self.parameter = words.name
        try:
            return self.run(words.words, frame)
        except RejectionError:
            return Result.REJECT

    def run(self, words: Sequence[ListWord], frame: Frame) -> Result:
        """Evaluate a list; raise `RejectionError` for an error in it."""
        saved = self.depth
        self.depth += 1
        if self.depth > _CRASH_DEPTH:
            self.warn("a restriction class that contains itself: smtpd(8) crashes")
            raise HangupError
        result = Result.DUNNO
        remaining = iter(words)
        for word in remaining:
            if self.discards:
                break
            name = word.text.lower() if word.text.isascii() else word.text
            if name == "warn_if_reject":
                self.warn_only = self.warn_only or self.depth
                continue
            result = self._evaluate(name, word, remaining, frame)
            if self.warn_only >= self.depth:
                self.warn_only = 0
            if result or (self.defer_if_permit is not None and self.defer_if_reject is not None):
                break
        self.depth = saved
        if self.warn_only >= self.depth:
            self.warn_only = 0
        return result

    def _evaluate(self, name: str, word: ListWord, remaining: Iterator[ListWord], frame: Frame) -> Result:
        waits = (self.defer_if_permit, self.defer_if_reject)
        index = len(self.steps)
        self._count += 1
        if self._count > _MAX_RESTRICTIONS:
            self.warn("classes in classes, too many to evaluate: smtpd(8) takes forever")
            raise HangupError
        self.reply, self.note, self.entry = "", "", None
        argument = ""
        nested: list[RestrictionStep] = []
        result = Result.REJECT
        outcome = "error"
        try:
            if ":" in word.text:
                if not frame.default_check:
                    raise self.misconfigured(
                        "specify one of (check_client_access, check_reverse_client_hostname_access, check_helo_access,"
                        " check_sender_access, check_recipient_access, check_etrn_access) before"
                        f' {frame.subject} restriction "{word.text}"'
                    )
                name, argument = frame.default_check, word.text
                result = self.smtpd.handlers[name](self, argument, frame)
            elif name in self.smtpd.handlers:
                argument = self._argument(name, remaining)
                result = self.smtpd.handlers[name](self, argument, frame)
            else:
                members = self.smtpd.classes.get(word.text)
                if members is None:
                    raise self.misconfigured(f'unknown smtpd restriction: "{word.text}"')
                result = self.run(members.words, frame)
            outcome = self._outcome(result, waits, has_members=len(self.steps) > index)
        finally:
            nested = self.steps[index:]
            del self.steps[index:]
            self._record(name, word, argument, outcome, nested)
        return result

    def _argument(self, name: str, remaining: Iterator[ListWord]) -> str:
        kind = restrictions.RESTRICTIONS[name].argument
        if kind is Argument.NONE:
            return ""
        argument = next(remaining, None)
        text = argument.text if argument else ""
        if kind is Argument.TABLE and ":" not in text:
            raise self.misconfigured(f'restriction {name}: bad argument "{text or "(null)"}": need maptype:mapname')
        if kind is Argument.SERVICE and ":" not in text:
            raise self.misconfigured(f"restriction {name} must be followed by transport:server")
        if kind is Argument.NUMBER and not (text.isascii() and text.isdigit()):
            raise self.misconfigured(f"restriction {name} must be followed by number")
        if not text:
            self.warn(f"restriction {name} requires domain name argument")
        return text

    def _outcome(self, result: Result, before: tuple[Deferral | None, Deferral | None], *, has_members: bool) -> str:
        if result is Result.OK:
            return "permit"
        if result is Result.REJECT:
            return "defer" if self.reply.startswith("4") else "reject"
        if self.defer_if_permit is not before[0]:
            return "defer_if_permit"
        if self.defer_if_reject is not before[1]:
            return "defer_if_reject"
        return "warn" if self.reply and not has_members else "dunno"

    def _record(self, name: str, word: ListWord, argument: str, outcome: str, nested: list[RestrictionStep]) -> None:
        table = key = value = ""
        entry_place = None
        if self.entry is not None:
            table, key, value, place = self.entry
            entry_place = place() if self.smtpd.traces else None
        shown = name if argument else word.text
        reply = self.reply if outcome in ("reject", "defer", "warn", "error") else ""
        step = RestrictionStep(
            self.parameter,
            shown,
            argument,
            word.place,
            outcome,
            self.depth - 1,
            reply,
            table,
            key,
            value,
            entry_place,
            self.note,
        )
        self.steps.append(step)
        self.steps += nested
        self.note, self.entry = "", None

    def record_setting(self, parameter: str) -> None:
        """Record that a setting rejected, where no restriction did."""
        outcome = "defer" if self.reply.startswith("4") else "reject"
        table, key, value, place = self.entry or ("", "", "", lambda: None)
        where = self.settings.place(parameter) if self.smtpd.traces else None
        entry_place = place() if self.smtpd.traces else None
        self.steps.append(
            RestrictionStep(
                parameter, parameter, "", where, outcome, 0, self.reply, table, key, value, entry_place, self.note
            )
        )
        self.note, self.entry = "", None


HANDLERS: dict[str, Callable[[Evaluation, str, Frame], Result]] = {}
"""Restrictions by the names in `restrictions.RESTRICTIONS`, filled by the modules that define them."""


def handles(
    *names: str,
) -> Callable[[Callable[[Evaluation, str, Frame], Result]], Callable[[Evaluation, str, Frame], Result]]:
    """Register a function as the evaluation of the restrictions with these names."""

    def register(
        function: Callable[[Evaluation, str, Frame], Result],
    ) -> Callable[[Evaluation, str, Frame], Result]:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register
