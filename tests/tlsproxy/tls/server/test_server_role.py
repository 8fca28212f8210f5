"""The server role by itself: in a chroot, in forked workers, as time passes, and with bad settings."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from OpenSSL import SSL
from peers.daemon.proxy import client_context, standalone, write_config
from peers.daemon.roles import REQUEST, Lines, MakeServerRole, connector, make_role, serve, serving
from peers.fakes.hello import GROUPS, TLS13, TLS13_SUITES, Hello, ask
from peers.tools.certificates import Certificates, Identity, name
from peers.tools.children import PATIENCE

from tlsproxy.tls.openssl import binding
from tlsproxy.tls.roles import RoleUnavailableError
from tlsproxy.tls.server.role import ServerRole
from tlsproxy.wire.messages import Generation, TlsContext


def returned(connection: socket.socket) -> socket.socket:
    """Return the connection, for users that expect to make one."""
    return connection


def connect_to_child(role: ServerRole, client: Callable[[socket.socket], None], before: Callable[[], None]) -> None:
    """Let a forked process serve one client; `before` is called there first."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            before()
            serve(role, theirs.fileno())
            os._exit(0)
        finally:
            os._exit(1)
    theirs.close()
    with ours:
        client(ours)
    os.waitpid(pid, 0)


def handshake(
    context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[Callable[[socket.socket], None], list[ssl.SSLSession | bool | None]]:
    """Return a client that keeps its session, and True if that was an old one."""
    results: list[ssl.SSLSession | bool | None] = []

    def client(stream: socket.socket) -> None:
        with context.wrap_socket(stream, session=session) as tls:
            assert tls.recv(3) == b"220"
            results.extend([tls.session, tls.session_reused])

    return client, results


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_are_valid_in_all_workers_of_a_family(server_role: ServerRole, version: ssl.TLSVersion) -> None:
    context = client_context()
    context.maximum_version = version
    client, first = handshake(context)
    connect_to_child(server_role, client, lambda: None)
    for _ in range(2):
        client, again = handshake(context, first[0])  # type: ignore[arg-type]
        connect_to_child(server_role, client, lambda: None)
        assert again[1] is True


def test_ticket_keys_are_replaced_as_time_passes(server_role: ServerRole, monkeypatch: pytest.MonkeyPatch) -> None:
    context = client_context()
    client, first = handshake(context)
    connect_to_child(server_role, client, lambda: None)

    def an_hour_later() -> None:
        now = time.monotonic
        monkeypatch.setattr("tlsproxy.tls.server.contexts.time.monotonic", lambda: now() + 3601)

    client, again = handshake(context, first[0])  # type: ignore[arg-type]
    connect_to_child(server_role, client, an_hour_later)
    assert again[1] is False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_renewed_certificates_are_for_new_sessions_only(
    tmp_path: Path, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    old, new = certificates.servers["ec256"], certificates.servers["ec384"]
    chain = tmp_path / "chain.pem"
    chain.write_bytes(old.key_pem + old.chain_pem)
    log = Lines()
    role = make_role(tmp_path, {"smtpd_tls_chain_files": str(chain)}, log)
    context = client_context()
    context.maximum_version = version

    def certificate(session: ssl.SSLSession | None = None) -> tuple[bytes | None, bool, ssl.SSLSession | None]:
        with serving(role) as (stream, _), context.wrap_socket(stream, session=session) as tls:
            assert tls.recv(3) == b"220"
            return tls.getpeercert(binary_form=True), bool(tls.session_reused), tls.session

    shown, _, session = certificate()
    assert shown == old.der
    chain.write_bytes(new.chain_pem)  # a renewal that has gone wrong
    assert not role.renew()
    assert log.lines == [
        f"warning: error loading chain from {chain}: key not first",
        f"warning: renewal failed: error loading private keys and certificates from: {chain}:"
        " keeping the previous keys and certificates; correct the file",
    ]
    assert certificate()[0] == old.der
    chain.write_bytes(new.key_pem + new.chain_pem)
    assert role.renew()
    assert certificate()[0] == new.der
    assert certificate(session)[1] is True
    assert certificate(certificate()[2])[1] is True


@pytest.mark.postfix  # for root's sake
def test_contexts_made_in_a_chroot_send_their_whole_chain(
    tmp_path: Path, make_server_role: MakeServerRole, certificates: Certificates
) -> None:
    files = f"{certificates.directory}/ec256.pem {certificates.directory}/rsa2048.pem"
    role = make_server_role({"smtpd_tls_chain_files": files})
    (tmp_path / "chroot").mkdir()

    def in_chroot() -> None:
        os.chroot(tmp_path / "chroot")
        os.chdir("/")
        setting = role._own
        setting.context.expires = 0

    for suite, kind in ((0xC02B, "ec256"), (0xC02F, "rsa2048")):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            in_chroot()
            peer = role.plan(REQUEST, None).start(theirs.fileno())
            binding.SSL_do_handshake(peer.ssl)
            os._exit(0)
        theirs.close()
        answer = ask(partial(returned, ours), Hello(suites=(suite,)))
        os.waitpid(pid, 0)
        chain = [certificates.servers[kind], certificates.issuer]
        assert list(answer.certificates) == [each.fingerprint for each in chain]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("smtpd_tls_chain_files", "/nonexistent", "error opening chain file: /nonexistent: No such file or directory"),
        ("smtpd_tls_protocols", "TLSv9", 'Invalid TLS protocol list "TLSv9": disabling TLS support'),
        ("smtpd_tls_ciphers", "strong", 'invalid cipher grade: "strong"'),
        ("smtpd_tls_exclude_ciphers", "!RSA", "invalid unary '!+-@' in cipher exclusion: !RSA"),
        ("smtpd_tls_exclude_ciphers", "ALL", 'error setting cipher grade: "medium"'),
        ("tls_medium_cipherlist", "bogus", 'error setting cipher grade: "medium"'),
        ("smtpd_tls_fingerprint_digest", "md17", 'Digest algorithm "md17" not found'),
        ("tls_server_sni_maps", "/nonexistent", 'expecting "type:name" form'),
        ("smtpd_tls_CAfile", "/nonexistent", 'cannot load Certification Authority data, CAfile="/nonexistent"'),
    ],
)
def test_mistakes_are_logged_with_parameter_file_and_line(
    tmp_path: Path, make_server_role: MakeServerRole, log: Lines, name: str, value: str, complaint: str
) -> None:
    with pytest.raises(RoleUnavailableError):
        make_server_role({name: value})
    assert any(complaint in line for line in log.lines), log.lines
    number = ["smtpd_tls_security_level", "smtpd_tls_chain_files", name].index(name) + 1
    column = len(name) + 4
    assert f"warning: {tmp_path}/main.cf:{number}:{column}: {name} = {value}" in log.lines


