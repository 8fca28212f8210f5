"""Real Postfix uses the daemon: postscreen(8) of a private instance, with our socket in place of tlsproxy(8)'s."""

from __future__ import annotations

import smtplib
import ssl
from pathlib import Path

import pytest
from peers.daemon.proxy import running, write_config
from peers.real.postfix import PrivatePostfix
from peers.tools.children import PATIENCE


@pytest.mark.postfix
def test_real_postscreen_does_starttls_through_the_daemon(public_path: Path) -> None:
    ca = write_config(public_path / "tlsproxy", {"queue_directory": f"{public_path}/postfix/queue"})
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": f"{public_path}/tlsproxy/chain.pem",
        "tlsproxy_service_name": "ours",
    }
    postfix = PrivatePostfix(public_path / "postfix", settings)
    trust = ssl.create_default_context()
    ca.configure_trust(trust)
    socket_path = postfix.queue / "private" / "ours"
    with running(public_path / "tlsproxy", "--socket", str(socket_path)) as proxy, postfix:
        with smtplib.SMTP("127.0.0.1", postfix.ports["postscreen"], timeout=PATIENCE) as client:
            client._host = "mail.private.test"  # type: ignore[attr-defined]  # the name to verify
            client.ehlo("client.private.test")
            assert client.starttls(context=trust)[0] == 220
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.version() == "TLSv1.3"
            assert client.ehlo("client.private.test")[0] == 250
            assert client.mail("a@private.test")[0] == 250
            assert client.rcpt("b@private.test")[0] == 450  # postscreen's answer after its deep tests
            assert client.quit()[0] == 221
        proxy.wait_for_log("DISCONNECT [127.0.0.1]:")
        assert "CONNECT from [127.0.0.1]:" in proxy.log()
        postfix.wait_for_log("postfix/postscreen")
        assert not [line for line in postfix.log().splitlines() if "/postscreen[" in line and "warning" in line]
