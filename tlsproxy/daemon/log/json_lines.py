"""Log lines as JSON objects, with the facts of a session as fields: for collectors that want no parser for mail logs.

Only a daemon that logs so has `RecordedSession`s; others pay nothing for it. The text is Postfix's, as in other forms.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ...session.session import Owner, Session
from .lines import MAX_TEXT, LogSeverity

_EVENTS = (
    ("connect", re.compile("CONNECT (?:from|to) ")),
    ("tls_established", re.compile("(?:Anonymous|Untrusted|Trusted|Verified) TLS connection (?:established|reused) ")),
    ("tls_failed", re.compile("TLS handshake failed for ")),
    ("disconnect", re.compile("DISCONNECT ")),
    ("listening", re.compile("listening on ")),
    ("metrics", re.compile("metrics on ")),
    ("reloaded", re.compile("reloaded, generation ")),
    ("reload_failed", re.compile("reload failed")),
    ("renewal_failed", re.compile("renewal failed")),
    ("worker_ended", re.compile(r"process \d+: (?:exit status|killed by signal) ")),
    ("stopped", re.compile("stopped$")),
)
"""Events by the beginning of their text, which is ours; all other lines are messages."""

Method = TypeVar("Method", bound=Callable[..., Any])


class LogSubject(Protocol):
    """Subject of log lines, which adds fields to them: a session."""

    def fields(self, event: str) -> Mapping[str, object]:
        """Return the fields for a line about an event."""


class JsonForm:
    """One JSON object for each line."""

    def __init__(self, tag: str) -> None:
        """`tag` is syslog_name/process_name."""
        self._tag = tag
        self.subject: LogSubject | None = None
        """Subject of the lines that are logged now."""

    def line(self, severity: LogSeverity, text: str) -> bytes:
        """Make a line; the time is RFC 3339's, in UTC."""
        now = time.time()
        whole = int(now)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        event = next((name for name, pattern in _EVENTS if pattern.match(text)), "message")
        fields = {
            "time": f"{stamp}.{int((now - whole) * 1000):03d}Z",
            "severity": severity.name.lower(),
            "tag": self._tag,
            "pid": os.getpid(),
            "event": event,
            **(self.subject.fields(event) if self.subject is not None else {}),
            "text": text[:MAX_TEXT],
        }
        return json.dumps(fields).encode("ascii")

    def forked(self) -> None:
        """Do nothing: the number is asked for each time."""


def _recorded(method: Method) -> Method:
    """Make a session the subject of the lines that a method logs."""

    def run(self: RecordedSession, *arguments: object, **named: object) -> object:
        before, self.form.subject = self.form.subject, self
        try:
            return method(self, *arguments, **named)
        finally:
            self.form.subject = before

    return run  # type: ignore[return-value]


class RecordedSession(Session):
    """A session that adds its identity and its known facts to each of its lines."""

    __slots__ = ("_began", "_id", "_tls_began", "form")

    def __init__(self, owner: Owner, local: socket.SocketType, form: JsonForm) -> None:
        super().__init__(owner, local)
        self.form = form
        self._id = os.urandom(8).hex()
        self._began = time.monotonic()
        self._tls_began = 0.0

    # The methods that the loop and the server call.
    start = _recorded(Session.start)
    check = _recorded(Session.check)
    time_out = _recorded(Session.time_out)
    abort = _recorded(Session.abort)
    on_request = _recorded(Session.on_request)
    on_descriptor = _recorded(Session.on_descriptor)
    on_hello = _recorded(Session.on_hello)
    on_early_local = _recorded(Session.on_early_local)
    _promise = _recorded(Session._promise)
    _handshake = _recorded(Session._handshake)
    relay_ended = _recorded(Session.relay_ended)
    end = _recorded(Session.end)

    def _start_tls(self) -> bool:
        self._tls_began = time.monotonic()
        return super()._start_tls()

    def fields(self, event: str) -> Mapping[str, object]:
        """Return the fields of session, role, peer and TLS parameters; durations are in seconds.

        At the end they are those of the session, before that those of the handshake.
        """
        found: dict[str, object] = {"session": self._id, "role": self.role, "peer": self._request.remote_endpoint}
        connection = self._connection
        agreed = getattr(connection, "agreed", None)
        if connection is not None and agreed is not None:
            found |= {"tls_version": agreed.protocol, "cipher": agreed.cipher, "resumed": connection.reused}
            if agreed.key_exchange:
                found["group"] = agreed.key_exchange
        if event == "disconnect":
            found |= {"outcome": self.outcome, "duration": round(time.monotonic() - self._began, 6)}
        elif event in ("tls_established", "tls_failed") and self._tls_began:
            found["duration"] = round(time.monotonic() - self._tls_began, 6)
        if self.failure:
            found["reason"] = self.failure
        return found