def test_missing_certificates_are_logged_with_their_parameters(tmp_path: Path) -> None:
    log = Lines()
    with pytest.raises(RoleUnavailableError, match="No server certs available"):
        make_role(tmp_path, {}, log)
    assert log.lines == [
        "warning: No server certs available. TLS can't be enabled",
        "warning: not set: smtpd_tls_chain_files, smtpd_tls_cert_file, smtpd_tls_dcert_file, smtpd_tls_eccert_file "
        f"(in {tmp_path}/main.cf)",
    ]


@pytest.mark.parametrize(
    ("version", "key_exchange", "signature"),
    [("3.7.11", "X25519", "RSA-PSS"), ("3.7.22", "X25519", ""), ("3.10.13", "x25519", "")],
)
def test_facts_have_the_form_of_the_release(
    make_server_role: MakeServerRole,
    certificates: Certificates,
    log: Lines,
    version: str,
    key_exchange: str,
    signature: str,
) -> None:
    settings = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem", "tls_eecdh_auto_curves": "X25519"}
    role = make_server_role(settings | {"smtpd_tls_loglevel": "1"}, version)
    context = client_context()
    facts, session = serve_in_thread(role, context, None)
    assert (facts.key_exchange, facts.srvr_signature, facts.srvr_signature_digest) == (
        key_exchange,
        "RSA-PSS",
        "SHA256",
    )
    facts, _ = serve_in_thread(role, context, session)  # where nothing is signed
    assert (facts.key_exchange, facts.srvr_signature, facts.srvr_signature_digest) == (key_exchange, signature, "")
    assert f"key-exchange {key_exchange} server-signature RSA-PSS (2048 bits) server-digest SHA256" in log.lines[0]
    assert log.lines[1].endswith(f"key-exchange {key_exchange}{signature and ' server-signature RSA-PSS (2048 bits)'}")


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.8.20", ", fingerprint={}, pkey_fingerprint={}"),
        ("3.9.14", ", cert fingerprint={}, pkey fingerprint={}"),
    ],
)
def test_certificate_is_described_as_by_the_release(
    make_server_role: MakeServerRole, certificates: Certificates, log: Lines, version: str, words: str
) -> None:
    role = make_server_role({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "peercert"}, version)
    context = client_context()
    context.load_cert_chain(certificates.client_files["good"])
    facts, _ = serve_in_thread(role, context, None)
    shown = words.format(facts.peer_fingerprint, facts.peer_pubkey_fingerprint)
    assert log.lines == [f"{REQUEST.remote_endpoint}: subject_CN=client.private.test, issuer=Test Root{shown}"]


