"""States of a session: the event that each one waits for, its time limit, and the next state (tlsproxy(8)).

=================  =====================================  =====================  ==================================
state              waits for                              limit                  at the limit
=================  =====================================  =====================  ==================================
requesting         the request begins                     100 s                  end, silently
reading settings   the rest of the request                10 s                   warning, end
preparing          nothing: tlsmgr(8) has not answered    100 s                  end, silently
refused            the local peer closes                  100 s                  end, silently
awaiting           the remote peer's descriptor           100 s                  end, silently
greeted            the remote peer's first bytes          first of the request   warning, handshake failed, end
handshaking        messages of TLS                        first of the request   warning, handshake failed, end
relaying           data both ways, an end                 second, and 10 s more  warning, end
shutting down      room for close_notify                  second, and 10 s more  warning, end
draining           room for bytes of the remote peer      second, and 10 s more  warning, end
=================  =====================================  =====================  ==================================

A limit is one of inactivity: it begins again when something comes; that of a request counts from its first byte. The
end of either side ends the session in every state, and so does an event that the state has no use for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..loop import EDGE, IN, OUT
from ..wire.messages import Request

REQUEST_TIMEOUT = 100.0
"""Seconds that a local peer has until it begins its request, and then until it has passed a descriptor."""
_SETTINGS_TIMEOUT = 10.0
"""Seconds that a request may take which has begun: its writer has all of it at hand."""
_SESSION_GRACE = 10
"""Seconds that are added to the client's session limit, which the client enforces itself."""
_MAX_TIMEOUT = 7 * 24 * 3600


HANDSHAKE, SESSION = "handshake_timeout", "session_timeout"
"""Limits in the request, by the names of its fields."""


def seconds(limit: float | str, request: Request) -> float:
    """Return a limit of a session with this request; nonsense (a negative one) means at once, as 0 does."""
    if not isinstance(limit, str):
        return limit
    asked: int = getattr(request, limit)
    bounded = 0 if asked < 0 else min(asked, _MAX_TIMEOUT)
    return bounded + _SESSION_GRACE if limit == SESSION else bounded


class State(NamedTuple):
    """One row of the table. The handlers, and the action at the limit, are methods of `session.Session`, by name."""

    name: str
    limit: float | str
    """In seconds, or HANDSHAKE or SESSION."""
    at_limit: str
    local: str | None = None
    """The handler of events of the local peer; None: the relay's."""
    local_events: int = IN
    """0: it is not watched."""
    remote: str | None = None
    """The handler of events of the remote peer; None: the relay's, or there is no remote peer yet."""
    remote_events: int = IN | EDGE
    """Edge-triggered during the handshake, which may be queued for many iterations."""
    leads_to: tuple[str, ...] = ()
    """The states that may follow; the end may follow any."""


REQUESTING: Final = State(
    "requesting",
    REQUEST_TIMEOUT,
    "end",
    local="on_request",
    leads_to=("reading settings", "preparing", "refused", "awaiting"),
)
READING_SETTINGS: Final = State(
    "reading settings",
    _SETTINGS_TIMEOUT,
    "on_half_request",
    local="on_request",
    leads_to=("preparing", "refused", "awaiting"),
)
PREPARING: Final = State(
    "preparing",
    REQUEST_TIMEOUT,
    "end",
    local="on_unexpected",
    leads_to=("refused", "awaiting"),
)
REFUSED: Final = State("refused", REQUEST_TIMEOUT, "end", local="on_unexpected")
AWAITING: Final = State(
    "awaiting",
    REQUEST_TIMEOUT,
    "end",
    local="on_descriptor",
    leads_to=("greeted", "handshaking"),
)
GREETED: Final = State(
    "greeted",
    HANDSHAKE,
    "on_handshake_limit",
    local="on_early_local",
    remote="on_hello",
    leads_to=("handshaking",),
)
HANDSHAKING: Final = State(
    "handshaking",
    HANDSHAKE,
    "on_handshake_limit",
    local="on_early_local",
    remote="on_handshake",
    leads_to=("relaying",),
)
RELAYING: Final = State(
    "relaying",
    SESSION,
    "on_session_limit",
    leads_to=("shutting down", "draining"),
)
SHUTTING_DOWN: Final = State(
    "shutting down",
    SESSION,
    "on_session_limit",
    local="on_unexpected",
    local_events=0,
    remote="on_shutdown",
    remote_events=OUT,
)
DRAINING: Final = State(
    "draining",
    SESSION,
    "on_session_limit",
    local="on_drain",
    local_events=OUT,
    remote="on_unexpected",
    remote_events=0,
)
STATES: Final = (
    REQUESTING,
    READING_SETTINGS,
    PREPARING,
    REFUSED,
    AWAITING,
    GREETED,
    HANDSHAKING,
    RELAYING,
    SHUTTING_DOWN,
    DRAINING,
)
