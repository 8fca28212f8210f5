"""Certificates compared with the running daemon and with DNS. These rules need `--status` or `--dns`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ...context import Context
from ...facts.tls.certificates import chains
from ...facts.tls.key_files import UsedFile
from ...findings import Finding, Severity
from ...rule import Rule

if TYPE_CHECKING:
    from cryptography import x509

    from ....wire.dane import TlsaRecord


class RenewedNotLoaded(Rule):
    """Renewed certificate that the running daemon does not serve yet.

    The rule queries the running tlsproxy(8) (`--status SOCKET`). Postfix's own program has no such interface.
    """

    id = "K014"
    name = "renewed-not-loaded"
    severity = Severity.WARNING
    needs_files = True

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        for used, chain in chains(context):
            served = context.options.served.get(used.path, frozenset())
            if used.is_server and not served <= {each.fingerprint(SHA256()).hex() for each in chain}:
                yield self.finding(
                    used.assignment.word(used.path),
                    f"the daemon serves another certificate than the one that {used.path} has now",
                    "its log says why; after it is mended, reload it",
                )


class TlsaMismatch(Rule):
    """TLSA records that do not match the certificate: senders that use DANE will not deliver.

    The rule asks DNS (`--dns`) for the records of $myhostname at port 25, and trusts the AD bit of the name server.
    Publish the record of a new key (`--select D003` prints it) before the key is used; remove the old one afterwards.
    """

    id = "D005"
    name = "tlsa-mismatch"
    needs_files = True

    def check(self, context: Context) -> Iterator[Finding]:
        """Yield the findings."""
        from ....policy import DnsLookupError, DnsName
        from ....policy.dane import find

        used = [(each, chain) for each, chain in chains(context) if each.is_server and self._is_for_mx(each)]
        if context.options.resolver is None or not used:
            return
        host = DnsName(context.value("myhostname"), secure=True)
        span = used[0][0].assignment.word(used[0][0].path)
        problems: list[str] = []
        try:
            dane = find(context.options.resolver, host, 25, force=True, warn=problems.append)
        except DnsLookupError as failure:
            yield self.finding(span, str(failure), "ask a name server that answers", severity=Severity.WARNING)
            return
        for problem in problems:
            yield self.finding(span, problem, "remove the record", severity=Severity.WARNING)
        if dane is None or not dane.records:
            return
        for each, chain in used:
            if not _fits(context, dane.records, chain):
                yield self.finding(
                    each.assignment.word(each.path),
                    f"none of the TLSA records of {dane.domain}, port 25, fits {each.path}",
                    "publish the records that --select D003 prints",
                )

    @staticmethod
    def _is_for_mx(used: UsedFile) -> bool:
        """Return True if the file is for port 25, and not for a single service."""
        service = used.assignment.service
        return service is None or service.type != "inet" or service.name.rpartition(":")[2] in ("25", "smtp")


def _fits(context: Context, records: Sequence[TlsaRecord], chain: Sequence[x509.Certificate]) -> bool:
    from postconf.models.dane_digests import DaneDigests

    from ....tls.openssl.peers import PeerCertificate
    from ....tls.verification.dane import DANE_EE, DANE_TA, first_match, read_digests, usable
    from ...facts.tls.daemon_loader import LoaderVerdict

    configured = DaneDigests.of(context.value("tls_dane_digests"))
    digests = read_digests(configured, lambda data: sha256(data).digest(), LoaderVerdict(context.config, context.files))
    usages = (DANE_EE, *(DANE_TA for _ in chain[1:]))
    usable_ones = [record for record in records if usable(record, digests)]
    loaded = [PeerCertificate.from_der(each.public_bytes(Encoding.DER)) for each in chain]
    return any(
        certificate is not None and first_match(usable_ones, certificate, digests, usage)
        for certificate, usage in zip(loaded, usages, strict=True)
    )
