"""Effects of mistakes that clients with TLS and other peers see: one instance has a service for each."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from check.effects.test_server_effects import EHLO, END, rules_of, talk
from peers.real.postfix import MASTER_CF, PrivatePostfix, free_ports, public_directory
from peers.tools.certificates import Identity, name
from peers.tools.children import PATIENCE

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("check-effects")]

MAY = "-o smtpd_tls_security_level=may"
GOOD = "-o smtpd_tls_chain_files={root}/chain.pem"
OLD = (
    "-o smtpd_tls_security_level=encrypt -o smtpd_tls_mandatory_ciphers=medium "
    "-o { tls_medium_cipherlist = ALL:@SECLEVEL=0 }"
)
SERVICES = {
    "weak": f"{MAY} -o smtpd_tls_chain_files={{root}}/weak.pem",
    "off": GOOD,
    "half": f"{MAY} -o smtpd_tls_cert_file={{root}}/cert.pem -o smtp_tls_key_file={{root}}/key.pem",
    "legacy": f"{GOOD} {OLD} -o smtpd_tls_mandatory_protocols=!SSLv2",
    "modern": f"{GOOD} {OLD} -o smtpd_tls_mandatory_protocols=>=TLSv1.2",
    "narrow": f"{GOOD} {MAY} -o smtpd_tls_ciphers=high -o tls_high_cipherlist=ECDHE-ECDSA-AES256-GCM-SHA384",
    "obsolete": f"{GOOD} {MAY} -o smtpd_tls_dh512_param_file=/nonexistent -o smtpd_tls_eecdh_grade=ultra",
    "option": f"{GOOD} {MAY} -o tls_ssl_options=NO_COMPRESION",
    "config": f"{GOOD} {MAY} -o tls_config_file=openssl.cnf",
    "host": "-o content_filter=[127.0.0.1]:10024",
    "leaf": f"{MAY} -o smtpd_tls_chain_files={{root}}/leaf.pem -o content_filter=discard:",
    "name": "",
    "pattern": "",
}
VERIFYING = (
    "smtp -o smtp_tls_security_level=verify -o smtp_tls_verify_cert_match=leaf.test -o smtp_tls_CApath={root}/ca"
)
FINGERPRINT = "smtp -o smtp_tls_security_level=fingerprint -o smtp_tls_fingerprint_cert_match=sha256:0A:1B:2C"


class Offering:
    """The instance, and handshakes with its services."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        nexthop = f"[127.0.0.1]:{self.ports['leaf']}"
        routes = (f"{{{each}.t = {each}:{nexthop}}}" for each in ("chrooted", "free", "fingerprint"))
        settings = {
            "transport_maps": f"inline:{{ {', '.join(routes)} }}",
            "master_service_disable": f"127.0.0.1:{self.ports['name']}, 127.0.0.1:{self.ports['pattern']}/inet",
        }
        entries = "".join(
            f"127.0.0.1:{self.ports[service]} inet n - n - - smtpd -o syslog_name={service} {options}\n"
            for service, options in SERVICES.items()
        )
        entries += f"chrooted unix - - y - - {VERIFYING}\nfree unix - - n - - {VERIFYING}\n"
        entries += f"fingerprint unix - - n - - {FINGERPRINT}\n"
        entries = entries.replace("{root}", str(root)).replace("{", "{{").replace("}", "}}")
        self.instance = PrivatePostfix(root / "postfix", settings, MASTER_CF + entries)

    def accepts(self, service: str, *options: str) -> bool:
        """Return True if a handshake of openssl(1) with a service succeeds."""
        address = f"127.0.0.1:{self.ports[service]}"
        command = ["openssl", "s_client", "-starttls", "smtp", "-connect", address, "-brief", *options]
        done = subprocess.run(command, input="QUIT\r\n", capture_output=True, text=True, timeout=PATIENCE, check=False)
        return "CONNECTION ESTABLISHED" in done.stdout + done.stderr


@pytest.fixture(scope="module")
def offering() -> Iterator[Offering]:
    identity, weak = Identity(name("sink.test")), Identity(name("weak.test"), kind="rsa1024")
    authority = Identity(name("Authority"), authority=True)
    leaf = Identity(name("leaf.test"), authority, hosts=["leaf.test"])
    with public_directory() as root:
        (root / "cert.pem").write_bytes(identity.pem)
        (root / "key.pem").write_bytes(identity.key_pem)
        for file, each in (("chain", identity), ("weak", weak), ("leaf", leaf)):
            (root / f"{file}.pem").write_bytes(each.key_pem + each.pem)
        (root / "ca").mkdir()
        (root / "ca/ca.pem").write_bytes(authority.pem)
        subprocess.run(["openssl", "rehash", root / "ca"], check=True, timeout=PATIENCE)
        offered = Offering(root)
        with offered.instance:
            yield offered


