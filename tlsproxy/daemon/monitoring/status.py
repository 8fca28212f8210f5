"""The state of a daemon, as it reports it: as JSON (/status), as metrics, and in one word (/healthz).

Fields only, no sentences: a program acts on them, and `asking` makes the text for people.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ... import __version__
from .metrics import Gauge

TYPE_CHECKING = False
if TYPE_CHECKING:  # OpenSSL is loaded when its configuration is known
    from .certificates import Described

STANDALONE, MASTER = "standalone", "master"
OK, DEGRADED = "ok", "degraded"
NONE, DONE, FAILED, WAITING = "none", "done", "failed", "waiting"
"""State of the last reload or renewal. Waiting: it was read, but no process can be forked for it."""


class WorkerStatus(NamedTuple):
    """One process that serves sessions."""

    pid: int
    generation: int
    leaving: bool
    """It begins no sessions, and ends with its last one."""
    sessions: int
    beginning: int
    """Those of them that have not done their handshake."""


class Reload:
    """State and time of the last reload; times are those of time(2)."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.state = NONE
        self.at = 0.0
        """0 before the first reload."""
        self.succeeded_at = clock()
        """The time at which the configuration in use was read: at the start, or by a reload."""

    def note(self, state: str) -> None:
        """Note the outcome of a reload."""
        self.state = state
        self.at = self._clock()
        if state == DONE:
            self.succeeded_at = self.at


class Status(NamedTuple):
    """Status report, as /status, /healthz and /metrics have it."""

    mode: str
    started: float
    """On the clock of time(2)."""
    generation: int
    """Stand-alone: 1, and one more for each reload. Under master(8): the number of processes started by then."""
    reload: Reload
    roles: dict[str, str]
    workers: list[WorkerStatus]
    certificates: list[Described]
    release: str
    """Postfix release whose behaviour the daemon has."""
    restarts: int = 0
    """Number of workers that ended unexpectedly."""
    held_back: bool = False
    """True if workers keep exiting at startup, and restarts are delayed."""

    @property
    def problems(self) -> list[str]:
        """Names of current problems."""
        found = [f"{name}_role_{state}" for name, state in self.roles.items() if state in ("failed", "limited")]
        if self.reload.state in (FAILED, WAITING):
            found.append(f"reload_{self.reload.state}")
        if self.held_back:
            found.append("workers_fail")
        if any(each.expires <= time.time() for each in self.certificates):
            found.append("certificate_expired")
        if not self.serves:
            found.append("not_serving")
        return found

    @property
    def serves(self) -> bool:
        """True if new sessions are served."""
        return any(not each.leaving for each in self.workers) and bool({"served", "limited"} & set(self.roles.values()))

    def json(self) -> str:
        """Return the body of /status."""
        problems = self.problems
        reload = self.reload
        return json.dumps(
            {
                "version": __version__,
                "openssl": _openssl(),
                "postfix": self.release,
                "mode": self.mode,
                "state": DEGRADED if problems else OK,
                "problems": problems,
                "pid": os.getpid(),
                "started": rfc3339(self.started),
                "uptime_seconds": round(max(0.0, time.time() - self.started), 1),
                "generation": self.generation,
                "reload": {
                    "state": reload.state,
                    "time": rfc3339(reload.at) if reload.at else None,
                    "succeeded": rfc3339(reload.succeeded_at),
                },
                "roles": self.roles,
                "worker_restarts": self.restarts,
                "workers": [each._asdict() for each in self.workers],
                "certificates": [each.as_json() for each in self.certificates],
            }
        )

    def health(self) -> tuple[bool, str]:
        """Return the answer of /healthz: True if new sessions are served, and the text.

        A failed reload is no reason to restart a daemon that serves: it is in the text only.
        """
        return self.serves, " ".join([DEGRADED if self.problems else OK, *self.problems])

    def gauges(self) -> Iterator[Gauge]:
        """Yield the metrics that are no counters of sessions."""
        labels = {"version": __version__, "openssl": _openssl(), "postfix": self.release, "mode": self.mode}
        yield Gauge("build_info", "Versions of the program, its OpenSSL, and its Postfix release.", 1, labels)
        yield Gauge("start_time_seconds", "When the daemon was started.", self.started)
        yield Gauge("up", "1 if new sessions are served.", int(self.serves), {"mode": self.mode})
        for name, state in self.roles.items():
            served = int(state == "served")
            yield Gauge("role_served", "1 if a role is served, by all that is configured.", served, {"role": name})
        for name, state in self.roles.items():
            yield Gauge(
                "role_configured", "1 if the configuration asks for a role.", int(state != "off"), {"role": name}
            )
        good = int(self.reload.state not in (FAILED, WAITING))
        yield Gauge("last_reload_successful", "1 if the last reload or renewal is in use, or there was none.", good)
        at = self.reload.at or self.started
        yield Gauge("last_reload_timestamp_seconds", "When the last reload or renewal was, or the start.", at)
        when = self.reload.succeeded_at
        yield Gauge("last_reload_success_timestamp_seconds", "When the configuration in use was read.", when)
        yield Gauge(
            "worker_restarts_total", "Workers that ended without being asked to.", self.restarts, kind="counter"
        )
        leaving = sum(each.leaving for each in self.workers)
        yield Gauge("workers", "Processes that serve.", len(self.workers) - leaving, {"state": "serving"})
        yield Gauge("workers", "Processes that serve.", leaving, {"state": "leaving"})
        for each in self.certificates:
            text = "When the certificate in a file expires."
            yield Gauge("certificate_expiry_timestamp_seconds", text, each.expires, {"file": each.file})


def _openssl() -> str:
    from OpenSSL import SSL  # which is loaded by now

    return SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode("ascii", "replace")


def rfc3339(when: float) -> str:
    """Return a time as RFC 3339 has it, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
