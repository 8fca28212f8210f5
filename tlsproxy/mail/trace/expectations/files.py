"""Files of expectations in TOML: sessions and routes, each with the outcome that it must have.

    [[session]]
    name = "strangers can't relay"
    client = "203.0.113.7"
    sender = "someone@stranger.example"
    recipient = "someone@elsewhere.example"
    expect = "refuse"

    [[route]]
    recipient = "info@example.com"
    class = "local"

Files are read and checked here; `judging` compares them with a configuration.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .... import bounded_toml
from ...access.world import Answer, AssumptionError, parse_assumption
from ..requests import RequestError, make_session, read_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...access.smtp.facts import SmtpSession

OUTCOMES = ("accept", "reject", "defer", "refuse", "depends")
"""Outcomes of a session: all recipients accepted; 5xx, 4xx, one of both; or an answer that only the world
knows."""
CLASSES = ("local", "virtual-alias", "virtual-mailbox", "relay", "default", "bad")
_FILE = {"config", "postfix-version", "service", "assume", "session", "route"}
_SESSION = {
    *("name", "service", "client", "client-name", "helo", "sasl-user", "tls", "sender", "recipient", "recipients"),
    *("expect", "reply", "by", "assume"),
}
_ROUTE = {"name", "sender", "recipient", "class", "transport", "nexthop", "final-recipients", "tls"}
_HEADER = re.compile(r"\s*\[\[\s*(session|route)\s*\]\]")


class ExpectationError(RequestError):
    """A file of expectations that can't be read; the message names the entry and its line."""


class ExpectedSession(NamedTuple):
    """A session and the outcome that it must have.

    `reply` is the beginning of the decisive reply, `by` the restriction that decides; both are empty if they do not
    matter. `line` is where the entry begins.
    """

    name: str
    line: int
    service: str
    session: SmtpSession
    expect: str
    reply: str
    by: str
    assumed: Mapping[str, Answer]


class ExpectedRoute(NamedTuple):
    """A recipient and the route that its mail must have; None for a part that does not matter."""

    name: str
    line: int
    sender: str
    recipient: str
    address_class: str | None
    transport: str | None
    nexthop: str | None
    final_recipients: frozenset[str] | None
    tls: str | None


class Expectations(NamedTuple):
    """A file of expectations. `config` is the directory that it names, empty without one."""

    config: str
    version: str
    sessions: tuple[ExpectedSession, ...]
    routes: tuple[ExpectedRoute, ...]


def read_expectations(text: str, path: str) -> Expectations:
    """Read a file; `path` is for messages. Raises `ExpectationError`."""
    try:
        data = bounded_toml.loads(text)
    except bounded_toml.TomlError as error:
        raise ExpectationError(f"{path}: {error}") from None
    _require_known(data, _FILE, path)
    lines = _lines(text)
    assumed = _assumptions(data.get("assume", {}), path)
    service = _text(data, "service", path) or "smtp/inet"
    sessions = tuple(
        _session(entry, where, line, service, assumed) for entry, where, line in _entries(data, "session", lines, path)
    )
    routes = tuple(_route(entry, where, line) for entry, where, line in _entries(data, "route", lines, path))
    if not sessions and not routes:
        raise ExpectationError(f"{path}: there is neither a [[session]] nor a [[route]]")
    return Expectations(_text(data, "config", path), _text(data, "postfix-version", path), sessions, routes)


def _entries(
    data: Mapping[str, object], kind: str, lines: Mapping[str, list[int]], path: str
) -> Iterator[tuple[Mapping[str, object], str, int]]:
    entries = data.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ExpectationError(f"{path}: write [[{kind}]] above each {kind}")
    for index, entry in enumerate(entries):
        line = lines[kind][index] if len(lines[kind]) == len(entries) else 0
        where = f"{path}:{line}" if line else f"{path}: {kind} {index + 1}"
        yield entry, where, line


