"""Postfix 3.12's way with the server role: each client sends the settings it wants, or asks only whether we serve."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon.proxy import Proxy, client_context, read_status, request_list, running, write_config
from peers.daemon.roles import Lines
from peers.tools.certificates import Certificates

import postconf
from postconf.models import load
from tlsproxy.tls.settings.server import server_settings
from tlsproxy.wire.attributes import write_list
from tlsproxy.wire.messages import Flag

VERSION = "3.12-20260821"
PARAMS = (
    *("config_file", "config_name", "tls_high_cipherlist", "tls_medium_cipherlist", "tls_null_cipherlist"),
    *("tls_eecdh_auto_curves", "tls_eecdh_strong_curve", "tls_eecdh_ultra_curve", "tls_ffdhe_auto_groups"),
    *("tls_disable_workarounds", "tls_ssl_options", "tlsmgr_service_name", "tls_session_ticket_cipher"),
    *("tls_daemon_random_bytes", "tls_append_default_CA", "tls_preempt_cipherlist"),
    *("tls_wildcard_matches_multiple_labels", "tls_server_sni_maps", "tls_fast_shutdown_enable"),
    "tls_trust_server_ccerts",
)
START: dict[str, str | int] = {
    "log_param": "smtpd_tls_loglevel",
    "log_level": "1",
    "timeout": 300,
    "enable_rpk": 0,
    "requirecert": 0,
    "serverid": "smtpd",
    "namaddr": "[192.0.2.7]:4711",
    "cipher_grade": "medium",
    "cipher_exclusions": "",
    "mdalg": "sha256",
    "trace_size_limit": 0,
    "trace_peer": "",
}


class Peer:
    """A client of Postfix 3.12 with the configuration of the daemon, which tests then change."""

    def __init__(self, proxy: Proxy, certificates: Certificates) -> None:
        self.proxy = proxy
        self.certificates = certificates
        settings = load(postconf.load(str(proxy.directory), version=VERSION))
        values = settings.globals.as_sent() | {
            "config_file": settings.globals.tls_config_file,
            "config_name": settings.globals.tls_config_name,
        }
        init = server_settings(settings, Lines()).init
        self._params = {name: int(values[name]) if isinstance(values[name], bool) else values[name] for name in PARAMS}
        self._init = init._asdict()

    def request(self, flags: int, **changes: str | int) -> tuple[socket.socket, int]:
        """Send both lists; a change is one of the setting of that name, `start_` in front of those of START."""
        start = START | {key.removeprefix("start_"): changes[key] for key in changes if key.startswith("start_")}
        other = {key: changes[key] for key in changes if not key.startswith("start_")}
        assert not other.keys() - self._params.keys() - self._init.keys()
        lists = [{**self._params, **{k: v for k, v in other.items() if k in self._params}}]
        lists += [{**self._init, **{k: v for k, v in other.items() if k in self._init}}, start]
        local = self.proxy.connect()
        local.sendall(request_list(flags=flags) + write_list([item for each in lists for item in each.items()]))
        return local, read_status(local)

    def session(self, context: ssl.SSLContext | None = None, *, flags: int = 1, **changes: str | int) -> ssl.SSLSocket:
        """Complete a handshake; the local end is kept in `local`."""
        self.local, status = self.request(flags, **changes)
        assert status == 1
        with socket.create_server(("127.0.0.1", 0)) as listener:
            remote = socket.create_connection(listener.getsockname(), 20)
            accepted, _ = listener.accept()
        with accepted:
            socket.send_fds(self.local, [b"\0"], [accepted.fileno()])
        secured = (context or client_context()).wrap_socket(remote)
        if not flags & Flag.SEND_CONTEXT:  # the daemon is not through before this has passed
            secured.sendall(b".")
            assert self.local.recv(1) == b"."
        return secured


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    directory = tmp_path_factory.mktemp("proxy")
    certificates = Certificates(directory / "pki")
    write_config(directory, {"smtpd_tls_chain_files": f"{directory}/pki/ec256.pem"})
    with running(directory, "--postfix-version", VERSION) as proxy:
        yield Peer(proxy, certificates)


def test_client_with_our_settings_gets_no_warnings(peer: Peer) -> None:
    before = peer.proxy.log().count("unexpected settings")
    with peer.session(), peer.local:
        pass
    log = peer.proxy.wait_for_log("DISCONNECT")
    assert "Anonymous TLS connection established from [192.0.2.7]:4711" in log
    assert "key-exchange X25519MLKEM768" in log or "key-exchange x25519" in log
    assert log.count("unexpected settings") == before


def test_context_has_the_form_of_that_release(peer: Peer) -> None:
    with peer.session(flags=5), peer.local:
        data = b""
        while not data.endswith(b"\0\0"):
            data += peer.local.recv(4096)
    assert len(data[:-2].split(b"\0")) == 2 * 26


def test_other_files_are_used_and_logged(peer: Peer) -> None:
    chain = f"{peer.proxy.directory}/pki/rsa2048.pem"
    with peer.session(chain_files=chain) as remote, peer.local:
        assert remote.getpeercert(binary_form=True) == peer.certificates.servers["rsa2048"].der
    log = peer.proxy.wait_for_log("request from tlsproxy server with unexpected settings")
    assert f"!= (client) 'chain_files={chain}'" in log
    assert "1) identify the tlsproxy server that is making this request" in log


def test_files_that_cannot_be_used_refuse_that_client_only(peer: Peer) -> None:
    local, status = peer.request(1, chain_files="/nonexistent")
    with local:
        assert status == 0
    peer.proxy.wait_for_log("error opening chain file: /nonexistent: No such file or directory")
    with peer.session(), peer.local:
        pass


def test_global_settings_are_compared_and_ours_are_in_force(peer: Peer) -> None:
    with peer.session(tls_medium_cipherlist="bogus") as remote, peer.local:
        assert remote.version() == "TLSv1.3"
    log = peer.proxy.wait_for_log("request from tlsproxy client with unexpected settings")
    assert "!= (client) 'tls_medium_cipherlist=bogus'" in log
    count = log.count("tls_medium_cipherlist=bogus")
    with peer.session(tls_medium_cipherlist="bogus"), peer.local:
        pass
    assert peer.proxy.log().count("tls_medium_cipherlist=bogus") == count  # logged once


def test_protocols_and_ciphers_are_those_of_the_client(peer: Peer) -> None:
    with peer.session(protocols="TLSv1.2", start_cipher_exclusions="AES256, CHACHA20") as remote, peer.local:
        assert remote.version() == "TLSv1.2"
        assert "AES128" in (remote.cipher() or ("",))[0]
    local, status = peer.request(1, start_cipher_grade="strong")
    with local:
        assert status == 1  # noticed when the session begins, as Postfix does
        left, right = socket.socketpair()
        with left, right:
            socket.send_fds(local, [b"\0"], [left.fileno()])
            assert local.recv(1) == b""
    peer.proxy.wait_for_log('warning: [192.0.2.7]:4711: invalid cipher grade: "strong"')


def test_log_level_is_that_of_each_session(peer: Peer) -> None:
    with peer.session(start_log_level="0", start_namaddr="quiet[192.0.2.7]:1"), peer.local:
        pass
    with peer.session(start_log_level="2", start_namaddr="loud[192.0.2.7]:2"), peer.local:
        pass
    log = peer.proxy.wait_for_log("TLS connection established from loud[192.0.2.7]:2: ")
    assert "SSL_accept:SSLv3/TLS write server hello" in log
    assert "TLS connection established from quiet" not in log


def test_peer_has_the_name_that_the_client_gives_it(peer: Peer) -> None:
    with peer.session(start_namaddr="Client.Private.Test[192.0.2.7]:4711"), peer.local:
        pass
    peer.proxy.wait_for_log("TLS connection established from client.private.test[192.0.2.7]:4711: ")


def test_fingerprints_have_the_digest_of_the_session(peer: Peer) -> None:
    context = client_context()
    context.load_cert_chain(peer.certificates.client_files["good"])
    for digest, size in (("sha256", 32), ("sha1", 20)):
        with peer.session(context, flags=5, ask_ccert=1, start_mdalg=digest), peer.local:
            data = b""
            while not data.endswith(b"\0\0"):
                data += peer.local.recv(4096)
        assert data.split(b"\0")[5].count(b":") == size - 1  # peer_fingerprint


def test_sessions_are_resumed_in_the_same_service_only(peer: Peer) -> None:
    context = client_context()

    def resumed(service: str, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        local, status = peer.request(1, start_serverid=service)
        assert status == 1
        with socket.create_server(("127.0.0.1", 0)) as listener:
            remote = socket.create_connection(listener.getsockname(), 20)
            accepted, _ = listener.accept()
        with accepted:
            socket.send_fds(local, [b"\0"], [accepted.fileno()])
        with local, context.wrap_socket(remote, session=session) as tls:
            local.sendall(b"x")
            assert tls.recv(1) == b"x"
            return tls.session_reused or False, tls.session

    _, session = resumed("smtpd", None)
    assert resumed("smtpd", session)[0]
    assert not resumed("submission", session)[0]


@pytest.mark.parametrize(("flags", "status"), [(9, 1), (10, 0)])
def test_probe_learns_whether_a_role_is_served(peer: Peer, flags: int, status: int) -> None:
    with peer.proxy.connect() as local:
        local.sendall(request_list(flags=flags, timeouts=(0, 0)))
        assert read_status(local) == status
    peer.proxy.wait_for_log("DISCONNECT [192.0.2.7]:4711")
    assert "Traceback" not in peer.proxy.log()


def test_certificate_for_servers_is_accepted_if_configured(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "pki")
    settings = {
        "smtpd_tls_chain_files": f"{tmp_path}/pki/ec256.pem",
        "smtpd_tls_CAfile": f"{tmp_path}/pki/ca.pem",
        "smtpd_tls_ask_ccert": "yes",
        "tls_trust_server_ccerts": "yes",
    }
    write_config(tmp_path, settings)
    with running(tmp_path, "--postfix-version", VERSION) as proxy:
        peer = Peer(proxy, certificates)
        for kind in ("server", "good", "self-signed"):
            context = client_context()
            context.load_cert_chain(certificates.client_files[kind])
            with peer.session(context), peer.local:
                peer.local.sendall(b"x")
        log = proxy.wait_for_log("DISCONNECT", 3)
    assert re.findall(r"(\w+) TLS connection established", log) == ["Trusted", "Trusted", "Untrusted"]
