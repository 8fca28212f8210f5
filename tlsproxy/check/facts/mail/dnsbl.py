"""DNS lists that are gone, lists of good senders, and the kind of names that a list has: addresses or domains.

A list that is gone answers nothing, after a timeout for each client, or lists the whole Internet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

GONE: Mapping[str, str] = MappingProxyType(
    {
        "abuseat.org": "in 2021; its data are in zen.spamhaus.org",
        "ahbl.org": "in 2015, and lists every address since",
        "blackholes.easynet.nl": "in 2003",
        "blitzed.org": "in 2006",
        "bondedsender.org": "in 2006",
        "dsbl.org": "in 2008",
        "dynablock.easynet.nl": "in 2003",
        "ix.dnsbl.manitu.net": "in 2025",
        "njabl.org": "in 2013",
        "ordb.org": "in 2006, and lists every address since 2008",
        "osirusoft.com": "in 2003",
        "rfc-ignorant.org": "in 2012",
        "sorbs.net": "in 2024",
        "spamcannibal.org": "in 2018",
        "wirehub.net": "in 2003",
    }
)
"""Domain of a list → when it ended, as its operator announced on that domain's web site."""

OF_GOOD_SENDERS = ("bondedsender.org", "dnswl.org", "swl.spamhaus.org", "hostkarma.junkemailfilter.com=127.0.0.1")
"""Lists of hosts whose mail is wanted: to reject the clients that they list is a mistake."""

OF_DOMAINS = (
    *("dbl.spamhaus.org", "dbl.dq.spamhaus.net", "zrd.dq.spamhaus.net", "multi.surbl.org", "multi.uribl.com"),
    *("black.uribl.com", "grey.uribl.com", "uribl.spameatingmonkey.net", "fresh.spameatingmonkey.net"),
)
"""Lists of domain names, by their operators' pages on the use of the list."""
OF_ADDRESSES = (
    *("zen.spamhaus.org", "sbl.spamhaus.org", "xbl.spamhaus.org", "pbl.spamhaus.org", "sbl-xbl.spamhaus.org"),
    *("zen.dq.spamhaus.net", "bl.spamcop.net", "b.barracudacentral.org", "psbl.surriel.com", "bl.mailspike.net"),
    *("z.mailspike.net", "dnsbl-1.uceprotect.net", "dnsbl-2.uceprotect.net", "dnsbl-3.uceprotect.net"),
    *("all.spamrats.com", "dyna.spamrats.com", "noptr.spamrats.com", "dnsbl.dronebl.org", "bl.blocklist.de"),
    *("bl.spameatingmonkey.net", "truncate.gbudb.net", "db.wpbl.info"),
)
"""Lists of client addresses, by their operators' pages."""
REFUSES_ADDRESSES = "dbl.spamhaus.org"
"""It answers 127.0.1.255 to each question about an address (its FAQ): without a filter, every client is listed."""


def gone(domain: str) -> str:
    """Return the date of a DNS list's end; empty if it is not known to have ended."""
    labels = domain.lower().rstrip(".").split(".")
    return next((GONE[name] for start in range(len(labels)) if (name := ".".join(labels[start:])) in GONE), "")


def lists_good_senders(domain: str) -> bool:
    """Return True for a list of hosts whose mail is wanted. `domain` may have a filter, `=127.0.0.1`."""
    return any(f".{domain.lower()}".endswith(f".{each}") for each in OF_GOOD_SENDERS)


def is_among(domain: str, lists: Iterable[str]) -> bool:
    """Return True if a domain is one of the lists, perhaps behind the key of a customer."""
    return any(f".{domain.lower().rstrip('.')}".endswith(f".{each}") for each in lists)
