"""Clients of Postfix 3.5, which wait for no announcement, send digests for TLSA records, and read a shorter context.

That they are such can't be seen by their requests: the release of the configuration says it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from hashlib import md5
from threading import Thread

import pytest
from peers.cases.client_cases import HOST, Chains, fingerprints, record
from peers.daemon.proxy import Proxy, running, write_config
from peers.fakes.smtp_client import Asked, SmtpClient, server_context
from peers.fakes.tlsmgr import Manager
from peers.tools.children import PATIENCE

import postconf
from postconf.values import SecurityLevel
from tlsproxy.policy import Destination, Policy
from tlsproxy.starttls import api
from tlsproxy.wire.dane import Dane, TlsaRecord
from tlsproxy.wire.messages import Generation, PeerStatus

VERSION = "3.5.27"


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("chains"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, chains: Chains) -> Iterator[tuple[Proxy, SmtpClient, Manager]]:
    directory = tmp_path_factory.mktemp("daemon")
    settings = {
        "smtp_tls_security_level": "may",
        "smtp_tls_CAfile": str(chains.authorities),
        "queue_directory": f"{directory}/queue",
        "smtp_tls_fingerprint_digest": "md5",
    }
    write_config(directory / "config", settings)
    with (
        Manager(directory / "queue/private/tlsmgr", "old") as manager,
        running(directory / "config", "--postfix-version", VERSION) as proxy,
    ):
        proxy.announces = False
        yield proxy, SmtpClient(proxy.socket, directory / "config"), manager


def test_nothing_is_said_before_a_request(daemon: tuple[Proxy, SmtpClient, Manager]) -> None:
    local, status = daemon[0].request()
    local.close()
    assert status == 1


def test_client_of_the_server_role_reads_21_attributes(daemon: tuple[Proxy, SmtpClient, Manager]) -> None:
    local, remote = daemon[0].tls_session(flags=5)
    with local, remote:
        remote.sendall(b"data")
        received = b""
        while not received.endswith(b"\0\0data"):
            received += local.recv(1000)
    parts = received.removesuffix(b"\0\0data").split(b"\0")
    attributes = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(attributes) == 21
    assert b"level" not in attributes
    assert attributes[b"srvr_signature_curve"] == b"P-256"


@pytest.mark.parametrize(
    ("level", "records", "status"),
    [
        ("may", None, "5"),
        ("verify", None, "29"),
        ("dane", "3 1 1", "29"),
        ("dane", "3 0 1", "29"),
        ("dane", "2 0 1", "29"),
        ("dane", "2 1 1", "29"),
        ("dane", "wrong", "1"),
        ("fingerprint", "certificate", "29"),
        ("fingerprint", "wrong", "1"),
        ("secure", "2 0 0", "29"),
        ("secure", "other", "1"),
        *((level, "nothing", "1") for level in ("fingerprint", "dane-only", "verify", "secure")),
        *((level, "nothing", "5") for level in ("half-dane", "dane")),
    ],
)
def test_digests_decide_as_records_do(
    daemon: tuple[Proxy, SmtpClient, Manager], chains: Chains, level: str, records: str | None, status: str
) -> None:
    leaf, issuer = chains.leaves["intermediate"], chains.issuer
    wanted = {
        None: None,
        "3 1 1": [record(leaf, 3, 1, 1)],
        "3 0 1": [record(leaf, 3, 0, 1)],
        "2 0 1": [record(issuer, 2, 0, 1)],
        "2 1 1": [record(issuer, 2, 1, 1)],
        "2 0 0": [record(chains.root, 2, 0, 0), record(chains.root, 2, 0, 1)],
        "nothing": [],
        "other": [record(chains.other, 2, 0, 0), record(chains.other, 2, 0, 1)],
        "wrong": [(3, 1, 1 if level == "dane" else 255, bytes(32 if level == "dane" else 16))],
        "certificate": fingerprints(leaf.der, digest=md5),
    }[records]
    init = {"CAfile": str(chains.authorities), "mdalg": "md5"}
    asked = Asked(level, ["hostname"], wanted, mdalg="md5", init=init, generation=Generation.V3_5)
    session = daemon[1].session(server_context(chains.file("intermediate")), asked)
    assert session.context is not None
    assert "level" not in session.context
    assert len(session.context) == 21
    assert session.context["peer_status"] == status


def test_sessions_are_kept_by_a_tlsmgr_that_speaks_second(
    daemon: tuple[Proxy, SmtpClient, Manager], chains: Chains
) -> None:
    _, smtp, manager = daemon
    server = server_context(chains.file("direct"))
    asked = Asked(generation=Generation.V3_5, start={"serverid": "smtp&kept&"})
    assert smtp.session(server, asked).reused is False
    deadline = time.monotonic() + PATIENCE
    while not any(name.startswith("smtp&kept&") for name in manager.sessions):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert smtp.session(server, asked).reused is True
    assert "problem talking" not in daemon[0].log()


def test_python_programs_can_use_a_proxy_of_that_time(
    daemon: tuple[Proxy, SmtpClient, Manager], chains: Chains
) -> None:
    view = postconf.load(str(daemon[0].directory), version=VERSION)
    ours, theirs = socket.socketpair()
    context = server_context(chains.file("direct"))

    def serve() -> None:
        with theirs, context.wrap_socket(theirs, server_side=True) as tls:
            tls.sendall(tls.recv(100).upper())

    thread = Thread(target=serve)
    thread.start()
    dane = Dane(HOST, (TlsaRecord(*record(chains.leaves["direct"], 3, 1, 1)),))
    destination = Destination.parse(f"[{HOST}]")
    policy = Policy(SecurityLevel.DANE_ONLY, destination, ("hostname",), dane, "!SSLv3", "medium")
    proxy = api.Proxy.of(view, daemon[0].socket)
    tls = api.starttls_blocking(ours, role="client", policy=policy, proxy=proxy, timeout=20)
    with tls.socket:
        assert tls.context.peer_status & PeerStatus.MATCHED
        tls.socket.sendall(b"ehlo")
        assert tls.socket.recv(100) == b"EHLO"
    thread.join(PATIENCE)
