"""Rules that ask others: a daemon that runs, and DNS."""

from __future__ import annotations

from hashlib import sha256, sha512
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from peers.daemon.proxy import AS_ROOT, running, write_config
from peers.fakes.nameserver import NameServer
from peers.tools.certificates import Identity, name

from postconf.catalogue import release
from tlsproxy.check.command.cli import main
from tlsproxy.check.context import Options
from tlsproxy.check.engine import check
from tlsproxy.check.facts.filesystem import FileSystem
from tlsproxy.check.findings import Finding
from tlsproxy.check.rule import all_rules
from tlsproxy.check.text.sources import MainFile, MasterFile
from tlsproxy.policy.resolver import DnsResolver

OWNER = "_25._tcp.mail.example.com"


def test_daemon_with_an_old_certificate_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(tmp_path / "proxy", {})
    chain = tmp_path / "proxy" / "chain.pem"
    (tmp_path / "main.cf").write_text(
        f"compatibility_level = 3.7\nsmtpd_tls_security_level = may\nsmtpd_tls_chain_files = {chain}\n"
    )
    with running(tmp_path / "proxy", *AS_ROOT) as proxy:
        arguments = ["-c", str(tmp_path), "--select", "K014", "--fail-on", "warning", "--status", str(proxy.socket)]
        assert main(arguments) == 0
        assert main([*arguments[:-1], f"{proxy.socket}.control"]) == 0
        good, other = Identity(name("mail.private.test")), Identity(name("mail.private.test"))
        chain.write_bytes(good.key_pem + other.pem)  # which can't be loaded
        assert main(arguments) == 1
        assert "serves another certificate" in capsys.readouterr().out
    assert main(arguments) == 3
    assert "the daemon does not answer" in capsys.readouterr().err


def judge(directory: Path, chain: bytes, records: list[str]) -> list[Finding]:
    (directory / "chain.pem").write_bytes(chain)
    (directory / "other.pem").write_bytes(Identity(name("mail.example.com")).key_pem)
    main_cf = (
        "myhostname = mail.example.com\nsmtpd_tls_security_level = may\n"
        "smtpd_tls_chain_files = $config_directory/chain.pem\n"
    )
    master_cf = (
        "smtp inet n - y - - smtpd\nsubmissions inet n - y - - smtpd\n"
        "  -o smtpd_tls_chain_files=$config_directory/other.pem\n"
    )
    with NameServer(records) as server:
        result = check(
            MainFile("main.cf", main_cf),
            MasterFile("master.cf", master_cf),
            [rule for rule in all_rules() if rule.id == "D005"],
            release("3.7"),
            FileSystem(),
            options=Options(
                directory=str(directory), resolver=DnsResolver([server.address], port=server.port, timeout=5)
            ),
        )
    return result.findings


def records_of(identity: Identity) -> dict[str, str]:
    """TLSA records by the part that they are of."""
    der = identity.certificate.public_bytes(Encoding.DER)
    key = identity.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "certificate": f"0 1 {sha256(der).hexdigest()}",
        "key": f"1 1 {sha256(key).hexdigest()}",
        "long": f"1 2 {sha512(key).hexdigest()}",
    }


@pytest.mark.parametrize("kind", ["certificate", "key", "long"])
@pytest.mark.parametrize("usage", [2, 3])
def test_record_that_fits_is_enough(kind: str, usage: int, tmp_path: Path) -> None:
    root = Identity(name("Root"), authority=True)
    leaf = Identity(name("mail.example.com"), root, hosts=["mail.example.com"])
    chain = leaf.key_pem + leaf.pem + root.pem
    fitting = f"{OWNER} TLSA {usage} {records_of(leaf if usage == 3 else root)[kind]}"
    other = f"{OWNER} TLSA 3 1 1 {'00' * 32}"
    assert judge(tmp_path, chain, [other, fitting]) == []
    wrong = f"{OWNER} TLSA {usage} {records_of(root if usage == 3 else leaf)[kind]}"
    [finding] = judge(tmp_path, chain, [other, wrong])
    assert "none of the TLSA records of mail.example.com, port 25, fits" in finding.message


def test_without_records_there_is_nothing_to_compare(tmp_path: Path) -> None:
    leaf = Identity(name("mail.example.com"))
    assert judge(tmp_path, leaf.key_pem + leaf.pem, []) == []


def test_unusable_records_and_failing_dns_are_found(tmp_path: Path) -> None:
    leaf = Identity(name("mail.example.com"))
    chain = leaf.key_pem + leaf.pem
    [finding] = judge(tmp_path, chain, [f"{OWNER} TLSA 1 {records_of(leaf)['key']}"])
    assert "unsupported TLSA certificate usage" in finding.message
    [finding] = judge(tmp_path, chain, [f"{OWNER} FAIL TLSA"])
    assert "name service error" in finding.message
