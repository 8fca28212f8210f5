"""How a daemon is: what it says of itself, as JSON, and the text that people get to see of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from .. import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # OpenSSL is loaded when its configuration is known
    from ..tls.roles import ClientRole, ServerRole


class WorkerStatus(NamedTuple):
    """One process that serves sessions."""

    pid: int
    generation: int
    leaving: bool
    """It begins no sessions, and ends with its last one."""
    sessions: int
    beginning: int
    """Those of them that have not done their handshake."""


def report(
    workers: Iterable[WorkerStatus],
    roles: tuple[ServerRole | None, ClientRole | None],
    *,
    up: float,
    generation: int,
    reload: str = "",
) -> str:
    """Make the JSON; `up` is in seconds, `reload` says how the last one went."""
    from .certificate_report import described

    return json.dumps(
        {
            "version": __version__,
            "pid": os.getpid(),
            "up": round(up, 1),
            "generation": generation,
            "reload": reload,
            "roles": dict(
                zip(("server", "client"), ("served" if each else "not available" for each in roles), strict=True)
            ),
            "workers": [each._asdict() for each in workers],
            "certificates": [each.shown() for each in described(roles[0])],
        }
    )


def show(status: str) -> str:
    """The text for people of what /status answers."""
    known = json.loads(status)
    lines = [f"tlsproxy {known['version']}, process {known['pid']}, up {_duration(known['up'])}"]
    lines.append("; ".join(filter(None, [f"generation {known['generation']}", known["reload"]])))
    lines += [f"{role} role: {state}" for role, state in known["roles"].items()]
    for each in known["workers"]:
        leaving = ", leaving" if each["leaving"] else ""
        lines.append(
            f"worker {each['pid']}: generation {each['generation']}, {each['sessions']} sessions, "
            f"{each['beginning']} of them beginning{leaving}"
        )
    for each in known["certificates"]:
        left = each["seconds_left"]
        when = f"expires in {_duration(left)}" if left > 0 else f"EXPIRED {_duration(-left)} ago"
        lines.append(f"{each['file']}: {each['subject']}, {when} ({each['expires']})")
    return "\n".join([*lines, ""])


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
