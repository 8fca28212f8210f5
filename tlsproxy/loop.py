"""An event loop over epoll: handlers by descriptor, a coarse clock, queued jobs, and periodic tasks once a second.

It knows nothing of TLS or of sessions. A handler is called with the event bits; an exception goes to `on_failure`, and
the loop continues. `close` closes descriptors at the end of an iteration, so that a pending event can't reach the next
owner of the same number.
"""

from __future__ import annotations

import os
import select
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection
from typing import Protocol

IN = select.EPOLLIN
OUT = select.EPOLLOUT
EDGE = select.EPOLLET
"""Beside others: an event comes once, and again only after a change (epoll(7), edge-triggered)."""
GONE = select.EPOLLHUP | select.EPOLLERR

Handler = Callable[[int], None]
Job = Callable[[], None]

_TASK_INTERVAL = 1.0
_MAX_EVENTS = 80
"""At once; room for them is made for each turn, and up to a kilobyte costs malloc next to nothing."""


class Outlet(Protocol):
    """Something that is collected while handlers run."""

    @property
    def waiting(self) -> Collection[object]:
        """Items that were not accepted yet."""

    def flush_when_due(self, now: float) -> float:
        """Hand on the items that have waited long enough; return the most seconds until the next call."""


class _Nothing:
    waiting: Collection[object] = ()

    def flush_when_due(self, now: float) -> float:
        return now


class Loop:
    """One epoll object. `now` is the monotonic time, in seconds, at which the current turn began."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.handlers: dict[int, Handler] = {}
        """By descriptor. The owner of a descriptor may replace its handler here."""
        self._masks: dict[int, int] = {}
        self._closing: list[int] = []
        self._jobs: deque[Job] = deque()
        self._running = False
        self.periodic_tasks: list[Callable[[float], None]] = []
        """Called about once a second with the time."""
        self.outlet: Outlet = _Nothing()
        """Output that is flushed before the loop sleeps."""
        self.on_failure: Callable[[Callable[..., object]], None] = _print_failure
        """Called in the `except` block after an exception in a handler, job or periodic task, with that function."""
        self.now = time.monotonic()

    @property
    def descriptors(self) -> int:
        """Number of known descriptors: those that are watched, and those that were watched and are open."""
        return len(self._masks)

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """Call `handler` when one of `events` happens; `events` of 0 stops that, hang-ups included."""
        old = self._masks.get(descriptor, 0)
        if events:
            self.handlers[descriptor] = handler
        if events == old:
            return
        if not old:
            self._epoll.register(descriptor, events)
        elif events:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.unregister(descriptor)
            del self.handlers[descriptor]
        self._masks[descriptor] = events

    def close(self, descriptor: int, *, shared: bool = False) -> None:
        """Forget a descriptor now and close it when this turn ends.

        `shared`: another process may hold the same open file, so that the kernel would go on reporting its events.
        """
        if self._masks.pop(descriptor, 0) and shared:
            self._epoll.unregister(descriptor)
        self.handlers.pop(descriptor, None)
        self._closing.append(descriptor)

    def queue(self, job: Job) -> None:
        """Queue expensive work: one job per iteration while other descriptors have events."""
        self._jobs.append(job)

    def forked(self) -> None:
        """Go on in a child process, outside `run`: an epoll object would stay the parent's, too."""
        self._epoll.close()
        self._epoll = select.epoll()
        for descriptor, events in self._masks.items():
            if events:
                self._epoll.register(descriptor, events)

    def abandon(self) -> None:
        """Close all descriptors that are watched or about to be closed, in a child process that has no use for them."""
        self._epoll.close()
        for descriptor, events in self._masks.items():
            if events:
                os.close(descriptor)
        self._close_all()
        self._masks.clear()
        self.handlers.clear()

    def stop(self) -> None:
        """Leave `run` at the end of this turn."""
        self._running = False

    def run(self) -> None:
        """Turn until `stop`."""
        self._running = True
        wait = 0.0
        next_tasks = time.monotonic() + _TASK_INTERVAL
        handlers = self.handlers
        jobs = self._jobs
        poll = self._epoll.poll
        monotonic = time.monotonic
        while self._running:
            events = poll(wait, _MAX_EVENTS)
            self.now = now = monotonic()
            for descriptor, event in events:
                handler = handlers.get(descriptor)
                if handler is not None:
                    try:
                        handler(event)
                    except Exception:
                        self.on_failure(handler)
            if jobs:
                job = jobs.popleft()
                try:
                    job()
                except Exception:
                    self.on_failure(job)
            if now >= next_tasks:
                next_tasks = now + _TASK_INTERVAL
                for task in self.periodic_tasks:
                    try:
                        task(now)
                    except Exception:
                        self.on_failure(task)
            if self._closing:
                self._close_all()
            wait = 0.0
            if not jobs:
                wait = next_tasks - now
                if self.outlet.waiting:
                    try:
                        wait = min(wait, self.outlet.flush_when_due(now))
                    except Exception:
                        self.on_failure(self.outlet.flush_when_due)

    def _close_all(self) -> None:
        for descriptor in self._closing:
            os.close(descriptor)
        self._closing.clear()


def _print_failure(_function: Callable[..., object]) -> None:
    traceback.print_exc()
