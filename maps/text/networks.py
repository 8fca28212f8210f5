"""Network patterns: addresses and `net/length`, as cidr tables and lists of networks have them (cidr_match(3))."""

from __future__ import annotations

import socket
from typing import NamedTuple

_BITS = {socket.AF_INET: 32, socket.AF_INET6: 128}
_LONG_MAX = 2**63 - 1


class BadNetwork(ValueError):
    """A pattern that is no network; the message is Postfix's."""


class Address(NamedTuple):
    """An IP address."""

    family: socket.AddressFamily
    number: int


class Network(NamedTuple):
    """The addresses in a network, or outside of it; those of the other family are neither."""

    address: Address
    mask: int
    inside: bool

    def holds(self, address: Address) -> bool:
        """Return True if the address is one of these."""
        return address.family == self.address.family and (
            (address.number & self.mask == self.address.number) is self.inside
        )


def parse_network(pattern: str, *, inside: bool = True) -> Network:
    """Parse `address`, `address/length`, `[address]`, `[address/length]` or `[address]/length`; raise `BadNetwork`."""
    text, slash, length = _without_brackets(pattern)
    family = _family(text)
    if not slash:
        address = parse_address(text)
        if address is None:
            raise BadNetwork(f'bad address pattern: "{text}"')
        return Network(address, (1 << _BITS[family]) - 1, inside)
    where = f'in "{text}/{length}"'
    if not (length.isascii() and length.isdigit()):
        raise BadNetwork(f"bad mask value {where}")
    ones = _as_byte(length)
    if ones > _BITS[family]:
        raise BadNetwork(f"bad mask length {where}")
    address = parse_address(text)
    if address is None:
        raise BadNetwork(f"bad network value {where}")
    mask = (1 << _BITS[family]) - (1 << (_BITS[family] - ones))
    if address.number & ~mask:
        network = socket.inet_ntop(family, (address.number & mask).to_bytes(_BITS[family] // 8, "big"))
        raise BadNetwork(f'non-null host address bits {where}, perhaps you should use "{network}/{ones}" instead')
    return Network(address, mask, inside)


def _without_brackets(pattern: str) -> tuple[str, str, str]:
    """Split a pattern into address, slash and length."""
    if not pattern.startswith("["):
        return pattern.partition("/")
    text, bracket, rest = pattern[1:].partition("]")
    if not bracket:
        raise BadNetwork(f"missing ']' character after \"[{text}\"")
    if rest.startswith("/"):
        return text, "/", rest[1:]
    if rest:
        raise BadNetwork(f'garbage after "[{text}]"')
    return text.partition("/")


def _family(text: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in text else socket.AF_INET


def parse_address(text: str) -> Address | None:
    """Parse an address as inet_pton(3) does; None if it is none."""
    family = _family(text)
    try:
        return Address(family, int.from_bytes(socket.inet_pton(family, text), "big"))
    except (OSError, UnicodeError):
        return None


def _as_byte(digits: str) -> int:
    """Return the byte that C keeps of a number: 256 is 0."""
    significant = digits.lstrip("0")
    return (_LONG_MAX if len(significant) > 19 else min(int(significant or "0"), _LONG_MAX)) & 0xFF
