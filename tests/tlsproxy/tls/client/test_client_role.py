"""The client role as its clients see it: settings, dialects, names, certificates, and refusals."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.cases.client_cases import Chains, fingerprints, record
from peers.daemon.proxy import Proxy, running, write_config
from peers.daemon.roles import Lines
from peers.fakes.smtp_client import INIT, Asked, SmtpClient, client_start, server_context
from peers.tools.certificates import Certificates

import postconf
from postconf.models import load
from tlsproxy.tls.client.role import ClientRole
from tlsproxy.tls.roles import RoleUnavailableError
from tlsproxy.tls.settings.client import client_init
from tlsproxy.wire.messages import ClientSettings, Flag, Generation, Request

SETTINGS = {"smtp_tls_security_level": "may", "smtpd_tls_security_level": "none"}
HINT = "to avoid this warning, 1) identify the tlsproxy client that is making this request"


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("chains"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, SmtpClient]]:
    directory = tmp_path_factory.mktemp("daemon")
    write_config(directory, SETTINGS, certificate=False)
    with running(directory, "--workers", "1") as proxy:
        yield proxy, SmtpClient(proxy.socket, directory)


def make_role(directory: Path, settings: dict[str, str], log: Lines, version: str = "3.7.11") -> ClientRole:
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (directory / "main.cf").write_text("".join(lines))
    (directory / "master.cf").write_text("")
    return ClientRole.load(load(postconf.load(str(directory), version=version)), log)


@pytest.mark.parametrize(
    ("settings", "available"),
    [
        ({}, False),
        ({"smtp_tls_security_level": "none"}, False),
        ({"smtp_tls_security_level": "may"}, True),
        ({"smtp_tls_security_level": "dane-only"}, True),
        ({"smtp_use_tls": "yes"}, True),
        ({"smtp_enforce_tls": "yes"}, True),
        ({"smtp_tls_policy_maps": "inline:{a=may}"}, True),
        ({"smtp_tls_per_site": "inline:{a=MAY}"}, True),
        ({"tlsproxy_client_level": "may"}, True),
        ({"tlsproxy_client_policy": "inline:{a=may}"}, True),
    ],
)
def test_role_exists_where_the_configuration_needs_it(
    tmp_path: Path, settings: dict[str, str], available: bool
) -> None:
    log = Lines()
    old = any(name in ("tlsproxy_client_level", "tlsproxy_client_policy") for name in settings)
    version = "3.6.20" if old else "3.7.11"
    if available:
        make_role(tmp_path, settings, log, version)
    else:
        with pytest.raises(RoleUnavailableError):
            make_role(tmp_path, settings, log, version)
    assert log.lines == []


OTHERS = {
    "tlsproxy_client_scert_verifydepth": ("verifydepth", "7"),
    "tlsproxy_client_loglevel": ("log_level", "2"),
    "tlsproxy_client_loglevel_parameter": ("log_param", "lmtp_tls_loglevel"),
    "tlsproxy_client_fingerprint_digest": ("mdalg", "sha512"),
    **{f"tlsproxy_client_{each}": (each, "/x") for each in ("chain_files", "cert_file", "dcert_file", "eccert_file")},
    **{f"tlsproxy_client_{each}": (each, "/x") for each in ("key_file", "dkey_file", "eckey_file", "CAfile", "CApath")},
}


@pytest.mark.parametrize("setting", OTHERS)
def test_each_of_our_settings_is_compared_with_requests(tmp_path: Path, setting: str) -> None:
    """A request for other files is logged with its differences from each of our settings."""
    attribute, value = OTHERS[setting]
    log = Lines()
    role = make_role(tmp_path, SETTINGS | {setting: value}, log)
    settings = load(postconf.load(str(tmp_path), version="3.7.11"))
    log.lines.clear()
    theirs = client_init(settings.view)._replace(
        **{attribute: int(INIT[attribute]) if attribute == "verifydepth" else "/y"}  # type: ignore[arg-type]
    )
    theirs = theirs._replace(CAfile=theirs.CAfile or "/y")
    start = client_start()
    with contextlib.suppress(RoleUnavailableError):
        role.plan(Request("", Flag.CLIENT, 1, 1, "smtp"), ClientSettings(Generation.V3_6, {}, theirs, start))
    assert log.lines[0] == "warning: request from tlsproxy client with unexpected settings"
    assert f"(server) '{attribute}={value}' != (client) '{attribute}=" in log.lines[1]


BUILT_IN = {"tls_eecdh_auto_curves": "?X25519MLKEM768:DEFAULT", "tls_ffdhe_auto_groups": ""}
"""The default of a Postfix that was built with OpenSSL 3.5 or later."""


@pytest.mark.parametrize(
    ("version", "settings", "params", "is_logged"),
    [
        ("3.10.13", {}, {"tls_eecdh_auto_curves": "X25519 X448 prime256v1 secp384r1 secp521r1 "}, False),
        ("3.10.13", {}, BUILT_IN, True),
        ("3.11.6", {}, BUILT_IN, False),
        ("3.11.6", {"tls_eecdh_auto_curves": "X25519"}, BUILT_IN, True),
        ("3.11.6", {}, {"tls_eecdh_auto_curves": "X25519"}, True),
        ("3.5.27", {}, {"tls_dane_digests": "sha512 sha256"}, False),
    ],
)
def test_values_built_into_postfix_are_not_reported(
    tmp_path: Path, version: str, settings: dict[str, str], params: dict[str, str | int], is_logged: bool
) -> None:
    log = Lines()
    role = make_role(tmp_path, SETTINGS | settings, log, version=version)
    start = client_start()
    init = client_init(postconf.load(str(tmp_path), version=version))
    log.lines.clear()
    role.plan(Request("", Flag.CLIENT, 1, 1, "smtp"), ClientSettings(Generation.V3_10, params, init, start))
    assert ("warning: request from tlsproxy client with unexpected settings" in log.lines) is is_logged


def test_fingerprints_have_the_digest_of_the_session(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    for digest, size in (("sha256", 32), ("md5", 16), ("no such", 32)):
        session = daemon[1].session(server_context(chains.file("direct")), Asked(mdalg=digest))
        assert session.context is not None
        assert session.context["peer_fingerprint"].count(":") == size - 1
        assert session.context["peer_pubkey_fingerprint"].count(":") == size - 1


def test_bad_setting_of_ours_is_logged_and_clients_may_differ(tmp_path: Path) -> None:
    log = Lines()
    make_role(tmp_path, SETTINGS | {"smtp_tls_cert_file": "/nonexistent"}, log)
    assert "warning: TLS client initialization failed" in log.lines
    assert f"warning: {tmp_path}/main.cf:3:22: smtp_tls_cert_file = /nonexistent" in log.lines


@pytest.mark.parametrize(
    ("generation", "attributes"),
    [(Generation.V3_6, 22), (Generation.V3_9, 24), (Generation.V3_10, 25), (Generation.V3_12, 26)],
)
def test_each_generation_is_answered_in_its_dialect(
    daemon: tuple[Proxy, SmtpClient], chains: Chains, generation: Generation, attributes: int
) -> None:
    session = daemon[1].session(server_context(chains.file("rsa")), Asked(generation=generation))
    assert session.context is not None
    assert len(session.context) == attributes
    for name in ("ctos_rpk", "stoc_rpk", "rpt_reported", "trace_size_limit"):  # attributes that we don't use
        assert session.context.get(name, "0") == "0"
    assert session.context["namaddr"] == "mx.example.test[192.0.2.25]:25"


def test_failure_that_others_have_decided_stays_one(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    init = {"CAfile": str(chains.authorities)}
    for failure, status in (("", "29"), ("sts-policy-invalid", "1")):
        asked = Asked("secure", ["hostname"], init=init, generation=Generation.V3_10, failure=failure)
        session = daemon[1].session(server_context(chains.file("direct")), asked)
        assert session.context is not None
        assert session.context["peer_status"] == status
    daemon[0].wait_for_log("mx.example.test[192.0.2.25]:25: external policy failure (sts-policy-invalid)")


def test_global_settings_are_compared_and_ours_are_in_force(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    proxy, client = daemon
    server = server_context(chains.file("direct"))
    for _ in range(2):
        session = client.session(server, Asked(params={"tls_medium_cipherlist": "bogus", "tls_daemon_random_bytes": 9}))
        assert session.context is not None
    warning = "(server) 'tls_daemon_random_bytes=32' != (client) 'tls_daemon_random_bytes=9'"
    log = proxy.wait_for_log(warning)
    assert HINT in proxy.wait_for_log(HINT)
    assert log.count(warning) == 1
    assert "!= (client) 'tls_medium_cipherlist=bogus'; (server) 'tls_daemon" in log


def test_other_files_than_ours_are_used_and_complained_about(tmp_path: Path, chains: Chains) -> None:
    write_config(tmp_path, SETTINGS, certificate=False)
    server = server_context(chains.file("direct"))
    with running(tmp_path, "--workers", "1") as proxy:
        client = SmtpClient(proxy.socket, tmp_path)
        for _ in range(2):
            good = client.session(server, Asked("encrypt", init={"CAfile": str(chains.authorities)}))
            assert good.context is not None
            assert good.context["peer_status"] == "5"
        assert proxy.wait_for_log(HINT).count(HINT) == 1  # when the context was made
        for _ in range(2):
            assert client.session(server, Asked(init={"CAfile": "/nonexistent"})).status == 0
        proxy.wait_for_log(HINT, 3)
        assert client.session(server, Asked(init={"log_level": "1, certmatch"})).status == 1
        assert proxy.wait_for_log("subject_CN=mx.example.test").count(HINT) == 3


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"cipher_grade": "strong"}, 'mx.example.test[192.0.2.25]:25: invalid cipher grade: "strong"'),
        ({"cipher_exclusions": "!RSA"}, "invalid unary '!+-@' in cipher exclusion: !RSA"),
        ({"cipher_exclusions": "ALL"}, 'error setting cipher grade: "medium"'),
        ({"protocols": "TLSv9"}, 'Invalid TLS protocol list "TLSv9": aborting TLS session'),
        ({"sni": "x" * 256}, "ignoring too long SNI hostname: " + "x" * 100),
        ({"tls_level": 9}, "unknown TLS security level 9"),
        ({"tls_level": -1}, "unknown TLS security level -1"),
    ],
)
def test_session_that_can_not_be_is_dropped_when_it_begins(
    daemon: tuple[Proxy, SmtpClient], chains: Chains, asked: dict[str, str | int], complaint: str
) -> None:
    session = daemon[1].session(server_context(chains.file("direct")), Asked(start=asked))
    assert (session.status, session.context) == (1, None)
    log = daemon[0].wait_for_log(complaint)
    daemon[0].wait_for_log(
        "TLS handshake failed for service=", log.partition(complaint)[0].count("handshake failed") + 1
    )


def test_limit_unknown_to_openssl_is_logged_and_ignored(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    session = daemon[1].session(server_context(chains.file("direct")), Asked(start={"protocols": ">=999"}))
    assert session.context is not None
    daemon[0].wait_for_log("warning: mx.example.test[192.0.2.25]:25: error setting minimum TLS version to: 0x0999")


def test_protocols_and_ciphers_are_those_of_the_session(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    server = server_context(chains.file("rsa"))
    for start, protocol, cipher in (
        ({"protocols": "TLSv1.2", "cipher_exclusions": "AES256 CHACHA20 ARIA CAMELLIA AESCCM"}, "TLSv1.2", "AES128"),
        ({"protocols": "<=TLSv1.2", "cipher_exclusions": "AES128"}, "TLSv1.2", "AES"),
        ({"protocols": ">=TLSv1"}, "TLSv1.3", "TLS_AES"),
        ({"protocols": "!TLSv1.3 !TLSv1.2"}, "TLSv1.1", "SHA"),
    ):
        session = daemon[1].session(server, Asked(start=start))
        assert session.context is not None, start
        assert session.context["cipher_protocol"] == protocol
        assert cipher in session.context["cipher_name"]


@pytest.mark.parametrize(
    ("start", "level", "seen"),
    [
        ({"sni": "mx.other.test"}, "encrypt", "mx.other.test"),
        ({"sni": "hostname"}, "encrypt", "mx.example.test"),
        ({"sni": "nexthop"}, "verify", "example.test"),
        ({"sni": "bücher.test"}, "may", "xn--bcher-kva.test"),
        ({"sni": ""}, "may", None),
        ({"sni": "mx.other.test"}, "dane", "base.test"),
    ],
)
def test_server_is_asked_by_name(
    daemon: tuple[Proxy, SmtpClient], chains: Chains, start: dict[str, str | int], level: str, seen: str | None
) -> None:
    records = [record(chains.leaves["direct"], 3, 1, 1)] if level == "dane" else None
    asked = Asked(level, ["hostname"], records, "base.test", start=start)
    assert daemon[1].session(server_context(chains.file("direct")), asked).server_name == seen


@pytest.mark.parametrize("kind", ["rsa2048", "ec256", "ed25519"])
def test_server_that_asks_sees_our_certificate(
    daemon: tuple[Proxy, SmtpClient], certificates: Certificates, chains: Chains, kind: str
) -> None:
    server = server_context(chains.file("direct"), ask=True)
    server.load_verify_locations(certificates.directory / "ca.pem")
    init = {"chain_files": f"{certificates.directory}/{kind}.pem"}
    session = daemon[1].session(server, Asked(init=init))
    assert session.client_certificate == certificates.servers[kind].der
    assert session.context is not None
    names = {"rsa2048": "RSA-PSS", "ec256": "ECDSA", "ed25519": "ED25519"}
    assert session.context["clnt_signature"] == names[kind]


@pytest.mark.postfix  # for root's sake
@pytest.mark.parametrize("trusting", [False, True])
def test_client_in_a_chroot_sends_its_whole_chain(
    public_path: Path, certificates: Certificates, chains: Chains, trusting: bool
) -> None:
    """The server knows the root only; the context is made when the session asks for it."""
    (public_path / "queue/private").mkdir(parents=True)
    files = {"chain_files": f"{certificates.directory}/ec256.pem"} | (
        {"CAfile": str(chains.authorities)} if trusting else {}
    )
    settings = {"queue_directory": f"{public_path}/queue", "mail_owner": "nobody", "smtp_tls_loglevel": "1"}
    settings |= {f"smtp_tls_{name}": value for name, value in files.items()}
    write_config(public_path, SETTINGS | settings, certificate=False)
    server = server_context(chains.file("direct"), ask=True)
    server.load_verify_locations(certificates.directory / "ca.pem")
    with running(public_path, "--chroot", user=()) as proxy:
        session = SmtpClient(proxy.socket, public_path).session(server, Asked(init=files))
    assert session.client_certificate == certificates.servers["ec256"].der


def test_records_without_data_match_nothing(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    """The C program panics."""
    server = server_context(chains.file("direct"))
    for usage, mtype in ((3, 0), (3, 1), (3, 255), (2, 0), (2, 1)):
        session = daemon[1].session(server, Asked("dane-only", ["hostname"], [(usage, 1, mtype, b"")]))
        assert session.context is not None
        assert session.context["peer_status"] == "1"


def test_many_records_and_patterns_affect_only_their_session(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    leaf = chains.leaves["direct"]
    values = [bytes([number & 0xFF, number >> 8] * 16) for number in range(2000)]
    asked = Asked("fingerprint", records=[*fingerprints(leaf.der), *((3, 0, 255, each) for each in values)])
    session = daemon[1].session(server, asked)
    assert session.context is not None
    assert session.context["peer_status"] == "29"
    asked = Asked("secure", [*(f"x{number}.test" for number in range(1000)), "hostname"])
    session = daemon[1].session(server, asked)
    assert session.context is not None
    assert session.context["peer_status"] == "1"  # without authorities


def test_log_level_is_that_of_each_session_since_3_12(daemon: tuple[Proxy, SmtpClient], chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    start = {"namaddr": "quiet.test[192.0.2.25]:25"}
    daemon[1].session(server, Asked(generation=Generation.V3_12, log_level="0", start=start))
    daemon[1].session(server, Asked(generation=Generation.V3_12, log_level="trace,2"))
    log = daemon[0].wait_for_log("SSL_connect:SSLv3/TLS read server hello")
    assert "quiet.test" not in log


def test_renewed_authorities_are_for_new_sessions(tmp_path: Path, chains: Chains) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes(chains.other.pem)
    config = tmp_path / "config"
    write_config(config, SETTINGS | {"smtp_tls_CAfile": str(authorities)}, certificate=False)
    server = server_context(chains.file("direct"))
    asked = Asked("verify", ["hostname"], init={"CAfile": str(authorities)})
    with running(config) as proxy:
        client = SmtpClient(proxy.socket, config)
        for written, status in ((b"", "1"), (chains.root.pem, "29"), (b"nonsense", "29")):
            if written:
                authorities.write_bytes(written)
                proxy.process.send_signal(1)
                proxy.wait_for_log("renewal failed: " if status == "29" and written == b"nonsense" else "reload")
            assert status in _eventually(client, server, asked, status)


def _eventually(client: SmtpClient, server: ssl.SSLContext, asked: Asked, status: str) -> str:
    """Previous workers may still take a session or two."""
    found = ""
    for _ in range(50):
        session = client.session(server, asked)
        found = session.context["peer_status"] if session.context else ""
        if found == status:
            break
    return found
