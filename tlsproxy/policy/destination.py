"""Destination of a session: the configured next hop, its host, and the DNSSEC status of the host.

No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from postconf.values import SPACE

_SERVICES = {"smtp": 25, "smtps": 465, "submission": 587, "submissions": 465, "lmtp": 24}
SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class DnsName:
    """A name that was looked up.

    `canonical`: the name at the end of its CNAME records, or empty. `secure`: True if DNSSEC secures all records.
    """

    name: str
    canonical: str = ""
    secure: bool = False

    @property
    def target(self) -> str:
        """The name at the end of the CNAME records."""
        return self.canonical or self.name

    @property
    def is_alias(self) -> bool:
        """True if there was a CNAME record."""
        return self.target.lower() != self.name.lower()


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination for which a policy is looked up."""

    nexthop: str
    """As in transport(5): `example.com`, `[mail.example.com]:587`, or the path of a UNIX socket."""
    domain: str
    """The next hop without brackets and port, as for `match=nexthop`."""
    host: DnsName
    """The server: the next hop's mail exchanger, or itself."""
    port: int = SMTP_PORT
    """0 for a UNIX socket."""
    mx: DnsName | None = None
    """The name whose mail exchangers were looked up, or None."""
    address: str = ""
    """The IP address of the server, if it was looked up."""

    @classmethod
    def parse(cls, nexthop: str, *, default_port: int = SMTP_PORT) -> Destination:
        """Parse a next hop as in transport(5): `host` or `[host]`, with or without `:port`; raise ValueError.

        `port`: a number or one of smtp, smtps, submission, submissions, lmtp; without it, `default_port`. The host is
        not looked up.
        """
        text = nexthop.strip(SPACE)
        if text.startswith("["):
            domain, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise ValueError(f"garbage after brackets in {nexthop!r}" if bracket else f"missing ']' in {nexthop!r}")
            port = rest[1:]
        else:
            domain, colon, port = text.partition(":")
            rest = colon
        if not domain or (rest and not port):
            raise ValueError(f"missing {'port' if domain else 'host name'} in {nexthop!r}")
        return cls(nexthop, domain, DnsName(domain), _port(port, nexthop) if port else default_port)


def _port(text: str, nexthop: str) -> int:
    if text in _SERVICES:
        return _SERVICES[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 0xFFFF):
        raise ValueError(f"bad port {text!r} in {nexthop!r}")
    return int(text)
