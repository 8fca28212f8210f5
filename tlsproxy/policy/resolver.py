"""DNS for policies, with dnspython: hosts, mail exchangers, TLSA records, and their DNSSEC status.

Needs the extra `tlsproxy[dane]`. As in Postfix, the name server validates, and the AD bit of its replies is trusted.
So it must be on this host, or on a network path that no attacker can write to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import replace

try:
    import dns.exception
    import dns.flags
    import dns.name
    import dns.rdatatype
    import dns.resolver
except ImportError as error:
    raise ImportError("DANE needs dnspython: install tlsproxy[dane]") from error

from .dane import DnsLookupError, TlsaAnswer
from .destination import SMTP_PORT, Destination, DnsName

_UDP_PAYLOAD = 1232
_FAMILIES = {"all": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}


class DnsResolver:
    """Queries validating name servers. Each method blocks, at most `timeout` seconds per name."""

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        port: int = 53,
        timeout: float = 30,
        families: str = "all",
    ) -> None:
        """Query these addresses, by default those of /etc/resolv.conf; `families`: `all`, `ipv4` or `ipv6`."""
        self._resolver = dns.resolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(nameservers)
        self._resolver.port = port
        self._resolver.lifetime = timeout
        self._resolver.use_edns(0, dns.flags.DO, _UDP_PAYLOAD)
        self._resolver.flags = dns.flags.RD | dns.flags.AD
        self._families = _FAMILIES[families]

    def tlsa(self, name: str) -> TlsaAnswer | None:
        """Look up TLSA records; return None without records. Raise `DnsLookupError`."""
        answer = self._ask(name, "TLSA")
        if answer is None or answer.rrset is None:
            return None
        data = tuple(each.to_wire() for each in answer.rrset)
        return TlsaAnswer(name, _text(answer.canonical_name), _is_secure(answer), data)

    def alias_is_secure(self, name: str) -> bool:
        """Return True if DNSSEC secures the CNAME record of a name. Raise `DnsLookupError`."""
        answer = self._ask(name, "CNAME")
        if answer is None:
            raise DnsLookupError("no longer a CNAME")
        return _is_secure(answer)

    def destinations(self, nexthop: str, *, default_port: int = SMTP_PORT, mx: bool = True) -> list[Destination]:
        """Look up the servers of a next hop, the best first, one destination for each address.

        Mail exchangers are not used for a next hop in brackets, and for LMTP (`mx=False`). Raise `DnsLookupError`, and
        ValueError for an invalid next hop.
        """
        destination = Destination.parse(nexthop, default_port=default_port)
        if mx and not destination.nexthop.startswith("["):
            found = self._mail_exchangers(destination)
        else:
            found = list(self._addresses(destination))
        if not found:
            raise DnsLookupError(f"{destination.domain} has no address")
        return found

    def _mail_exchangers(self, destination: Destination) -> list[Destination]:
        answer = self._ask(destination.domain, "MX")
        if answer is None or answer.rrset is None:
            return list(self._addresses(destination))
        name = DnsName(destination.domain, _text(answer.canonical_name), _is_secure(answer))
        found: list[Destination] = []
        failure: DnsLookupError | None = None
        for record in sorted(answer.rrset, key=lambda each: each.preference):
            if record.exchange == dns.name.root:
                raise DnsLookupError(f"{destination.domain} does not accept mail (null MX)")
            host = DnsName(_text(record.exchange))
            try:
                found += self._addresses(replace(destination, host=host, mx=name))
            except DnsLookupError as error:  # of one of several
                failure = error
        if not found and failure is not None:
            raise failure
        return found

    def _addresses(self, destination: Destination) -> Iterator[Destination]:
        name = destination.host.name
        if (literal := _address(name)) is not None:
            yield replace(destination, address=literal)
            return
        for family in self._families:
            answer = self._ask(name, family)
            if answer is not None and answer.rrset is not None:
                host = DnsName(name, _text(answer.canonical_name), _is_secure(answer))
                for record in answer.rrset:
                    yield replace(destination, host=host, address=record.address)

    def _ask(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """Return an answer, or None if there is no such record."""
        try:
            return self._resolver.resolve(
                dns.name.from_text(name, idna_codec=dns.name.IDNA_2008_UTS_46), kind, search=False
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise DnsLookupError(f"name service error for name={name} type={kind}: {error}") from None


def _is_secure(answer: dns.resolver.Answer) -> bool:
    return bool(answer.response.flags & dns.flags.AD)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


def _address(name: str) -> str | None:
    text = name[5:] if name[:5].lower() == "ipv6:" else name
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
