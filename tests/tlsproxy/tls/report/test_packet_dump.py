"""Packets in the log: the form of the lines, and which sessions show them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.daemon.proxy import Proxy, StartDaemon
from peers.daemon.side_by_side import DUMP

from tlsproxy.tls.report.packet_dump import dump, heading


def test_row_looks_like_that_of_postfix() -> None:
    # Written by the C tlsproxy(8) 3.7.11.
    row = "0110 2e 74 65 73 74 00 0b 00|04 03 00 01 02 00 0a 00  .test... ........"
    data = bytes.fromhex(row[5:52].replace("|", " "))
    assert list(dump(bytes(range(1, 17)) * 17 + data + b"!"))[17] == row
    assert list(dump(b"\x16\3\1\2\0")) == [
        "0000 16 03 01 02                                      ....",
        "0004 - <SPACES/NULLS>",
    ]
    assert heading("read from", 0x5574F6C2D4F0, 512) == (
        "read from 5574F6C2D4F0 [5574F6C2D4F0] (512 bytes => 512 (0x200))"
    )


@given(st.binary(max_size=600))
def test_bytes_can_be_read_back(data: bytes) -> None:
    read = b""
    for line in dump(data):
        assert DUMP.fullmatch(line)
        if not line.endswith("<SPACES/NULLS>"):
            read += bytes.fromhex(line[5:52].replace("|", " "))
    assert read == data.rstrip(b" \0")


@pytest.mark.parametrize(
    ("level", "handshake", "session"), [("2", False, False), ("3", True, False), ("4", True, True)]
)
def test_level_says_which_packets_are_shown(
    start_daemon: StartDaemon, level: str, handshake: bool, session: bool
) -> None:
    daemon = start_daemon({"smtpd_tls_loglevel": level})
    local, remote = daemon.tls_session()
    with local, remote:
        # More than a socket pair holds, both ways.
        remote.sendall(b"up" * 500_000 if session else b"up")
        received = 0
        while received < (1_000_000 if session else 2):
            received += len(local.recv(1 << 20))
        local.sendall(b"down")
        assert remote.recv(4) == b"down"
    log = daemon.wait_for_log("DISCONNECT")
    before, _, after = log.partition("TLS connection established")
    assert ("read from" in before and "write to" in before) is handshake
    assert ("read from" in after and "write to" in after) is session


def test_dumped_data_sent_just_before_an_end_arrive(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"smtpd_tls_loglevel": "4"})
    local, remote = daemon.tls_session()
    with local, remote:
        local.sendall(b"221 bye\r\n")
        local.close()
        assert remote.recv(100) == b"221 bye\r\n"
        assert remote.recv(100) == b""
    daemon.wait_for_log("DISCONNECT")
    idle = open_sockets(daemon)
    local, remote = daemon.tls_session()
    with local, remote:
        remote.sendall(b"x" * 4000)
        remote.close()
        assert local.recv(4000, socket.MSG_WAITALL) == b"x" * 4000
        assert local.recv(1) == b""
    daemon.wait_for_log("DISCONNECT", 2)
    assert open_sockets(daemon) == idle


def open_sockets(daemon: Proxy) -> int:
    descriptors = Path(f"/proc/{daemon.process.pid}/fd").iterdir()
    return sum("socket" in str(each.readlink()) for each in descriptors)
