"""Network patterns: addresses and `net/length`, as cidr tables and lists of networks have them (cidr_match(3))."""

from __future__ import annotations

import socket
from typing import NamedTuple

from ..errors import MapsError

_IPV4, _IPV6 = socket.AF_INET, socket.AF_INET6
_MASKS = {
    family: [(1 << bits) - (1 << (bits - ones)) for ones in range(bits + 1)]
    for family, bits in ((int(_IPV4), 32), (int(_IPV6), 128))
}
"""The masks of a family by their lengths."""
_inet_pton = socket.inet_pton
_LENGTHS = {str(length): length for length in range(129)}
_LONG_MAX = 2**63 - 1


class NetworkPatternError(MapsError, ValueError):
    """A pattern that is no network; the message is Postfix's."""


class IpAddress(NamedTuple):
    """An IP address as a number, for comparisons with masks."""

    family: socket.AddressFamily
    number: int


class Network(NamedTuple):
    """The addresses in a network, or outside of it; those of the other family are neither."""

    address: IpAddress
    mask: int
    inside: bool

    def holds(self, address: IpAddress) -> bool:
        """Return True if the address is one of these."""
        return address.family == self.address.family and (
            (address.number & self.mask == self.address.number) is self.inside
        )


def is_network(pattern: str) -> bool:
    """Return True for `address` or `address/length` without host bits.

    False means nothing: `parse_network` knows more forms, and takes three times as long.
    """
    text, slash, length = pattern.partition("/")
    family = _family(text)
    try:
        number = int.from_bytes(_inet_pton(family, text), "big")
    except (OSError, ValueError):
        return False
    masks = _MASKS[family]
    ones = _LENGTHS.get(length, -1) if slash else len(masks) - 1
    return 0 <= ones < len(masks) and number & masks[ones] == number


def parse_network(pattern: str, *, inside: bool = True) -> Network:
    """Parse `address`, `address/length`, `[address]`, `[address/length]` or `[address]/length`.

    Raises `NetworkPatternError`.
    """
    text, slash, length = _without_brackets(pattern) if pattern[:1] == "[" else pattern.partition("/")
    address = parse_address(text)
    if not slash:
        if address is None:
            raise NetworkPatternError(f'bad address pattern: "{text}"')
        return Network(address, _MASKS[address.family][-1], inside)
    ones = _LENGTHS.get(length, -1)
    masks = _MASKS[_family(text) if address is None else address.family]
    if ones < 0 or address is None or ones >= len(masks):
        ones = _checked_length(text, length, len(masks) - 1)
        if address is None:
            raise NetworkPatternError(f'bad network value in "{text}/{length}"')
    mask = masks[ones]
    if address.number & ~mask:
        network = socket.inet_ntop(address.family, (address.number & mask).to_bytes(len(masks) // 8, "big"))
        problem = f'non-null host address bits in "{text}/{length}"'
        raise NetworkPatternError(f'{problem}, perhaps you should use "{network}/{ones}" instead')
    return Network(address, mask, inside)


def _checked_length(text: str, length: str, most: int) -> int:
    """Return the length of a mask as C computes it."""
    if not (length.isascii() and length.isdigit()):
        raise NetworkPatternError(f'bad mask value in "{text}/{length}"')
    ones = _as_byte(length)
    if ones > most:
        raise NetworkPatternError(f'bad mask length in "{text}/{length}"')
    return ones


def _without_brackets(pattern: str) -> tuple[str, str, str]:
    """Split a pattern that begins with a bracket into address, slash and length."""
    text, bracket, rest = pattern[1:].partition("]")
    if not bracket:
        raise NetworkPatternError(f"missing ']' character after \"[{text}\"")
    if rest.startswith("/"):
        return text, "/", rest[1:]
    if rest:
        raise NetworkPatternError(f'garbage after "[{text}]"')
    return text.partition("/")


def _family(text: str) -> socket.AddressFamily:
    return _IPV6 if ":" in text else _IPV4


def parse_address(text: str) -> IpAddress | None:
    """Parse an address as inet_pton(3) does; return None if it is invalid."""
    family = _family(text)
    try:
        return IpAddress(family, int.from_bytes(_inet_pton(family, text), "big"))
    except (OSError, UnicodeError):
        return None


def _as_byte(digits: str) -> int:
    """Return the byte that C keeps of a number: 256 is 0."""
    significant = digits.lstrip("0")
    return (_LONG_MAX if len(significant) > 19 else min(int(significant or "0"), _LONG_MAX)) & 0xFF
