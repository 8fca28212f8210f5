"""Sockets that a service reaches from within its chroot: filters, logins, policies, deliveries, and databases.

Files of keys and tables are opened before the chroot; sockets are connected to when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from postconf import ServiceView
from postconf.syntax.lines import decode

from ..context import Context, words_of
from ..findings import Span
from .mail.access import Lists, smtpd_lists
from .readings import locate, readings_of
from .tables.contents import contents, span_of
from .tables.named import Named, named_tables
from .tables.uses import Use, used_tables

_MILTERS = {"smtpd": ("smtpd_milters",), "cleanup": ("non_smtpd_milters",)}
_SOCKETS = ("unix:", "local:")
_DELIVERING = ("smtp", "lmtp")
_OF_TRANSPORTS = (Use.TRANSPORT, Use.TRANSPORT_OF_SENDER, Use.TRANSPORT_OF_USER)
_OF_ALL = "lib"
_MOST = 1000
"""Entries of a transport table that are looked at."""
_DATABASES = ("mysql", "pgsql", "ldap", "memcache")
_MYSQL_SOCKET = "/run/mysqld/mysqld.sock"
"""The socket that MySQL's library uses for `localhost`, in the build of most systems."""
_LDAP_SOCKET = "/run/slapd/ldapi"


class Reached(NamedTuple):
    """A path that a service opens in its chroot, and its place in the configuration."""

    path: str
    span: Span


def reached(context: Context, view: ServiceView) -> Iterator[Reached]:
    """Yield the absolute paths of sockets that a service connects to."""
    program = view.service.command.rpartition("/")[2]
    for name in _MILTERS.get(program, ()):
        yield from _of_value(context, view, name)
    if program == "smtpd":
        yield from _of_server(context, view)
        yield from _of_lists(context, view)
    if program in _DELIVERING:
        yield from _of_deliveries(context, view.service.name)
    yield from _of_tables(context, view, program)


def _of_value(context: Context, view: ServiceView, name: str) -> Iterator[Reached]:
    setting = context.setting(name, view)
    for path in _sockets(context.value(name, view)):
        yield Reached(path, setting.word(path) if setting else context.service_span(view))


def _sockets(value: str) -> Iterator[str]:
    for word in words_of(value.replace("{", " ").replace("}", " ")):
        for kind in _SOCKETS:
            if word.startswith(f"{kind}/"):
                yield word.removeprefix(kind)


def _of_server(context: Context, view: ServiceView) -> Iterator[Reached]:
    if context.is_yes("smtpd_sasl_auth_enable", view):
        setting = context.setting("smtpd_sasl_path", view)
        path = context.value("smtpd_sasl_path", view)
        is_socket = context.value("smtpd_sasl_type", view) == "dovecot" or path.startswith(
            context.value("queue_directory") + "/"
        )
        if path.startswith("unix:/") or (path.startswith("/") and is_socket):
            path = path.removeprefix("unix:")
            yield Reached(path, setting.word(path) if setting else context.service_span(view))
    yield from _of_value(context, view, "smtpd_proxy_filter")
    if context.is_yes("smtpd_tls_ask_ccert", view) or context.is_yes("smtpd_tls_req_ccert", view):
        setting = context.setting("smtpd_tls_CApath", view)
        path = context.value("smtpd_tls_CApath", view)
        if setting and path.startswith("/") and context.files.enabled:
            yield Reached(path, setting.word(path))
    for named in named_tables(context):
        if named.assignment.name == "smtpd_milter_maps":
            for entry in contents(context, named):
                for path in _sockets(decode(entry.value)):
                    yield Reached(path, span_of(context, named, entry))


def _of_lists(context: Context, view: ServiceView) -> Iterator[Reached]:
    """Yield the policy services of the restriction lists and classes."""
    same = context.keep(_lists_by_settings).get(_settings(view))
    for lists in smtpd_lists(context) if same is None else [same]:
        if same is None and isinstance(lists.view, ServiceView):
            continue
        found = [(words.name, words) for words in (*lists.lists.values(), *lists.classes.lists)]
        for parameter, words in found:
            for word in words.words:
                for path in _sockets(word.text):
                    yield Reached(path, lists.span(word, parameter))


def _lists_by_settings(context: Context) -> dict[frozenset[tuple[str, str]], Lists]:
    """Return the lists of services; those with the same -o settings have the same lists."""
    return {_settings(each.view): each for each in smtpd_lists(context) if isinstance(each.view, ServiceView)}


def _settings(view: ServiceView) -> frozenset[tuple[str, str]]:
    return frozenset((name, each.value) for name, each in view.service.shared.items())


def _of_deliveries(context: Context, service: str) -> Iterator[Reached]:
    """Yield the sockets that transports name for a service of smtp(8) or lmtp(8)."""
    for read in readings_of(context, "transport"):
        transport, _, nexthop = read.text.strip().partition(":")
        if transport == service:
            for path in _sockets(nexthop):
                start = read.text.index(path)
                _, span = locate(context, read.assignment, start, start + len(path))
                yield Reached(path, span)
    for used in used_tables(context):
        if used.use not in _OF_TRANSPORTS:
            continue
        for count, entry in enumerate(contents(context, used.named)):
            if count == _MOST:
                break
            transport, _, nexthop = decode(entry.value).partition(":")
            if transport == service:
                for path in _sockets(nexthop):
                    yield Reached(path, span_of(context, used.named, entry))


def _of_tables(context: Context, view: ServiceView, program: str) -> Iterator[Reached]:
    """Yield the sockets of database servers whose tables a program opens itself, without proxymap(8)."""
    for named in named_tables(context):
        if named.kind not in (*_DATABASES, "socketmap") or named.text.startswith("proxy:"):
            continue
        name = named.assignment.name
        if named.assignment.service not in (None, view.service) or not _reads(context, program, name):
            continue
        for path in _of_table(context, named):
            yield Reached(path, named.span())


def _reads(context: Context, program: str, name: str) -> bool:
    if name not in context.release.kinds:
        return program == "smtpd"  # a restriction class
    programs = context.release.parameter(name).programs
    return program in programs or any(each.startswith(_OF_ALL) for each in programs)


def _of_table(context: Context, named: Named) -> Iterator[str]:
    if named.kind == "socketmap":
        yield from (path.rpartition(":")[0] or path for path in _sockets(named.name))
        return
    hosts = _setting_of_table(context, named, "server_host" if named.kind == "ldap" else "hosts")
    for host in words_of(hosts):
        if host.startswith("unix:/"):
            yield host.removeprefix("unix:")
        elif named.kind == "mysql" and host.removeprefix("inet:").partition(":")[0] == "localhost":
            yield _MYSQL_SOCKET
        elif host.startswith("ldapi:"):
            yield _LDAP_SOCKET


def _setting_of_table(context: Context, named: Named, name: str) -> str:
    if not named.name.startswith("/"):
        return context.value(f"{named.name}_{name}")
    if not context.files.enabled:
        return ""
    try:
        text = decode(context.files.read(named.name))
    except (OSError, ValueError):
        return ""
    found = ""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() == name:
            found = value
    return found
