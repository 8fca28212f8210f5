"""Questions to the real world: DNS, with dnspython, and policy services, over their sockets.

Only here a trace speaks with other programs, and only if that is wanted (`--dns`, `--ask`). Each answer is waited for
a limited time, and has a limited size. DNS needs the extra `tlsproxy[dane]`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from pathlib import Path
from typing import Any

from postconf import ConfigError
from postconf.syntax.lines import decode, encode
from postconf.values import seconds

from ..access.smtp.facts import UNKNOWN
from ..access.world import Answer, Question, QuestionKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dns.resolver

    from ..access.restrictions.arguments import PolicyService
    from ..access.smtpd import Smtpd

_DNS_SECONDS = 10
"""For each name, with all its retries."""
_MAX_REPLY = 65536
"""Bytes of a policy service's answer."""
_MAX_SECONDS = 30
"""Seconds to wait for a policy service at most, even if the configuration allows more."""
_MAX_TEXT = 500
"""Bytes of TXT records in a reply (RBL_TXT_LIMIT)."""
_MAX_SERVERS = 100


class Inquiries:
    """Asks DNS and policy services the questions that the user allows."""

    def __init__(self, *, dns: bool, policies: bool) -> None:
        """`dns`, `policies`: True if DNS and policy services may be asked. Raises `ConfigError` without dnspython."""
        self._dns = Dns() if dns else None
        self._policies = policies
        self._smtpd: Smtpd | None = None

    def serve(self, smtpd: Smtpd) -> None:
        """Ask for this service from now on: its policy services have its time limits."""
        self._smtpd = smtpd

    def ask(self, question: Question) -> Answer | None:
        """Return an answer, or None for a question that is not asked."""
        if question.kind is QuestionKind.POLICY:
            if self._policies and self._smtpd is not None:
                return ask_policy_service(self._smtpd, question)
            return None
        return None if self._dns is None else self._dns.ask(question)


class Dns:
    """Answers from DNS to questions about lists, domains and servers."""

    def __init__(self) -> None:
        try:
            import dns.resolver
        except ImportError:
            raise ConfigError("--dns needs dnspython", None, "install tlsproxy[dane]") from None
        try:
            self._resolver = dns.resolver.Resolver()
        except dns.resolver.NoResolverConfiguration as error:
            raise ConfigError(f"--dns: {error}", None, "name a server in /etc/resolv.conf") from None
        self._resolver.lifetime = _DNS_SECONDS
        self._asks: dict[QuestionKind, Callable[[Question], Answer]] = {
            QuestionKind.LIST: self._list,
            QuestionKind.DOMAIN: self._domain,
            QuestionKind.SERVERS: self._servers,
        }

    def ask(self, question: Question) -> Answer | None:
        """Return an answer, or None for a question that DNS alone does not answer."""
        ask = self._asks.get(question.kind)
        try:
            return ask(question) if ask else None
        except _NoAnswerError:
            return Answer("failed" if question.kind is not QuestionKind.SERVERS else "none")

    def names_of(self, address: str) -> str:
        """Return the name of a client, verified both ways, or `unknown`."""
        from dns.reversename import from_address

        try:
            names = self._look_up(from_address(address).to_text(), "PTR")
            for name in names[:_MAX_SERVERS]:
                if ipaddress.ip_address(address) in map(ipaddress.ip_address, self._addresses(name)):
                    return name
        except (_NoAnswerError, ValueError):
            pass
        return UNKNOWN

    def _list(self, question: Question) -> Answer:
        addresses = self._look_up(question.detail, "A")
        wanted = question.subject.partition("=")[2]
        if not addresses or (wanted and not any(matches(wanted, each) for each in addresses)):
            return Answer("unlisted")
        try:
            texts = self._look_up(question.detail, "TXT")
        except _NoAnswerError:
            texts = []
        return Answer("listed", decode(encode(" / ".join(texts))[:_MAX_TEXT]))

    def _domain(self, question: Question) -> Answer:
        kinds = [kind.strip() for kind in question.detail.split(",")]
        for kind in kinds:
            found = self._look_up(question.subject, kind)
            if kind == "MX" and found == ["."]:
                return Answer("nullmx")
            if found:
                return Answer("exists")
        return Answer("missing")

    def _servers(self, question: Question) -> Answer:
        kind, _, domain = question.subject.partition("/")
        if kind == "a":
            hosts = [domain]
        else:
            hosts = self._look_up(domain, kind.upper())
            if hosts == ["."]:
                return Answer("none")
            if not hosts and kind == "mx":
                hosts = [domain]
            while not hosts and kind == "ns" and "." in domain:
                domain = domain.partition(".")[2]
                hosts = self._look_up(domain, "NS")
        found = list(self._with_addresses(hosts[:_MAX_SERVERS], with_names=kind != "a"))
        return Answer("found", " ".join(found)) if found else Answer("none")

    def _with_addresses(self, hosts: list[str], *, with_names: bool) -> Iterator[str]:
        for host in hosts:
            if with_names:
                yield host
            try:
                yield from self._addresses(host)
            except _NoAnswerError:
                continue

    def _addresses(self, host: str) -> list[str]:
        return [*self._look_up(host, "A"), *self._look_up(host, "AAAA")]

    def _look_up(self, name: str, kind: str) -> list[str]:
        """Return the data of all records, perhaps an empty list; raise `_NoAnswerError`."""
        import dns.exception
        import dns.resolver

        try:
            answer = self._resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise _NoAnswerError(str(error)) from None
        return [_data(record, kind) for record in _sorted(answer, kind)]


