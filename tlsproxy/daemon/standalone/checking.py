"""`tlsproxy --check`: load all that the daemon would load, serve nothing, and report (as `nginx -t` does).

Checks that need the socket are left out, as a daemon may be running; so are those of tlsproxy-check(1).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import postconf
from postconf.models import TlsSettings

from ...log import FatalError
from ..monitoring.asking import CertificateFields
from ..monitoring.certificates import described
from ..roles import FAILED, LIMITED, OFF, load_roles, states
from .master_service import MasterService

GOOD, BAD, LESS = 0, 1, 3
"""Exit statuses: all that is configured would be served; a start would fail; a part would not be served."""


class _Report:
    """A log that prints the lines of loading, without a date."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def info(self, text: str) -> None:
        self._say(text)

    def warning(self, text: str) -> None:
        self._say(f"warning: {text}")

    def error(self, text: str) -> None:
        self._say(f"error: {text}")


def check(settings: TlsSettings, say: Callable[[str], None]) -> int:
    """Load both roles and describe them; return an exit status. Raise `FatalError`."""
    view = settings.view
    config = view.config
    for name in ("main.cf", "master.cf"):
        path = f"{config.directory}/{name}"
        say(f"{path}: read, as Postfix {config.release.name}" if Path(path).exists() else f"{path}: not there")
    startable = True
    if isinstance(view, postconf.ServiceView) and (service := MasterService(view)).is_ours:
        say(f"{service.place}: service {view.service.name} {view.service.type}, run by {service.program}")
        for text in service.problems():
            say(f"error: {service.place}: {text}")
            startable = False
    roles = load_roles(settings, _Report(say))
    found = states(settings, roles)
    for name, state in found.items():
        say(f"{name} role: {state}")
    for each in described(roles[0]):
        say(CertificateFields(each.as_json()).line())
    if all(state == OFF for state in found.values()):
        raise FatalError(nothing_to_serve(settings))
    if not startable or not any(roles):
        say("the configuration can't be served: a start would fail; correct the settings named above")
        return BAD
    if {FAILED, LIMITED} & set(found.values()):
        say("only one of the configured roles can be served; correct the settings named above")
        return LESS
    say("the configuration can be served")
    return GOOD


def nothing_to_serve(settings: TlsSettings) -> str:
    """Return the reason why there is no role, with the parameters that an administrator sets."""
    return (
        "nothing to serve: TLS is configured for neither role; set smtpd_tls_security_level = may (server role, for "
        "postscreen(8)) or smtp_tls_security_level = may (client role, for smtp(8)) in "
        f"{settings.view.config.directory}/main.cf"
    )
