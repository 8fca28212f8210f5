"""Addresses and ports of the inet services of master.cf, and those that two of them have."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from ..context import Context, words_of
from ..text.sources import MasterEntry

_PORTS = {"smtp": "25", "submission": "587", "submissions": "465", "smtps": "465", "urd": "465", "ssmtp": "465"}
_ANY = {"4": str(IPv4Address(0)), "6": str(IPv6Address(0))}
_HOSTS = {"localhost": "127.0.0.1"}
_MOST = 200_000
"""Endpoints that are compared: each takes some 200 bytes."""

Endpoint = tuple[str, str]
"""Address and port."""


def same_endpoints(context: Context) -> Iterator[tuple[MasterEntry, MasterEntry]]:
    """Yield the services with an address and port that an earlier one has, with that one."""
    taken: dict[Endpoint, MasterEntry] = {}
    for entry, endpoints in endpoints_of(context):
        if other := next((taken[each] for each in endpoints if each in taken), None):
            yield entry, other
        for each in endpoints:
            taken.setdefault(each, entry)


def endpoints_of(context: Context) -> Iterator[tuple[MasterEntry, list[Endpoint]]]:
    """Yield the inet services that master(8) runs, with their endpoints.

    One on a single address and one on all addresses don't meet: the system prefers the former.
    """
    disabled = _disabled(context)
    own = list(_own_addresses(context))
    room = _MOST
    for entry in context.entries:
        if entry.service is None or entry.service.type != "inet" or _is_disabled(entry.service.name, disabled):
            continue
        host, _, port = entry.service.name.rpartition(":")
        addresses = [_address(host.lower())] if host else own
        room -= len(addresses)
        if room < 0:
            return
        yield entry, [(address, _PORTS.get(port, port)) for address in addresses]


def _disabled(context: Context) -> dict[str, tuple[int, bool]]:
    """Return the patterns of master_service_disable, with their positions; True if one disables a service."""
    found: dict[str, tuple[int, bool]] = {}
    for position, word in enumerate(words_of(context.value("master_service_disable").lower())):
        pattern = word.lstrip("!")
        found.setdefault(pattern, (position, (len(word) - len(pattern)) % 2 == 0))
    return found


def _is_disabled(name: str, patterns: dict[str, tuple[int, bool]]) -> bool:
    """Return True if an inet service matches master_service_disable: the first pattern that matches decides."""
    names = ("inet", f"{name.lower()}/inet", f"{name.lower()}.inet")
    return min((patterns[each] for each in names if each in patterns), default=(0, False))[1]


def _address(host: str) -> str:
    name = host.strip("[]")
    return _HOSTS.get(name, name)


def _own_addresses(context: Context) -> Iterator[str]:
    """Yield the addresses of services without a host: those of inet_interfaces that are known."""
    protocols = list(words_of(context.value("inet_protocols").lower()))
    families = [each for each in _ANY if not protocols or "all" in protocols or f"ipv{each}" in protocols]
    for word in words_of(context.value("inet_interfaces").lower()):
        if word in ("all", "loopback-only"):
            loopback = {"4": "127.0.0.1", "6": "::1"}
            yield from ((_ANY if word == "all" else loopback)[each] for each in families)
        else:
            yield _address(word)
