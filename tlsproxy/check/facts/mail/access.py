"""Restriction lists of smtpd(8) services, as `tlsproxy.mail.access` reads and evaluates them.

Tables are looked at where `FileSystem` allows it; others count as empty, and so do those that only a server has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from maps import Access, Table, TableError, open_table
from postconf import ConfigError, ServiceView, View
from postconf.files.regular import LIMIT
from postconf.spelling import nearest
from postconf.syntax.expressions import ExpressionError
from postconf.syntax.lines import decode

from ....mail.access.relaying import Claims, RelayVerdict, stranger_may_relay
from ....mail.access.restrictions.lists import Classes, ListElement, ListWord, RestrictionList, entries, read_list
from ....mail.access.restrictions.table import (
    MUST_REJECT,
    RECIPIENT,
    RELAY,
    RESTRICTIONS,
    STAGES,
    Argument,
    Stage,
    Verdict,
)
from ....mail.access.smtpd import Smtpd
from ....mail.access.startup import has_relay_control
from ....mail.routing import Router
from ....mail.tables import TableLookupError
from ...context import Context
from ...findings import Span
from ..tables.contents import PATTERNS, contents
from ..tables.uses import used_tables
from ..tables.values import restrictions_in

OPENED = ("btree", "cdb", "cidr", "hash", "lmdb", "pcre", "regexp", "texthash")
"""Types of tables in files that `opener_of` opens; others count as empty."""
_INLINE = ("inline", "static", "randmap", "pipemap", "unionmap", "fail", "environ")
_EMPTY = "internal:unknown"
_MOST_CHARACTERS = 100_000
"""The longest list that is read, as in `readings`."""
_MOST_IN_ALL = 2_000_000
"""Characters of the lists of all services: each takes some microseconds."""
_WHO_RELAYS = "mynetworks", "relay_domains"
"""Parameters that count as the lists do: their words are compared for each service."""
_LARGEST = {"cidr": LIMIT, "texthash": LIMIT, "pcre": 1 << 20, "regexp": 1 << 20}
"""Bytes of a text table that is asked; compiled patterns take thirty times as much memory."""
_MOST_ENTRIES = 1000
_MOST_CLAIMS = 5
_SIMPLE = re.compile(rb"/\^?((?:[\w@.+-]|\\[@.+-])+)\$?/i?")
"""A pattern that is a text with anchors."""
_OF_OWN_CLIENTS = frozenset(
    (
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "permit_tls_clientcerts",
        "permit_tls_all_clientcerts",
        "permit_auth_destination",
        "permit_inet_interfaces",
    )
)
"""Restrictions that permit nothing to a stranger, as long as mynetworks has only neighbours."""


@dataclass(frozen=True)
class Lists:
    """The restriction lists of one smtpd(8) service, or of main.cf where there is no master.cf."""

    context: Context
    view: View
    classes: Classes
    lists: dict[Stage, RestrictionList]

    def entries(self, stage: Stage) -> list[ListElement]:
        """Return the elements of a list."""
        return self._entries[stage]

    @cached_property
    def _entries(self) -> dict[Stage, list[ListElement]]:
        return {stage: list(entries(words, self.classes, stage.default_check)) for stage, words in self.lists.items()}

    @cached_property
    def of_classes(self) -> list[tuple[RestrictionList, list[ListElement]]]:
        """The lists of the classes that are set, with their elements."""
        lists = filter(None, map(self.classes.get, self.classes.names))
        return [(words, list(entries(words, self.classes))) for words in lists]

    @cached_property
    def elements(self) -> list[tuple[str, Stage | None, list[ListElement]]]:
        """The parameter, the stage and the elements of each list; classes have no stage."""
        found: list[tuple[str, Stage | None, list[ListElement]]]
        found = [(stage.parameter, stage, each) for stage, each in self._entries.items()]
        return found + [(words.name, None, each) for words, each in self.of_classes]

    def span(self, word: ListWord, parameter: str) -> Span:
        """Return the span of a word; that of the setting, or the service, if the word's is not known."""
        if word.place is None:
            return self.context.span(parameter, self.view)
        source = next((each for each in self.context.sources if each.path == word.place.path), None)
        return source.first_part(word.place, len(word.text)) if source else Span.at(word.place, len(word.text))

    @property
    def service(self) -> str:
        """The service as `name/type`; empty for main.cf alone."""
        return self.view.service.key if isinstance(self.view, ServiceView) else ""

    @cached_property
    def has_relay_control(self) -> bool:
        """True if smtpd(8) finds a restriction that keeps strangers from relaying, without which it does not start."""
        return any(has_relay_control(self.lists[stage], self.classes) for stage in (RECIPIENT, RELAY))

    @cached_property
    def misspelled_controls(self) -> list[ListElement]:
        """Unknown words that resemble a restriction which would be the only relay control."""
        if self.has_relay_control:
            return []
        return [
            each
            for stage in (RECIPIENT, RELAY)
            for each in self.entries(stage)
            if each.restriction is None and not each.is_class and nearest(each.name.text, RESTRICTIONS) in MUST_REJECT
        ]

    @property
    def may_permit_strangers(self) -> bool:
        """True if a restriction before the relay control could permit more than this site's own clients."""
        for stage in (RELAY, RECIPIENT):
            if not has_relay_control(self.lists[stage], self.classes):
                continue
            return self._permits(self.lists[stage], stage.default_check)
        return False

    def _permits(self, words: RestrictionList, default_check: str) -> bool:
        for each in entries(words, self.classes, default_check):
            restriction = each.restriction
            if restriction is None or each.warn_only:
                return True  # a class, or something unknown: only the evaluation decides
            if restriction.name in ("reject", "defer", "reject_unauth_destination", "defer_unauth_destination"):
                return False
            if Verdict.PERMIT in restriction.verdict and restriction.name not in _OF_OWN_CLIENTS:
                return True
        return False


