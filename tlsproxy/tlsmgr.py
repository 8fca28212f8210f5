"""Client of tlsmgr(8), which stores TLS sessions and provides entropy. It never blocks, and sessions work without it.

There is one connection, made on demand and closed when idle, and one request at a time; the others wait in a queue of
limited length. After a failure (no such service, a timeout, an invalid reply), all requests return None, and there is a
short pause. One log line reports the beginning of a failure, one its end.
"""

from __future__ import annotations

import base64
import binascii
import socket
from collections import deque
from collections.abc import Callable, Sequence

from .log import Log
from .loop import IN, OUT, Loop
from .wire.attributes import AttributeReader, ProtocolError, Reading, write_list

Reply = dict[str, str]
Attributes = Sequence[tuple[str, str | int | bytes]]

_PATIENCE = 2.0
"""Seconds that an answer may take, from the question on."""
_PAUSE = 5.0
"""Seconds without questions after a failure."""
_IDLE = 5.0
_MAX_WAITING = 1000
_GREETING = {"protocol": "tlsmgr_protocol"}


class _Question:
    """A request, and the receiver of its reply."""

    def __init__(self, attributes: Attributes, answer: Callable[[Reply | None], None], deadline: float) -> None:
        self.message = write_list(attributes)
        self.answer = answer
        self.deadline = deadline
        self.repeated = False