@pytest.mark.parametrize("version", ["3.7.11", "3.10.13"])
def test_ciphers_that_distributions_do_not_build_are_in_no_list(
    make_server_role: MakeServerRole, certificates: Certificates, version: str
) -> None:
    settings = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem", "tls_medium_cipherlist": "ALL"}
    role = make_server_role(settings, version)
    seed, aes = (0x96, 0x9A, 0x9B), 0x2F
    with contextlib.ExitStack() as stack:
        connect = connector(role, stack)
        assert ask(connect, Hello(suites=seed)).alert == 40
        assert ask(connect, Hello(suites=(*seed, aes))).suite == aes


def serve_in_thread(
    role: ServerRole, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[TlsContext, ssl.SSLSession | None]:
    with serving(role) as (stream, contexts), context.wrap_socket(stream, session=session) as tls:
        assert tls.recv(3) == b"220"
        session = tls.session
    assert contexts[0] is not None
    return contexts[0], session


def test_unsupported_settings_are_logged_at_start(make_server_role: MakeServerRole, log: Lines) -> None:
    settings = {
        "smtpd_tls_protocols": ">=SSLv3",
        "smtpd_tls_enable_rpk": "yes",
        "smtpd_tls_session_cache_database": "btree:/var/lib/postfix/smtpd_scache",
    }
    make_server_role(settings, "3.10.13")
    assert [line for line in log.lines if line.startswith("not ")] == [
        'not supported: SSLv3, which the protocol list ">=SSLv3" names: OpenSSL 4 has none; remove it',
        "not supported: raw public keys (tlsproxy_tls_enable_rpk): clients get a certificate; nothing to be done",
        "not used: smtpd_tls_session_cache_database: sessions are kept in this process, and clients resume with "
        "tickets; nothing to be done",
    ]


@pytest.mark.parametrize(
    ("version", "settings", "expected", "complaints"),
    [
        ("3.7.11", {"tls_eecdh_auto_curves": "X448 X25519MLKEM768 x25519"}, ["X25519MLKEM768", "x448"], ["x25519"]),
        ("3.10.13", {"tls_eecdh_auto_curves": "X448:x25519 bogus"}, ["ffdhe2048", "x25519", "x448"], []),
        ("3.10.13", {"tls_eecdh_auto_curves": "secp384r1", "tls_ffdhe_auto_groups": ""}, ["secp384r1"], []),
        (
            "3.10.13",
            {"tls_eecdh_auto_curves": "bogus", "tls_ffdhe_auto_groups": "?bogus"},
            ["ffdhe2048", "secp256r1", "secp384r1", "secp521r1", "x25519", "x448"],
            ["none of the configured key exchange groups are supported", "using Postfix default key exchange groups"],
        ),
        (
            "3.11.7-debian-sid",
            {"tls_eecdh_auto_curves": "?X25519MLKEM768:?bogus:X448"},
            ["X25519MLKEM768", "x448"],
            [],
        ),
        (
            "3.11.7-debian-sid",
            {},
            ["X25519MLKEM768", "ffdhe2048", "secp256r1", "secp384r1", "secp521r1", "x25519", "x448"],
            [],
        ),
    ],
)
def test_groups_are_chosen_as_the_release_does(
    make_server_role: MakeServerRole,
    log: Lines,
    version: str,
    settings: dict[str, str],
    expected: list[str],
    complaints: list[str],
) -> None:
    role = make_server_role(settings, version)
    context = role._own.context.base

    def serves(group: int) -> bool:
        ours, theirs = socket.socketpair()
        with theirs, ours:
            connection = binding.begin(context, theirs.fileno(), server=True)
            ours.sendall(Hello(version=TLS13, suites=TLS13_SUITES, groups=[group]).encode())
            theirs.setblocking(False)
            result = binding.SSL_do_handshake(connection)
            return bool(binding.SSL_get_error(connection, result) == binding.ERROR_WANT_READ)

    names = {"brainpoolP256r1", "secp192r1", "secp224r1", "ffdhe3072"}
    assert sorted(name for name, group in GROUPS.items() if name not in names and serves(group)) == sorted(expected)
    assert len(log.lines) == len(complaints)
    for line, complaint in zip(log.lines, complaints, strict=True):
        assert complaint in line


@pytest.mark.parametrize(
    ("version", "generation"),
    [
        ("3.5.27", Generation.V3_5),
        ("3.6.20", Generation.V3_6),
        ("3.7.11", Generation.V3_6),
        ("3.8.20", Generation.V3_6),
        ("3.9.14", Generation.V3_9),
        ("3.10.13", Generation.V3_10),
        ("3.11.6", Generation.V3_10),
    ],
)
def test_client_without_a_release_gets_that_of_the_installation(
    make_server_role: MakeServerRole, version: str, generation: Generation
) -> None:
    assert make_server_role({}, version).plan(REQUEST, None).generation is generation


def test_keys_of_the_post_quantum_kind_can_be_used_beside_others(
    make_server_role: MakeServerRole, certificates: Certificates, log: Lines
) -> None:
    new = Identity(name("mail.private.test"), certificates.root, kind="mldsa65")
    file = certificates.write("mldsa65.pem", new.key_pem + new.chain_pem)
    settings = {
        "smtpd_tls_chain_files": f"{file} {certificates.directory}/ec256.pem",
        "smtpd_tls_loglevel": "1",
        "tls_eecdh_auto_curves": "X25519MLKEM768 X25519",
    }
    role = make_server_role(settings, "3.10.13")
    with serving(role) as (stream, _):
        client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), stream)  # whose OpenSSL knows such keys
        client.set_connect_state()
        client.do_handshake()
        assert client.recv(3) == b"220"
    with serving(role) as (stream, _), client_context().wrap_socket(stream) as tls:
        assert tls.recv(3) == b"220"
    assert "key-exchange X25519MLKEM768 server-signature ML-DSA-65" in log.lines[0]
    assert "key-exchange x25519 server-signature ECDSA (prime256v1) server-digest SHA256" in log.lines[1]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")  # of OpenSSL's callbacks
