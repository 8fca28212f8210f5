"""JSON log lines have the facts of a session as fields; the text is Postfix's."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
from peers.daemon.proxy import Proxy, StartDaemon, client_context

ENDPOINT = '[192.0.2.7]:1"\\\x7f'
"""Any claim of a local client, however odd."""


def lines(daemon: Proxy) -> list[dict[str, object]]:
    return [json.loads(line) for line in daemon.log().splitlines()]


def of_session(daemon: Proxy) -> dict[str, dict[str, object]]:
    """The lines of the one session, by their event."""
    found = [each for each in lines(daemon) if "session" in each]
    assert len({each["session"] for each in found}) == 1
    return {str(each["event"]): each for each in found}


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
def test_json_lines_have_the_facts_of_a_session(start_daemon: StartDaemon, version: str) -> None:
    daemon = start_daemon({"smtpd_tls_protocols": version}, "--log", "json")
    local, remote = daemon.tls_session(endpoint=ENDPOINT)
    with local, remote:
        cipher = remote.cipher()
        remote.sendall(b"QUIT")
        assert local.recv(4) == b"QUIT"  # the daemon has done its handshake, too
    daemon.wait_for_log("DISCONNECT")
    found = of_session(daemon)
    everything = lines(daemon)
    assert cipher is not None
    common = {"role": "server", "peer": ENDPOINT, "severity": "info", "tag": "postfix/tlsproxy"}
    assert list(found) == ["connect", "tls_established", "disconnect"]
    for each in found.values():
        assert common.items() <= each.items()
    assert found["connect"]["text"] == f"CONNECT from {ENDPOINT}"
    assert "tls_version" not in found["connect"]
    established = found["tls_established"]
    assert established["tls_version"] == version
    assert established["resumed"] is False
    assert established["group"] if version == "TLSv1.3" else "group" not in established
    assert 0 < float(str(established["duration"])) < 60
    assert found["disconnect"]["outcome"] == "established"
    assert found["disconnect"]["cipher"] == established["cipher"]
    assert {each["event"] for each in everything} >= {"listening"}
    assert all("session" not in each for each in everything if each["event"] == "listening")


def test_json_line_of_failed_handshake_has_its_reason(start_daemon: StartDaemon) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    daemon = start_daemon({"smtpd_tls_protocols": "TLSv1.3"}, "--log", "json")
    local, remote = daemon.session()
    with local, pytest.raises(ssl.SSLError):
        context.wrap_socket(remote)
    daemon.wait_for_log("DISCONNECT")
    found = of_session(daemon)
    assert found["tls_failed"]["reason"] == "unsupported protocol"
    assert found["disconnect"]["outcome"] == "handshake_failed"
    assert str(found["message"]["text"]).startswith("TLS library problem")


def test_json_lines_of_sessions_at_once_are_not_mixed_up(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, "--log", "json")
    sessions = [daemon.tls_session(endpoint=f"[192.0.2.7]:{port}") for port in range(1, 6)]
    for local, remote in reversed(sessions):
        remote.close()
        local.close()
    daemon.wait_for_log("DISCONNECT", 5)
    found = [each for each in lines(daemon) if "session" in each]
    assert len({each["session"] for each in found}) == 5
    for each in found:
        assert str(each["peer"]) in str(each["text"])
    assert len({(each["session"], each["peer"]) for each in found}) == 5


def test_json_line_of_a_malformed_request_has_no_role(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({}, "--log", "json")
    with daemon.connect() as local:
        local.sendall(b"nonsense\0" * 3)
        local.shutdown(socket.SHUT_WR)
        assert local.recv(1) == b""
    daemon.wait_for_log("tlsp_get_request_event")
    (line,) = [each for each in lines(daemon) if "session" in each]
    assert (line["role"], line["event"], line["severity"]) == ("none", "message", "warning")
