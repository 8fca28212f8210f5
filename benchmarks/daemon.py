"""Benchmark: the C tlsproxy(8) and this one. `make bench`, or `daemon.py [--rounds N] [--only TEXT] [--json FILE]`.

Each runs under a master(8) of its own, with the same main.cf and the same certificates (RSA-2048, ECDSA P-256). They
take turns, on one CPU that they share with the generator. Figures are the CPU time of the daemon's
processes: the best of all rounds, and the median of the ratios. Needs root and Debian's Postfix, and strace to count
system calls.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import socket
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from load import Session
from measure import Daemon
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.certificates import Certificates, Identity, name
from phases import (
    TLS12,
    Phase,
    Target,
    among,
    bulk,
    calls,
    memory,
    pings,
    sessions,
    start,
    usual_wait,
    wait_in_a_storm,
    workers,
)

from tlsproxy.policy import Policies
from tlsproxy.starttls.request import Proxy, prepare

MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
tlsproxy  unix  -  -  n  -  0  tlsproxy
tlsproxy-rsa unix - - n  -  0  tlsproxy -o tlsproxy_tls_chain_files={chains}/rsa2048.pem
tlsproxy-if unix -  - n  -  0  tlsproxy -o tlsproxy_tls_loglevel=${{stress?{{2}}:{{1}}}}
"""
_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
_MANY = min(10_000, _DESCRIPTORS // 2 - 500)
"""Number of sessions; each takes two descriptors in the daemon, and two here."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    phase: Phase
    target: float | None
    """Maximum of the ratio, or of the figure itself if `absolute`."""
    absolute: bool = False
    rounds: int = 0
    """Number of rounds, if it differs from the others."""


ROWS = [
    Row("memory of an idle session, KiB", memory(), 24, absolute=True, rounds=1),
    Row("start to the first announcement, ms", start("ecdsa"), 150, absolute=True),
    Row("start with a condition to expand, ms", start("condition"), 150, absolute=True),
    Row("session RSA, TLS 1.3, ms", sessions("rsa"), 0.80),
    Row("session RSA, TLS 1.2, ms", sessions("rsa", TLS12), 0.80),
    Row("session ECDSA, TLS 1.3, ms", sessions(), 0.70),
    Row("session ECDSA, TLS 1.2, ms", sessions("ecdsa", TLS12), 0.70),
    Row("session ECDSA, one at a time, ms", sessions(at_once=1), None),
    Row("session resumed, TLS 1.3, ms", sessions(resumed=True), 0.65),
    Row("session resumed, TLS 1.2, ms", sessions("ecdsa", TLS12, resumed=True), 0.65),
    Row("client role: RSA, TLS 1.3, ms", sessions("rsa", role="client"), 0.85),
    Row("client role: RSA, TLS 1.2, ms", sessions("rsa", TLS12, role="client"), 0.85),
    Row("client role: ECDSA, TLS 1.3, ms", sessions(role="client"), 0.85),
    Row("client role: ECDSA, TLS 1.2, ms", sessions("ecdsa", TLS12, role="client"), 0.85),
    Row("bulk up, s/GiB", bulk("up"), 0.65),
    Row("bulk up, 4 KiB records, s/GiB", bulk("up", 4096), 0.75),
    Row("bulk down, s/GiB", bulk("down"), 0.30),
    Row("ping, us", pings(), 0.95),
    Row("ping in turn with 50 others, us", pings(50), 0.80),
    Row("ping p99 in a handshake storm, us", wait_in_a_storm(), 0.70),
    Row("ping p50 beside 4,000 idle, us", usual_wait(4000), 0.10, rounds=1),
    Row(f"session ECDSA beside {_MANY:,} idle, ms", among(_MANY, sessions()), 0.70, rounds=1),
]
CALLS = [
    Row("system calls of a session", calls("session"), 55, absolute=True, rounds=1),
    Row("system calls of a ping", calls("ping"), 7.7, absolute=True, rounds=1),
    Row("system calls of a MiB up", calls("up"), 213, absolute=True, rounds=1),
    Row("system calls of a MiB down", calls("down"), 142, absolute=True, rounds=1),
]


def main() -> int:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description="Compare the CPU, memory and system calls of the C tlsproxy and ours.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose name contains this text")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    results: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        root = stack.enter_context(public_directory())
        targets = _targets(root, stack)
        print(f"Python {platform.python_version()} of {sys.base_prefix}")
        print(f"{'':36} {'C':>9} {'ours':>9} {'ratio':>7} {'target':>7}")
        for row in [*(CALLS if shutil.which("strace") else []), *ROWS]:
            if arguments.only in row.what:
                results[row.what] = _measure(row, targets, arguments.rounds)
        if arguments.only in _SCALING:
            results[_SCALING] = _scaling(root, arguments.rounds)
    if arguments.json:
        machine = {"cpus": os.cpu_count(), "load": os.getloadavg(), "python": sys.version}
        arguments.json.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    return 0


def _measure(row: Row, targets: list[Target], rounds: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {target.name: [] for target in targets}
    for _ in range(row.rounds or rounds):
        for target in targets:
            figures[target.name].append(row.phase(target))
    ratio = statistics.median(ours / theirs for ours, theirs in zip(figures["ours"], figures["C"], strict=True))
    best = {name: min(values) for name, values in figures.items()}
    met = row.target is None or (best["ours"] if row.absolute else ratio) <= row.target
    aim = f"{'' if row.target is None else f'{row.target:g}':>7}"
    print(f"{row.what:36} {best['C']:9.3f} {best['ours']:9.3f} {ratio:7.2f} {aim} {'' if met else '*'}", flush=True)
    return figures


_SCALING = "sessions of two workers by those of one"
_UNSHARED = "the same, by those of two daemons"


def _scaling(root: Path, rounds: int) -> dict[str, list[float]]:
    """Measure the speed of two workers relative to one worker, and to two independent daemons (the machine's maximum).

    The generator needs a CPU as well. A key of 8192 bits gives most of the work to the daemon.
    """
    key = Identity(name("mail.private.test"), kind="rsa8192")
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        for daemons, counts in {"one": [1], "two": [2], "apart": [1, 1]}.items():
            rates.setdefault(daemons, []).append(workers(root / f"{daemons}-{number}", key, *counts))
    gain, unshared = (max(rates["two"]) / max(rates[other]) for other in ("one", "apart"))
    print(f"{_SCALING:36} {'':9} {gain:9.2f} {'':7} {'1.8':>7} {'' if gain >= 1.8 else '*'}")
    print(f"{_UNSHARED:36} {'':9} {unshared:9.2f}")
    return rates


def _targets(root: Path, stack: ExitStack) -> list[Target]:
    """Start both daemons, each under its own master(8)."""
    chains = Certificates(root / "pki").directory
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "1",
        "smtpd_tls_chain_files": f"{chains}/ec256.pem",
        "smtp_tls_security_level": "may",
        "smtp_tls_loglevel": "1",
        "max_idle": "1000s",
    }
    targets = []
    for side in ("C", "ours"):
        instance = PrivatePostfix(root / side, settings, MASTER_CF.replace("{chains}", str(chains)))
        if side == "ours":
            instance.replace_daemon("tlsproxy", Path(sys.executable).with_name("tlsproxy"))
        stack.enter_context(instance)
        private = instance.queue / "private"
        sockets = {"ecdsa": private / "tlsproxy", "rsa": private / "tlsproxy-rsa", "condition": private / "tlsproxy-if"}
        daemon = Daemon(side, instance.master_pid)
        target = Target(side, daemon, sockets, chains, _client_request(instance.conf))
        for key in sockets:
            Session(target.way(key)).close()
        targets.append(target)
    return targets


def _client_request(conf: Path) -> bytes:
    """Return the request of smtp(8) for a client session whose TLS context it does not need."""
    proxy = Proxy.of(str(conf))
    with Policies(proxy.view) as policies:
        policy = policies.decide("[127.0.0.1]")
    remote, _ = socket.socketpair()
    prepared = prepare(
        remote,
        proxy,
        role="client",
        policy=policy,
        timeouts=(60, 60),
        remote_endpoint="[127.0.0.1]:25",
        ehlo="bench.test",
    )
    return prepared.data.replace(b"flags\0" + b"6\0", b"flags\0" + b"2\0", 1)


if __name__ == "__main__":
    sys.exit(main())
