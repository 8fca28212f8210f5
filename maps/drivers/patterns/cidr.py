"""cidr: networks and addresses, `10.0.0.0/8 value` (cidr_table(5))."""

from __future__ import annotations

from postconf.syntax.lines import decode

from ... import file_values
from ...table import Flags, Table
from ...text.networks import IpAddress, Network, NetworkPatternError, is_network, parse_address, parse_network
from ...text.rule_tables import Rules, TableRule, Unkept, rule_parts
from ...text.source import SPACE

_DIGITS = b"0123456789"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access


def open_table(name: str, access: Access) -> Table:
    """Read a file, or the rules in the name."""
    return CidrTable(name, access)


def examine(name: str, access: Access) -> None:
    """Read it once, with the warnings of opening it, without storing it."""
    CidrTable(name, access, kept=False)


class CidrTable(Table):
    """Rules in the order of the file; the first one that matches an address decides."""

    def __init__(self, name: str, access: Access, *, kept: bool = True) -> None:
        """Read it. `kept`: False to only check it."""
        super().__init__("cidr", name, access.flags | Flags.PATTERN)
        self._access = access
        self._kept = kept
        self._rules: Rules[IpAddress] = Rules() if kept else Unkept()
        self._block: _Block | None = None
        may_skip = not kept and not access.values_are_files
        for lines, numbers in rule_parts("cidr", name, access, strict=True):
            for number, line in zip(numbers, lines, strict=True):
                if may_skip and _is_faultless(line):
                    continue
                try:
                    self._read(line, number)
                except (_SkipRuleError, NetworkPatternError, file_values.FileValueError) as problem:
                    access.warn(f"cidr map {name}, line {number}: {problem}: skipping this rule")
        for number in self._rules.unfinished():
            access.warn(f"cidr map {name}, line {number}: IF has no matching ENDIF")

    def lookup(self, key: bytes) -> bytes | None:
        address = parse_address(decode(key))
        return None if address is None else self._rules.lookup(address)

    def line(self, key: bytes) -> int | None:
        address = parse_address(decode(key))
        found = None if address is None else self._rules.find(address)
        return None if found is None or address is None else found[0].line_for(address)

    def _read(self, line: bytes, number: int) -> None:
        if line[0] in _DIGITS and line.isascii() and len(fields := line.split(None, 1)) == 2:
            network = parse_network(fields[0].decode())
            value = fields[1].rstrip()
            self._add(network, file_values.resolve(value, self._access), number)
        elif line[:2].lower() == b"if" and not line[2:3].isalnum():
            inside, pattern = _negations(line[2:])
            network = _network(pattern.rstrip(SPACE), inside)
            file_values.resolve(b"", self._access)  # a condition has no value, which is an error if values are files
            self._rules.begin(number, network.holds)
            self._block = None
        elif line[:5].lower() == b"endif" and not line[5:6].isalnum():
            if line[5:].strip(SPACE):
                raise _SkipRuleError("garbage after ENDIF")
            if not self._rules.unfinished():
                raise _SkipRuleError("ENDIF without IF")
            file_values.resolve(b"", self._access)
            self._rules.end()
            self._block = None
        else:
            inside, rest = _negations(line)
            pattern = rest.split(None, 1)[0] if rest else b""
            network = _network(pattern, inside)
            value = rest[len(pattern) :].strip(SPACE)
            if not value:
                raise _SkipRuleError("no lookup result")
            self._add(network, file_values.resolve(value, self._access), number)

    def _add(self, network: Network, value: bytes, number: int) -> None:
        if not self._kept:
            return
        if network.inside:
            if self._block is None:
                self._block = _Block()
                self._rules.add(self._block)
            self._block.add(network, value, number)
        else:
            self._rules.add(TableRule(lambda address: value if network.holds(address) else None, line=number))
            self._block = None


class _SkipRuleError(ValueError):
    """Rule that is skipped, with the reason."""


class _Block(TableRule[IpAddress]):
    """Consecutive rules, indexed by mask: there are few lengths of masks, but many networks."""

    __slots__ = ("_networks",)

    def __init__(self) -> None:
        super().__init__(self._value)
        self._networks: dict[tuple[int, int], dict[int, tuple[int, bytes]]] = {}

    def add(self, network: Network, value: bytes, number: int) -> None:
        """Add the rule of a line."""
        address = network.address
        networks = self._networks.setdefault((address.family, network.mask), {})
        networks.setdefault(address.number, (number, value))

    def line_for(self, key: IpAddress) -> int:
        found = self._first(key)
        return 0 if found is None else found[0]

    def _value(self, address: IpAddress) -> bytes | None:
        found = self._first(address)
        return found and found[1]

    def _first(self, address: IpAddress) -> tuple[int, bytes] | None:
        """Return the line and the value of the first matching rule."""
        found = [
            networks[address.number & mask]
            for (family, mask), networks in self._networks.items()
            if family == address.family and address.number & mask in networks
        ]
        return min(found) if found else None


def _is_faultless(line: bytes) -> bool:
    """Return True for a network in its common form with a value; nothing is kept of it, and nothing to be warned of."""
    fields = line.split(None, 1)
    return len(fields) == 2 and fields[0].isascii() and is_network(fields[0].decode())


def _negations(text: bytes) -> tuple[bool, bytes]:
    """Remove exclamation marks and blanks; return True for a positive match, and the rest."""
    rest = text.lstrip(SPACE + b"!")
    return text[: len(text) - len(rest)].count(b"!") % 2 == 0, rest


def _network(pattern: bytes, inside: bool) -> Network:
    if not pattern:
        raise _SkipRuleError("no address pattern")
    return parse_network(decode(pattern), inside=inside)