def smtpd_lists(context: Context) -> list[Lists]:
    """Return the lists of each smtpd(8) service whose values can be expanded; the same lists are there once."""
    return context.keep(_smtpd_lists)[0]


def unread_lists(context: Context) -> View | None:
    """Return the first service whose lists are left out, because those before it have too many words."""
    return context.keep(_smtpd_lists)[1]


def _smtpd_lists(context: Context) -> tuple[list[Lists], View | None]:
    found: dict[object, Lists] = {}
    room = _MOST_IN_ALL
    for view in context.views("smtpd"):
        own = {}
        if isinstance(view, ServiceView):
            own = {name: each.value for name, each in view.service.shared.items()}
        key = tuple(sorted(own.items()))
        if key in found:
            continue
        if any(len(context.value(stage.parameter, view)) > _MOST_CHARACTERS for stage in STAGES):
            continue  # S014 reports it
        if room < 0:
            return list(found.values()), view
        try:
            classes = Classes(view)
            lists = {stage: read_list(view, stage.parameter) for stage in STAGES}
        except (ConfigError, ExpressionError, KeyError):
            continue  # a value that can't be expanded, or a class without a value: other rules report it
        found[key] = Lists(context, view, classes, lists)
        room -= sum(len(word.text) + 1 for each in (*lists.values(), *classes.lists) for word in each.words)
        room -= sum(len(context.value(name, view)) for name in _WHO_RELAYS)
    return list(found.values()), None


def opener_of(context: Context) -> Callable[[str, Access], Table]:
    """Return the function that opens tables of a configuration; one that can't be looked at counts as empty."""

    def opened(name: str, access: Access) -> Table:
        kind, _, path = name.removeprefix("proxy:").partition(":")
        if kind in _INLINE or path.startswith("{"):
            return open_table(f"{kind}:{path}", access)
        is_file = kind in OPENED and path.startswith("/") and context.files.enabled
        is_there = is_file and context.files.exists(path) and not context.files.is_endless(path)
        is_there = is_there and _is_small(context, kind, path)
        return open_table(f"{kind}:{context.files.locate(path)}" if is_there else _EMPTY, access)

    return opened


def _is_small(context: Context, kind: str, path: str) -> bool:
    """Return True if a table can be opened with little memory; indexed files have any size."""
    try:
        return kind not in _LARGEST or context.files.stat(path).st_size <= _LARGEST[kind]
    except OSError:
        return True  # it can't be opened


