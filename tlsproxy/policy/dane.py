"""DANE for outgoing sessions: the TLSA records of a host, and the level without usable records (RFC 7672).

DNS is queried through a `Resolver`; `tlsproxy.policy.resolver` has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ..errors import TlsproxyError
from ..wire.dane import Dane, TlsaRecord
from .destination import DnsName

_DANE_TA, _DANE_EE = 2, 3
_PRIVATE_MTYPE = 255


class DnsLookupError(TlsproxyError):
    """A DNS query failed, so that the existence of records is unknown; the text has the reason."""


@dataclass(frozen=True, slots=True)
class TlsaAnswer:
    """TLSA records in an answer of DNS.

    `name`: the name that was looked up. `canonical`: the name that has the records, after CNAME records. `secure`: True
    if DNSSEC secures all of them. `data`: of each record usage, selector, matching type and data, in bytes (RFC 6698).
    """

    name: str
    canonical: str
    secure: bool
    data: tuple[bytes, ...]


class Resolver(Protocol):
    """DNS queries of a policy. Each method raises `DnsLookupError`."""

    def tlsa(self, name: str) -> TlsaAnswer | None:
        """Look up the TLSA records of a name, such as `_25._tcp.mail.example.com`; return None without records."""

    def alias_is_secure(self, name: str) -> bool:
        """Return True if DNSSEC secures the CNAME record of a name."""


def find(resolver: Resolver, host: DnsName, port: int, *, force: bool, warn: Callable[[str], None]) -> Dane | None:
    """Look up the TLSA records of a host; None if none apply, without records if none is usable (RFC 7672, 2.2.2).

    The name at the end of the host's CNAME records comes first; the name itself has its turn if that one has no
    records, or was not reached securely. `force` asks even where the host's addresses are not secure.
    """
    if not force and not host.secure and not (host.is_alias and _alias_is_secure(resolver, host.name, warn)):
        return None
    bases = [host.target] if host.secure else []
    if host.is_alias or not bases:
        bases.append(host.name)
    for base in bases:
        records = _records(resolver, f"_{port}._tcp.{base}", warn)
        if records is not None:
            return Dane(base, records)
    return None


def _alias_is_secure(resolver: Resolver, name: str, warn: Callable[[str], None]) -> bool:
    try:
        return resolver.alias_is_secure(name)
    except DnsLookupError as failure:
        warn(f"DNSSEC status lookup error for {name}: {failure}")
        raise


def _records(resolver: Resolver, name: str, warn: Callable[[str], None]) -> tuple[TlsaRecord, ...] | None:
    try:
        answer = resolver.tlsa(name)
    except DnsLookupError as failure:
        warn(f"DANE TLSA lookup problem: {failure}")
        raise
    if answer is None or not answer.secure:
        return None
    alias = answer.name.lower() != answer.canonical.lower()
    shown = f"{answer.name} -> {answer.canonical}" if alias else answer.canonical
    return tuple(reversed(list(_usable(answer.data, shown, warn))))


def _usable(data: Iterable[bytes], name: str, warn: Callable[[str], None]) -> Iterable[TlsaRecord]:
    """Yield the records that mean something for SMTP, which has no use for usages 0 and 1 (RFC 7672, section 3.1.3)."""
    for each in data:
        if len(each) < 3:
            warn(f"{name}: truncated TLSA RR length == {len(each)}")
            continue
        record = TlsaRecord(each[0], each[1], each[2], each[3:])
        if record.usage not in (_DANE_TA, _DANE_EE):
            problem = "unsupported TLSA certificate usage"
        elif record.mtype == _PRIVATE_MTYPE:
            problem = "reserved private-use matching type"
        else:
            yield record
            continue
        from ..tls.verification.dane import show

        warn(f"{name} {problem}: {show(record)}")