@pytest.mark.parametrize("level", ["2", "cache"])
@pytest.mark.parametrize(
    "settings",
    [{"tls_ssl_options": "NO_TICKET"}, {"tls_session_ticket_cipher": ""}, {"smtpd_tls_session_cache_timeout": "0"}],
)
def test_ticket_log_without_ticket_keys_stays_silent(
    make_server_role: MakeServerRole, log: Lines, settings: dict[str, str], level: str
) -> None:
    role = make_server_role({"smtpd_tls_loglevel": level} | settings)
    with serving(role) as (stream, contexts), client_context().wrap_socket(stream) as tls:
        assert tls.recv(3) == b"220"
    assert contexts[0] is not None
    assert contexts[0].cipher_protocol == "TLSv1.3"
    assert not any("session ticket, key expiration" in line for line in log.lines)


def test_daemon_without_roles_says_so_once(tmp_path: Path) -> None:
    write_config(tmp_path, {"smtpd_tls_security_level": "none", "smtp_tls_security_level": "none"})
    run = subprocess.run(standalone(tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 1
    assert run.stderr.count("nothing to serve") == 1


def test_session_id_stays_valid_when_a_certificate_is_renewed(
    tmp_path: Path, make_server_role: MakeServerRole, certificates: Certificates
) -> None:
    old, new = certificates.servers["ec256"], certificates.servers["ec384"]
    chain = tmp_path / "chain.pem"
    chain.write_bytes(old.key_pem + old.chain_pem)
    settings = {
        "smtpd_tls_chain_files": str(chain),
        "smtpd_tls_session_cache_database": "btree:any",
        "tls_ssl_options": "NO_TICKET",
    }
    role = make_server_role(settings)
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def resumed(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        with serving(role) as (stream, _), context.wrap_socket(stream, session=session) as tls:
            assert tls.recv(3) == b"220"
            return bool(tls.session_reused), tls.session

    _, session = resumed(None)
    assert session is not None
    assert not session.has_ticket
    assert resumed(session)[0]
    chain.write_bytes(new.key_pem + new.chain_pem)
    assert role.renew()
    assert resumed(session)[0]
