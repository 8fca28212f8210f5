"""DNS lists that are gone, and lists of good senders.

A list that is gone answers nothing, after a timeout for each client, or lists the whole Internet.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def gone(domain: str) -> str:
    """Return the date of a DNS list's end; empty if it is not known to have ended."""
    labels = domain.lower().rstrip(".").split(".")
    return next((GONE[name] for start in range(len(labels)) if (name := ".".join(labels[start:])) in GONE), "")


def lists_good_senders(domain: str) -> bool:
    """Return True for a list of hosts whose mail is wanted. `domain` may have a filter, `=127.0.0.1`."""
    return any(f".{domain.lower()}".endswith(f".{each}") for each in OF_GOOD_SENDERS)
