"""Mistakes that the C tlsproxy(8) has made in its life, each as something that ours must not do.

`MISTAKES` lists them all, with the tests that show it: those without a module's name are here, the others are where
their subject is. A test sees that the list is true.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.cases.client_cases import Chains
from peers.daemon.proxy import ENDPOINT, Proxy, StartDaemon, client_context, running, write_config
from peers.fakes.hello import Hello
from peers.fakes.smtp_client import Asked, SmtpClient, server_context

MISTAKES = {
    "a crash at log level 3 and above": [
        "test_no_log_level_ends_the_process",
        "test_no_log_level_of_a_request_ends_the_process",
        "test_packet_dump::test_level_says_which_packets_are_shown",
    ],
    "a name in the session cache that is not made from the client's serverid": [
        "test_server_settings::test_sessions_are_resumed_in_the_same_service_only",
        "test_client_sessions::test_session_has_the_name_that_postfix_gives_it",
    ],
    "ETIMEDOUT that a handshake out of time leaves behind": [
        "test_handshake_out_of_time_leaves_nothing_to_the_next",
    ],
    "a crash when an error of the handshake comes up": [
        "test_handshake_failing_in_a_write_ends_that_session_only",
        "test_error_in_a_handshake_is_that_session_s_alone",
    ],
    "a session limit below the one that SMTP has": ["test_session_limit_is_longer_than_that_of_the_client"],
    "plaintext that is lost when TLS ends": [
        "test_plaintext_that_waits_is_not_lost_when_tls_ends",
        "test_standalone::test_data_sent_just_before_an_end_arrive",
    ],
    "a process limit other than 0": ["test_master::test_fatal_start_has_the_message_of_postfix"],
    "a context that sessions share whose DANE records or ciphers differ": [
        "test_client_sessions::test_session_is_not_resumed_under_another_policy",
        "test_client_role::test_protocols_and_ciphers_are_those_of_the_session",
        "test_server_settings::test_protocols_and_ciphers_are_those_of_the_client",
    ],
    "a loop, or a flood of log lines, when plaintext can't be written": [
        "test_local_peer_that_has_gone_is_not_written_to_for_ever",
    ],
    "SSL_shutdown inside a handshake": ["test_no_close_notify_is_sent_inside_a_handshake"],
    "a null pointer where a role is not configured": [
        "test_unserved_role_is_refused_and_the_other_served",
    ],
    "an error of one session that is found by another": [
        "test_error_of_one_session_is_not_found_by_another",
        "test_error_in_a_handshake_is_that_session_s_alone",
    ],
    "an unchecked error of the hand-over": [
        "test_descriptor_without_connection_ends_that_session_only",
        "test_local_client_that_does_not_take_its_context_is_logged",
        "test_standalone::test_no_descriptor_at_all_ends_that_session_only",
        "test_standalone::test_several_descriptors_are_not_leaked",
    ],
    "a descriptor that is closed twice": ["test_no_descriptor_is_closed_twice"],
    "half a request that holds up all sessions": [
        "test_standalone::test_half_a_request_does_not_hold_up_others",
        "test_standalone::test_request_that_stops_halfway_is_given_up",
    ],
    "a panic of negative limits": ["test_standalone::test_odd_limits_affect_no_other_session"],
    "a crash of an empty list of names": ["test_without_names_nothing_matches"],
}

FAILED = f"TLS handshake failed for service=smtpd peer={ENDPOINT}"


def test_each_mistake_has_its_tests() -> None:
    for tests in MISTAKES.values():
        for reference in tests:
            module, _, function = reference.rpartition("::")
            text = next(Path(__file__).parent.rglob(f"{module or 'test_must_not'}.py")).read_text()
            assert f"def {function}(" in text, reference


def exchange(local: socket.socket, remote: ssl.SSLSocket) -> None:
    """See that a session is alive, both ways."""
    remote.sendall(b"up")
    assert local.recv(2, socket.MSG_WAITALL) == b"up"
    local.sendall(b"down")
    assert remote.recv(4) == b"down"


def fail(daemon: Proxy, hello: bytes) -> None:
    """Let one handshake fail, and wait until it has."""
    before = daemon.log().count(FAILED)
    local, remote = daemon.session()
    with local, remote:
        remote.sendall(hello)
        with contextlib.suppress(OSError):
            remote.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while local.recv(100):
                pass
        daemon.wait_for_log(FAILED, before + 1)


@pytest.mark.parametrize("level", ["3", "4", "9", "ssl-session-packet-dump", "ssl-debug,ssl-handshake-packet-dump"])
def test_no_log_level_ends_the_process(start_daemon: StartDaemon, level: str) -> None:
    daemon = start_daemon({"smtpd_tls_loglevel": level, "smtpd_tls_ask_ccert": "yes"})
    fail(daemon, b"EHLO client.private.test\r\n")
    fail(daemon, b"")
    fail(daemon, b"\x16\x03\x01\x02\x00\x01" + os.urandom(600))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context()
        context.maximum_version = version
        local, remote = daemon.tls_session(context)
        with local, remote:
            exchange(local, remote)


@pytest.fixture(scope="module")
def client_role(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmtpClient, Chains]]:
    directory = tmp_path_factory.mktemp("client")
    chains = Chains(directory / "chains")
    write_config(directory, {"smtp_tls_security_level": "may", "smtpd_tls_security_level": "none"}, certificate=False)
    with running(directory) as daemon:
        yield SmtpClient(daemon.socket, directory), chains


@pytest.mark.parametrize("level", ["3", "4", "9", "ssl-session-packet-dump"])
def test_no_log_level_of_a_request_ends_the_process(client_role: tuple[SmtpClient, Chains], level: str) -> None:
    client, chains = client_role
    init = {"log_level": level, "CAfile": str(chains.authorities)}
    for kind in ("direct", "unknown"):
        session = client.session(server_context(chains.file(kind)), Asked("verify", ["hostname"], init=init))
        assert session.context is not None


@pytest.mark.parametrize("level", ["half-dane", "dane", "dane-only", "verify", "secure"])
@pytest.mark.parametrize("records", ["none", "no structure"])
def test_without_names_nothing_matches(client_role: tuple[SmtpClient, Chains], level: str, records: str) -> None:
    client, chains = client_role
    init = {"CAfile": str(chains.authorities)}
    asked = Asked(level, [], [] if records == "none" else None, init=init)
    for _ in range(2):
        session = client.session(server_context(chains.file("direct")), asked)
        assert session.context is not None
        assert session.context["peer_status"] == "1"


def test_handshake_out_of_time_leaves_nothing_to_the_next(daemon: Proxy) -> None:
    local, remote = daemon.session(timeouts=(1, 30))
    with local, remote:
        remote.sendall(b"\x16\x03\x01")
        assert local.recv(1) == b""
    daemon.wait_for_log(f"warning: ciphertext read/write timeout for {ENDPOINT}")
    local, remote = daemon.tls_session()
    with local, remote:
        exchange(local, remote)
    assert "timed out" not in daemon.log()


@pytest.mark.parametrize(
    "hello",
    [
        b"",
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # an empty hello
        b"\x16\x03\x01\x00\x04\x0e\x00\x00\x00",  # another message
        b"\x17\x03\x03\x00\x05hello",
        b"\x80\x2e\x01\x03\x01" + bytes(43),  # as SSLv2 said it
        b"\x16\x03\x01\x40\x01" + bytes(0x4001),
    ],
    ids=["an end", "an alert", "an empty hello", "no hello", "data", "SSLv2", "a record too long"],
)
def test_error_in_a_handshake_is_that_session_s_alone(daemon: Proxy, hello: bytes) -> None:
    local, remote = daemon.tls_session()
    with local, remote:
        fail(daemon, hello)
        exchange(local, remote)


def test_error_of_one_session_is_not_found_by_another(daemon: Proxy) -> None:
    others = [daemon.tls_session() for _ in range(3)]
    before = daemon.log().count("TLS library problem")
    fail(daemon, b"GET / HTTP/1.0\r\n\r\n")
    failures = daemon.log().count("TLS library problem") - before
    assert failures
    for local, remote in others:
        exchange(local, remote)
    ends = daemon.log().count("DISCONNECT")
    others[0][1].close()  # by the remote peer
    others[1][0].close()  # by the local peer
    others[2][1].shutdown(socket.SHUT_RDWR)  # without a close_notify
    for local, remote in others:
        local.close()
        remote.close()
    daemon.wait_for_log("DISCONNECT", ends + 3)
    assert daemon.log().count("TLS library problem") - before == failures


def test_session_limit_is_longer_than_that_of_the_client(daemon: Proxy) -> None:
    local, remote = daemon.tls_session(timeouts=(30, 0))
    with local, remote:
        time.sleep(2)
        exchange(local, remote)


@pytest.mark.parametrize("orderly", [True, False])
def test_plaintext_that_waits_is_not_lost_when_tls_ends(daemon: Proxy, orderly: bool) -> None:
    local, remote = daemon.tls_session()
    local.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with local, remote:
        remote.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 1 << 24:
                sent += remote.send(b"250 ok end of data\r\n" * 100)
        raw = socket.socket(fileno=remote.detach())
        raw.shutdown(socket.SHUT_WR) if orderly else raw.close()
        received = 0
        while chunk := local.recv(65536):
            received += len(chunk)
        assert received >= (sent if orderly else 1)
        raw.close()


def test_local_peer_that_has_gone_is_not_written_to_for_ever(daemon: Proxy) -> None:
    endpoint = "[192.0.2.7]:4713"  # its own: late lines of earlier sessions do not count
    local, remote = daemon.tls_session(endpoint=endpoint)
    with remote:
        local.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        remote.sendall(b"x" * 100_000)
        local.close()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                remote.sendall(b"x" * 10_000)
        log = daemon.wait_for_log(f"DISCONNECT {endpoint}")
    assert log.count(endpoint) == 3, log  # CONNECT, its summary, DISCONNECT


def test_local_client_that_does_not_take_its_context_is_logged(daemon: Proxy) -> None:
    before = daemon.log().count("cannot send TLS context")
    local, remote = daemon.session(flags=5)
    hello = client_context().wrap_bio(incoming := ssl.MemoryBIO(), outgoing := ssl.MemoryBIO())
    with remote:
        with contextlib.suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        remote.sendall(outgoing.read())
        incoming.write(remote.recv(65536))
        hello.do_handshake()
        # The daemon does not look at its local peer before the handshake is done.
        local.sendall(b"early")
        time.sleep(0.1)
        local.close()
        remote.sendall(outgoing.read())
        daemon.wait_for_log("cannot send TLS context", before + 1)


def test_no_close_notify_is_sent_inside_a_handshake(daemon: Proxy) -> None:
    local, remote = daemon.session()
    before = daemon.log().count("TLS library problem")
    with remote:
        remote.sendall(b"\x16\x03\x01\x02")
        local.close()
        with contextlib.suppress(ConnectionResetError):  # the proxy may not have read all
            assert remote.recv(100) == b""
    assert daemon.log().count("TLS library problem") == before


@pytest.mark.parametrize("kind", ["directory", "null", "listener", "datagram", "pipe"])
def test_descriptor_without_connection_ends_that_session_only(daemon: Proxy, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        if kind in ("directory", "null"):
            descriptor = os.open("/" if kind == "directory" else "/dev/null", os.O_RDONLY)
            stack.callback(os.close, descriptor)
        elif kind == "pipe":
            descriptor, writing = os.pipe()
            stack.callback(os.close, descriptor)
            stack.callback(os.close, writing)
        else:
            listens = kind == "listener"
            other = socket.create_server(("127.0.0.1", 0)) if listens else socket.socket(type=socket.SOCK_DGRAM)
            descriptor = stack.enter_context(other).fileno()
        local, status = daemon.request(timeouts=(1, 1))
        stack.enter_context(local)
        assert status == 1
        socket.send_fds(local, [b"\0"], [descriptor])
        with contextlib.suppress(ConnectionResetError):
            assert local.recv(1) == b""
    local, remote = daemon.tls_session()
    with local, remote:
        exchange(local, remote)


def test_no_descriptor_is_closed_twice(daemon: Proxy) -> None:
    """A number that is closed twice may be another session's the second time."""
    with contextlib.ExitStack() as stack:
        living = []
        for turn in range(20):
            for hello in (b"", b"\x80\x2e\x01\x03\x01", b"\x16\x03\x01\x02\x00"):
                local, remote = daemon.session()
                remote.sendall(hello)
                (local if turn % 2 else remote).close()
                (remote if turn % 2 else local).close()
            local, remote = daemon.tls_session()
            stack.enter_context(local)
            stack.enter_context(remote)
            living.append((local, remote))
            for each in living:
                exchange(*each)


