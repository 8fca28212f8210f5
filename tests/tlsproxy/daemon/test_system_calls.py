"""System calls of a session, a ping and a MiB: a cost of the engine that does not depend on the machine."""

from __future__ import annotations

import os
import shutil
import ssl

import pytest
from load import Session, Way, client
from measure import Daemon
from peers.daemon.proxy import Proxy

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None or os.geteuid() != 0, reason="needs strace, as root (tests/install-peers has it)"
)


def calls(daemon: Proxy, work: str, units: int) -> float:
    """Return the number that the daemon makes for a unit of work."""
    way = Way(daemon.socket, client(ssl.TLSVersion.TLSv1_3))
    session = Session(way)
    session.ping()
    with Daemon("ours", daemon.process.pid).traced() as counted:
        if work == "session":
            for _ in range(units):
                short = Session(way)
                short.ping(1)
                short.close()
        elif work == "ping":
            for _ in range(units):
                session.ping()
        else:
            getattr(session, work)(units)
    session.close()
    total = sum(counted.values())
    assert total > units, "strace has not seen the daemon"
    return total / units


@pytest.mark.parametrize(
    ("work", "units", "most"), [("session", 60, 60), ("ping", 500, 8), ("up", 32, 215), ("down", 32, 142)]
)
def test_engine_makes_few_system_calls(daemon: Proxy, work: str, units: int, most: int) -> None:
    """The C program makes 85 for a session, 16 for a ping, 900 for a MiB up and 1280 for a MiB down."""
    assert calls(daemon, work, units) <= most
