"""Services of master.cf: programs, their arguments and limits, and the services that others need."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from postconf import ServiceView
from postconf.catalogue import Release
from postconf.kinds import kind_of

from ...context import Context
from ...facts.programs import (
    DAEMONS,
    PRIVILEGED,
    PROCESS_LIMITS,
)
from ...findings import Edit, Finding, Fix, Severity
from ...rule import Rule
from ...text.sources import Assignment, MasterEntry

_COMMAND, _LIMIT, _CHROOT, _UNPRIVILEGED = 7, 6, 4, 3
_NEEDED = (
    ("cleanup_service_name", "cleanup", "all mail passes through it"),
    ("queue_service_name", "qmgr", "no mail leaves the queue"),
    ("rewrite_service_name", "rewrite", "smtpd(8) waits for it at MAIL and RCPT"),
    ("bounce_service_name", "bounce", "mail that can't be delivered is deferred"),
    ("defer_service_name", "defer", "mail that is deferred has no record of why"),
    ("trace_service_name", "trace", "delivery status reports fail"),
    ("error_service_name", "error", "mail for error: destinations is deferred"),
    ("retry_service_name", "retry", "mail for retry: destinations is deferred"),
)
"""Services that every Postfix needs: the parameter with the name, the usual name, and the effect without it."""
_CORE = ("cleanup", "qmgr", "pickup")
"""Programs of which at least one is in a master.cf that is not a fragment."""
_OF_ALL = ("lib", "master")
"""Programs in the catalogue for parameters that every program reads."""
_QMGR = ("qmgr", "oqmgr", "nqmgr")
_OF_DELIVERIES = ("_concurrency_", "_recipient_limit", "_recipient_refill", "_extra_recipient", "_destination_rate")


class UnknownProgram(Rule):
    """Command that is not a Postfix program.

    master(8) can't run it, and the service never starts. It looks for each command in daemon_directory, also if that
    begins with a slash.
    """

    id = "M011"
    name = "unknown-program"
    in_templates = True
    effect = '`smtp unix - - y - - stmp`: master(8) warns "exec …/stmp: No such file or directory"; no mail goes out.'
    bad = "--- master.cf\nsmtp unix - - y - - stmp\n"
    good = "--- master.cf\nsmtp unix - - y - - smtp\n"
    lookalike = (
        "--- master.cf\npolicy unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd\nx unix - n n - - ../sbin/x\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            command = entry.service.command if entry.service else ""
            if command in DAEMONS or not command or "$" in command:
                continue
            directory = context.value("daemon_directory")
            if command.startswith("/"):
                if not (context.files.enabled and context.files.exists(f"{directory}{command}")):
                    message = f"master(8) looks for {directory}{command}, and can't run this service"
                    yield self.finding(entry.span(_COMMAND), message, _help(command.rpartition("/")[2], directory))
                continue
            if "/" in command:
                continue
            if context.files.enabled and context.files.exists(f"{directory}/{command}"):
                continue
            meant = context.suggestions.did_you_mean(command, sorted(DAEMONS), 0.6)
            yield self.finding(
                entry.span(_COMMAND),
                f"Postfix has no program {command}, and master(8) can't run this service",
                meant or f"name a program in {directory}",
                severity=Severity.ERROR if meant or context.files.enabled else Severity.WARNING,
            )


def _help(name: str, directory: str) -> str:
    return f"write {name}" if name in DAEMONS else f"name a program in {directory}, or use spawn(8) or pipe(8)"


class ProcessLimit(Rule):
    """Process limit with which the program refuses to start.

    Programs that keep their own state need a limit of 1; programs that others wait for need 0 (no limit).
    """

    id = "M012"
    name = "process-limit"
    in_templates = True
    effect = (
        '`qmgr unix n - n 300 2 qmgr`: fatal, "service qmgr requires a process limit of 1"; mail stays in the queue.'
    )
    bad = "--- master.cf\nqmgr unix n - n 300 2 qmgr\ncleanup unix n - n - 5 cleanup\n"
    good = "--- master.cf\nqmgr unix n - n 300 1 qmgr\ncleanup unix n - n - 0 cleanup\n"
    lookalike = (
        "default_process_limit = 1\n--- master.cf\nqmgr unix n - n 300 - qmgr\nproxymap unix - - n - 5 proxymap\n"
    )

    programs: ClassVar[tuple[str, ...]] = tuple(each for each in PROCESS_LIMITS if each != "tlsproxy")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for view in context.services(*self.programs, "proxymap"):
            program = view.service.command.rpartition("/")[2]
            required = PROCESS_LIMITS.get(program)
            if program == "proxymap":
                required = 1 if view.service.name == context.value("proxywrite_service_name") else None
            if required is None or program not in (*self.programs, "proxymap"):
                continue
            if program == "proxymap" and "tlsproxy" in self.programs:
                continue
            limit = view.service.fields[_LIMIT]
            if limit == "-":
                limit = context.value("default_process_limit")
            if limit == str(required):
                continue
            span = context.service_span(view, _LIMIT)
            edit = Edit(span.path, span.line, span.column, span.line, span.end_column, str(required))
            yield self.finding(
                span,
                f"{program} does not start with a process limit other than {required}",
                f"write {required}",
                fix=Fix(f"write {required}", (edit,), safe=True),
            )


class Unprivileged(Rule):
    """Program that needs root's privileges, but does not run privileged.

    local(8), pipe(8), spawn(8) and virtual(8) change to the account for which they deliver.
    """

    id = "M013"
    name = "privileges-missing"
    in_templates = True
    effect = '`local unix - - n - - local`: fatal, "service local requires privileged operation".'
    bad = "--- master.cf\nlocal unix - - n - - local\n"
    good = "--- master.cf\nlocal unix - n n - - local\n"
    lookalike = "--- master.cf\nlmtp unix - - n - - lmtp\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for view in context.services(*PRIVILEGED):
            if view.service.fields[_UNPRIVILEGED] != "n":
                span = context.service_span(view, _UNPRIVILEGED)
                edit = Edit(span.path, span.line, span.column, span.line, span.end_column, "n")
                yield self.finding(
                    span,
                    f"{view.service.command} does not start without the privileges of root",
                    "write n in the unprivileged column",
                    fix=Fix("write n", (edit,), safe=True),
                )


class InvalidOption(Rule):
    """Command-line option that Postfix's daemons don't have."""

    id = "M014"
    name = "invalid-option"
    in_templates = True
    effect = '`smtpd -x`: fatal at the first connection, "invalid option: x"; throttled.'
    bad = "--- master.cf\nsmtp inet n - y - - smtpd -x\nsubmission inet n - y - - smtpd --o syslog_name=postfix/x\n"
    good = "--- master.cf\nsmtp inet n - y - - smtpd -v\n"
    lookalike = "--- master.cf\nsmtp inet n - y - - smtpd -osyslog_name=postfix/mx -v\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            for offset, letter in entry.invalid_options:
                yield self.finding(
                    entry.source.first_part(entry.line.place(offset), 1),
                    f'"{letter}" is no option of a daemon: the service dies when it starts',
                    "settings are written -o NAME=VALUE",
                )


class WrongProgram(Rule):
    """-o setting of a parameter that the service's program does not read: it has no effect.

    `smtpd_*` is for smtpd(8), which receives mail, `smtp_*` for smtp(8), which sends it. Limits on deliveries of a
    transport are read by qmgr(8), from main.cf alone.
    """

    id = "M015"
    name = "wrong-program"
    severity = Severity.WARNING
    in_templates = True
    effect = "`smtp unix … smtp -o smtpd_tls_security_level=encrypt`: no message, no effect."
    bad = (
        "--- master.cf\nrelay unix - - y - - smtp -o smtpd_tls_security_level=encrypt\n"
        "slow unix - - y - 1 smtp -o smtp_destination_concurrency_limit=1\n"
    )
    good = "slow_destination_concurrency_limit = 1\n--- master.cf\nslow unix - - y - 1 smtp\n"
    lookalike = (
        "--- master.cf\nsmtp inet n - y - - smtpd -o syslog_name=postfix/mx -o mynetworks=127.0.0.0/8\n"
        "  -o mua_rules=reject -o smtpd_recipient_restrictions=$mua_rules\n"
        "lmtp unix - - y - - lmtp -o lmtp_tls_security_level=may\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            if entry.service is None or entry.service.command not in DAEMONS:
                continue
            for each in entry.assignments():
                readers = _readers(context.release, each.name)
                other = _of_other_client(context.release, entry.service.command, each.name)
                if not readers or (not other and _reads(entry.service.command, readers)):
                    continue
                if self._is_referred_to(context, entry, each):
                    continue
                readers = (other,) if other else readers
                yield self.finding(
                    each.name_span(),
                    f"{entry.service.command} does not read {each.name}, which is a parameter of {', '.join(readers)}",
                    self._help(context, entry, each, readers),
                )

    @staticmethod
    def _is_referred_to(context: Context, entry: MasterEntry, assignment: Assignment) -> bool:
        """Return True if another setting of the service has `$name`, or a default that its program reads."""
        if any(assignment.name in context.names_in(other) for other in entry.assignments()):
            return True
        own = entry.service.command if entry.service else ""
        return any(
            _reads(own, _readers(context.release, name))
            for name in _defaults_with(context.release, assignment.name)
            if name not in context.main.effective and not (own == "lmtp" and name.startswith("smtp_"))
        )

    @staticmethod
    def _help(context: Context, entry: MasterEntry, assignment: Assignment, readers: tuple[str, ...]) -> str:
        name, service = assignment.name, entry.service
        if service and set(readers) <= set(_QMGR):
            suffix = next((name[name.index(each) :] for each in _OF_DELIVERIES if each in name), "")
            start = name.find("_destination_")
            suffix = name[start:] if start >= 0 else suffix
            return f"set {service.name}{suffix} in main.cf, for qmgr(8)" if suffix else "set it in main.cf, for qmgr(8)"
        for this, other in (("smtpd_", "smtp_"), ("smtp_", "smtpd_"), ("smtp_", "lmtp_"), ("lmtp_", "smtp_")):
            meant = other + name.removeprefix(this)
            if name.startswith(this) and service and service.command in _readers(context.release, meant):
                return f"did you mean {meant}?"
        return "remove it, or set it for the service that reads it"


def _readers(release: Release, name: str) -> tuple[str, ...]:
    """Return the programs that read a parameter; empty if all do, or if it is not known."""
    if name not in release.kinds:
        is_of_transport = any(name.endswith(suffix) for suffix, _ in release.service_parameters("smtp"))
        return _QMGR[:1] if is_of_transport and "_destination_" in name else ()
    programs = release.parameter(name).programs
    if any(each.startswith(_OF_ALL) for each in programs):
        return ()
    return tuple(each for each in programs if each in DAEMONS)


def _reads(program: str, readers: tuple[str, ...]) -> bool:
    same = {"lmtp": "smtp", "nqmgr": "qmgr"}
    return not readers or program in readers or same.get(program, program) in readers


def _of_other_client(release: Release, program: str, name: str) -> str:
    """Return `smtp` or `lmtp` if a parameter is read by the one, and the program is the other (lmtp(8))."""
    if program not in ("smtp", "lmtp"):
        return ""
    other = "lmtp" if program == "smtp" else "smtp"
    own = f"{program}_{name.removeprefix(f'{other}_')}"
    return other if name.startswith(f"{other}_") and own in release.kinds and name in release.kinds else ""


def _defaults_with(release: Release, name: str) -> list[str]:
    """Return the parameters whose defaults refer to a name."""
    return [
        each for each, default in release.defaults.items() if name in default and f"${name}" in default.replace("{", "")
    ]


def named_transports(context: Context) -> set[str]:
    """Return the transports that parameters name, in main.cf and in master.cf."""
    return context.keep(_named_transports)


def _named_transports(context: Context) -> set[str]:
    found = set()
    names = _transport_parameters(context.release)
    for each in context.everywhere:
        if each.name in names:
            found.add((context.expanded(each) or "").partition(":")[0].strip())
    return found


@cache
def _transport_parameters(release: Release) -> frozenset[str]:
    kinds = ((name, kind_of(name, release)) for name in release.kinds)
    return frozenset(name for name, kind in kinds if kind is not None and kind.name == "transport")


def missing_services(context: Context) -> list[tuple[str, str]]:
    """Return the services that every Postfix needs and that master.cf does not have, with the effect."""
    missing = [
        (context.value(parameter) or name, effect)
        for parameter, name, effect in _NEEDED
        if not context.has_service(context.value(parameter) or name)
    ]
    proxymap = context.value("proxymap_service_name") or "proxymap"
    if missing and reads_recipients_by_proxy(context) and not context.has_service(proxymap):
        missing.append((proxymap, "smtpd(8) can't look up local recipients"))
    return missing


def reads_recipients_by_proxy(context: Context) -> bool:
    """Return True if smtpd(8) looks up local recipients with proxymap(8), as it does by default."""
    return "proxy:" in context.value("local_recipient_maps") and bool(context.services("smtpd"))


class ServiceSide(Rule):
    """Service of a type, or in a directory, where no program looks for it.

    Programs connect to public/cleanup and private/rewrite: the private column decides. smtpd(8) and postscreen(8) take
    connections of the network, smtp(8) and the other programs those of Postfix.
    """

    id = "M020"
    name = "wrong-side-of-service"
    in_templates = True
    effect = (
        '`cleanup unix y …`: smtpd(8) waits at RCPT, "connect to subsystem public/cleanup". `smtp inet … smtp`: there '
        "is no greeting."
    )
    bad = "--- master.cf\ncleanup unix y - n - 0 cleanup\nsmtp inet n - n - - smtp\n"
    good = "--- master.cf\ncleanup unix n - n - 0 cleanup\nsmtp inet n - n - - smtpd\n"
    lookalike = (
        "--- master.cf\nrewrite unix - - n - - trivial-rewrite\nflush unix n - n 1000? 0 flush\n"
        "policy unix n n n - 0 spawn user=nobody argv=/usr/bin/policyd\nsmtpd pass - - n - - smtpd\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for entry in context.entries:
            service = entry.service
            if service is None or service.command not in (*_PUBLIC, *_INTERNAL):
                continue
            if service.type == "inet" and service.command in _CLIENTS:
                meant = "smtpd" if service.command == "smtp" else "another type"
                message = f"{service.command} takes no connections of the network: clients get no greeting"
                yield self.finding(entry.span(_COMMAND), message, f"write {meant}")
            elif service.type in ("unix", "fifo"):
                is_public = service.fields[_PRIVATE] == "n"
                if is_public is not (service.command in _PUBLIC):
                    column, where = ("n", "public") if service.command in _PUBLIC else ("y", "private")
                    message = f"programs look for {where}/{service.name}, and this service is not there"
                    yield self.finding(entry.span(_PRIVATE), message, f"write {column} in the private column")


_PRIVATE = 2
_PUBLIC = ("cleanup", "pickup", "qmgr", "oqmgr", "nqmgr", "flush", "showq")
_CLIENTS = ("smtp", "lmtp", "local", "virtual", "error", "discard")
_INTERNAL = (
    *_CLIENTS,
    "trivial-rewrite",
    "bounce",
    "verify",
    "proxymap",
    "tlsmgr",
    "anvil",
    "scache",
    "dnsblog",
    "tlsproxy",
)


class ServiceMissing(Rule):
    """Missing service without which no mail is delivered.

    A master.cf without cleanup(8), qmgr(8) and pickup(8) is taken for a fragment, and not reported.
    """

    id = "M018"
    name = "service-missing"
    effect = (
        'Without `rewrite`: smtpd(8) warns "connect to subsystem private/rewrite: No such file", and hangs at MAIL.'
    )
    bad = "--- master.cf\nsmtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
    good = (
        "--- master.cf\nsmtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n"
        "rewrite unix - - y - - trivial-rewrite\nbounce unix - - y - 0 bounce\ndefer unix - - y - 0 bounce\n"
        "trace unix - - y - 0 bounce\nerror unix - - y - - error\nretry unix - - y - - error\n"
        "proxymap unix - - n - - proxymap\nanvil unix - - y - 1 anvil\nlocal unix - n n - - local\n"
        "smtp unix - - y - - smtp\nrelay unix - - y - - smtp\n"
    )
    lookalike = "--- master.cf\nsubmission inet n - y - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if context.master is None or not context.services(*_CORE):
            return
        missing = missing_services(context)
        if missing:
            names = ", ".join(name for name, _ in missing)
            yield self.finding(
                context.entries[0].span(0),
                f"master.cf has no service {names}: {missing[0][1]}",
                "copy the missing entries from the master.cf that comes with Postfix",
            )


class ScreenIncomplete(Rule):
    """postscreen(8) without a service that it needs.

    It passes clients to `smtpd`, of type pass, and leaves DNS lists to dnsblog(8).
    """

    id = "X009"
    name = "postscreen-incomplete"
    effect = 'Without `smtpd pass`: "421 4.3.2 All server ports are busy", "cannot connect to service private/smtpd".'
    bad = "postscreen_dnsbl_sites = zen.spamhaus.org\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
    good = (
        "postscreen_dnsbl_sites = zen.spamhaus.org\n--- master.cf\nsmtp inet n - y - 1 postscreen\n"
        "smtpd pass - - y - - smtpd\ndnsblog unix - - y - 0 dnsblog\n"
    )
    lookalike = "--- master.cf\nsmtp inet n - y - 1 postscreen\nsmtpd pass - - y - - smtpd\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for view in context.services("postscreen"):
            for name, line, why in self._needs(context, view):
                if not context.has_service(name):
                    yield self.finding(
                        context.service_span(view),
                        f"postscreen needs the service {name}, and master.cf has none: {why}",
                        f"add: {' '.join(line.split())}",
                    )

    @staticmethod
    def _needs(context: Context, view: ServiceView) -> Iterator[tuple[str, str, str]]:
        name = context.value("smtpd_service_name", view) or "smtpd"
        yield name, f"{name} pass - - y - - smtpd", "all clients are refused"
        if context.value("postscreen_dnsbl_sites", view):
            name = context.value("dnsblog_service_name", view) or "dnsblog"
            yield name, f"{name} unix - - y - 0 dnsblog", "DNS lists are not asked"