def relay_verdict(lists: Lists) -> RelayVerdict | None:
    """Return the verdict on relaying by strangers through a service; None if that can't be evaluated."""
    opened = opener_of(lists.context)
    try:
        with Router(lists.context.config, opener=opened) as router:
            return stranger_may_relay(Smtpd(router, lists.service), claims=_claims(lists, opened))
    except (ConfigError, ExpressionError, TableLookupError, KeyError, OSError):
        return None


def _ignore(_warning: str) -> None:
    """Take a warning that other rules report."""


def _claims(lists: Lists, opened: Callable[[str, Access], Table]) -> Claims:
    """Return values that tables permit, in the lists that decide about relaying, and in classes."""
    found: dict[str, list[str]] = {check: [] for check in _CLAIMED}
    asking = [*(lists.entries(stage) for stage in (RELAY, RECIPIENT)), *(each for _, each in lists.of_classes)]
    names = {
        (each.restriction.name, each.argument.text): None
        for one in asking
        for each in one
        if each.restriction and each.restriction.name in _CLAIMED and each.argument
    }
    for check, name in names:
        if check == "check_recipient_access":
            continue  # the keys of fixed tables are complete
        try:
            table = opened(name, Access(warn=_ignore, error=_ignore))
            found[check] += islice(_CLAIMED[check](_permitted(table.entries())), _MOST_CLAIMS)
            table.close()
        except (TableError, OSError):
            continue
    for used in used_tables(lists.context):
        for check, claimed in _CLAIMED.items():
            if (check, used.named.text) in names and used.check == check and used.named.kind in PATTERNS:
                rules = ((each.key, each.value) for each in contents(lists.context, used.named))
                plain = _open_ended if check == "check_recipient_access" else _plain
                permitted = _permitted((plain(key), value) for key, value in rules)
                found[check] += islice(claimed(permitted), _MOST_CLAIMS)
    return Claims(*(tuple(each[:_MOST_CLAIMS]) for each in found.values()))


def _plain(pattern: bytes) -> bytes:
    """Return the text that a simple pattern matches; empty if it has more than anchors and escaped dots."""
    parts = _SIMPLE.fullmatch(pattern)
    return parts[1].replace(b"\\", b"") if parts else b""


def _open_ended(pattern: bytes) -> bytes:
    """Return the same for a pattern that other text can follow; empty for others."""
    return b"" if pattern.rstrip(b"i").endswith(b"$/") else _plain(pattern)


def _permitted(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """Yield the keys of a table whose value permits, up to a bound."""
    for key, value in islice(entries, _MOST_ENTRIES):
        word = decode(value).split(" ")[0].lower()
        if key and (word in ("ok", "relay") or word.isdigit() or restrictions_in(value)):
            yield decode(key)


def _as_senders(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        local, at, domain = name.rpartition("@")
        if at:
            yield f"{local or 'someone'}@{domain or 'stranger.example'}"
        elif "." in name:
            yield f"someone@{name.lstrip('.')}"


def _as_helo_names(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if "@" not in name and not name.startswith("["):
            yield f"mail{name}" if name.startswith(".") else name


def _as_recipients(names: Iterable[str]) -> Iterator[str]:
    """Yield addresses at a domain of another site that begin like those of a permitting pattern."""
    for name in names:
        local, at, domain = name.rpartition("@")
        if at and domain:
            yield f"{local or 'someone'}@{domain.rstrip('.')}.{_STRANGE}"


_STRANGE = "elsewhere.example"
_CLAIMED: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "check_sender_access": _as_senders,
    "check_helo_access": _as_helo_names,
    "check_recipient_access": _as_recipients,
}
"""Checks of values that any client can send, in the order of `Claims`, and the values that match permitted keys."""


def has_argument(entry: ListElement) -> bool:
    """Return True if an element has the argument that it needs, as far as its form goes."""
    if entry.restriction is None or entry.restriction.argument is Argument.NONE:
        return True
    if entry.argument is None:
        return False
    if entry.restriction.argument is Argument.TABLE:
        return ":" in entry.argument.text
    return entry.restriction.argument is not Argument.NUMBER or entry.argument.text.isdigit()
