"""Requests of programs to a running proxy: the request of smtp(8) or postscreen(8), made from a policy and main.cf.

Used by `tlsproxy.starttls.api`, which does the talking.
"""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import postconf
from postconf import View
from postconf.values import SecurityLevel

from ..log import StandardLog
from ..policy import Policy
from ..tls.settings.client import client_init
from ..tls.settings.release_behaviour import Behaviour
from ..wire.messages import (
    ClientInit,
    ClientSettings,
    ClientStart,
    Flag,
    Generation,
    PeerStatus,
    Request,
    TlsContext,
)
from ..wire.requests import params, write_client_settings, write_request, write_server_settings

Role = Literal["client", "server"]

_MAY_FALL_BACK = (SecurityLevel.DANE, SecurityLevel.HALF_DANE)
"""Levels at which a session without a usable TLSA record suffices if it is encrypted (RFC 7672, section 2.2)."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running tlsproxy: its socket, and the configuration that its clients' requests are made from."""

    path: Path
    view: View
    prefix: Literal["smtp", "lmtp"] = "smtp"
    """The prefix of the settings in requests of the client role: `smtp_tls_CAfile` …"""
    service: str = "smtp"
    """Our name in the proxy's log and in its session cache."""

    @classmethod
    def of(cls, view: View | str = "/etc/postfix", path: Path | str | None = None) -> Proxy:
        """Return the proxy of a configuration, or of a directory with one.

        `path`: the proxy's socket, by default the one that smtp(8) uses: private/$tlsproxy_service_name in the queue
        directory. Raise `postconf.ConfigError`, and OSError if main.cf can't be read.
        """
        if isinstance(view, str):
            view = postconf.load(view)
        own = Path(view["queue_directory"], "private", view["tlsproxy_service_name"])
        return cls(own if path is None else Path(path), view)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in bytes, and the conditions on its answer."""

    path: Path
    data: bytes
    policy: Policy | None
    announced: bool
    """The proxy speaks first."""

    def admits(self, context: TlsContext) -> bool:
        """Return True if a session satisfies the policy; at verified levels only the bit for a match counts."""
        if self.policy is None:
            return True
        level = self.policy.level
        if level in _MAY_FALL_BACK and context.level == SecurityLevel.ENCRYPT:
            return True
        return level <= SecurityLevel.ENCRYPT or bool(context.peer_status & PeerStatus.MATCHED)


def prepare(
    sock: socket.socket,
    proxy: Proxy,
    *,
    role: Role,
    policy: Policy | None,
    timeouts: tuple[float, float],
    remote_endpoint: str,
    ehlo: str,
) -> Prepared:
    """Make the request; raise ValueError for arguments that contradict each other."""
    remote_endpoint = remote_endpoint or _remote_endpoint(sock)
    seconds = [max(1, math.ceil(each)) for each in timeouts]
    generation = Behaviour.of(proxy.view.config.release).generation
    announced = generation >= Generation.V3_6
    if role == "server":
        if policy is not None:
            raise ValueError("a policy is for the role of a client; as a server, the proxy's settings decide")
        request = Request(remote_endpoint, Flag.SERVER | Flag.SEND_CONTEXT, seconds[0], seconds[1], proxy.service)
        settings = _server_settings(proxy.view, remote_endpoint, seconds[0]) if generation >= Generation.V3_12 else b""
        return Prepared(proxy.path, write_request(request) + settings, None, announced)
    if role != "client":
        raise ValueError(f'the role is "client" or "server", not {role!r}')
    if policy is None or policy.level is SecurityLevel.NONE:
        raise ValueError("a client needs a policy" + (" that wants TLS" if policy else ""))
    request = Request(remote_endpoint, Flag.CLIENT | Flag.SEND_CONTEXT, seconds[0], seconds[1], proxy.service)
    init = client_init(proxy.view, f"{proxy.prefix}_tls_")
    start = _client_start(policy, proxy, init=init, remote_endpoint=remote_endpoint, timeout=seconds[0], ehlo=ehlo)
    client = ClientSettings(generation, params(proxy.view, "client"), init, start)
    return Prepared(proxy.path, write_request(request) + write_client_settings(client), policy, announced)


def _remote_endpoint(sock: socket.socket) -> str:
    peer = sock.getpeername()
    if isinstance(peer, tuple):
        return f"[{peer[0]}]:{peer[1]}"
    return "[unix]:0"  # one end of a pair, or of a UNIX socket, has no name


def _client_start(
    policy: Policy, proxy: Proxy, *, init: ClientInit, remote_endpoint: str, timeout: int, ehlo: str
) -> ClientStart:
    destination = policy.destination
    host = destination.host.name
    namaddr = f"{host}{remote_endpoint}"
    return ClientStart(
        timeout=timeout,
        tls_level=policy.level,
        nexthop=destination.domain,
        host=host,
        namaddr=namaddr,
        servername=policy.servername,
        serverid=f"{proxy.service}&{destination.nexthop}&{host}&{namaddr}&",
        helo=ehlo,
        protocols=policy.protocols,
        cipher_grade=policy.cipher_grade,
        cipher_exclusions=policy.cipher_exclusions,
        match=policy.match,
        mdalg=init.mdalg,
        dane=policy.dane,
        enable_rpk=policy.enable_rpk,
        forced_failure_type=policy.forced_failure_type,
        log_param=init.log_param,
        log_level=init.log_level,
    )


def _server_settings(view: View, remote_endpoint: str, timeout: int) -> bytes:
    """Return the settings that Postfix 3.12 sends for a server's session: here, the proxy's own."""
    from postconf.models import load

    from ..tls.settings.errors import SettingsError
    from ..tls.settings.server import server_settings

    try:
        settings = server_settings(load(view), StandardLog("tlsproxy.starttls.api"))
    except SettingsError as error:
        raise ValueError(f"the proxy's settings have no server role: {error}") from None
    start = settings.start._replace(namaddr=remote_endpoint, timeout=timeout)
    return write_server_settings(settings._replace(params=params(view, "server"), start=start))
