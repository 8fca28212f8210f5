"""The C tlsproxy(8) and ours, side by side: `make bench`, or `daemon.py [--rounds N] [--only TEXT] [--json FILE]`.

Each runs under a master(8) of its own, with the same main.cf and the same certificates (RSA-2048, ECDSA P-256). They
take turns, on one CPU that they share with the generator. Figures are what the kernel has charged to the daemon's
processes; shown are the best of all rounds and the median of the ratios. Needs root and Debian's Postfix; system calls
are counted where strace is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from load import Session, client
from measure import Daemon
from peers.certificates import Certificates
from peers.postfix import PrivatePostfix, searchable

MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
tlsproxy  unix  -  -  n  -  0  tlsproxy
tlsproxy-rsa unix - - n  -  0  tlsproxy -o tlsproxy_tls_chain_files={chains}/rsa2048.pem
"""
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Target:
    """One of the two."""

    name: str
    daemon: Daemon
    private: Path

    def socket(self, key: str = "ecdsa") -> Path:
        return self.private / ("tlsproxy" if key == "ecdsa" else "tlsproxy-rsa")


Phase = Callable[[Target], float]


def cost(target: Target, work: Callable[[], int]) -> float:
    """CPU seconds of the daemon for each unit of work."""
    time.sleep(0.2)
    before = target.daemon.cpu() + target.daemon.reaped()
    units = work()
    time.sleep(0.2)  # it may still be closing
    return (target.daemon.cpu() + target.daemon.reaped() - before) / units


def sessions(key: str, version: ssl.TLSVersion, *, resumed: bool = False, count: int = 400, at_once: int = 8) -> Phase:
    """Milliseconds for a session, of several at once: hand-off, handshake, a byte each way, an end in good order."""

    def run(target: Target) -> float:
        context = client(version)
        ticket = None
        if resumed:
            first = Session(target.socket(key), context)
            first.ping(1)
            ticket = first.secure.session
            first.close()

        def one(_number: int) -> None:
            session = Session(target.socket(key), context, ticket)
            session.ping(1)
            if resumed and not session.secure.session_reused:
                raise ConnectionError("a session was not resumed")
            session.close()

        def work() -> int:
            with ThreadPoolExecutor(at_once) as pool:
                return len(list(pool.map(one, range(count))))

        with target.daemon.on_this_cpu():
            return cost(target, work) * 1e3

    return run


def bulk(direction: str, record: int = 16384, mebibytes: int = 256) -> Phase:
    """Seconds for a GiB."""

    def run(target: Target) -> float:
        session = Session(target.socket(), client(TLS13))

        def work() -> int:
            if direction == "up":
                session.up(mebibytes, record)
            else:
                session.down(mebibytes)
            return mebibytes

        with target.daemon.on_this_cpu():
            spent = cost(target, work) * 1024
        session.close()
        return spent

    return run


def pings(others: int = 0, count: int = 5000) -> Phase:
    """Microseconds for 64 bytes there and back, alone or in turn with others."""

    def run(target: Target) -> float:
        open_sessions = [Session(target.socket(), client(TLS13)) for _ in range(1 + others)]

        def work() -> int:
            for number in range(count):
                open_sessions[number % len(open_sessions)].ping()
            return count

        with target.daemon.on_this_cpu():
            spent = cost(target, work) * 1e6
        for session in open_sessions:
            session.close()
        return spent

    return run


def pings_in_a_storm(peers: int = 4, count: int = 1500) -> Phase:
    """The 99th percentile, in microseconds, of a ping while others shake hands without a pause."""

    def run(target: Target) -> float:
        busy = Session(target.socket(), client(TLS13))
        over = threading.Event()

        def storm() -> None:
            context = client(TLS13)
            while not over.is_set():
                session = Session(target.socket(), context)
                session.close()

        threads = [threading.Thread(target=storm) for _ in range(peers)]
        times = []
        with target.daemon.on_another_cpu():
            for thread in threads:
                thread.start()
            for _ in range(count):
                began = time.perf_counter()
                busy.ping()
                times.append(time.perf_counter() - began)
            over.set()
            for thread in threads:
                thread.join()
        busy.close()
        return statistics.quantiles(times, n=100)[98] * 1e6

    return run


