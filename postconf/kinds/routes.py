"""Destinations of mail and requests: transports, next hops, endpoints, ports and services of master.cf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from postconf.spelling import nearest

from .hosts import host_problem, is_address
from .kind import Kind, Outcome
from .reading import Reading, Word, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

_CLIENTS = ("smtp", "lmtp", "relay")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*\Z")
_ODD_TRANSPORT = re.compile(r"[^\w.+@%/-]")
_KNOWN_PORTS = ("lmtp", "smtp", "smtps", "submission", "submissions", "ssmtp", "urd", "http", "https", "imap", "imaps")
_LARGEST_PORT = 65535
_LONGEST_PORT = 40


def read_transport(kind: Kind, text: str) -> Reading:
    """Read `transport`, `transport:` or `transport:nexthop`; the transport is a service of master.cf."""
    reading = Reading(kind)
    word = whole(text)
    if not word.text:
        return reading
    name, colon, _ = word.text.partition(":")
    transport = Word.within(word, 0, len(name), "transport")
    reading.add(transport)
    if not name:
        reading.problem(word, f'"{word.text}" has no transport in front of the colon', "write smtp" + word.text)
    elif name.startswith("[") or is_address(name):
        reading.problem(word, f'"{name}" is no transport, but a host', f"write smtp:{word.text}")
    elif _ODD_TRANSPORT.search(name):
        reading.problem(transport, f'"{name}" is no name of a transport', "specify a service of master.cf")
    elif colon:
        nexthop = Word.within(word, len(name) + 1, len(word.text) - len(name) - 1, "nexthop")
        if nexthop.text:
            reading.add(nexthop)
            if name in _CLIENTS:
                for each in words_at(nexthop.text):
                    hop = Word(each.text, nexthop.start + each.start, nexthop.start + each.end, "nexthop")
                    program = "lmtp" if name == "lmtp" else "smtp"
                    check_nexthop(reading, hop, f"{program}(8) is fatal when it delivers")
    return reading


def read_nexthops(kind: Kind, text: str) -> Reading:
    """Read destinations of smtp(8); the first reachable one is used."""
    reading = Reading(kind)
    for word in words_at(text):
        reading.add(word, "nexthop")
        check_nexthop(reading, word)
    return reading


def read_nexthop(kind: Kind, text: str) -> Reading:
    """Read a destination of an unknown service: any text is allowed."""
    reading = Reading(kind)
    if text.strip():
        reading.add(whole(text, "nexthop"))
    return reading


def check_nexthop(reading: Reading, word: Word, effect: str = "") -> None:
    """Check `host`, `[host]`, `host:port`, `unix:path` or `inet:host:port` as smtp(8) reads it (host_port(3)).

    `effect`: the effect of a problem, if it differs from that of the kind.
    """
    text = word.text
    if text.startswith("unix:"):
        if not text.removeprefix("unix:"):
            reading.problem(word, f'"{text}" names no socket', "write unix:/path")
        return
    if text.startswith("inet:"):
        word = Word.within(word, len("inet:"), len(text) - len("inet:"), word.role)
        text = word.text
    scheme, found, rest = text.partition("://")
    if found:
        host = rest.rstrip("/")
        port = ":465" if scheme == "smtps" and ":" not in host else ""
        hint = f"write [{host}]{port}"
        reading.problem(word, f'"{text}" is a URL, and no destination', hint, outcome=Outcome.DIES_LATER, effect=effect)
        return
    problem = host_port_problem(word, default_port=True)
    if problem:
        reading.problem(problem.at, problem.message, problem.hint, outcome=Outcome.DIES_LATER, effect=effect)


class HostPortProblem(NamedTuple):
    """Mistake in a host and its port. `is_found`: host_port(3) accepts it, and a lookup fails."""

    at: Word
    message: str
    hint: str
    is_found: bool = False


def host_port_problem(word: Word, *, default_port: bool, local: bool = False) -> HostPortProblem | None:
    """Check a host with a port as host_port(3) does.

    `default_port`: True if the port is optional. `local`: True if the host is optional; then a lone word is a port.
    """
    text = word.text
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket:
            return HostPortProblem(word, f'"{text}" has no closing bracket', f"write {_closed(text)}")
        if rest and not rest.startswith(":"):
            hint = f"write [{host}]:{rest}" if rest.isdigit() else f"write [{host}]"
            return HostPortProblem(word, f'"{rest}" follows the bracket directly', hint)
        host = host.removeprefix("IPv6:").removeprefix("ipv6:")
        if ":" in host and not is_address(host):
            inner, _, port = host.rpartition(":")
            hint = f"write [{inner}]:{port}" if not host_problem(inner) or is_address(inner) else ""
            return HostPortProblem(word, f'"{host}" is no host: the port belongs behind the bracket', hint)
        port = rest[1:]
    elif ":" in text and is_address(text):
        return HostPortProblem(word, f'the last part of "{text}" is taken for a port', f"write [{text}]")
    else:
        host, colon, port = text.rpartition(":")
        if not colon:
            host, port = ("", text) if local else (text, "")
            if local and not port[:1].isdigit() and port not in _KNOWN_PORTS:
                return HostPortProblem(word, f'"{text}" is taken for a port', f"write {text}:port", is_found=True)
    problem = "" if (local and not host) or is_address(host) else host_problem(host, utf8=True)
    if problem:
        hint = "write [host]:port" if ":" in host else "correct it"
        return HostPortProblem(word, f'"{host}" is no host: it {problem}', hint)
    if port:
        return port_problem(Word.within(word, text.rfind(port), len(port), "port"))
    return None if default_port else HostPortProblem(word, f'"{text}" has no port', "write host:port")


def _closed(text: str) -> str:
    """Return a destination with the missing bracket added."""
    host, colon, port = text.rpartition(":")
    return f"{host}]:{port}" if colon and port.isdigit() and ":" not in host else f"{text}]"


def port_problem(word: Word) -> HostPortProblem | None:
    """Check the number or name of a port. Other programs define the names; only typing errors are found."""
    text = word.text
    if text[:1].isdigit():
        if not (text.isascii() and text.isdigit()):
            return HostPortProblem(word, f'"{text}" is no port', f"specify 1 to {_LARGEST_PORT}")
        if not 0 < int(text[:9]) <= _LARGEST_PORT:
            return HostPortProblem(word, f'"{text}" is no port', f"specify 1 to {_LARGEST_PORT}", is_found=True)
    elif not _SERVICE.match(text):
        return HostPortProblem(word, f'"{text}" is no port', "specify a number", is_found=True)
    elif text not in _KNOWN_PORTS and len(text) < _LONGEST_PORT and (meant := nearest(text, _KNOWN_PORTS)):
        return HostPortProblem(word, f'"{text}" is no known port', f'did you mean "{meant}"?', is_found=True)
    return None


def check_local_endpoint(reading: Reading, word: Word) -> None:
    """Check a host and port to connect to: invalid syntax is fatal, an unknown port only fails the connection."""
    problem = host_port_problem(word, default_port=False, local=True)
    if problem:
        outcome = Outcome.DEFERS if problem.is_found else Outcome.DIES_LATER
        reading.problem(problem.at, problem.message, problem.hint, outcome=outcome)


def read_port(kind: Kind, text: str) -> Reading:
    """Read the number or the name of a port."""
    reading = Reading(kind)
    word = whole(text, "port")
    if word.text:
        problem = port_problem(reading.add(word))
        if problem:
            reading.problem(word, problem.message, problem.hint)
    return reading


def read_proxy_endpoint(kind: Kind, text: str) -> Reading:
    """Read `[inet:][host]:port` or `unix:path` (smtpd_proxy(3))."""
    reading = Reading(kind)
    word = whole(text, "endpoint")
    if not word.text:
        return reading
    reading.add(word)
    if word.text.startswith("unix:"):
        if word.text == "unix:":
            reading.problem(word, "there is no path behind unix:", "write unix:/path")
        return reading
    if word.text[:5].lower() == "inet:":
        word = Word.within(word, 5, len(word.text) - 5, "endpoint")
    check_local_endpoint(reading, word)
    return reading


def read_service_name(kind: Kind, text: str) -> Reading:
    """Read the name of a service of master.cf."""
    reading = Reading(kind)
    word = whole(text, "service")
    if word.text:
        reading.add(word)
        if word.text.startswith("/") or any(each.isspace() for each in word.text):
            reading.problem(
                word, f'"{word.text}" is no name of a service', "specify the first field of a master.cf line"
            )
    return reading


def read_service_patterns(kind: Kind, text: str) -> Reading:
    """Read `name/type` and `type` of disabled services (match_service(3))."""
    reading = Reading(kind)
    for word in words_at(text):
        pattern = word.text.lstrip("!")
        reading.add(word, "service")
        slash = "/" if "/" in pattern else "."
        name, _, kind_of_service = pattern.rpartition(slash)
        if kind_of_service.lower() not in kind.words:
            hint = f"write {pattern}/inet or {pattern}/unix" if not name else ""
            reading.problem(word, f'"{word.text}" matches no service', hint or f"types are {', '.join(kind.words)}")
    return reading


def read_known_ports(kind: Kind, text: str) -> Reading:
    """Read `name = name = number`, separated by commas (config_known_tcp_ports(3))."""
    reading = Reading(kind)
    for association in words_at(text, ","):
        offset = len(association.text) - len(association.text.lstrip())
        word = Word.within(association, offset, len(association.text.strip()), "word")
        if not word.text:
            continue
        reading.add(word)
        *names, number = [each.strip() for each in word.text.split("=")]
        if not names:
            reading.problem(word, f'"{word.text}" is no name = number', "write name = number")
        elif not all(names) or any(each.isspace() for name in names for each in name):
            reading.problem(word, f'"{word.text}" has no name in front of a =', "write name = number")
        elif any(name.isdigit() for name in names):
            reading.problem(word, f'"{word.text}" has a number where a name belongs', "write name = number")
        elif not (number.isascii() and number.isdigit()) or not 0 < int(number[:9]) <= _LARGEST_PORT:
            reading.problem(word, f'"{number}" is no port', f"specify 1 to {_LARGEST_PORT}")
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "transport": read_transport,
    "nexthop": read_nexthop,
    "nexthops": read_nexthops,
    "port": read_port,
    "proxy-endpoint": read_proxy_endpoint,
    "service-name": read_service_name,
    "service-patterns": read_service_patterns,
    "known-ports": read_known_ports,
}