class TlsManager:
    """Asynchronous client of tlsmgr(8). Answers arrive later, or at once if it can't be reached."""

    def __init__(self, loop: Loop, log: Log, paths: Sequence[str], *, greets: bool = True) -> None:
        """`paths`: candidate socket paths; the first that accepts a connection is used.

        `greets`: True if tlsmgr(8) sends first, as since Postfix 3.6.
        """
        self._loop = loop
        self._log = log
        self._paths = paths
        self._greets = greets
        self._questions: deque[_Question] = deque()
        self._stream: socket.socket | None = None
        self._greeted = False
        self._unsent = b""
        self._reader = AttributeReader("tlsmgr")
        self._reading: Reading[Reply] = _read_list(self._reader)
        self._not_before = 0.0
        self._last_used = 0.0
        self._failing = False
        self._cachable: dict[str, bool] = {}
        loop.periodic_tasks.append(self._periodic_task)

    # -- questions

    def cachable(self, cache_type: str, answer: Callable[[bool], None]) -> None:
        """Call `answer` with True if sessions of a type (smtp, lmtp) are kept; tlsmgr(8) is asked for that once."""

        def on_reply(reply: Reply | None) -> None:
            if reply is not None and reply.get("status") == "0":
                lasts = reply.get("timeout", "0")
                self._cachable[cache_type] = reply.get("cachable") == "1" and lasts.isdigit() and lasts != "0"
            answer(self._cachable.get(cache_type, False))

        if cache_type in self._cachable:
            answer(self._cachable[cache_type])
        else:
            self._ask((("request", "policy"), ("cache_type", cache_type)), on_reply)

    def lookup(self, cache_type: str, cache_id: str, answer: Callable[[bytes], None]) -> None:
        """Ask for a session; the answer may be empty."""
        attributes = ("request", "lookup"), ("cache_type", cache_type), ("cache_id", cache_id)
        self._ask(attributes, lambda reply: answer(_data(reply, "session")))

    def update(self, cache_type: str, cache_id: str, session: bytes) -> None:
        """Keep a session."""
        attributes = ("request", "update"), ("cache_type", cache_type), ("cache_id", cache_id), ("session", session)
        self._ask(attributes, _ignore_reply)

    def delete(self, cache_type: str, cache_id: str) -> None:
        """Forget a session."""
        self._ask((("request", "delete"), ("cache_type", cache_type), ("cache_id", cache_id)), _ignore_reply)

    def seed(self, size: int, answer: Callable[[bytes], None]) -> None:
        """Ask for bytes of entropy (1 to 255)."""
        self._ask((("request", "seed"), ("size", size)), lambda reply: answer(_data(reply, "seed")))

    def _ask(self, attributes: Attributes, answer: Callable[[Reply | None], None]) -> None:
        now = self._loop.now
        if now < self._not_before or len(self._questions) >= _MAX_WAITING:
            answer(None)
            return
        self._questions.append(_Question(attributes, answer, now + _PATIENCE))
        if len(self._questions) == 1:
            self._last_used = now
            if self._stream is None:
                self._connect()
            else:
                self._send_first()

    # -- the connection

    def _connect(self) -> None:
        problem = ""
        for path in self._paths:
            try:
                self._stream = _connected(path)
            except OSError as error:
                problem = problem or f"connect to {path}: {error.strerror or error}"
                continue
            self._greeted = not self._greets
            self._expect_list()
            self._loop.watch(self._stream.fileno(), IN, self._on_event)
            if self._greeted:
                self._send_first()
            return
        self._fail(problem)

    def _expect_list(self) -> None:
        self._reader = AttributeReader("tlsmgr")
        self._reading = _read_list(self._reader)

    def _send_first(self) -> None:
        self._unsent = self._questions[0].message
        self._send()

    def _send(self) -> None:
        assert self._stream is not None  # noqa: S101
        try:
            sent = self._stream.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        self._unsent = self._unsent[sent:]
        self._loop.watch(self._stream.fileno(), IN | OUT if self._unsent else IN, self._on_event)

    def _on_event(self, events: int) -> None:
        if self._stream is None:
            return
        if events & ~OUT:
            self._receive()
        elif self._unsent:
            self._send()

    def _receive(self) -> None:
        assert self._stream is not None  # noqa: S101
        try:
            data = self._stream.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        if not data:
            self._lost("lost connection")
            return
        try:
            self._reader.feed(data)
            next(self._reading)
        except StopIteration as end:
            self._on_list(end.value)
        except ProtocolError as error:
            self._fail(str(error))

    def _on_list(self, reply: Reply) -> None:
        if self._reader.pending or (self._greeted and (not self._questions or self._unsent)):
            self._fail("unexpected data")
            return
        self._expect_list()
        if not self._greeted:
            if reply != _GREETING:
                self._fail("unexpected greeting")
                return
            self._greeted = True
            if self._questions:
                self._send_first()
            return
        if self._failing:
            self._failing = False
            self._log.info("tlsmgr is available again")
        self._last_used = self._loop.now
        question = self._questions.popleft()
        if self._questions:
            self._send_first()
        question.answer(reply)

    def _lost(self, reason: str) -> None:
        """Go on with another connection: tlsmgr may just have been restarted."""
        first = self._questions[0] if self._questions else None
        if first is None:
            self._close()
        elif first.repeated:
            self._fail(reason)
        else:
            first.repeated = True
            self._close()
            self._connect()

    def _fail(self, reason: str) -> None:
        """End all waiting questions without an answer."""
        self._close()
        if not self._failing:
            self._failing = True
            self._log.warning(f"problem talking to tlsmgr: {reason}; no TLS sessions are resumed until it answers")
        self._not_before = self._loop.now + _PAUSE
        questions, self._questions = self._questions, deque()
        for each in questions:
            each.answer(None)

    def _close(self) -> None:
        if self._stream is not None:
            self._loop.close(self._stream.detach(), shared=True)
            self._stream = None
        self._unsent = b""

    def _periodic_task(self, now: float) -> None:
        if self._questions:
            if now >= self._questions[0].deadline:
                self._fail("no answer in time")
        elif self._stream is not None and now - self._last_used >= _IDLE:
            self._close()


def _connected(path: str) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        stream.connect(path)
    except OSError:
        stream.close()
        raise
    return stream


def _read_list(reader: AttributeReader) -> Reading[Reply]:
    """Read one list of attributes with any names."""
    reply = {}
    while name := (yield from reader.next_name()):
        reply[name] = yield from reader.text(name)
    yield from reader.end_of_list()
    return reply


def _data(reply: Reply | None, name: str) -> bytes:
    """Return the data in a reply; empty if it is not a good one."""
    if reply is None or reply.get("status") != "0":
        return b""
    try:
        return base64.b64decode(reply.get(name, ""), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _ignore_reply(_reply: Reply | None) -> None:
    """Take note of nothing."""
