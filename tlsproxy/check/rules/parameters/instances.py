"""Postfix instances of one machine: settings that two of them must not share, and instances that do nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ...context import Context, words_of
from ...facts.endpoints import Endpoint, endpoints_of
from ...facts.instances import Instance, instances_of
from ...findings import Finding, Severity, Span
from ...rule import Rule

_DIRECTORIES = "queue_directory", "data_directory"
_CACHES = {
    "smtpd_tls_session_cache_database": "tlsmgr",
    "smtp_tls_session_cache_database": "tlsmgr",
    "lmtp_tls_session_cache_database": "tlsmgr",
    "address_verify_map": "verify",
    "postscreen_cache_map": "postscreen",
}
"""Databases that one process keeps open, and its program."""
_LOCKED = "btree", "hash"
"""Table types that are locked while they are open; lmdb is not (observed)."""


class SharedInstance(Rule):
    """Postfix instances that share a directory, a name, or an address and port, or that don't exist.

    Each instance in multi_instance_directories needs a queue_directory, a data_directory and a multi_instance_name of
    its own. Two instances can listen on one port (SO_REUSEPORT), and each gets some of the connections.

    Copies are compared, too, if they lie side by side: `tlsproxy-check -c postfix -c postfix-out`.
    """

    id = "Q004"
    name = "shared-instance"
    effect = (
        "the second master(8) is fatal, and postmulti(1) ends with status 1. Of two instances on one port, chance "
        "decides which one a client reaches; before Postfix 3.6, the second one does not start."
    )
    bad = (
        "multi_instance_directories = $config_directory/postfix-out\n--- postfix-out/main.cf\n"
        "queue_directory = /var/spool/postfix\ndata_directory = /var/lib/postfix-out\n"
    )
    good = (
        "multi_instance_directories = $config_directory/postfix-out\n--- postfix-out/main.cf\n"
        "queue_directory = /var/spool/postfix-out\ndata_directory = /var/lib/postfix-out\n"
    )
    lookalike = (
        "multi_instance_directories = $config_directory/postfix-out\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "--- postfix-out/main.cf\nqueue_directory = /var/spool/postfix-out\ndata_directory = /var/lib/postfix-out\n"
        "inet_interfaces = loopback-only\n--- postfix-out/master.cf\nsmtp inet n - y - - smtpd\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the instances that are missing, and the settings that two of them share."""
        setting = context.main.effective.get("multi_instance_directories")
        if setting is None:
            return
        owners: dict[tuple[str, str], tuple[Instance, list[Span]]] = {}
        listening: dict[Endpoint, tuple[Instance, Span]] = {}
        for each in [Instance(context.options.directory, context), *context.keep(_instances)]:
            span = setting.word(each.directory)
            if each.context is None:
                message = f"there is no instance in {each.directory}, and postmulti(1) does nothing for the others"
                yield self.finding(span, message, "create it, or remove it here")
                continue
            yield from self._same_settings(each, each.context, span, owners)
            if not _is_disabled(each.context):
                yield from self._same_endpoints(each, each.context, listening)

    def _same_settings(
        self,
        instance: Instance,
        context: Context,
        span: Span,
        owners: dict[tuple[str, str], tuple[Instance, list[Span]]],
    ) -> Iterator[Finding]:
        """Yield the settings that an earlier instance has; `span`: the place of those that are defaults."""
        shared: dict[tuple[Span, str], list[tuple[str, str, list[Span]]]] = {}
        for name in (*_DIRECTORIES, "multi_instance_name"):
            value = context.value(name)
            if not value:
                continue
            setting = context.main.effective.get(name)
            key = ("path", posixpath.normpath(value)) if name in _DIRECTORIES else (name, value)
            if other := owners.get(key):
                place = setting.span() if setting else span
                shared.setdefault((place, other[0].directory), []).append((name, value, other[1]))
            owners.setdefault(key, (instance, [setting.span()] if setting else []))
        for (place, owner), found in shared.items():
            names = [name for name, _, _ in found]
            values = " and ".join(f"{name} {value}" for name, value, _ in found)
            effect = "master(8) of one of them does not start" if names[0] in _DIRECTORIES else "postmulti(1) exits"
            yield self.finding(
                place,
                f"{values} of {instance.directory} belong{'s' if len(names) == 1 else ''} to {owner}: {effect}",
                f"set {' and '.join(names)} in {instance.directory}/main.cf",
                related=[(each, "the other one") for _, _, spans in found for each in spans],
            )

    def _same_endpoints(
        self, instance: Instance, context: Context, listening: dict[Endpoint, tuple[Instance, Span]]
    ) -> Iterator[Finding]:
        """Yield the services with an address and port that an earlier instance has."""
        by_chance = "chance decides which one a client reaches"
        effect = by_chance if context.release.since("3.6") else "the second master(8) does not start"
        own: dict[Endpoint, tuple[Instance, Span]] = {}
        for entry, endpoints in endpoints_of(context):
            if other := next((listening[each] for each in endpoints if each in listening), None):
                yield self.finding(
                    entry.span(0),
                    f"{other[0].directory} has a service on this address and port, too: {effect}",
                    "give it another port or inet_interfaces, or set master_service_disable",
                    related=[(other[1], "the other one")],
                )
            own.update(dict.fromkeys(endpoints, (instance, entry.span(0))))
        listening.update(own | listening)


