"""Addresses and networks: match lists of clients (namadr_list(3), addr_match_list(3)), interfaces, source addresses."""

from __future__ import annotations

import ipaddress
import re
from itertools import islice
from typing import TYPE_CHECKING

from postconf.spelling import nearest

from .kind import Kind, Outcome
from .lists import patterns, relative_file
from .reading import Reading, Word, whole, words_at

if TYPE_CHECKING:
    from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LIKE_NETWORK = re.compile(r"\[?(?=[0-9a-fA-F]*[.:])[0-9a-fA-F.:]*\]?/\S*\Z|\[.*")
_NO_NETWORK = re.compile(r"[^0-9a-fA-F.:/\[\]]")
_LIKE_IPV4 = re.compile(r"[0-9][0-9.]*\Z")
_RANGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})-([0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9]{1,3})\Z")
_MOST_NETWORKS = 6
_MOST_COMPARED = 100
"""Networks of a list that are compared with each other."""
_ODD_HOST = re.compile(r"[^\w.-]")
_INTERFACE_NAME = re.compile(r"(lo|eth\d+|en[opsx]\w+|wlan\d+|docker\d+|br-\w+|veth\w+|tun\d+|wg\d+|ppp\d+)\Z")
_NEEDS_BRACKETS = re.compile(r"[0-9a-fA-F]*:[0-9a-fA-F:.]*(/\d+)?\Z")


def read_clients(kind: Kind, text: str) -> Reading:
    """Read a match list of host names, domains, addresses and networks."""
    return _read_networks(kind, text, hosts=True)


def read_networks(kind: Kind, text: str) -> Reading:
    """Read a match list of addresses and networks."""
    return _read_networks(kind, text, hosts=False)


def _read_networks(kind: Kind, text: str, *, hosts: bool) -> Reading:
    reading = Reading(kind)
    for pattern in patterns(reading, text):
        if _LIKE_NETWORK.match(pattern.text):
            reading.add(pattern, "network")
            _check_network(reading, pattern)
        elif _LIKE_IPV4.match(pattern.text):
            reading.add(pattern, "network")
            if _address(pattern.text) is None:
                _check_partial(reading, pattern)
        elif ends := _RANGE.match(pattern.text):
            reading.add(pattern, "network")
            reading.problem(
                pattern,
                f'"{pattern.text}" is no network: there are no ranges, and it matches nothing',
                _in_networks(*ends.groups()),
                outcome=Outcome.IGNORES,
            )
        elif not relative_file(reading, reading.add(pattern, "host")) and (not hosts or _ODD_HOST.search(pattern.text)):
            what = "a host name or network" if hosts else "an address or network"
            reading.problem(pattern, f'"{pattern.text}" is not {what}: it matches nothing', outcome=Outcome.IGNORES)
    _find_bare_ipv6(reading)
    _find_late(reading, text)
    return reading


def _find_late(reading: Reading, text: str) -> None:
    """Report networks, and exceptions from them, that an earlier element with the opposite meaning has already."""
    earlier: list[tuple[bool, Network, str]] = []
    for word in reading.words:
        network = _network(word.text) if word.role == "network" else None
        if network is None or len(earlier) == _MOST_COMPARED:
            continue
        excluded = text[word.start - 1 : word.start] == "!"
        for opposite, other, name in earlier:
            is_inside = network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
            if is_inside and opposite is not excluded:
                message = f'"{name}" decides before: the first element that matches counts'
                reading.problem(word, message, f"put it in front of {name}", outcome=Outcome.IGNORES)
                break
        earlier.append((excluded, network, f"{'!' if excluded else ''}{word.text}"))


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""))
    except ValueError:
        return None


def _find_bare_ipv6(reading: Reading) -> None:
    """Report IPv6 addresses without brackets, which Postfix takes for tables."""
    for position, word in enumerate(reading.words):
        if word.role == "table" and _NEEDS_BRACKETS.match(word.text):
            reading.words[position] = word.as_role("network")
            address, slash, bits = word.text.partition("/")
            reading.problem(
                word,
                f'"{word.text}" is taken for a lookup table: IPv6 addresses stand in brackets here',
                f"write [{address}]{slash}{bits}",
                outcome=Outcome.DIES if address.startswith(":") else Outcome.DEFERS,
            )


def _check_network(reading: Reading, pattern: Word) -> None:
    """Report networks that cidr_match(3) refuses: each lookup that reaches one fails."""
    text = pattern.text
    if _NO_NETWORK.search(text):
        message = f'"{text}" is neither an address nor a network: it matches nothing'
        reading.problem(pattern, message, outcome=Outcome.IGNORES)
        return
    if text.startswith("["):
        inner, bracket, rest = text[1:].partition("]")
        if not bracket:
            reading.problem(pattern, f'"{text}" has no closing bracket', f"write {_with_bracket(text)}")
            return
        if rest and not rest.startswith("/"):
            reading.problem(pattern, f'"{rest}" stands behind a closing bracket', f"write [{inner}]")
            return
        text = inner + rest
    address_text, slash, bits = text.partition("/")
    address = _address(address_text)
    if address is None:
        reading.problem(pattern, f'"{address_text}" is no address', "correct it")
        return
    if not slash:
        return
    if not (bits.isascii() and bits.isdigit()) or int(bits[:9]) > address.max_prefixlen:
        hint = _prefix_of_mask(bits)
        reading.problem(
            pattern,
            f'"/{bits}" is no length of a network',
            f"write {address_text}/{hint}" if hint else f"specify 0 to {address.max_prefixlen}",
        )
        return
    network = ipaddress.ip_network(f"{address}/{int(bits)}", strict=False)
    if network.network_address != address:
        right = f"[{network.network_address}]/{int(bits)}" if address.version > 4 else str(network)
        reading.problem(
            pattern,
            f'"{pattern.text}" is the address of a host in a network, with the length of the network',
            f"write {right} for the network, or {_host(address)} for the host",
        )


