"""Server names: the references of a policy's match patterns, and the names in a certificate that satisfy them.

The rules are those of Postfix's add_namechecks() and of OpenSSL's X509_check_host(3), which it relies on: RFC 6125 with
whole-label wildcards only. No I/O, no OpenSSL.
"""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Iterable, Sequence

import idna

from ...log import Log

_LABEL = frozenset(string.ascii_letters + string.digits + "-")
_UNICODE_DOTS = ("\u3002", "\uff0e", "\uff61")
"""Characters that IDNA treats as a dot; before a pattern, they mean "any sub-domain of", as a dot does."""


def reference_names(patterns: Iterable[str], *, nexthop: str, host: str, namaddr: str, log: Log) -> tuple[str, ...]:
    """Turn match patterns into names to look for, in order; one that begins with a dot stands for its sub-domains.

    `patterns` may hold the keywords `nexthop`, `dot-nexthop` and `hostname` (postconf(5) smtp_tls_secure_cert_match).
    """
    found: list[str] = []
    for pattern in patterns:
        match pattern.lower():
            case "nexthop":
                name, subdomains = nexthop, False
            case "dot-nexthop":
                name, subdomains = nexthop, True
            case "hostname":
                name, subdomains = host, False
            case ".":
                log.warning(f'{namaddr}: ignoring invalid match name: "."')
                continue
            case _:
                subdomains = pattern.startswith(".") or (pattern.startswith(_UNICODE_DOTS) and len(pattern) > 1)
                name = pattern[1:] if subdomains else pattern
        name = to_ascii(name)
        if not name:
            continue
        reference = f".{name}" if subdomains else name
        if _address(reference) is not None and any(_address(each) is not None for each in found):
            log.warning(f'{namaddr}: error loading match name: "{reference}"')
            continue
        found.append(reference)
    return tuple(found)


def to_ascii(name: str) -> str:
    """Return a domain name with its non-ASCII labels in A-label form (UTS 46); as it is where that is not possible."""
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return name


def split_references(references: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """Split references into host names and an address. A certificate must have one of the names, and the address."""
    hosts, address = [], ""
    for each in references:
        if (found := _address(each)) is None:
            hosts.append(each)
        else:
            address = address or found
    return tuple(hosts), address


def matched_name(references: Sequence[str], *, dns_names: Sequence[str], common_names: Sequence[str]) -> str | None:
    """Return the name in a certificate that satisfies one of `references`, or None.

    Subject common names count only where there is no DNS name.
    """
    candidates = dns_names or common_names
    for reference in references:
        for candidate in candidates:
            if name_matches(reference, candidate):
                return candidate
    return None


def name_matches(reference: str, candidate: str) -> bool:
    """Return True if a name in a certificate satisfies a reference; ASCII case is ignored."""
    reference, candidate = _lower(reference), _lower(candidate)
    if "\0" in candidate or not reference or not candidate:
        return False
    if reference.startswith("."):
        return len(reference) > 1 and candidate.endswith(reference)
    if _is_wildcard(candidate):
        label, dot, rest = reference.partition(".")
        return dot + rest == candidate[1:] and (label == "*" or _is_label(label))
    return reference == candidate


def _is_wildcard(name: str) -> bool:
    """Return True for `*.` and at least two proper labels; any other name with a star stands for itself only."""
    labels = name.split(".")
    return len(labels) >= 3 and labels[0] == "*" and all(_is_label(each) for each in labels[1:])


def _is_label(label: str) -> bool:
    return bool(label) and _LABEL.issuperset(label) and not label.startswith("-") and not label.endswith("-")


def _lower(name: str) -> str:
    """Fold ASCII letters only: `str.lower` would make other letters equal that are not."""
    return name.translate(_ASCII_LOWER)


_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None
