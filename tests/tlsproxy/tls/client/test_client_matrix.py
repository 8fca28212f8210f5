"""The client role's verdicts against those of the C tlsproxy(8) 3.7.11, which are on record: hundreds of scenarios.

`make golden` records them again, with the Postfix of the distribution. Compared are status, effective level, names,
and the log lines of each session without the facts that another OpenSSL may change.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers.tools.children import PATIENCE

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from peers.cases.client_cases import Chains, Scenario, scenarios
from peers.daemon.proxy import running, write_config
from peers.fakes.smtp_client import SmtpClient, server_context
from peers.real.postfix import PrivatePostfix, public_directory

GOLDEN = Path(__file__).parents[3] / "golden" / "client-verification.json"
SETTINGS = {
    "smtp_tls_security_level": "may",
    "smtpd_tls_security_level": "none",
    "smtp_tls_fingerprint_digest": "sha256",
}
MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
tlsproxy  unix  -  -  n  -  0  tlsproxy
postlog   unix-dgram n - n  -  1  postlogd
"""
Outcome = dict[str, object]
WITHOUT_NAMES = "warning: NAME: could not configure peer name checks"
"""We ignore an empty pattern; the C program takes it for one that everything matches. smtp(8) never sends one."""
WITHOUT_RECORDS = ": no certificate can match; "
"""Empty lists of records, fingerprints or trust anchors match nothing for us; the C program goes by local
authorities then. smtp(8) does not ask for that, but for a trust anchor file without an anchor in it."""
_FACTS = re.compile(r"(?<= TLS connection established to NAME): .*")
_HEX = re.compile(r"\b(?:[0-9A-F]{2}:){15,}[0-9A-F]{2}\b|\b[0-9A-F]{32,}(?:\.\.\.[0-9A-F]+)?")


class Player:
    """Plays scenarios with one daemon."""

    def __init__(self, client: SmtpClient, chains: Chains, log: Callable[[], str]) -> None:
        self._client = client
        self._chains = chains
        self._log = log
        self._count = 0

    def play(self, scenario: Scenario) -> Outcome:
        self._count += 1
        endpoint = f"[192.0.2.1]:{self._count}"
        namaddr = f"mx{self._count}.test{endpoint}"
        serverid = f"smtp&{self._count}&{time.time()}&"  # nothing is to be resumed
        scenario.asked.start = {"namaddr": namaddr, "serverid": serverid, **scenario.asked.start}
        chain = None if scenario.chain == "anonymous" else self._chains.file(scenario.chain)
        session = self._client.session(server_context(chain), scenario.asked, endpoint=endpoint)
        deadline = time.monotonic() + PATIENCE
        while f"DISCONNECT {endpoint}" not in (log := self._log()):
            assert time.monotonic() < deadline, log[-2000:]
            time.sleep(0.005)
        lines = [normal(line, namaddr) for line in log.splitlines() if namaddr in line]
        context = session.context or {}
        facts = {name: context.get(name) for name in ("peer_status", "level", "peer_CN", "issuer_CN")}
        return facts | {"sni": session.server_name, "lines": lines}


def normal(line: str, namaddr: str) -> str:
    text = line.partition("]: ")[2].replace(namaddr, "NAME")
    return _HEX.sub("HEX", _FACTS.sub("", text))


class Tail:
    """The lines added to a log since the last call, and a few of those before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._text = ""

    def __call__(self) -> str:
        if self._path.exists():
            with self._path.open(errors="surrogateescape") as file:
                file.seek(self._position)
                self._text = self._text[-20000:] + file.read()
                self._position = file.tell()
        return self._text


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("chains"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, chains: Chains) -> Iterator[Player]:
    directory = tmp_path_factory.mktemp("ours")
    write_config(directory, SETTINGS, certificate=False)
    with running(directory) as proxy:
        yield Player(SmtpClient(proxy.socket, directory), chains, Tail(directory / "log"))


def recorded() -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = json.loads(GOLDEN.read_text())
    return outcomes


def test_every_verdict_and_every_line_is_that_of_the_c_program(ours: Player, chains: Chains) -> None:
    golden = recorded()
    played = dict(scenarios(chains))
    assert played.keys() == golden.keys()
    assert len(golden) >= 300
    different = {}
    for label, scenario in played.items():
        outcome = ours.play(scenario)
        if scenario.asked.match == [""]:
            assert outcome["peer_status"] == "1"
            assert WITHOUT_NAMES in outcome["lines"]  # type: ignore[operator]
        elif scenario.asked.records == []:
            assert outcome["peer_status"] == "1"
            assert any(WITHOUT_RECORDS in line for line in outcome["lines"])  # type: ignore[attr-defined]
        elif outcome != golden[label]:
            different[label] = (golden[label], outcome)
    assert not different, "\n".join(f"{k}:\n  {a}\n  {b}" for k, (a, b) in different.items())


def recorder(root: Path, chains: Chains) -> tuple[PrivatePostfix, Player]:
    postfix = PrivatePostfix(root / "postfix", SETTINGS, MASTER_CF)
    client = SmtpClient(postfix.queue / "private" / "tlsproxy", postfix.conf)
    return postfix, Player(client, chains, Tail(postfix.log_file))


@pytest.mark.postfix
def test_record_is_true() -> None:
    golden = recorded()
    with public_directory() as root:
        chains = Chains(root / "chains")
        postfix, player = recorder(root, chains)
        with postfix:
            for label, scenario in random.Random().sample(list(scenarios(chains)), 25):
                assert player.play(scenario) == golden[label], label


def record() -> None:
    with public_directory() as root:
        chains = Chains(root / "chains")
        postfix, player = recorder(root, chains)
        with postfix:
            lines = [f"{json.dumps(k)}: {json.dumps(player.play(each))}" for k, each in scenarios(chains)]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(lines)} scenarios in {GOLDEN}")


if __name__ == "__main__":
    record()
