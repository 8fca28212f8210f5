"""Slow lookups in one worker: they hold up its own sessions only; others go on, and new ones are accepted."""

from __future__ import annotations

import ssl
from pathlib import Path
from threading import Event, Thread

import pytest
from peers.daemon.proxy import running, write_config
from peers.real.lookup_servers import ScriptedServer
from peers.tools.children import PATIENCE, wait_until


@pytest.mark.timeout(120)
def test_slow_name_table_holds_up_only_its_own_worker(tmp_path: Path) -> None:
    release = Event()

    def answer(_request: bytes) -> bytes:
        release.wait(PATIENCE)
        return b"9:NOTFOUND ,"

    def greet() -> None:
        local, remote = proxy.tls_session()
        with local, remote:
            assert remote.version()

    with ScriptedServer(b",", answer) as server:
        settings = {
            "tls_server_sni_maps": f"socketmap:inet:127.0.0.1:{server.port}:names",
            "tlsproxy_watchdog_timeout": "300s",
        }
        write_config(tmp_path, settings)
        with running(tmp_path, "--workers", "2") as proxy:
            slow = Thread(target=greet)
            slow.start()
            wait_until(lambda: bool(server.requests))
            for _ in range(3):  # sessions without a name, which ask no table
                local, remote = proxy.session()
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with local, context.wrap_socket(remote) as tls:
                    tls.sendall(b"EHLO")
                    assert local.recv(4) == b"EHLO"
            assert slow.is_alive()
            release.set()
            slow.join(PATIENCE)
            assert not slow.is_alive()