def idle(count: int = 1000) -> Phase:
    """KiB of resident memory for a session that does nothing."""

    def run(target: Target) -> float:
        before = target.daemon.memory()
        context = client(TLS13)
        open_sessions = [Session(target.socket(), context) for _ in range(count)]
        time.sleep(0.5)
        spent = (target.daemon.memory() - before) / count
        for session in open_sessions:
            session.close()
        return spent

    return run


def calls(what: str) -> Phase:
    """System calls for each session, ping or MiB."""

    def run(target: Target) -> float:
        context = client(TLS13)
        session = Session(target.socket(), context)
        session.ping()
        with target.daemon.traced() as counted:
            if what == "session":
                units = 100
                for _ in range(units):
                    short = Session(target.socket(), context)
                    short.ping(1)
                    short.close()
            elif what == "ping":
                units = 1000
                for _ in range(units):
                    session.ping()
            else:
                units = 64
                session.up(units) if what == "up" else session.down(units)
        session.close()
        return sum(counted.values()) / units

    return run


PHASES: dict[str, Phase] = {
    "memory of an idle session, KiB": idle(),
    "session RSA, TLS 1.3, ms": sessions("rsa", TLS13),
    "session RSA, TLS 1.2, ms": sessions("rsa", TLS12),
    "session ECDSA, TLS 1.3, ms": sessions("ecdsa", TLS13),
    "session ECDSA, TLS 1.2, ms": sessions("ecdsa", TLS12),
    "session resumed, TLS 1.3, ms": sessions("rsa", TLS13, resumed=True),
    "session resumed, TLS 1.2, ms": sessions("rsa", TLS12, resumed=True),
    "bulk up, s/GiB": bulk("up"),
    "bulk up, 4 KiB records, s/GiB": bulk("up", 4096),
    "bulk down, s/GiB": bulk("down"),
    "ping, us": pings(),
    "ping in turn with 50 others, us": pings(50),
    "ping p99 in a handshake storm, us": pings_in_a_storm(),
}
CALLS: dict[str, Phase] = {
    "system calls of a session": calls("session"),
    "system calls of a ping": calls("ping"),
    "system calls of a MiB up": calls("up"),
    "system calls of a MiB down": calls("down"),
}


def main() -> int:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description="Compare the CPU, memory and system calls of the C tlsproxy and ours.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="phases whose name contains this text")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    arguments = parser.parse_args()
    phases = (CALLS if shutil.which("strace") else {}) | PHASES
    results: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as stack:
        targets = _start(stack)
        print(f"{'':36} {'C':>9} {'ours':>9} {'ratio':>7}")
        for name, phase in phases.items():
            if arguments.only not in name:
                continue
            rounds = 1 if name in CALLS or name.startswith("memory") else arguments.rounds
            figures: dict[str, list[float]] = {target.name: [] for target in targets}
            for _ in range(rounds):
                for target in targets:
                    figures[target.name].append(phase(target))
            results[name] = figures
            ratio = statistics.median(ours / theirs for ours, theirs in zip(figures["ours"], figures["C"], strict=True))
            print(f"{name:36} {min(figures['C']):9.3f} {min(figures['ours']):9.3f} {ratio:7.2f}", flush=True)
    if arguments.json:
        machine = {"cpus": os.cpu_count(), "load": os.getloadavg(), "python": sys.version}
        arguments.json.write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    return 0


def _start(stack: ExitStack) -> list[Target]:
    """Start the two under masters of their own."""
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tlsproxy-bench-")))
    searchable(root)
    chains = Certificates(root / "pki").directory
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "1",
        "smtpd_tls_chain_files": f"{chains}/ec256.pem",
        "max_idle": "1000s",
    }
    targets = []
    for name in ("C", "ours"):
        instance = PrivatePostfix(root / name, settings, MASTER_CF.replace("{chains}", str(chains)))
        if name == "ours":
            instance.replace_daemon("tlsproxy", Path(sys.executable).with_name("tlsproxy"))
        stack.enter_context(instance)
        target = Target(name, Daemon(name, instance.master_pid), instance.queue / "private")
        for key in ("ecdsa", "rsa"):
            Session(target.socket(key), client(TLS13)).close()
        targets.append(target)
    return targets


if __name__ == "__main__":
    sys.exit(main())
