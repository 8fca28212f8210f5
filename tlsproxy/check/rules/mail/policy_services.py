"""Policy services that smtpd(8) asks (SMTPD_POLICY_README): their endpoints, options and services in master.cf."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import ConfigError
from postconf.kinds.reading import Word
from postconf.kinds.routes import host_port_problem

from ....mail.access.restrictions.arguments import split_policy_argument
from ...context import Context
from ...facts.mail.access import Lists
from ...facts.tables.uses import Use
from ...facts.tables.values import fault_of
from ...findings import Finding, Severity
from .restrictions import ListRule

_CORE = ("cleanup", "qmgr", "pickup")
_PRIVATE = "private/"


class UnusablePolicyService(ListRule):
    """Policy service that smtpd(8) can't query: a bad endpoint, an unknown option, or no service of its name.

    An endpoint is `inet:host:port` or `unix:path`. The socket `private/NAME` is that of the service NAME in master.cf,
    if no other program makes it.
    """

    id = "R013"
    name = "policy-service"
    in_templates = True
    effect = (
        '`check_policy_service /run/policy`: smtpd(8) is fatal at its start, "need service transport:endpoint"; '
        "`unix:private/policy` without such a service: 451 4.3.5 for every recipient."
    )
    bad = "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:10023, time_out=5s }\n"
    good = "smtpd_recipient_restrictions = check_policy_service { inet:127.0.0.1:10023, timeout=5s }\n"
    lookalike = (
        "smtpd_recipient_restrictions = check_policy_service unix:postgrey/socket, reject_unauth_destination\n"
        "smtpd_data_restrictions = check_policy_service unix:private/policy\n--- master.cf\n"
        "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"
        "policy unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd\n"
    )

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        for parameter, _, found in lists.elements:
            for each in found:
                if each.restriction is None or each.restriction.name != "check_policy_service" or not each.argument:
                    continue
                span = lists.span(each.argument, parameter)
                for message, hint, severity in self._judge(lists, each.argument.text):
                    yield self.finding(span, message, hint, severity=severity)

    def _judge(self, lists: Lists, argument: str) -> Iterator[tuple[str, str, Severity]]:
        try:
            endpoint, options = split_policy_argument(argument)
        except ConfigError as error:
            if "{" not in argument or "}" in argument:  # V030 reports an open brace
                yield f"{error.message}: smtpd does not start", error.remedy, Severity.ERROR
            return
        transport, _, rest = endpoint.partition(":")
        if transport == "inet":
            problem = host_port_problem(Word(rest, 0, len(rest)), default_port=False, local=True)
            if problem:
                yield f"{problem.message}: smtpd(8) exits, or answers 451", problem.hint, Severity.ERROR
        elif transport != "unix":
            yield f'"{transport}" is no kind of connection: smtpd(8) exits', "write inet: or unix:", Severity.ERROR
        elif rest.startswith(_PRIVATE):
            yield from self._missing(lists.context, rest)
        elif "/" not in rest and lists.context.has_service(rest):
            message = f"the socket of the service {rest} is private/{rest}: mail is refused with 451"
            yield message, f"write unix:private/{rest}", Severity.ERROR
        default = options.get("default_action")
        fault = fault_of(Use.ACCESS, default, frozenset(lists.classes.names)) if default else None
        if fault:
            yield f"default_action: {fault.message}", fault.suggestion, Severity.ERROR

    @staticmethod
    def _missing(context: Context, path: str) -> Iterator[tuple[str, str, Severity]]:
        name = path.removeprefix(_PRIVATE)
        if not name or not context.has_main or not context.services(*_CORE) or context.has_service(name):
            return
        queue = context.value("queue_directory")
        looks = context.files.enabled and context.files.exists(f"{queue}/private")
        if looks and context.files.exists(f"{queue}/{path}"):
            return
        yield (
            f"master.cf has no service {name}: mail is refused with 451, unless another program makes {path}",
            f"add a service {name} of type unix to master.cf",
            Severity.ERROR if looks else Severity.WARNING,
        )


class PolicyAction(ListRule):
    """Default action of policy services that is neither an action of access(5) nor a restriction."""

    id = "R014"
    name = "policy-default-action"
    effect = 'When the service does not answer: 451 4.3.5, and "unknown smtpd restriction".'
    bad = (
        "smtpd_policy_service_default_action = dunnoo\n"
        "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023\n"
    )
    good = (
        "smtpd_policy_service_default_action = dunno\n"
        "smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023\n"
    )
    lookalike = "smtpd_policy_service_default_action = 451 4.3.5 later\n"

    def judge(self, lists: Lists) -> Iterator[Finding]:
        """Yield the findings on the lists of one service."""
        setting = lists.context.setting("smtpd_policy_service_default_action", lists.view)
        if setting is None:
            return
        value = lists.context.expanded(setting) or ""
        fault = fault_of(Use.ACCESS, value, frozenset(name.lower() for name in lists.classes.names))
        if fault:
            yield self.finding(setting.span(), fault.message, fault.suggestion, severity=fault.severity)
