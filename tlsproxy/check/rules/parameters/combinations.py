"""Settings that exclude each other: together they are fatal, or one of them has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from postconf import View
from postconf.values import InvalidValueError, integer, seconds

from ...context import Context, words_of
from ...findings import Finding, Severity, Span
from ...rule import Rule
from ...text.sources import Assignment

_DELIVERIES = (
    ("mailbox_transport_maps", "mailbox_transport", "mailbox_command_maps", "mailbox_command", "home_mailbox"),
    ("mailbox_transport", "mailbox_command", "home_mailbox"),
)

_OVERRIDDEN = {
    "no_address_mappings": ("virtual_alias_maps", "canonical_maps", "recipient_canonical_maps", "always_bcc"),
    "no_header_body_checks": ("header_checks", "mime_header_checks", "nested_header_checks", "body_checks"),
}
_LEAST_SIZE = 100_000
"""Bytes of a message that is larger than many without attachments."""


def _number(context: Context, name: str, view: View) -> int | None:
    """Return a number; None for an invalid value, which other rules report."""
    try:
        return integer(context.release.parameter(name), context.value(name, view))
    except (InvalidValueError, KeyError):
        return None


def _seconds(context: Context, name: str) -> int | None:
    try:
        return int(seconds(context.release.parameter(name), context.value(name)))
    except (InvalidValueError, KeyError):
        return None


class SizeLimits(Rule):
    """Mailbox size limit below the message size limit: local(8) or virtual(8) does not start."""

    id = "Q001"
    name = "size-limits"
    effect = 'local(8) is fatal, "mailbox_size_limit is smaller than message_size_limit"; its mail is deferred.'
    bad = "message_size_limit = 60000000\n"
    good = "message_size_limit = 60000000\nmailbox_size_limit = 0\n"
    lookalike = (
        "message_size_limit = 60000000\nmydestination =\nvirtual_mailbox_domains = example.com\n"
        "virtual_transport = lmtp:unix:private/lmtp\n"
    )

    _AGENTS = (
        ("local", "mailbox_size_limit", "local_transport", "mydestination"),
        ("virtual", "virtual_mailbox_limit", "virtual_transport", "virtual_mailbox_domains"),
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        reported: set[Span] = set()
        for given in context.named("message_size_limit"):
            size = _number(context, given.name, context.view(given))
            if size is not None and 0 < size < _LEAST_SIZE:
                small = f"{size} bytes: messages with an attachment are refused"
                yield self.finding(given.span(), small, f"write {size}000 for kB", severity=Severity.WARNING)
        for program, limit, transport, domains in self._AGENTS:
            used = context.value(transport).partition(":")[0] == program and context.value(domains)
            if not context.has_main or not (used or limit in context.main.effective):
                continue
            for view in context.views(program):
                mailbox, message = _number(context, limit, view), _number(context, "message_size_limit", view)
                if mailbox is None or message is None or mailbox <= 0 or 0 < message <= mailbox:
                    continue
                setting = context.setting("message_size_limit", view) or context.setting(limit, view)
                other = context.setting(limit, view)
                span = setting.span() if setting else context.span(limit, view)
                if span in reported:
                    continue
                reported.add(span)
                what = f"larger than {limit} ({mailbox})" if message else f"unlimited, and {limit} is not"
                yield self.finding(
                    span,
                    f"message_size_limit is {what}: {program}(8) does not start"
                    + ("" if used else ", as soon as it is used"),
                    f"set {limit} = 0, or to at least message_size_limit",
                    related=[(other.span(), "the limit of mailboxes")] if other and other is not setting else (),
                    severity=Severity.ERROR if used else Severity.WARNING,
                )


class QueueTimes(Rule):
    """Contradictory times or limits of the queue manager, which adjusts one of them."""

    id = "Q002"
    name = "queue-limits"
    severity = Severity.WARNING
    effect = 'qmgr(8) warns, "bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting".'
    bad = "maximal_queue_lifetime = 1d\nbounce_queue_lifetime = 3d\nminimal_backoff_time = 3h\n"
    good = "maximal_queue_lifetime = 3d\nbounce_queue_lifetime = 1d\n"
    lookalike = "maximal_queue_lifetime = 1d\nminimal_backoff_time = 4000s\n"

    _PAIRS = (
        ("bounce_queue_lifetime", "maximal_queue_lifetime", "it is cut to that"),
        ("minimal_backoff_time", "maximal_backoff_time", "all retries wait as long as the former says"),
        ("delay_warning_time", "maximal_queue_lifetime", "no warning is ever sent"),
        ("queue_run_delay", "minimal_backoff_time", "retries wait as long as the former says"),
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for smaller, larger, effect in self._PAIRS:
            setting = context.main.effective.get(smaller) or context.main.effective.get(larger)
            if setting is None or (not smaller.startswith("minimal") and setting.name != smaller):
                continue
            low, high = _seconds(context, smaller), _seconds(context, larger)
            if low is not None and high is not None and low > high:
                yield self.finding(
                    setting.span(),
                    f"{smaller} is larger than {larger}: {effect}",
                    f"set {smaller} to at most {context.value(larger)}, or raise {larger}",
                )
        yield from self._room(context)

    def _room(self, context: Context) -> Iterator[Finding]:
        """Yield a queue_minfree that smtpd(8) warns of and replaces (smtpd_check_size)."""
        setting = context.main.effective.get("queue_minfree")
        view = context.view(setting) if setting else None
        if setting is None or view is None:
            return
        least, message = _number(context, "queue_minfree", view), _number(context, "message_size_limit", view)
        if least and message and least < message * 3 // 2:
            yield self.finding(
                setting.span(),
                "queue_minfree is smaller than 1.5 * message_size_limit: smtpd(8) warns, and uses that",
                f"set queue_minfree = {message * 3 // 2}, or remove it",
                severity=Severity.INFO,
            )


class NoEffectBeside(Rule):
    """Setting without effect, because another setting overrides it or is missing.

    mynetworks overrides mynetworks_style; local(8) delivers by the first of mailbox_transport, mailbox_command and
    home_mailbox that is set; luser_relay and passwords need features that are off.
    """

    id = "Q003"
    name = "no-effect-beside"
    severity = Severity.WARNING
    effect = "`home_mailbox = Maildir/` beside `mailbox_command = procmail`: procmail delivers, nothing is logged."
    bad = "mailbox_command = /usr/bin/procmail\nhome_mailbox = Maildir/\n"
    good = "mailbox_command =\nhome_mailbox = Maildir/\n"
    lookalike = "mynetworks_style = host\nsmtp_sasl_password_maps = hash:/etc/postfix/x\nsmtp_sasl_auth_enable = yes\n"

    _ORDER = ("mailbox_transport", "mailbox_command", "home_mailbox")

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        main = context.main.effective
        for index, name in enumerate(self._ORDER):
            setting = main.get(name)
            before = next((main[each] for each in self._ORDER[:index] if each in main and context.value(each)), None)
            if setting and context.value(name) and before:
                yield self._finding(setting, f"local(8) delivers by {before.name}, and {name} has no effect", before)
        style, networks = main.get("mynetworks_style"), main.get("mynetworks")
        if style and networks and context.value("mynetworks"):
            yield self._finding(
                style, "mynetworks is set, and mynetworks_style has no effect", networks, severity=Severity.INFO
            )
        maps = context.value("local_recipient_maps")
        for relay in filter(None, map(main.get, ("luser_relay", "fallback_transport"))):
            if context.value(relay.name) and maps == context.release.defaults["local_recipient_maps"].replace(
                "$alias_maps", context.value("alias_maps")
            ):
                yield self.finding(
                    relay.name_span(),
                    f"smtpd(8) refuses unknown local users, so that {relay.name} gets no mail from elsewhere",
                    "set local_recipient_maps = (empty)"
                    if relay.name == "luser_relay"
                    else "add the table of its recipients to local_recipient_maps",
                )
        yield from self._receiving(context)
        passwords = main.get("smtp_sasl_password_maps")
        views = context.views("smtp")
        if passwords and passwords.value and not any(context.is_yes("smtp_sasl_auth_enable", view) for view in views):
            yield self.finding(
                passwords.name_span(),
                "smtp(8) does not log in anywhere, and does not read these passwords",
                "set smtp_sasl_auth_enable = yes",
            )

    def _receiving(self, context: Context) -> Iterator[Finding]:
        """Yield the settings of cleanup(8) that are turned off for all mail."""
        main = context.main.effective
        views = context.views("smtpd", "pickup", "qmqpd")
        for word, names in _OVERRIDDEN.items():
            setting = main.get("receive_override_options")
            other = next((main[each] for each in names if each in main and context.value(each)), None)
            words = [words_of(context.value("receive_override_options", view)) for view in views]
            if setting and other and words and all(word in each for each in words):
                yield self._finding(other, f"{word} is set for all mail, and {other.name} has no effect", setting)
        mime = main.get("disable_mime_input_processing")
        for name in ("mime_header_checks", "nested_header_checks"):
            if mime and name in main and context.value(name) and context.is_yes(mime.name):
                yield self._finding(main[name], f"MIME is not processed, and {name} has no effect", mime)

    def _finding(
        self, setting: Assignment, message: str, other: Assignment, severity: Severity | None = None
    ) -> Finding:
        return self.finding(
            setting.name_span(), message, "remove one of them", severity=severity, related=[(other.span(), "it counts")]
        )


class MailboxForm(Rule):
    """Maildir without a trailing slash: local(8) takes it for an mbox file."""

    id = "Q005"
    name = "mailbox-form"
    severity = Severity.WARNING
    in_templates = True
    effect = "`home_mailbox = Maildir`: mail goes into a file ~/Maildir, or is deferred where that is a directory."
    bad = "home_mailbox = Maildir\n"
    good = "home_mailbox = Maildir/\n"
    lookalike = "home_mailbox = Mailbox\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("home_mailbox"):
            value = (context.expanded(each) or "").strip()
            if value.rpartition("/")[2].lower().lstrip(".") == "maildir":
                yield self.finding(
                    each.span(), f"without a slash behind it, {value} is a file for all mail", f"write {value}/"
                )


class OwnName(Rule):
    """Hostname that other servers refuse: `localhost`, or a name without a dot.

    smtp(8) sends this name in EHLO; by default, myorigin and mydestination contain it.
    """

    id = "Q006"
    name = "own-name"
    severity = Severity.WARNING
    effect = "EHLO localhost: many servers refuse the mail."
    bad = "myhostname = localhost\n"
    good = "myhostname = mail.example.com\n"
    lookalike = "myhostname = mail.example.com\nmydestination = localhost\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        setting = context.main.effective.get("myhostname")
        name = (context.expanded(setting) or "").strip().lower() if setting else ""
        if setting is None or not name or any(each.isspace() for each in name):
            return
        if name.partition(".")[0] == "localhost":
            problem = "is the name of every host"
        elif "." not in name:
            problem = "has no domain"
        else:
            return
        message = f"{name} {problem}: many servers refuse mail from it"
        yield self.finding(setting.span(), message, "set the name that DNS has for it")


class DebugEveryone(Rule):
    """Verbose logging for all peers: thousands of lines for each session, with its content."""

    id = "Q007"
    name = "debug-all-peers"
    severity = Severity.WARNING
    in_templates = True
    bad = "debug_peer_list = 0.0.0.0/0\n"
    good = "debug_peer_list = 192.0.2.7\n"
    lookalike = "debug_peer_list =\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for each in context.named("debug_peer_list"):
            for word in words_of(context.expanded(each) or ""):
                if word in ("0.0.0.0/0", "[::]/0") or word.startswith("static:"):
                    yield self.finding(each.word(word), "all peers are logged verbosely", "list those to be debugged")
                    break