class SharedCache(Rule):
    """Cache file of two programs, or of two Postfix instances: the second one that opens it dies.

    tlsmgr(8), verify(8) and postscreen(8) keep their databases open, and lock them.
    """

    id = "Q010"
    name = "shared-cache"
    effect = (
        'tlsmgr(8) is fatal, "do not use the same TLS cache file", and TLS is off; verify(8), postscreen(8), and all '
        'of a second instance: "unable to get exclusive lock".'
    )
    bad = (
        "smtpd_tls_session_cache_database = btree:$data_directory/tls\n"
        "smtp_tls_session_cache_database = btree:$data_directory/tls\n"
    )
    good = (
        "smtpd_tls_session_cache_database = btree:$data_directory/smtpd_tls\n"
        "smtp_tls_session_cache_database = btree:$data_directory/smtp_tls\n"
    )
    lookalike = (
        "address_verify_map = lmdb:$data_directory/cache\npostscreen_cache_map = lmdb:$data_directory/cache\n"
        "smtpd_tls_session_cache_database =\nsmtp_tls_session_cache_database =\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the settings with the file of another one."""
        instances = [Instance(context.options.directory, context), *context.keep(_instances)]
        owners: dict[str, tuple[str, Instance, Span]] = {}
        for each in instances:
            if each.context is None or _is_disabled(each.context):
                continue
            for name, program in _CACHES.items():
                setting = each.context.main.effective.get(name)
                value = each.context.value(name) if setting else ""
                if setting is None or not value:
                    continue
                first = owners.setdefault(value, (name, each, setting.span()))
                if first[0] == name and first[1] is each:
                    continue
                is_same = first[1] is each
                is_locked = value.partition(":")[0] in _LOCKED
                if not is_locked and not (is_same and program == _CACHES[first[0]] == "tlsmgr"):
                    continue
                if not is_same and _data(each) == _data(first[1]):
                    continue  # Q004 reports the directory
                owner = first[0] if is_same else f"{first[0]} of {first[1].directory}"
                yield self.finding(
                    setting.span(),
                    f"{owner} has this file, too: {program}(8) dies",
                    "name another file",
                    related=[(first[2], "the other one")],
                )


class IdleInstance(Rule):
    """Postfix instance that is not started with the others, or that takes no mail.

    A new instance of postmulti(1) has `master_service_disable = inet` and an empty authorized_submit_users: nothing
    listens, and no user may use sendmail(1). `postfix start` skips an instance without `multi_instance_enable = yes`.
    """

    id = "Q011"
    name = "idle-instance"
    severity = Severity.WARNING
    effect = 'sendmail(1): "User root(0) is not allowed to submit mail"; no port is open.'
    bad = "multi_instance_enable = yes\nmaster_service_disable = inet\nauthorized_submit_users =\n"
    good = "multi_instance_enable = yes\nmaster_service_disable =\nauthorized_submit_users = root\n"
    lookalike = "multi_instance_enable = yes\nmaster_service_disable = inet\n"

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the settings that keep an instance idle."""
        yield from self._without_mail(context)
        setting = context.main.effective.get("multi_instance_directories")
        others = context.keep(_instances)
        wrapper = context.value("multi_instance_wrapper").partition(" ")[0]
        if setting is None or not others or posixpath.basename(wrapper) != "postmulti":
            return
        for each in (Instance(context.options.directory, context), *others):
            if each.context and "multi_instance_enable" not in each.context.main.effective:
                yield self.finding(
                    setting.word(each.directory),
                    f"postfix(1) does not start the instance in {each.directory} with the others",
                    f"set multi_instance_enable in {each.directory}/main.cf: yes, or no on purpose",
                )

    def _without_mail(self, context: Context) -> Iterator[Finding]:
        """Yield the setting that closes all ports of an instance to which no user may submit mail."""
        disabled = context.main.effective.get("master_service_disable")
        users = context.main.effective.get("authorized_submit_users")
        if disabled is None or users is None or users.value or not context.is_yes("multi_instance_enable"):
            return
        is_closed = "inet" in words_of(context.value("master_service_disable").lower())
        others = any(view.service.type in ("unix", "pass") for view in context.services("smtpd", "qmqpd"))
        if is_closed and not others and not any(endpoints_of(context)):
            yield self.finding(
                disabled.span(),
                "no service of this instance takes mail from the network, and no user may use sendmail(1)",
                "empty master_service_disable",
                related=[(users.span(), "no user may submit mail")],
            )


def _instances(context: Context) -> list[Instance]:
    return list(instances_of(context)) if "multi_instance_directories" in context.main.effective else []


def _data(instance: Instance) -> str:
    return instance.context.value("data_directory") if instance.context else ""


def _is_disabled(context: Context) -> bool:
    """Return True if an administrator has disabled an instance: postmulti(1) does not start it."""
    return "multi_instance_enable" in context.main.effective and not context.is_yes("multi_instance_enable")
