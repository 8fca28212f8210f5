"""Live checks: query a running daemon (`--status`) and DNS (`--dns`).

No other part of the checker uses the network, or connects to another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..command.inputs import InputError

if TYPE_CHECKING:
    from ...policy import Resolver

_TIMEOUT = 10.0


def served_by(socket: str) -> Mapping[str, frozenset[str]]:
    """Return the certificates in use by a daemon: SHA-256 digests by file; raise `InputError`.

    `socket`: path of the socket for sessions, or of the control socket.
    """
    from ...daemon.monitoring.asking import DaemonStatus, ask
    from ...daemon.monitoring.control import control_path
    from ...log import FatalError

    path = Path(socket)
    try:
        control = path if path.suffix == ".control" else control_path(path)
        found: dict[str, frozenset[str]] = {}
        # Of any account: a false answer makes a false finding, and nothing else.
        for each in DaemonStatus(ask(control, "/status", believed=None), control).certificates:
            if each.sha256:
                found[each.file] = found.get(each.file, frozenset()) | {each.sha256}
    except FatalError as error:
        raise InputError(str(error)) from None
    return found


def name_server() -> Resolver:
    """Return the resolver of this machine; raise `InputError` if the library for it is missing."""
    try:
        from ...policy.resolver import DnsResolver
    except ImportError as error:
        raise InputError(str(error)) from None
    return DnsResolver(timeout=_TIMEOUT)
