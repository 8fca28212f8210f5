"""Loading the two roles, of which one may fail without the other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from postconf.models import TlsSettings

from ..log import Log
from ..tls.roles import ClientRole, RoleUnavailable, ServerRole

Role = TypeVar("Role")


Roles = tuple[ServerRole | None, ClientRole | None]
"""One that is None is refused to its clients (status 0)."""


def load_roles(settings: TlsSettings, log: Log) -> Roles:
    """Make both roles, with privileges; why one is None has been logged."""
    return _attempt(lambda: _server_role(settings, log), log), _attempt(lambda: _client_role(settings, log), log)


def renew_roles(roles: Roles, settings: TlsSettings, log: Log) -> Roles | None:
    """Read keys and certificates again, also for a role that could not be made before.

    None if any of before stay in use, and why has been logged.
    """
    renewed = [role.renew() for role in roles if role is not None]
    if not all(renewed):
        return None
    server, client = roles
    return (
        server or _attempt(lambda: _server_role(settings, log), log),
        client or _attempt(lambda: _client_role(settings, log), log),
    )


def _server_role(settings: TlsSettings, log: Log) -> ServerRole:
    from ..tls.server.role import ServerRole

    return ServerRole.load(settings, log)


def _client_role(settings: TlsSettings, log: Log) -> ClientRole:
    from ..tls.client.role import ClientRole

    return ClientRole.load(settings, log)


def _attempt(load: Callable[[], Role], log: Log) -> Role | None:
    try:
        return load()
    except RoleUnavailable:
        return None
    except Exception:  # a defect that one role has is no reason to take the other one down
        for line in traceback.format_exc().splitlines():
            log.error(line)
        return None
