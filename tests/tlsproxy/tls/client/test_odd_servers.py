"""Servers that break TLS, beside the C tlsproxy(8): they and smtp(8) see the same, and the log is the same."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from peers.cases.bad_hellos import outline
from peers.cases.client_cases import Chains
from peers.daemon.proxy import hand_over, running, write_config
from peers.daemon.side_by_side import normal
from peers.fakes.odd_servers import Serve, servers
from peers.fakes.smtp_client import Asked, SmtpClient
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.children import wait_until

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("odd servers")]

SETTINGS = {
    "smtp_tls_security_level": "may",
    "smtpd_tls_security_level": "none",
    "smtp_tls_loglevel": "1",
    "smtp_tls_fingerprint_digest": "sha256",
    "max_use": "10000",
}
MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
tlsproxy  unix  -  -  n  -  0  tlsproxy
postlog   unix-dgram n - n  -  1  postlogd
"""
WAYS = {"may": "1", "verify": "2"}
"""Levels of security and of the log."""
OF_SETTINGS = "unexpected settings", "(server) '", "to avoid this warning"


class Player:
    """Plays servers to one daemon."""

    def __init__(self, client: SmtpClient, log: Callable[[], str], chains: Chains) -> None:
        self._client = client
        self._log = log
        self._chains = chains

    def play(self, serve: Serve, level: str, endpoint: str) -> tuple[list[str], bool, list[str]]:
        """The answer to the server's data, True if smtp(8) gets a session, and the log."""
        init = {"CAfile": str(self._chains.authorities), "log_level": WAYS[level]}
        start = {"namaddr": f"mx.example.test{endpoint}", "serverid": f"smtp&{endpoint}&"}
        before = len(self._log())
        local, status = self._client.request(Asked(level, ["hostname"], init=init, start=start), endpoint=endpoint)
        assert status == 1
        answer = b""
        with local, hand_over(local) as remote:
            with suppress(OSError):  # it may have been too much already
                serve(remote)
                remote.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while chunk := remote.recv(65536):
                    answer += chunk
            has_session = local.recv(7) == b"peer_CN"
        wait_until(lambda: f"DISCONNECT {endpoint}" in self._log(), explain=self._log)
        lines = [line.partition("]: ")[2] for line in self._log()[before:].splitlines()]
        first = next(at for at, line in enumerate(lines) if line.startswith("CONNECT"))
        return (
            outline(answer),
            has_session,
            [line for line in lines[first:] if not any(each in line for each in OF_SETTINGS)],
        )


@pytest.fixture(scope="module")
def sides() -> Iterator[tuple[dict[str, Serve], list[Player]]]:
    with public_directory() as root:
        chains = Chains(root / "chains")
        postfix = PrivatePostfix(root / "postfix", SETTINGS, MASTER_CF)
        write_config(root / "ours", SETTINGS | {"queue_directory": str(postfix.queue)}, certificate=False)
        with postfix, running(root / "ours", "--postfix-version", "3.7.11") as proxy:
            theirs = Player(SmtpClient(postfix.queue / "private/tlsproxy", postfix.conf), postfix.log, chains)
            ours = Player(SmtpClient(proxy.socket, root / "ours"), proxy.log, chains)
            yield servers(chains.file("rsa")), [theirs, ours]


NAMES = [*servers(Path())]


@pytest.mark.parametrize("name", NAMES)
def test_server_that_breaks_tls_is_treated_as_by_the_c_program(
    sides: tuple[dict[str, Serve], list[Player]], name: str
) -> None:
    served, players = sides
    for level in WAYS:
        endpoint = f"[192.0.2.25]:{1 + 2 * NAMES.index(name) + (level == 'verify')}"
        theirs, ours = (player.play(served[name], level, endpoint) for player in players)
        assert ours[:2] == theirs[:2]
        assert normal(ours[2]) == normal(theirs[2])