def test_weak_key_is_refused_by_clients_that_verify(offering: Offering) -> None:
    trusted = ["-CAfile", str(offering.root / "weak.pem"), "-verify_return_error"]
    assert not offering.accepts("weak", *trusted)
    assert offering.accepts("weak", *trusted, "-cipher", "ALL:@SECLEVEL=0")
    main_cf = f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {offering.root}/weak.pem\n"
    assert "K011" in rules_of(main_cf, offering.root)


def test_key_that_all_users_can_read_is_used_silently(offering: Offering) -> None:
    key = offering.root / "chain.pem"
    assert offering.accepts("obsolete")
    assert "chain.pem" not in offering.instance.log()
    stolen = subprocess.run(["cat", key], user="nobody", capture_output=True, timeout=PATIENCE, check=True).stdout
    assert stolen == key.read_bytes()
    assert "K008" in rules_of(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {key}\n", offering.root)


def test_certificate_without_a_level_offers_no_tls(offering: Offering) -> None:
    assert "STARTTLS" not in talk(offering.ports["off"])[EHLO]
    assert "L005" in rules_of("smtpd_tls_cert_file = /etc/ssl/mail.pem\n")


def test_key_for_the_client_leaves_the_server_without(offering: Offering) -> None:
    assert not offering.accepts("half")
    offering.instance.wait_for_log("No private key found in")
    assert "N003" in rules_of("smtpd_tls_cert_file = /etc/ssl/mail.pem\nsmtp_tls_key_file = /etc/ssl/mail.key\n")


def test_old_protocols_are_accepted_where_tls_is_mandatory(offering: Offering) -> None:
    old = ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]
    assert [offering.accepts(each, *old) for each in ("legacy", "modern")] == [True, False]
    level = "smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_protocols = "
    assert ["P003" in rules_of(f"{level}{each}\n") for each in ("!SSLv2", ">=TLSv1.2")] == [True, False]


def test_own_cipher_list_keeps_other_clients_out(offering: Offering) -> None:
    common = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert [offering.accepts(each, *common) for each in ("narrow", "obsolete")] == [False, True]
    assert "P008" in rules_of("tls_high_cipherlist = ECDHE-ECDSA-AES256-GCM-SHA384\n")


def test_obsolete_key_exchange_settings_have_no_effect(offering: Offering) -> None:
    assert all(offering.accepts("obsolete", "-groups", group) for group in ("P-256", "X25519"))
    assert "/nonexistent" not in offering.instance.log()
    assert "P010" in rules_of("smtpd_tls_dh512_param_file = /nonexistent\n")
    assert "P010" in rules_of("smtpd_tls_eecdh_grade = ultra\n")


def test_unknown_openssl_option_is_warned_of(offering: Offering) -> None:
    assert offering.accepts("option")
    offering.instance.wait_for_log('unknown tls_ssl_options value "NO_COMPRESION"')
    assert "P013" in rules_of("tls_ssl_options = NO_COMPRESION\n")


def test_relative_openssl_configuration_turns_tls_off(offering: Offering) -> None:
    assert not offering.accepts("config")
    offering.instance.wait_for_log("is not an absolute pathname, disabling TLS support")
    assert "C005" in rules_of("tls_config_file = openssl.cnf\n")


def test_host_in_place_of_a_transport_defers_mail(offering: Offering) -> None:
    assert talk(offering.ports["host"], "a@b.test")[END].startswith("250")
    offering.instance.wait_for_log("connect to transport private/[127.0.0.1]: No such file")
    offering.instance.wait_for_log("mail transport unavailable")
    assert "V018" in rules_of("content_filter = [127.0.0.1]:10024\n")


@pytest.mark.parametrize(
    "domain, logged",
    [
        ("chrooted.t", "status=deferred .Server certificate not"),
        ("free.t", "status=sent"),
        ("fingerprint.t", "status=deferred .client TLS configuration problem"),
    ],
)
def test_server_is_verified_only_if_the_client_can(domain: str, logged: str, offering: Offering) -> None:
    talk(offering.instance.ports["submission"], f"a@{domain}")
    offering.instance.wait_for_line(f"to=<a@{domain}>.*{logged}")


def test_authorities_outside_of_the_chroot_are_reported(offering: Offering) -> None:
    main_cf = f"smtp_tls_CApath = {offering.root}/ca\nqueue_directory = {offering.instance.queue}\n"
    found = [
        "L003" in rules_of(f"{main_cf}--- master.cf\nsmtp unix - - {chroot} - - smtp\n", offering.root)
        for chroot in ("y", "n")
    ]
    assert found == [True, False]
    assert "V029" in rules_of("smtp_tls_fingerprint_cert_match = sha256:0A:1B:2C\n")


def test_service_name_without_its_type_disables_nothing(offering: Offering) -> None:
    with socket.create_connection(("127.0.0.1", offering.ports["name"]), timeout=PATIENCE):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", offering.ports["pattern"]), timeout=PATIENCE)
    found = ["V026" in rules_of(f"master_service_disable = {each}\n") for each in ("smtp", "smtp/inet")]
    assert found == [True, False]
