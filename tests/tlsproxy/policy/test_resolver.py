"""Our resolver beside a name server with and without DNSSEC: hosts, mail exchangers, TLSA records, failures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from peers.fakes.nameserver import NameServer

from tlsproxy.policy import DnsLookupError
from tlsproxy.policy.resolver import DnsResolver

RECORDS = [
    "sec.test MX 20 b.sec.test",
    "sec.test MX 10 a.insecure",
    "a.insecure A 192.0.2.1",
    "b.sec.test A 192.0.2.2",
    "b.sec.test AAAA 2001:db8::2",
    "null.test MX 0 .",
    "broken.test FAIL MX",
    "alias.test CNAME b.sec.test",
]


@pytest.fixture(scope="module")
def resolver() -> Iterator[DnsResolver]:
    with NameServer(RECORDS) as server:
        yield DnsResolver([server.address], port=server.port)


def test_mail_exchangers_come_in_order_with_dnssec_status(resolver: DnsResolver) -> None:
    found = [(each.address, each.host.secure, each.mx and each.mx.secure) for each in resolver.destinations("sec.test")]
    assert found == [("192.0.2.1", False, True), ("192.0.2.2", True, True), ("2001:db8::2", True, True)]


def test_brackets_and_addresses_are_no_mail_domains(resolver: DnsResolver) -> None:
    assert [each.mx for each in resolver.destinations("[b.sec.test]:587")] == [None, None]
    assert [each.address for each in resolver.destinations("[192.0.2.9]")] == ["192.0.2.9"]
    [first, _] = resolver.destinations("alias.test")
    assert (first.host.name, first.host.target, first.host.is_alias) == ("alias.test", "b.sec.test", True)


@pytest.mark.parametrize("nexthop", ["null.test", "broken.test", "missing.test", "[missing.test]"])
def test_missing_dns_record_is_a_failure(resolver: DnsResolver, nexthop: str) -> None:
    with pytest.raises(DnsLookupError):
        resolver.destinations(nexthop)


def test_no_tlsa_record_is_not_a_failure(resolver: DnsResolver) -> None:
    assert resolver.tlsa("_25._tcp.b.sec.test") is None
