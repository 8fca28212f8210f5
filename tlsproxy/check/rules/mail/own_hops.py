"""Next hops that are this host itself."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ...context import Context, words_of
from ...facts.mail.nexthops import Nexthop, named_nexthops
from ...findings import Finding
from ...rule import Rule

_SMTP = ("25", "smtp")
_RECEIVERS = ("smtpd", "postscreen")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class OwnHop(Rule):
    """Next hop that is this host itself: smtp(8) returns the mail.

    smtp(8) recognizes its own name in the greeting of the server. The rule is about port 25, on which a service of this
    master.cf listens.
    """

    id = "F009"
    name = "own-hop"
    effect = 'Mail is returned: "mail for mail.example.com loops back to myself".'
    bad = (
        "myhostname = mail.example.com\nrelayhost = [mail.example.com]\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "smtp unix - - y - - smtp\n"
    )
    good = (
        "myhostname = mail.example.com\nrelayhost = [relay.example.com]\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "smtp unix - - y - - smtp\n"
    )
    lookalike = (
        "myhostname = mail.example.com\nrelayhost = [127.0.0.1]:2525\ninet_interfaces = 192.0.2.7\n"
        "transport_maps = inline:{example.net=smtp:[127.0.0.1]}\n--- master.cf\nsmtp inet n - y - - smtpd\n"
        "smtp unix - - y - - smtp\n"
    )

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        hosts = _own_hosts(context)
        for hop in named_nexthops(context) if hosts else ():
            if hop.host in hosts and _port(hop) in ("", *_SMTP):
                if hop.host not in _LOOPBACK and not hop.text.startswith("["):
                    continue  # its mail exchanger can be another host
                yield self.finding(
                    hop.span,
                    f"{hop.text} is this host: the mail loops back to it, and is returned",
                    "name another host, or the port of the program that is meant",
                )


def _own_hosts(context: Context) -> frozenset[str]:
    """Return the names and addresses at which this host receives mail on port 25; none if it does not."""
    found: set[str] = set()
    name = context.value("myhostname").lower()
    for entry in context.entries:
        service = entry.service
        if service is None or service.type != "inet" or service.command not in _RECEIVERS:
            continue
        host, _, port = service.name.rpartition(":")
        if port not in _SMTP:
            continue
        listens = [host.strip("[]").lower()] if host else list(words_of(context.value("inet_interfaces").lower()))
        for each in listens:
            address = each.strip("[]")
            if address == "all":
                found |= {name, *_LOOPBACK}
            elif address in ("loopback-only", *_LOOPBACK):
                found |= set(_LOOPBACK)
            elif _is_address(address):
                found.add(address)
    return frozenset(found - {""})


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _port(hop: Nexthop) -> str:
    rest = hop.text.rpartition("]")[2] if hop.text.startswith("[") else hop.text[len(hop.host) :]
    return rest.lstrip(":")
