"""The seam between the engine, which moves bytes and keeps time, and TLS, which knows what they mean.

A role is made once, at start, with privileges. For each request it prepares an offer, before the client has passed the
descriptor of the remote peer: only then does the client know whether to go on. The offer then makes the TLS connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Protocol

from ..loop import Loop
from ..wire.messages import ClientSettings, Generation, Request, ServerSettings, TlsContext
from .identities import Identity
from .report.summary import Agreement


class RoleUnavailable(Exception):
    """The role can't be served (status 0). What is wrong has been logged; the text is a summary for people."""


class SessionRefused(Exception):
    """One session can't be started; the reason has been logged. Others are not affected."""


class Peer(Protocol):
    """One TLS session: a connection on the remote peer's descriptor, and what its callbacks have seen."""

    ssl: Any
    """The `SSL *`, in accept or connect state, on a non-blocking descriptor that the engine owns."""
    reused: bool
    """After the handshake: whether it has resumed a session."""

    def complete(self) -> Agreement:
        """After the handshake: judge it, log its summary line, and say what it has agreed on."""

    def told(self) -> TlsContext:
        """After `complete`: what the client may know of it."""

    def failed(self) -> None:
        """After a failed handshake: log what OpenSSL's error queue holds, and empty it."""

    def close(self) -> None:
        """At the end of the session, whatever it was: give up what is kept beside the connection."""


class Packets(Enum):
    """Which packets of a session are shown in the log."""

    NONE = auto()
    HANDSHAKE = auto()
    ALL = auto()


class Offer(Protocol):
    """The role's promise for one request: it will start TLS when the descriptor comes."""

    generation: Generation
    """The dialect in which the client reads its TLS context."""
    packets: Packets
    """What the log level wants to be shown."""
    hello_decides: bool
    """Whether to start when the remote peer has sent something, as that decides how; otherwise at once."""

    def when_ready(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` once nothing is waited for any more: now, or within seconds."""

    def start(self, descriptor: int) -> Peer:
        """Make the TLS connection on the remote peer's descriptor; raise `SessionRefused`."""


class ServerRole(Protocol):
    """Speaks to remote SMTP clients; we are the TLS server (for postscreen(8))."""

    def offer(self, request: Request, settings: ServerSettings | None) -> Offer:
        """Prepare a session; raise `RoleUnavailable`. `settings` come from Postfix 3.12 and later."""

    @property
    def expires(self) -> float:
        """When, on the monotonic clock, the ticket keys have to be replaced, which `renew` does."""

    def identities(self) -> Sequence[Identity]:
        """The keys and certificates of our own configuration."""

    def renew(self) -> bool:
        """Read keys, certificates and tables again, for new sessions.

        False if those of before stay; why has been logged.
        """


class ClientRole(Protocol):
    """Speaks to remote SMTP servers; we are the TLS client (for smtp(8))."""

    is_complete: bool
    """True if contexts can be made by our own settings; requests with other settings are served without."""

    def offer(self, request: Request, settings: ClientSettings) -> Offer:
        """Prepare a session, making a context where no session had these settings; raise `RoleUnavailable`."""

    def attach(self, loop: Loop) -> None:
        """Talk to tlsmgr(8) on this loop from now on; until then, and where it is not there, no session is resumed."""

    def renew(self) -> bool:
        """Read certificates and authorities again, for new sessions; False if the old ones stay, and why is logged."""
