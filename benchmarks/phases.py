"""Phases of the benchmark: each one measures one figure of one daemon."""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
import ssl
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from load import Idle, Session, Way, announced, client, forked, handed_over, hello, server, steps
from measure import Daemon
from peers.daemon.proxy import running, write_config
from peers.tools.certificates import Identity

_PATIENCE = 60
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Target:
    """Running daemon."""

    name: str
    daemon: Daemon
    sockets: dict[str, Path]
    """Sockets by the kind of key; one service has settings with a condition."""
    chains: Path = field(default_factory=Path)
    client_request: bytes = b""
    """A request of the client role."""

    def way(self, key: str = "ecdsa", version: ssl.TLSVersion = TLS13, *, role: str = "server") -> Way:
        """Return the parameters of sessions with such a server key."""
        if role == "server":
            return Way(self.sockets[key], client(version))
        return Way(self.sockets["ecdsa"], server(version, self.chains / _CHAINS[key]), self.client_request)


_CHAINS = {"ecdsa": "ec256.pem", "rsa": "rsa2048.pem"}
Phase = Callable[[Target], float]


def cost(target: Target, work: Callable[[], int]) -> float:
    """Return the CPU seconds of the daemon for each unit of work."""
    time.sleep(0.2)
    before = target.daemon.cpu() + target.daemon.reaped()
    units = work()
    time.sleep(0.2)  # the daemon may still be closing sessions
    return (target.daemon.cpu() + target.daemon.reaped() - before) / units


def many(way: Way, count: int, at_once: int, ticket: ssl.SSLSession | None = None) -> int:
    """Run sessions, several at once: hand-off, handshake, a byte each way, a clean end."""
    todo = (steps(way, ticket) for _ in range(count))
    under_way = deque(islice(todo, at_once))
    while under_way:
        each = under_way.popleft()
        if next(each, under_way) is not under_way:
            under_way.append(each)
        elif (new := next(todo, None)) is not None:
            under_way.append(new)
    return count


def as_answered(ways: list[Way], count: int, at_once: int) -> int:
    """Run sessions like `many`, but continue each one as soon as it is answered, so that no worker waits."""
    todo = (steps(way) for way in islice(cycle(ways), count))
    waiting: dict[int, Iterator[socket.socket]] = {}
    ready = deque(islice(todo, at_once))
    poll = select.epoll()
    while ready or waiting:
        while ready:
            each = ready.popleft()
            if (answer := next(each, None)) is not None:
                waiting[answer.fileno()] = each
                poll.register(answer, select.EPOLLIN)
            elif (new := next(todo, None)) is not None:
                ready.append(new)
        answered = poll.poll(_PATIENCE) if waiting else []
        if waiting and not answered:
            raise TimeoutError("no session is answered")
        for descriptor, _events in answered:
            poll.unregister(descriptor)
            ready.append(waiting.pop(descriptor))
    poll.close()
    return count


def sessions(
    key: str = "ecdsa",
    version: ssl.TLSVersion = TLS13,
    *,
    role: str = "server",
    resumed: bool = False,
    count: int = 400,
    at_once: int = 8,
) -> Phase:
    """Return a phase: milliseconds for a session."""

    def run(target: Target) -> float:
        way = target.way(key, version, role=role)
        first = Session(way)  # master(8) may have to start a process for it
        first.ping(1)
        ticket = first.secure.session if resumed else None
        first.close()
        with target.daemon.on_this_cpu():
            return cost(target, lambda: many(way, count, at_once, ticket)) * 1e3

    return run


def bulk(direction: str, record: int = 16384, mebibytes: int = 256) -> Phase:
    """Return a phase: seconds for a GiB."""

    def run(target: Target) -> float:
        session = Session(target.way())

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
    """Return a phase: microseconds for 64 bytes and their echo, alone or in turn with other sessions."""

    def run(target: Target) -> float:
        open_sessions = [Session(target.way()) for _ in range(1 + others)]

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


def waits(session: Session, count: int) -> list[float]:
    """Return the wall-clock times of pings, in microseconds."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        session.ping()
        times.append((time.perf_counter() - began) * 1e6)
    return times


def usual_wait(others: int, count: int = 2000) -> Phase:
    """Return a phase: median wall-clock time of a ping in microseconds, with idle sessions open."""

    def run(target: Target) -> float:
        session = Session(target.way())

        def look(target: Target) -> float:
            with target.daemon.on_this_cpu():
                return statistics.median(waits(session, count))

        found = among(others, look)(target)
        session.close()
        return found

    return run


def wait_in_a_storm(peers: int = 8, count: int = 1500) -> Phase:
    """Return a phase: 99th percentile of a ping's microseconds during a storm of handshakes.

    The clients close after the daemon's expensive half of the handshake, to cause more of them.
    """

    def run(target: Target) -> float:
        session = Session(target.way())
        fork = multiprocessing.get_context("fork")
        storm = [fork.Process(target=_begin_handshakes, args=(target.way(),), daemon=True) for _ in range(peers)]
        with target.daemon.on_another_cpu():
            for each in storm:
                each.start()
            time.sleep(0.3)
            # The other sessions must not delay the measurement.
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            times = waits(session, count)
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            for each in storm:
                each.terminate()
                each.join()
        session.close()
        return statistics.quantiles(times, n=100)[98]

    return run


def _begin_handshakes(way: Way) -> None:
    forked()
    first = hello(way.context)
    while True:
        plain, remote = handed_over(way)
        with plain, remote:
            remote.sendall(first)
            remote.recv(1)


def among(others: int, phase: Phase) -> Phase:
    """Return another phase with idle sessions open."""

    def run(target: Target) -> float:
        crowd = [Idle(target.way()) for _ in range(others)]
        try:
            return phase(target)
        finally:
            for each in crowd:
                each.close()
            time.sleep(1)

    return run


def memory(count: int = 1000) -> Phase:
    """Return a phase: KiB of resident memory for an idle session."""

    def run(target: Target) -> float:
        before = target.daemon.memory()

        def look(target: Target) -> float:
            time.sleep(0.5)
            return (target.daemon.memory() - before) / count

        return among(count, look)(target)

    return run


def start(service: str) -> Phase:
    """Return a phase: milliseconds from the start to the first announcement."""

    def run(target: Target) -> float:
        target.daemon.reload()
        announced(target.sockets[service]).close()
        return target.daemon.cpu() * 1e3

    return run


def calls(what: str) -> Phase:
    """Return a phase: system calls for each session, ping or MiB."""

    def run(target: Target) -> float:
        way = target.way()
        session = Session(way)
        session.ping()
        with target.daemon.traced() as counted:
            if what == "session":
                units = many(way, 100, 1)
            elif what == "ping":
                units = len(waits(session, 1000))
            else:
                units = 64
                session.up(units) if what == "up" else session.down(units)
        session.close()
        return sum(counted.values()) / units

    return run


def workers(directory: Path, key: Identity, *counts: int) -> float:
    """Return sessions per second through stand-alone daemons with these numbers of workers."""
    with ExitStack() as stack:
        ways = []
        for number, count in enumerate(counts):
            own = directory / str(number)
            write_config(own, {})
            (own / "chain.pem").write_bytes(key.key_pem + key.chain_pem)
            proxy = stack.enter_context(running(own, "--workers", str(count)))
            ways.append(Way(proxy.socket, client(TLS13)))
        began = time.monotonic()
        return as_answered(ways, 300, 32) / (time.monotonic() - began)