def _lines(text: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"session": [], "route": []}
    for number, line in enumerate(text.split("\n"), 1):
        match = _HEADER.match(line)
        if match:
            found[match.group(1)].append(number)
    return found


def _session(
    entry: Mapping[str, object], where: str, line: int, service: str, assumed: Mapping[str, Answer]
) -> ExpectedSession:
    _require_known(entry, _SESSION, where)
    expect = _text(entry, "expect", where)
    if expect not in OUTCOMES:
        raise ExpectationError(f"{where}: expect is one of {', '.join(OUTCOMES)}")
    recipients = _list(entry, "recipients", where)
    if "recipient" in entry:
        recipients.insert(0, _text(entry, "recipient", where))
    if not recipients:
        raise ExpectationError(f"{where}: recipient is missing")
    for name in ("client", "sender"):
        if name not in entry:
            raise ExpectationError(f"{where}: {name} is missing")
    try:
        session = make_session(
            _text(entry, "client", where),
            _text(entry, "sender", where),
            recipients,
            client_name=_text(entry, "client-name", where),
            helo=_text(entry, "helo", where) if "helo" in entry else None,
            sasl_user=_text(entry, "sasl-user", where),
            tls=read_tls(entry.get("tls")),
        )
    except RequestError as error:
        raise ExpectationError(f"{where}: {error}") from None
    return ExpectedSession(
        _text(entry, "name", where) or f"session {session.sender} to {', '.join(recipients)}",
        line,
        _text(entry, "service", where) or service,
        session,
        expect,
        _text(entry, "reply", where),
        _text(entry, "by", where).lower(),
        {**assumed, **_assumptions(entry.get("assume", {}), where)},
    )


def _route(entry: Mapping[str, object], where: str, line: int) -> ExpectedRoute:
    _require_known(entry, _ROUTE, where)
    if "recipient" not in entry:
        raise ExpectationError(f"{where}: recipient is missing")
    recipient = _text(entry, "recipient", where)
    address_class = _text(entry, "class", where) if "class" in entry else None
    if address_class is not None and address_class not in CLASSES:
        raise ExpectationError(f"{where}: class is one of {', '.join(CLASSES)}")
    if not set(entry) & {"class", "transport", "nexthop", "final-recipients", "tls"}:
        raise ExpectationError(f"{where}: name the expectation: class, transport, nexthop, final-recipients or tls")
    final = frozenset(_list(entry, "final-recipients", where)) if "final-recipients" in entry else None
    return ExpectedRoute(
        _text(entry, "name", where) or f"route of {recipient}",
        line,
        _text(entry, "sender", where),
        recipient,
        address_class,
        _text(entry, "transport", where) if "transport" in entry else None,
        _text(entry, "nexthop", where) if "nexthop" in entry else None,
        final,
        _text(entry, "tls", where) if "tls" in entry else None,
    )


def _assumptions(table: object, where: str) -> dict[str, Answer]:
    if not isinstance(table, dict):
        raise ExpectationError(f'{where}: assume is a table, such as {{ "dnsbl:zen.spamhaus.org" = "listed" }}')
    found: dict[str, Answer] = {}
    for name, value in table.items():
        try:
            key, answer = parse_assumption(f"{name}={value}")
        except AssumptionError as error:
            raise ExpectationError(f"{where}: assume: {error}") from None
        found[key] = answer
    return found


def _require_known(entry: Mapping[str, object], known: set[str], where: str) -> None:
    for name in entry:
        if name not in known:
            raise ExpectationError(f"{where}: unknown key {name!r}; known are {', '.join(sorted(known))}")


def _text(entry: Mapping[str, object], name: str, where: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        raise ExpectationError(f"{where}: {name} is a string")
    return value


def _list(entry: Mapping[str, object], name: str, where: str) -> list[str]:
    value = entry.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ExpectationError(f"{where}: {name} is a list of strings")
    return list(value)
