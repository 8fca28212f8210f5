"""Content filters: loops through the service that takes filtered mail back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postconf import ServiceView
from postconf.syntax.lines import decode

from ...context import Context
from ...findings import Finding, Span
from ...rule import Rule
from ...text.sources import Assignment, MasterEntry
from ..services.master import IMPLICIT_TLS, STARTTLS, is_local, port
from ..services.pipes import attributes

_PORTS = {"25": "smtp", "587": "submission", "465": "submissions"}
_OWN = ("127.0.0.1", "localhost", "::1")
_ENTRANCES = "smtpd", "qmqpd", "pickup"
"""Programs that read content_filter: cleanup(8) does not."""
_SENDMAIL = re.compile(r"/sendmail\b(?!.* -C)", re.DOTALL)
"""sendmail(1) of this instance, in a command or a script."""


class FilterLoop(Rule):
    """Content filter loop: mail that returns from the filter is sent to it again.

    The service that receives the filtered mail needs an empty content_filter (or smtpd_proxy_filter) of its own. A
    -o setting of the filter belongs to the other services only. A filter of pipe(8) that returns mail with
    sendmail(1) needs it at pickup.
    """

    id = "F002"
    name = "filter-loop"
    effect = "Mail goes in circles until it has too many Received: headers, and is returned."
    bad = (
        "content_filter = smtp:[127.0.0.1]:10024\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "127.0.0.1:10025 inet n - y - - smtpd\n"
    )
    good = (
        "content_filter = smtp:[127.0.0.1]:10024\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "127.0.0.1:10025 inet n - y - - smtpd\n  -o content_filter=\n"
    )
    lookalike = (
        "--- master.cf\nsmtp inet n - y - - smtpd\n  -o content_filter=smtp:[127.0.0.1]:10024\n"
        "127.0.0.1:10025 inet n - y - - smtpd\n127.0.0.1:587 inet n - y - - smtpd\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        if not context.has_main:
            return
        for parameter in ("content_filter", "smtpd_proxy_filter"):
            setting = context.main.effective.get(parameter)
            if setting is None or not context.value(parameter) or _returns_by_sendmail(context, parameter):
                continue
            for entry in context.entries:
                if entry.service is None or entry.service.command != "smtpd" or not is_local(entry):
                    continue
                if port(entry) in (*STARTTLS, *IMPLICIT_TLS):
                    continue
                if context.value(parameter, context.service_view(entry)) == context.value(parameter):
                    yield self.finding(
                        entry.span(0),
                        "mail that comes back from the filter here is filtered again",
                        f"add -o {parameter}=",
                        related=[(setting.span(), "the filter")],
                    )
        yield from self._same_option(context)
        yield from self._to_itself(context)
        yield from self._through_pickup(context)

    def _same_option(self, context: Context) -> Iterator[Finding]:
        """Yield the services for filtered mail that have the filter of the public ones as an option, as those do."""
        for parameter in ("content_filter", "smtpd_proxy_filter"):
            if context.value(parameter):
                continue
            inner: list[tuple[MasterEntry, Assignment | None]] = []
            outer: dict[str, Assignment] = {}
            for entry in context.entries:
                if entry.service is None or entry.service.command != "smtpd" or entry.service.type != "inet":
                    continue
                setting = context.setting(parameter, context.service_view(entry))
                if is_local(entry) and port(entry) not in (*STARTTLS, *IMPLICIT_TLS):
                    inner.append((entry, setting))
                elif setting is not None:
                    outer.setdefault(context.expanded(setting) or "", setting)
            values = [(context.expanded(setting) or "") if setting else "" for _, setting in inner]
            if not all(value and value in outer for value in values):
                continue  # one without the filter is there, to which it can return mail
            for (_, setting), value in zip(inner, values, strict=True):
                if setting is not None:
                    yield self.finding(
                        setting.span(),
                        "mail that comes back from the filter here is filtered again",
                        "remove it from the service that the filter returns mail to",
                        related=[(outer[value].span(), "the filter of other services")],
                    )

    def _to_itself(self, context: Context) -> Iterator[Finding]:
        """Yield the filters that are services here which have the same filter."""
        listening = {
            (port(entry), context.value("content_filter", context.service_view(entry))): entry
            for entry in context.entries
            if entry.service and entry.service.command == "smtpd"
        }
        reported: set[Span] = set()
        for view in context.services("smtpd"):
            setting = context.setting("content_filter", view)
            value = context.value("content_filter", view)
            _, _, nexthop = value.partition(":")
            host, _, number = nexthop.rpartition(":")
            names = [each for each in (number, _PORTS.get(number)) if each]
            entry = next((listening[each, value] for each in names if (each, value) in listening), None)
            if setting is None or entry is None or host.strip("[]") not in _OWN or is_local(entry):
                continue
            span = setting.span()
            if span not in reported:
                reported.add(span)
                yield self.finding(
                    span,
                    "this filter is a service of this Postfix that has the same filter",
                    "name the port of the filter",
                    related=[(entry.span(0), "this service")],
                )

    def _through_pickup(self, context: Context) -> Iterator[Finding]:
        """Yield the pickup service with a filter of pipe(8) whose mail can only come back through it."""
        for view in context.services("pickup"):
            value, setting = context.value("content_filter", view), context.setting("content_filter", view)
            pipe = _pipe(context, value)
            if setting is None or pipe is None:
                continue
            values = {context.value("content_filter", each) for each in context.services(*_ENTRANCES)}
            if _uses_sendmail(context, context.entry(pipe.service)) or values == {value}:
                yield self.finding(
                    context.service_span(view),
                    "mail that the filter returns with sendmail(1) is filtered again",
                    "add -o content_filter= here, or set content_filter for smtpd only",
                    related=[(setting.span(), "the filter"), (context.service_span(pipe), "its command")],
                )


def _pipe(context: Context, content_filter: str) -> ServiceView | None:
    """Return the service of pipe(8) that is a content filter; None for other filters."""
    transport = content_filter.partition(":")[0]
    return next((each for each in context.services("pipe") if each.service.name == transport), None)


def _returns_by_sendmail(context: Context, parameter: str) -> bool:
    pipe = _pipe(context, context.value(parameter)) if parameter == "content_filter" else None
    return pipe is not None and _uses_sendmail(context, context.entry(pipe.service))


def _uses_sendmail(context: Context, entry: MasterEntry) -> bool:
    """Return True if the command of pipe(8), or the script that it is, has sendmail(1)."""
    index = next((index for index, name, _ in attributes(entry) if name == "argv"), len(entry.words))
    command = [word for word, _ in entry.words[index:]]
    if _SENDMAIL.search(" ".join(command)):
        return True
    script = command[0].partition("=")[2] if command else ""
    if not context.files.enabled or not script.startswith("/"):
        return False
    try:
        text = decode(context.files.read(script))
    except (OSError, ValueError):
        return False
    return text.startswith("#!") and bool(_SENDMAIL.search(text))
