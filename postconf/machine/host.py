"""Defaults that depend on the machine: myhostname, mydomain and mynetworks (mail_params(3), own_inet_addr(3)).

`Host` describes the machine; a test, or a checker for another machine's files, passes its own. `_socket` suffices here,
and importing `socket` takes longer than the whole of `postconf -d`.
"""

from __future__ import annotations

from ..errors import ConfigError

LOCAL_DOMAIN = "localdomain"


class Interface:
    """Network address of the machine, with its prefix length."""

    __slots__ = ("address", "family", "prefix")

    def __init__(self, family: str, address: bytes, prefix: int) -> None:
        """`family`: ipv4 or ipv6; `address`: its 4 or 16 bytes."""
        self.family = family
        self.address = address
        self.prefix = prefix


class Host:
    """Local machine, queried only when a value is needed."""

    def name(self) -> str:
        """Return the hostname of gethostname(2)."""
        import os

        return os.uname().nodename

    def interfaces(self) -> list[Interface]:
        """Return all addresses, those of IPv4 first, in the kernel's order."""
        try:
            from .netlink import addresses

            found = addresses()
        except (OSError, AttributeError):  # a chroot, or a system other than Linux
            return []
        interfaces = [Interface("ipv4" if len(each[1]) == 4 else "ipv6", *each[1:]) for each in found]
        return sorted(interfaces, key=lambda each: each.family)

    def resolve(self, name: str) -> list[tuple[str, bytes]]:
        """Return the addresses of a hostname or of an address as text, as (family, bytes); empty on failure."""
        import _socket

        try:
            found = _socket.getaddrinfo(name, None, type=_socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return []
        families = {_socket.AF_INET: "ipv4", _socket.AF_INET6: "ipv6"}
        return [
            (families[family], _socket.inet_pton(family, str(address[0]).partition("%")[0]))
            for family, _, _, _, address in found
            if family in families
        ]


class FixedHost(Host):
    """Fixed machine: a given name, only loopback interfaces, and no DNS."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """Return the given name."""
        return self._name

    def interfaces(self) -> list[Interface]:
        """Return the loopback addresses of both families."""
        return [Interface("ipv4", b"\x7f\0\0\1", 8), Interface("ipv6", b"\0" * 15 + b"\1", 128)]

    def resolve(self, name: str) -> list[tuple[str, bytes]]:
        """Return the addresses of localhost, or of an address as text."""
        if name == "localhost":
            return [(interface.family, interface.address) for interface in self.interfaces()]
        return super().resolve(name) if _is_address(name) else []


def myhostname(host: Host, explicit_mydomain: str | None) -> str:
    """Return the default of myhostname; `explicit_mydomain` is mydomain as set, if it is."""
    name = host.name()
    if "." not in name:
        name = f"{name}.{LOCAL_DOMAIN if explicit_mydomain is None else explicit_mydomain}"
    return name


def mydomain(hostname: str) -> str:
    """Return the default of mydomain, from myhostname."""
    return hostname.partition(".")[2] if "." in hostname else LOCAL_DOMAIN


def mynetworks(host: Host, inet_interfaces: str, style: str, inet_protocols: str) -> str:
    """Return the default of mynetworks, from the values of three other parameters; raise `ConfigError`."""
    families = protocol_families(inet_protocols)
    if not families:
        return ""
    styles = _words(style)
    for word in styles:
        if word not in ("class", "subnet", "host"):
            raise ConfigError(f'unknown mynetworks mask style value "{word}" in "{style}"')
    if len(styles) != 1:
        raise ConfigError(f"bad mynetworks_style value: {style}; specify exactly one value")
    networks: list[str] = []
    for interface in _chosen(host, inet_interfaces, families):
        network = _network(interface, styles[0])
        if network not in networks:
            networks.append(network)
    return "".join(f"{network} " for network in networks)


def own_addresses(host: Host, inet_interfaces: str, inet_protocols: str) -> list[Interface]:
    """Return the interfaces on which Postfix listens; raise `ConfigError` for an unknown one."""
    families = protocol_families(inet_protocols)
    return _chosen(host, inet_interfaces, families) if families else []


def protocol_families(inet_protocols: str) -> list[str]:
    """Return the enabled families, ipv4 and ipv6; raise `ConfigError` for other words."""
    families: list[str] = []
    for word in _words(inet_protocols):
        if word not in ("all", "ipv4", "ipv6"):
            raise ConfigError(f'unknown inet_protocols value "{word}" in "{inet_protocols}"')
        families += ["ipv4", "ipv6"] if word == "all" else [word]
    return families


def _chosen(host: Host, inet_interfaces: str, families: list[str]) -> list[Interface]:
    """Return the interfaces that inet_interfaces names, one for each address."""
    local = [interface for interface in host.interfaces() if interface.family in families]
    if inet_interfaces in ("all", "loopback-only"):
        own = [each for each in local if inet_interfaces == "all" or _is_loopback(each)]
        addresses = [(each.family, each.address) for each in own]
    else:
        addresses = []
        for word in _words(inet_interfaces):
            found = [each for each in host.resolve(word.strip("[]")) if each[0] in families]
            if not found:
                raise ConfigError(f"config variable inet_interfaces: host not found: {word}")
            addresses += found
        addresses.sort()
    chosen = []
    for family, address in dict.fromkeys(addresses):
        interface = next((each for each in local if (each.family, each.address) == (family, address)), None)
        if interface is None:
            raise ConfigError(f"parameter inet_interfaces: no local interface found for {_text(family, address)}")
        chosen.append(interface)
    return chosen


def _network(interface: Interface, style: str) -> str:
    bits = len(interface.address) * 8
    prefix = interface.prefix
    if style == "host":
        prefix = bits
    elif style == "class" and interface.family == "ipv4":
        first = interface.address[0]
        prefix = 8 if first < 128 else 16 if first < 192 else 24 if first < 224 else 4
    mask = ((1 << prefix) - 1) << (bits - prefix)
    network = (int.from_bytes(interface.address, "big") & mask).to_bytes(bits // 8, "big")
    text = _text(interface.family, network)
    return f"[{text}]/{prefix}" if interface.family == "ipv6" else f"{text}/{prefix}"


def _is_address(text: str) -> bool:
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _is_loopback(interface: Interface) -> bool:
    return interface.address == b"\0" * 15 + b"\1" or (interface.family == "ipv4" and interface.address[0] == 127)


def _words(text: str) -> list[str]:
    for separator in "\t\r\n,":
        text = text.replace(separator, " ")
    return [word for word in text.split(" ") if word]


def _text(family: str, address: bytes) -> str:
    import _socket

    return _socket.inet_ntop(_socket.AF_INET if family == "ipv4" else _socket.AF_INET6, address)
