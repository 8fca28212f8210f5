"""What is measured of a daemon: each phase gives one figure of one target."""

from __future__ import annotations

import multiprocessing
import os
import select
import ssl
import statistics
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from load import Idle, Session, Way, announced, client, forked, handed_over, hello, server, steps
from measure import Daemon
from peers.certificates import Identity
from peers.proxy import running, write_config

_PATIENCE = 60
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Target:
    """A daemon that runs."""

    name: str
    daemon: Daemon
    sockets: dict[str, Path]
    """The services: by the kind of their key, and one whose settings have a condition."""
    chains: Path = field(default_factory=Path)
    client_request: bytes = b""
    """A request of the client role."""

    def way(self, key: str = "ecdsa", version: ssl.TLSVersion = TLS13, *, role: str = "server") -> Way:
        """How sessions go whose server has such a key."""
        if role == "server":
            return Way(self.sockets[key], client(version))
        return Way(self.sockets["ecdsa"], server(version, self.chains / _CHAINS[key]), self.client_request)


_CHAINS = {"ecdsa": "ec256.pem", "rsa": "rsa2048.pem"}
Phase = Callable[[Target], float]


def cost(target: Target, work: Callable[[], int]) -> float:
    """CPU seconds of the daemon for each unit of work."""
    time.sleep(0.2)
    before = target.daemon.cpu() + target.daemon.reaped()
    units = work()
    time.sleep(0.2)  # it may still be closing
    return (target.daemon.cpu() + target.daemon.reaped() - before) / units


def many(way: Way, count: int, at_once: int, ticket: ssl.SSLSession | None = None) -> int:
    """Go through sessions, several at once: hand-off, handshake, a byte each way, an end in good order."""
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
    """Go through sessions as `many` does, but go on with each as soon as it is answered: no worker has to wait."""
    todo = (steps(way) for way in islice(cycle(ways), count))
    waiting = {}
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
    """Milliseconds for a session."""

    def run(target: Target) -> float:
        way = target.way(key, version, role=role)
        first = Session(way)  # which master(8) may have to start a process for
        first.ping(1)
        ticket = first.secure.session if resumed else None
        first.close()
        with target.daemon.on_this_cpu():
            return cost(target, lambda: many(way, count, at_once, ticket)) * 1e3

    return run


def bulk(direction: str, record: int = 16384, mebibytes: int = 256) -> Phase:
    """Seconds for a GiB."""

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
    """Microseconds for 64 bytes there and back, alone or in turn with others."""

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
    """Microseconds that pings take, by the clock."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        session.ping()
        times.append((time.perf_counter() - began) * 1e6)
    return times


def usual_wait(others: int, count: int = 2000) -> Phase:
    """The median of the microseconds that a ping takes by the clock, beside sessions that do nothing."""

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
    """The 99th percentile of the microseconds that a ping takes while others begin handshakes without a pause.

    They leave once the daemon has done the dear half, and so get it to do more of it than they could do themselves.
    """

    def run(target: Target) -> float:
        session = Session(target.way())
        fork = multiprocessing.get_context("fork")
        storm = [fork.Process(target=_begin_handshakes, args=(target.way(),), daemon=True) for _ in range(peers)]
        with target.daemon.on_another_cpu():
            for each in storm:
                each.start()
            time.sleep(0.3)
            # The others are not to keep us from noticing the answer.
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
    """Another phase, while there are sessions that do nothing."""

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
    """KiB of resident memory for a session that does nothing."""

    def run(target: Target) -> float:
        before = target.daemon.memory()

        def look(target: Target) -> float:
            time.sleep(0.5)
            return (target.daemon.memory() - before) / count

        return among(count, look)(target)

    return run


def start(service: str) -> Phase:
    """Milliseconds from nothing to the first announcement."""

    def run(target: Target) -> float:
        target.daemon.reload()
        announced(target.sockets[service]).close()
        return target.daemon.cpu() * 1e3

    return run


def calls(what: str) -> Phase:
    """System calls for each session, ping or MiB."""

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
    """Sessions a second through stand-alone daemons with so many workers each."""
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