def _host(address: Address) -> str:
    return f"[{address}]" if address.version > 4 else str(address)


def _with_bracket(text: str) -> str:
    address, slash, bits = text.partition("/")
    return f"{address}]{slash}{bits}"


def _check_partial(reading: Reading, pattern: Word) -> None:
    octets = [each for each in pattern.text.split(".") if each]
    hint = ""
    if len(octets) < 4 and all(int(each[:4]) < 256 for each in octets):
        network = ".".join([*octets, "0", "0", "0"][:4])
        hint = f"write {network}/{8 * len(octets)}"
    reading.problem(pattern, f'"{pattern.text}" is no address: it matches nothing', hint, outcome=Outcome.IGNORES)


def _in_networks(first: str, last: str) -> str:
    """Return the remedy for a range: the networks that make it up, if they are few."""
    start = _address(first)
    end = _address(last if "." in last else f"{first.rpartition('.')[0]}.{last}")
    if not isinstance(start, ipaddress.IPv4Address) or not isinstance(end, ipaddress.IPv4Address) or start > end:
        return "write networks"
    networks = [str(each) for each in islice(ipaddress.summarize_address_range(start, end), _MOST_NETWORKS + 1)]
    return f"write {', '.join(networks)}" if len(networks) <= _MOST_NETWORKS else "write networks"


def _prefix_of_mask(mask: str) -> int:
    """Return the prefix length of a mask such as 255.255.255.0; 0 if it is not a mask."""
    try:
        return ipaddress.ip_network(f"0.0.0.0/{mask}").prefixlen if "." in mask else 0
    except ValueError:
        return 0


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def read_interfaces(kind: Kind, text: str) -> Reading:
    """Read addresses and names of this host, or a keyword for several (own_inet_addr(3))."""
    reading = Reading(kind)
    words = list(words_at(text, " \t,\r\n"))
    for word in words:
        inner = word.text[1:-1] if word.text.startswith("[") and word.text.endswith("]") else word.text
        reading.add(word, "host")
        if len(words) > 1 and inner in kind.words:
            reading.problem(word, f'"{inner}" can only stand alone: here it is the name of a host', f"remove {inner}")
        elif inner in kind.words or _address(inner) is not None:
            continue
        elif _INTERFACE_NAME.match(inner):
            reading.problem(
                word, f'"{inner}" is the name of an interface, and is looked up as that of a host', "write its address"
            )
        elif _LIKE_IPV4.match(inner) or _ODD_HOST.search(inner):
            reading.problem(word, f'"{inner}" is neither an address nor the name of a host', "correct it")
        elif len(words) == 1 and (meant := _keyword(inner.lower(), kind.words)):
            reading.problem(word, f'"{inner}" is looked up as the name of a host', f'did you mean "{meant}"?')
    return reading


def _keyword(word: str, words: tuple[str, ...]) -> str:
    """Return the keyword for several interfaces that a word resembles, which is not the usual name of a host."""
    if word == "localhost" or "." in word:
        return ""
    meant = {"any": "all", "loopback": "loopback-only", "localhost-only": "loopback-only", "local": "loopback-only"}
    found = meant.get(word) or nearest(word, words)
    return found if found in words else ""


def read_ip_address(kind: Kind, text: str) -> Reading:
    """Read the source address of connections; brackets are optional."""
    reading = Reading(kind)
    word = whole(text, "address")
    if not word.text:
        return reading
    reading.add(word)
    version = 6 if "ipv6" in kind.words else 4
    inner = word.text
    if inner.startswith("["):
        if not inner.endswith("]"):
            reading.problem(word, f'"{inner}" has no closing bracket at its end', "write the address without brackets")
            return reading
        inner = inner[1:-1]
    address = _address(inner)
    if address is None:
        reading.problem(word, f'"{inner}" is no address', "specify an address of this host")
    elif address.version != version:
        other = "smtp_bind_address" if address.version == 4 else "smtp_bind_address6"
        reading.problem(
            word,
            f"{address} is no IPv{version} address: no connection can be made from it",
            f"set {other}" if kind.parameter and kind.parameter.name.startswith("smtp_") else "",
            outcome=Outcome.DIES_LATER if address.version > version else Outcome.WARNS,
        )
    return reading


READERS: dict[str, Callable[[Kind, str], Reading]] = {
    "clients": read_clients,
    "networks": read_networks,
    "interfaces": read_interfaces,
    "ip-address": read_ip_address,
}