class _NoAnswerError(Exception):
    """A name server that fails, or a name that can't be asked for."""


def _sorted(answer: dns.resolver.Answer, kind: str) -> list[Any]:
    records = list(answer)
    return sorted(records, key=lambda record: record.preference) if kind == "MX" else records


def _data(record: Any, kind: str) -> str:
    if kind in ("MX", "NS", "PTR"):
        name: str = (record.exchange if kind == "MX" else record.target).to_text()
        return name if name == "." else name.removesuffix(".")
    if kind == "TXT":
        return decode(b"".join(record.strings))
    return str(record.address)


def client_name(address: str) -> str:
    """Look up the verified name of a client; `unknown` without one. Raises `ConfigError` without dnspython."""
    return Dns().names_of(address)


_PATTERN_PART = re.compile(r"\[([0-9.;]*)\]|([0-9]+)")


def matches(pattern: str, address: str) -> bool:
    """Return True if an answer of a DNS list matches its filter, such as `127.0.0.[2..11;14]` (ip_match(3))."""
    parts = [match.group(1) or match.group(2) for match in _PATTERN_PART.finditer(pattern)]
    octets = address.split(".")
    return len(parts) == len(octets) and all(
        any(_in_range(each, int(octet)) for each in part.split(";")) for part, octet in zip(parts, octets, strict=True)
    )


def _in_range(text: str, octet: int) -> bool:
    first, dots, last = text.partition("..")
    if not first.isdigit() or (dots and not last.isdigit()):
        return False
    return int(first) <= octet <= int(last or first)


def ask_policy_service(smtpd: Smtpd, question: Question) -> Answer:
    """Ask a policy service as smtpd(8) does; `failed` if there is no usable answer after all tries."""
    services = [each for each in smtpd.policy_services.values() if each.endpoint == question.subject]
    service = services[0] if services else None
    tries, delay, limit = _limits(smtpd, service)
    for attempt in range(tries):
        if attempt:
            time.sleep(delay)
        try:
            action = _exchange(question.subject, question.detail, smtpd.settings.text("queue_directory"), limit)
        except (OSError, ValueError):
            continue
        if action:
            return Answer("action", action)
    return Answer("failed")


def _limits(smtpd: Smtpd, service: PolicyService | None) -> tuple[int, float, float]:
    parameter = smtpd.config.release.parameter
    if service is None:
        return 1, 0, _MAX_SECONDS
    try:
        tries = max(1, min(int(service.tries), 5))
        delay = seconds(parameter("smtpd_policy_service_retry_delay"), service.delay)
        limit = seconds(parameter("smtpd_policy_service_timeout"), service.timeout)
    except ValueError:
        return 1, 0, _MAX_SECONDS
    return tries, min(delay, 1), min(limit, _MAX_SECONDS)


def _exchange(endpoint: str, request: str, queue_directory: str, limit: float) -> str:
    """Send a request and return the action in the answer; raise OSError, or ValueError for an answer without one."""
    deadline = time.monotonic() + limit
    with _connect(endpoint, queue_directory, limit) as connection:
        connection.sendall(encode(request))
        data = b""
        while b"\n\n" not in data:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            piece = connection.recv(4096)
            if not piece or len(data) > _MAX_REPLY or time.monotonic() > deadline:
                raise ValueError("no answer")
            data += piece
    for line in decode(data).split("\n"):
        name, _, value = line.partition("=")
        if name == "action":
            return value
    raise ValueError("no action in the answer")


def _connect(endpoint: str, queue_directory: str, limit: float) -> socket.socket:
    kind, _, address = endpoint.partition(":")
    if kind == "inet":
        host, _, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]") or "localhost", int(port)), limit)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(limit)
    try:
        connection.connect(str(Path(queue_directory) / address))
    except OSError:
        connection.close()
        raise
    return connection
