"""The settings of the client role in main.cf: a client that asks for the same gets them, without a warning.

Through ours and through the C tlsproxy(8); a service of its own for each setting.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from ssl import TLSVersion

import pytest
from peers.cases.client_cases import Chains
from peers.daemon.proxy import running, write_config
from peers.fakes.smtp_client import Asked, Session, SmtpClient, server_context
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.certificates import Certificates
from peers.tools.children import wait_until

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("client settings")]

SETTINGS = {
    "smtp_tls_security_level": "may",
    "smtp_tls_loglevel": "1",
    "smtp_tls_fingerprint_digest": "sha256",
    "smtpd_tls_security_level": "none",
}
MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
"""


@dataclass(frozen=True)
class Case:
    """Settings, without their prefix, and the results that they are to have."""

    settings: dict[str, str]
    certificate: str = ""
    """The parts of the client's offer that the server has to see."""
    version: TLSVersion = TLSVersion.MAXIMUM_SUPPORTED
    level: str = "may"
    chain: str = "direct"
    expected: dict[str, str] = field(default_factory=dict)
    """The parts of the context that smtp(8) has to get."""
    logged: str = ""


def pair(kind: str, slot: str = "") -> dict[str, str]:
    return {f"{slot}cert_file": f"{{root}}/pki/{kind}-cert.pem", f"{slot}key_file": f"{{root}}/pki/{kind}-key.pem"}


AUTHORITIES = {"CAfile": "{root}/chains/ca.pem"}
CASES = {
    "chain_files": Case({"chain_files": "{root}/pki/ed25519.pem"}, "ed25519"),
    "cert_file": Case(pair("rsa2048"), "rsa2048"),
    "dcert_file": Case(pair("dsa1024", "d"), "dsa1024", TLSVersion.TLSv1_2),
    "eccert_file": Case(pair("ec256", "ec"), "ec256"),
    "CAfile": Case(AUTHORITIES, level="verify", expected={"peer_status": "29"}),
    "CApath": Case({"CApath": "{root}/chains/hashed"}, level="verify", expected={"peer_status": "29"}),
    "no authorities": Case({}, level="verify", expected={"peer_status": "1"}),
    "scert_verifydepth": Case(
        AUTHORITIES | {"scert_verifydepth": "0"}, level="verify", chain="long", expected={"peer_status": "1"}
    ),
    "a scert_verifydepth that is enough": Case(
        AUTHORITIES | {"scert_verifydepth": "3"}, level="verify", chain="long", expected={"peer_status": "29"}
    ),
    "fingerprint_digest": Case({"fingerprint_digest": "md5"}, expected={"peer_fingerprint": "{md5}"}),
    "loglevel": Case({"loglevel": "verbose"}, logged="setting up TLS connection to mx.example.test[192.0.2.25]:25"),
    "loglevel_parameter": Case(
        {"loglevel": "much", "loglevel_parameter": "lmtp_tls_loglevel"},
        logged='warning: unknown lmtp_tls_loglevel value "much" in "much"',
    ),
}
INIT = {"loglevel": "log_level", "loglevel_parameter": "log_param", "fingerprint_digest": "mdalg"}
INIT |= {"scert_verifydepth": "verifydepth"}


class Player:
    """Makes the same session through both; certificates of the client are those of `certificates`."""

    def __init__(self, root: Path) -> None:
        self.certificates = Certificates(root / "pki")
        self._root = root
        self._chains = Chains(root / "chains")
        hashed = root / "chains" / "hashed"
        hashed.mkdir()
        (hashed / "root.pem").write_bytes(self._chains.root.pem)
        subprocess.run(["openssl", "rehash", hashed], check=True)
        master_cf = MASTER_CF
        for number, case in enumerate(CASES.values()):
            master_cf += f"case{number} unix - - n - 0 tlsproxy\n  -o syslog_name=case{number}\n"
            master_cf += "".join(f"  -o tlsproxy_client_{name}={text}\n" for name, text in self._filled(case).items())
        self.postfix = PrivatePostfix(root / "postfix", SETTINGS, master_cf)

    def ours(self, label: str) -> tuple[Session, str]:
        """Play a case through a daemon of its own; return the session, and its log lines."""
        case, directory = CASES[label], self._root / f"ours {label}"
        own = {f"tlsproxy_client_{name}": text for name, text in self._filled(case).items()}
        write_config(directory, SETTINGS | own, certificate=False)
        with running(directory) as proxy:
            session = self._play(SmtpClient(proxy.socket, directory), case)
            return session, proxy.wait_for_log("DISCONNECT")

    def theirs(self, label: str) -> tuple[Session, str]:
        """Play a case through the C program, where it is a service of its own."""
        name = f"case{list(CASES).index(label)}"
        session = self._play(SmtpClient(self.postfix.queue / "private" / name, self.postfix.conf), CASES[label])

        def log() -> str:
            return "".join(line for line in self.postfix.log().splitlines(True) if f" {name}/tlsproxy[" in line)

        wait_until(lambda: "DISCONNECT" in log(), explain=self.postfix.log)
        return session, log()

    def _filled(self, case: Case) -> dict[str, str]:
        return {name: text.replace("{root}", str(self._root)) for name, text in case.settings.items()}

    def expected(self, case: Case) -> dict[str, str]:
        digest = md5(self._chains.leaf(case.chain).der).digest().hex(":").upper()
        return {name: text.replace("{md5}", digest) for name, text in case.expected.items()}

    def _play(self, client: SmtpClient, case: Case) -> Session:
        server = server_context(self._chains.file(case.chain), ask=True)
        server.load_verify_locations(self.certificates.directory / "ca.pem")
        server.maximum_version = case.version
        init: dict[str, str | int] = {INIT.get(name, name): text for name, text in self._filled(case).items()}
        digest = str(init.get("mdalg", "sha256"))
        return client.session(server, Asked(case.level, ["hostname"], mdalg=digest, init=init))


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with public_directory() as root:
        player = Player(root)
        with player.postfix:
            yield player


@pytest.mark.parametrize("label", CASES)
def test_request_equal_to_main_cf_gets_its_settings(player: Player, label: str) -> None:
    case = CASES[label]
    for session, log in (player.ours(label), player.theirs(label)):
        assert session.context is not None, log
        assert player.expected(case).items() <= session.context.items()
        shown = player.certificates.servers[case.certificate].der if case.certificate else None
        assert session.client_certificate == shown
        assert "unexpected settings" not in log
        assert case.logged in log
