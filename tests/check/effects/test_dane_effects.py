"""Effects in real Postfix of TLSA records that match no certificate, and of settings that override them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from check.effects.test_server_effects import rules_of, talk
from check.rules.test_outside import judge
from peers.fakes.nameserver import NameServer
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, own_address, public_directory
from peers.tools.certificates import Identity, name

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]

AUTHORITIES = "-o smtp_tls_CAfile={root}/ca.pem -o smtp_tls_secure_cert_match=hostname"
TRANSPORTS = {
    "dane": "-o smtp_tls_security_level=dane",
    "only": f"-o smtp_tls_security_level=dane-only {AUTHORITIES}",
    "secure": f"-o smtp_tls_security_level=secure {AUTHORITIES}",
    "policy": f"-o smtp_tls_security_level=dane {AUTHORITIES} -o {{ smtp_tls_policy_maps = static:secure }}",
}


@pytest.fixture(scope="module")
def postfix() -> Iterator[PrivatePostfix]:
    """An instance that sends to a server whose TLSA record is that of another key."""
    authority = Identity(name("Authority"), authority=True)
    leaf = Identity(name("mx.d.test"), authority, hosts=["mx.d.test"])
    with public_directory() as root:
        (root / "ca.pem").write_bytes(authority.pem)
        (root / "leaf.pem").write_bytes(leaf.key_pem + leaf.pem)
        [port] = free_ports(1)
        address = own_address()
        records = [f"mx.d.test. A {address}", f"_{port}._tcp.mx.d.test. TLSA 3 1 1 {sha256(b'other').hexdigest()}"]
        offer = f"-o smtpd_tls_security_level=may -o smtpd_tls_chain_files={root}/leaf.pem -o content_filter=discard:"
        entries = f"{address}:{port} inet n - n - - smtpd {offer}\n"
        for transport, options in TRANSPORTS.items():
            entries += f"{transport} unix - - n - - smtp {options.replace('{root}', str(root))}\n"
        routes = ", ".join(f"{{{each}.t = {each}:[mx.d.test]:{port}}}" for each in TRANSPORTS)
        settings = {
            "transport_maps": f"inline:{{ {routes} }}",
            "smtp_dns_support_level": "dnssec",
            "smtp_host_lookup": "dns",
            "inet_interfaces": "all",
        }
        escaped = entries.replace("{", "{{").replace("}", "}}")
        instance = PrivatePostfix(root / "postfix", settings, MASTER_CF + escaped)
        with NameServer(records, address, 53) as server:
            instance.start(server.seen_through(root / "resolv.conf"))
            try:
                yield instance
            finally:
                instance.stop()


@pytest.mark.parametrize(
    "transport, logged",
    [
        ("dane", "status=deferred .Server certificate not verified"),
        ("only", "status=deferred .Server certificate not verified"),
        ("secure", "status=sent"),
        ("policy", "status=sent"),
    ],
)
def test_records_of_another_key_decide_at_dane_levels(transport: str, logged: str, postfix: PrivatePostfix) -> None:
    talk(postfix.ports["submission"], f"a@{transport}.t")
    postfix.wait_for_line(f"to=<a@{transport}.t>.*{logged}")


def test_records_that_fail_and_their_rivals_are_reported(tmp_path: Path) -> None:
    leaf = Identity(name("mail.example.com"))
    record = f"_25._tcp.mail.example.com. TLSA 3 1 1 {sha256(b'other').hexdigest()}"
    assert [each.rule for each in judge(tmp_path, leaf.key_pem + leaf.pem, [record])] == ["D005"]
    dane = "smtp_dns_support_level = dnssec\nsmtp_tls_security_level = "
    assert "D004" in rules_of(f"{dane}dane-only\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n")
    assert "D002" in rules_of(f"{dane}dane\nsmtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix\n")
