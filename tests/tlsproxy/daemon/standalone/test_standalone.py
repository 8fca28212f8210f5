"""The daemon stand-alone: the hand-off, the relay, and peers of every kind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from peers.daemon.proxy import (
    AS_ROOT,
    Proxy,
    StartDaemon,
    client_context,
    read_status,
    request_list,
    running,
    script,
    standalone,
    tcp_pair,
    write_config,
)
from peers.daemon.roles import Lines
from peers.tools.children import PATIENCE, open_files, wait_until

from tlsproxy.daemon.server import Server
from tlsproxy.loop import Loop
from tlsproxy.session.session import Session
from tlsproxy.wire.messages import ANNOUNCEMENT


def ends(stream: socket.socket) -> bool:
    """Return True if a stream ends, in order or by a reset, without another byte."""
    try:
        return stream.recv(1) == b""
    except ConnectionResetError:
        return True


def still_serves(daemon: Proxy) -> bool:
    local, remote = daemon.tls_session()
    with local, remote:
        remote.sendall(b"up")
        local.sendall(b"down")
        return local.recv(2, socket.MSG_WAITALL) == b"up" and remote.recv(4) == b"down"


def test_bytes_pass_both_ways_and_the_session_is_logged(daemon: Proxy) -> None:
    local, remote = daemon.tls_session()
    with local, remote:
        remote.sendall(b"EHLO client\r\n")
        assert local.recv(100) == b"EHLO client\r\n"
        local.sendall(b"250 ok\r\n")
        assert remote.recv(100) == b"250 ok\r\n"
    log = daemon.wait_for_log("DISCONNECT [192.0.2.7]:4711")
    assert "CONNECT from [192.0.2.7]:4711" in log
    assert (
        "Anonymous TLS connection established from [192.0.2.7]:4711: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384" in log
    )


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_megabyte_passes_each_way_unchanged(daemon: Proxy, version: ssl.TLSVersion) -> None:
    context = client_context()
    context.minimum_version = context.maximum_version = version
    data = os.urandom(1 << 20)
    for upwards in (True, False):
        local, remote = daemon.tls_session(context)
        with local, remote:
            source, sink = (remote, local) if upwards else (local, remote)
            pid = os.fork()
            if pid == 0:
                source.sendall(data)
                os._exit(0)
            received = bytearray()
            while len(received) < len(data):
                chunk = sink.recv(65536)
                assert chunk
                received += chunk
            os.waitpid(pid, 0)
            assert bytes(received) == data


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_segments_are_not_held_back_once_a_large_write_is_done(daemon: Proxy, family: socket.AddressFamily) -> None:
    data = os.urandom(100_000)
    local, status = daemon.request()
    assert status == 1
    remote, theirs = tcp_pair() if family == socket.AF_INET else socket.socketpair()
    socket.send_fds(local, [b"\0"], [theirs.fileno()])
    with local, theirs, client_context().wrap_socket(remote) as secure:
        for _ in range(3):
            local.sendall(data)
            received = b""
            while len(received) < len(data):
                received += secure.recv(len(data))
            assert received == data
        if family == socket.AF_INET:
            assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 0


def test_data_sent_just_before_an_end_arrive(daemon: Proxy) -> None:
    local, remote = daemon.tls_session()
    with local, remote:
        remote.sendall(b"x" * 4000)
        remote.close()
        assert local.recv(4000, socket.MSG_WAITALL) == b"x" * 4000
        assert ends(local)
    local, remote = daemon.tls_session()
    with local, remote:
        local.sendall(b"221 bye\r\n")
        local.close()
        assert remote.recv(100) == b"221 bye\r\n"
        assert remote.recv(100) == b""  # close_notify: Python would raise for a bare end


def test_local_peer_that_does_not_read_stops_the_remote_one(daemon: Proxy) -> None:
    local, remote = daemon.tls_session()
    with local, remote:
        remote.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 1 << 26:
                sent += remote.send(b"y" * 65536)
        assert still_serves(daemon)
        received = 0
        remote.shutdown(socket.SHUT_WR)  # a close would throw away bytes on their way
        while chunk := local.recv(1 << 20):
            received += len(chunk)
        assert received >= sent


def test_early_plaintext_arrives_after_the_handshake(daemon: Proxy) -> None:
    local, remote = daemon.session()
    with local:
        local.sendall(b"early")
        with client_context().wrap_socket(remote) as tls:
            assert tls.recv(5) == b"early"


@pytest.mark.parametrize(
    "hello",
    [
        b"EHLO I have not understood STARTTLS\r\n",
        b"\x16\x03\x01\xff\xff" + b"z" * 600,
        b"\0" * 100,
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_garbage_instead_of_a_hello_ends_that_session_only(daemon: Proxy, hello: bytes) -> None:
    before = daemon.log().count("TLS handshake failed for service=smtpd peer=[192.0.2.7]:4711")
    other_local, other_remote = daemon.tls_session()
    local, remote = daemon.session()
    with local, remote, other_local, other_remote:
        remote.sendall(hello)
        with contextlib.suppress(OSError):  # the proxy may have ended it already
            remote.shutdown(socket.SHUT_WR)
        assert ends(local)
        daemon.wait_for_log("TLS handshake failed for service=smtpd peer=[192.0.2.7]:4711", before + 1)
        other_remote.sendall(b"not disturbed")
        assert other_local.recv(100) == b"not disturbed"
        other_local.sendall(b"nor here")
        assert other_remote.recv(100) == b"nor here"


def test_silent_remote_peer_meets_the_handshake_limit(daemon: Proxy) -> None:
    local, remote = daemon.session(timeouts=(1, 30))
    with local, remote:
        assert ends(local)
        assert ends(remote)
    daemon.wait_for_log("ciphertext read/write timeout for [192.0.2.7]:4711")


@pytest.mark.parametrize("limit", [0, -1, -(2**31), 2**31 - 1])
def test_odd_limits_affect_no_other_session(daemon: Proxy, limit: int) -> None:
    local, remote = daemon.session(timeouts=(limit, limit))
    local.close()
    remote.close()
    assert still_serves(daemon)


@pytest.mark.parametrize(
    "request_bytes",
    [b"", b"\0", b"remote_endpoint\0", request_list(flags=1)[:40], b"\xff" * 2000, b"flags\x001\0\0"],
    ids=["nothing", "an empty list", "half a name", "half a request", "no NUL", "the wrong order"],
)
def test_bad_requests_end_themselves_only(daemon: Proxy, request_bytes: bytes) -> None:
    local = daemon.connect()
    with local:
        local.sendall(request_bytes)
        local.shutdown(socket.SHUT_WR)
        assert ends(local)
    assert still_serves(daemon)


def test_half_a_request_does_not_hold_up_others(daemon: Proxy) -> None:
    with daemon.connect() as half:
        half.sendall(request_list(flags=1)[:30])
        assert still_serves(daemon)


def test_request_that_stops_halfway_is_given_up() -> None:
    loop, log = Loop(), Lines()
    with socket.socket(socket.AF_UNIX) as listener:
        server = Server(loop, log, listener, None, None)
        ours, theirs = socket.socketpair()

        def turn() -> None:
            loop.queue(loop.stop)
            loop.run()

        with theirs:
            theirs.settimeout(20)
            ours.setblocking(False)
            session = Session(server, ours)
            session.start()
            session.check(loop.now + 99)
            assert theirs.recv(100) == ANNOUNCEMENT
            theirs.sendall(request_list(flags=1)[:30])
            turn()
            session.check(loop.now + 9)
            assert not log.lines
            session.check(loop.now + 10)
            turn()
            assert ends(theirs)
    assert log.lines == [
        "warning: tlsp_get_request_event: receive request attributes: "
        "timeout on plaintext while reading input attribute value"
    ]


@pytest.mark.parametrize("flags", [0, 3, 8, 2**31])
def test_request_without_one_role_is_refused(daemon: Proxy, flags: int) -> None:
    local, status = daemon.request(flags=flags)
    with local:
        assert status == 0


def test_client_role_is_refused_where_it_is_not_served(daemon: Proxy) -> None:
    with daemon.connect() as local:
        local.sendall(request_list(flags=6) + b"\0")
        assert ends(local)  # list 2 is empty, so there is nothing to refuse
    assert still_serves(daemon)


def test_descriptor_that_is_no_socket_ends_that_session_only(daemon: Proxy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a socket")
    with (tmp_path / "file").open() as file:
        local, status = daemon.request()
        with local:
            assert status == 1
            socket.send_fds(local, [b"\0"], [file.fileno()])
            assert ends(local)
    assert still_serves(daemon)


def test_no_descriptor_at_all_ends_that_session_only(daemon: Proxy) -> None:
    local, status = daemon.request()
    with local:
        assert status == 1
        local.sendall(b"\0")
        assert ends(local)
    assert still_serves(daemon)


def test_several_descriptors_are_not_leaked(daemon: Proxy) -> None:
    (worker,) = daemon.workers()
    before = len(open_files(worker))
    for _ in range(10):
        local, status = daemon.request()
        pair = socket.socketpair()
        with local, pair[0], pair[1]:
            assert status == 1
            socket.send_fds(local, [b"\0"], [pair[0].fileno(), pair[1].fileno(), pair[0].fileno()])
    assert still_serves(daemon)
    wait_until(lambda: len(open_files(worker)) <= before)


def test_local_client_leaving_in_the_handshake_frees_the_session(daemon: Proxy) -> None:
    local, remote = daemon.session()
    local.close()
    with remote:
        assert ends(remote)


@pytest.mark.parametrize("early", [b"", b"early"])
def test_half_closed_local_client_waits_for_the_handshake(daemon: Proxy, early: bytes) -> None:
    local, remote = daemon.session()
    with local:
        local.sendall(early)
        local.shutdown(socket.SHUT_WR)
        assert still_serves(daemon)
        with client_context().wrap_socket(remote, suppress_ragged_eofs=False) as tls:
            assert tls.recv(100) == early
            assert early == b"" or tls.recv(100) == b""
        assert ends(local)


def test_reset_by_the_remote_peer_is_an_end(daemon: Proxy) -> None:
    local, remote = daemon.tls_session()
    with local:
        raw = socket.socket(fileno=remote.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
        assert ends(local)
    assert still_serves(daemon)


def test_sessions_are_resumed_with_the_one_ticket_that_is_issued(daemon: Proxy) -> None:
    context = client_context()
    local, remote = daemon.tls_session(context)
    with local, remote:
        local.sendall(b"ticket first")
        assert remote.recv(100) == b"ticket first"
        session = remote.session
    local, again = daemon.session()
    with local, context.wrap_socket(again, session=session) as tls:
        assert tls.session_reused


def test_context_is_sent_before_any_plaintext_when_asked_for(daemon: Proxy) -> None:
    local, remote = daemon.tls_session(flags=5)
    with local, remote:
        remote.sendall(b"data")
        received = b""
        while not received.endswith(b"\0\0data"):
            chunk = local.recv(1000)
            assert chunk
            received += chunk
        names = received.removesuffix(b"\0\0data").split(b"\0")[::2]
        assert len(names) == 22
        assert (names[0], names[-1]) == (b"peer_CN", b"namaddr")


def test_second_daemon_does_not_take_the_socket_of_the_first(daemon: Proxy) -> None:
    second = subprocess.run(
        [script("tlsproxy"), "--standalone", "-c", daemon.directory, "--socket", daemon.socket, *AS_ROOT],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert second.returncode == 1
    assert "another process" in second.stderr
    assert still_serves(daemon)


def test_log_of_a_command_with_another_name_has_the_usual_tag(tmp_path: Path) -> None:
    write_config(tmp_path, {})
    (tmp_path / "master.cf").write_text("tlsproxy unix - - n - 0 tlsproxy-py\n")
    with running(tmp_path) as daemon:
        assert " postfix/tlsproxy[" in daemon.log()
        assert "tlsproxy-py" not in daemon.log()


def test_sigint_ends_the_daemon_cleanly_and_removes_its_socket(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.process.send_signal(signal.SIGINT)
    assert daemon.process.wait(PATIENCE) == 0
    assert not daemon.socket.exists()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"smtpd_tls_security_level": "sometimes"}, 'main.cf:3:28: Invalid TLS level "sometimes"'),
        ({"smtpd_tls_ask_ccert": "perhaps"}, "bad boolean configuration: smtpd_tls_ask_ccert = perhaps"),
        ({"tlsproxy_watchdog_timeout": "5s"}, "invalid tlsproxy_watchdog_timeout: 5 (min 10)"),
        ({"smtpd_tls_chain_files": "/nonexistent/chain.pem"}, "error opening chain file: /nonexistent/chain.pem"),
        ({"smtpd_tls_chain_files": ""}, "No server certs available. TLS can't be enabled"),
        ({"smtpd_tls_protocols": ">=TLSv9"}, 'Invalid TLS protocol list ">=TLSv9": disabling TLS support'),
        ({"smtpd_tls_ciphers": "strong"}, 'invalid cipher grade: "strong"'),
        ({"smtpd_tls_exclude_ciphers": "-RSA"}, "invalid unary '!+-@' in cipher exclusion: -RSA"),
        ({"smtpd_tls_security_level": "none"}, "TLS server role is disabled"),
        ({"smtpd_tls_protocols": "${"}, 'truncated macro reference: "${"'),
    ],
)
def test_configuration_without_tls_is_refused_at_start(
    tmp_path: Path, settings: dict[str, str], complaint: str
) -> None:
    write_config(tmp_path, settings)
    result = subprocess.run(standalone(tmp_path), capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "socket").exists()


def test_status_is_a_list_of_its_own(daemon: Proxy) -> None:
    with daemon.connect() as local:
        local.sendall(request_list(flags=1))
        assert read_status(local) == 1
