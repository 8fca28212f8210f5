"""Loading the two roles, of which one may fail without the other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from postconf.models import TlsSettings
from postconf.values import SecurityLevel

from ..log import Log
from ..tls.roles import RoleUnavailableError

if TYPE_CHECKING:
    from ..tls.client.role import ClientRole
    from ..tls.server.role import ServerRole

Role = TypeVar("Role")


Roles: TypeAlias = "tuple[ServerRole | None, ClientRole | None]"
"""A role that is missing (None) is refused to its clients (status 0)."""

SERVED, OFF, FAILED, LIMITED = "served", "off", "failed", "limited"
"""The states of a role. Off: the configuration does not ask for it; failed: it asks, and something is wrong; limited:
something is wrong with our own settings, and requests with others are served.
"""


def load_roles(settings: TlsSettings, log: Log) -> Roles:
    """Make both roles, with privileges; a reason has been logged for one that is missing."""
    return _attempt(lambda: _server_role(settings, log), log), _attempt(lambda: _client_role(settings, log), log)


def renew_roles(roles: Roles, settings: TlsSettings, log: Log) -> Roles | None:
    """Read keys and certificates again, also for a role that could not be made before.

    Returns None if any previous ones stay in use; the reason has been logged.
    """
    renewed = [role.renew() for role in roles if role is not None]
    if not all(renewed):
        return None
    server, client = roles
    return (
        server or _attempt(lambda: _server_role(settings, log), log),
        client or _attempt(lambda: _client_role(settings, log), log),
    )


def states(settings: TlsSettings, roles: Roles) -> dict[str, str]:
    """Return the state of each role by its name."""
    from ..tls.settings.levels import client_is_configured, server_level

    server, client = roles
    is_offered = server_level(settings.server) > SecurityLevel.NONE
    return {
        "server": SERVED if server else FAILED if is_offered else OFF,
        "client": _client_state(client, is_configured=client_is_configured(settings.client)),
    }


def _client_state(role: ClientRole | None, *, is_configured: bool) -> str:
    if role is None:
        return FAILED if is_configured else OFF
    return SERVED if role.is_complete else LIMITED


def _server_role(settings: TlsSettings, log: Log) -> ServerRole:
    from ..tls.server import role

    return role.ServerRole.load(settings, log)


def _client_role(settings: TlsSettings, log: Log) -> ClientRole:
    from ..tls.client import role

    return role.ClientRole.load(settings, log)


def _attempt(load: Callable[[], Role], log: Log) -> Role | None:
    try:
        return load()
    except RoleUnavailableError:
        return None
    except Exception:  # a defect that one role has is no reason to take the other one down
        for line in traceback.format_exc().splitlines():
            log.error(line)
        return None