@pytest.mark.parametrize(
    ("settings", "server", "client"),
    [
        ({"smtpd_tls_security_level": "none"}, 0, 1),
        ({"smtpd_tls_chain_files": "/nonexistent"}, 0, 1),
        ({"smtpd_tls_ciphers": "strong"}, 0, 1),
        ({"smtpd_tls_protocols": "TLSv9"}, 0, 1),
        ({"smtpd_tls_fingerprint_digest": "md17"}, 0, 1),
        ({"tls_server_sni_maps": "/nonexistent"}, 0, 1),
        ({"smtp_tls_security_level": "none"}, 1, 0),
        ({"smtp_tls_CAfile": "/nonexistent"}, 1, None),
    ],
)
def test_unserved_role_is_refused_and_the_other_served(
    start_daemon: StartDaemon, settings: dict[str, str], server: int, client: int | None
) -> None:
    """The C program followed null pointers for the role that was not there."""
    daemon = start_daemon({"smtp_tls_security_level": "may"} | settings)
    for _ in range(2):  # nothing that the first request leaves behind hurts the second
        for flags, expected in ((9, server), (10, client)):
            local, status = daemon.request(flags=flags)
            local.close()
            assert status == expected or expected is None
        local, status = daemon.request(flags=1)
        local.close()
        assert status == server
    assert daemon.process.poll() is None


def test_handshake_failing_in_a_write_ends_that_session_only(daemon: Proxy) -> None:
    """The C program crashed when an error of the handshake came up from below."""
    for _ in range(3):
        local, remote = daemon.session()
        remote.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        remote.sendall(Hello().encode())
        remote.close()  # with a reset, into which the answer is written
        assert local.recv(100) == b""
        local.close()
    local, tls = daemon.tls_session()
    with local, tls:
        exchange(local, tls)
