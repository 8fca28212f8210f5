"""The seam between the engine, which moves bytes and keeps time, and TLS, which knows their meaning.

A role (`tls.server.role`, `tls.client.role`) is made once, at start, with privileges. For each request it makes a plan,
before the client has passed the descriptor of the remote peer: only then does the client know whether to go on. The
plan then makes the TLS connection.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from ..errors import TlsproxyError
from ..log import Log
from ..wire.messages import Generation, TlsContext
from .openssl import binding
from .report.summary import Agreement


class RoleUnavailableError(TlsproxyError):
    """The role can't be served (status 0). The reasons have been logged; the text is a summary for people."""


class SessionRefusedError(TlsproxyError):
    """One session can't be started; the reason has been logged. Others are not affected."""


class TlsConnection(Protocol):
    """One TLS connection on the remote peer's descriptor, and the facts that its callbacks have collected."""

    ssl: Any
    """The `SSL *`, in accept or connect state, on a non-blocking descriptor that the engine owns."""
    reused: bool
    """After the handshake: True if it has resumed a session."""

    agreed: Agreement
    """The parameters that both sides have agreed on, from `finish_handshake` on."""

    def finish_handshake(self) -> Agreement:
        """Verify the peer after a handshake, log the summary line, and return the protocol and the cipher."""

    def tls_context(self) -> TlsContext:
        """Return the facts of the connection that the local client gets; only after `finish_handshake`."""

    def log_failure(self) -> None:
        """Log the errors in OpenSSL's queue after a failed handshake, and empty it."""

    def close(self) -> None:
        """Release the data of the connection, at the end of the session."""


class Packets(Enum):
    """The packets of a session that are shown in the log."""

    NONE = auto()
    HANDSHAKE = auto()
    ALL = auto()


class SessionPlan(Protocol):
    """The plan of a role for one request, until the descriptor comes."""

    generation: Generation
    """The dialect in which the client reads its TLS context."""
    packets: Packets
    """The packets that the log level wants to be shown."""
    hello_decides: bool
    """True if the plan starts with the remote peer's first bytes, which decide on its settings; otherwise at once."""

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` once nothing is waited for any more: now, or within seconds."""

    def start(self, descriptor: int) -> TlsConnection:
        """Make the TLS connection on the remote peer's descriptor; raise `SessionRefusedError`."""


class RefusedSessionPlan:
    """A plan for a session that can't be, which Postfix notices only when the session begins."""

    packets = Packets.NONE
    hello_decides = False

    def __init__(self, generation: Generation, problem: str, log: Log | None = None) -> None:
        """`log`: for the problem, when the session begins; None if it has been logged."""
        self.generation = generation
        self._problem = problem
        self._log = log

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Go on at once."""
        go_on()

    def start(self, descriptor: int) -> TlsConnection:  # noqa: ARG002
        """Log the problem, and raise `SessionRefusedError`."""
        if self._log is not None:
            self._log.warning(self._problem)
            binding.log_errors(self._log)
        raise SessionRefusedError(self._problem)
