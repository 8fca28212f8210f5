"""The policy of a session, from a request of smtp(8): its effective level, names, records, and the name that is sent.

Goes through a START in Postfix's order (tls_client_start(3)), and logs the values that can't be used. Such a value
makes the policy one that no server satisfies; only `dane` and `half-dane` fall back to `encrypt` (RFC 7672, section
2.2).
"""

from __future__ import annotations

from typing import NamedTuple

from postconf.values import SecurityLevel

from ...log import Log
from ...wire.dane import TlsaRecord
from ...wire.messages import ClientStart
from ..roles import SessionRefusedError
from ..settings.client import DANE_LEVELS, level_of
from ..verification.dane import Digests, show, strongest, usable_records
from ..verification.names import reference_names, to_ascii
from ..verification.policy import VerificationPolicy

_MAX_SNI = 255

_UNUSABLE = {
    SecurityLevel.FINGERPRINT: "fingerprints",
    SecurityLevel.HALF_DANE: "TLSA records",
    SecurityLevel.DANE: "TLSA records",
    SecurityLevel.DANE_ONLY: "TLSA records",
    SecurityLevel.VERIFY: "trust anchors",
    SecurityLevel.SECURE: "trust anchors",
}


class SessionPolicy(NamedTuple):
    """The demands of one session."""

    verification: VerificationPolicy
    """Of the server's certificate."""
    servername: str
    """The server name that is sent (RFC 6066); empty for none."""


def session_policy(
    start: ClientStart, digests: Digests, log: Log, *, verifydepth: int, mismatch_yields: bool
) -> SessionPolicy:
    """Return the policy that a START demands; raise `SessionRefusedError`."""
    level, namaddr = level_of(start), start.namaddr.lower()
    dane = start.dane
    # Without its records a session at these levels can't have the security that it is meant to have.
    must_fail = bool(start.forced_failure_type) or (level in DANE_LEVELS and dane is None)
    references = None
    if level in DANE_LEVELS or level >= SecurityLevel.VERIFY:
        references = reference_names(start.match, nexthop=start.nexthop, host=start.host, namaddr=namaddr, log=log)
        if not references:
            log.warning(f"{namaddr}: could not configure peer name checks")
    servername = _server_name(start, level)
    usable: tuple[TlsaRecord, ...] = ()
    if dane and dane.records and level <= SecurityLevel.ENCRYPT:
        log.warning(f"{namaddr}: error loading trust settings: {show(dane.records[-1])}")
        must_fail = True  # smtp(8) sends none at these levels; OpenSSL takes them only where DANE is turned on
    elif dane and dane.records:
        usable = usable_records(dane.records, digests, namaddr, log)
        if not usable and level in (SecurityLevel.HALF_DANE, SecurityLevel.DANE):
            log.warning(f"{namaddr}: all TLSA records unusable, fallback to unauthenticated TLS")
            level = SecurityLevel.ENCRYPT
        elif not usable:
            log.warning(f"{namaddr}: all {_UNUSABLE[level]} unusable")
            must_fail = True
    elif level > SecurityLevel.ENCRYPT and (dane or level == SecurityLevel.FINGERPRINT):
        log.warning(f"{namaddr}: no {_UNUSABLE[level]}: no certificate can match; check the policy of {start.nexthop}")
        must_fail = True
    policy = VerificationPolicy(
        level, references, strongest(usable, digests), must_fail, digests, mismatch_yields, verifydepth
    )
    return SessionPolicy(policy, servername)


def _server_name(start: ClientStart, level: SecurityLevel) -> str:
    if level in DANE_LEVELS:
        name = start.dane.domain if start.dane else ""
    else:
        name = to_ascii({"hostname": start.host, "nexthop": start.nexthop}.get(start.servername, start.servername))
    if len(name.encode("utf-8", "surrogateescape")) > _MAX_SNI:
        raise SessionRefusedError(f"{start.namaddr}: ignoring too long SNI hostname: {name[:100]}")
    return name
