"""`tlsproxy --check`: load all that the daemon would load, serve nothing, and report (as `nginx -t` does).

Exit status 0 means that a start would serve every role that the configuration asks for. What needs the socket is left
out, as a daemon may be running; so is what only linting finds (tlsproxy-check(1)).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import postconf
from postconf.models import TlsSettings

from ...log import Fatal
from ..asking import CertificateFields
from ..certificate_report import described
from ..roles import FAILED, LIMITED, OFF, load_roles, states
from .master_service import MasterService

_SUCCESS = "the configuration can be served"


class _Report:
    """A log that prints: what loading has to say, without a date."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def info(self, text: str) -> None:
        self._say(text)

    def warning(self, text: str) -> None:
        self._say(f"warning: {text}")

    def error(self, text: str) -> None:
        self._say(f"error: {text}")


def check(settings: TlsSettings, say: Callable[[str], None]) -> bool:
    """Load both roles and describe them; return False if one that is configured can't be served. Raise `Fatal`."""
    view = settings.view
    config = view.config
    for name in ("main.cf", "master.cf"):
        path = f"{config.directory}/{name}"
        say(f"{path}: read, as Postfix {config.release.name}" if Path(path).exists() else f"{path}: not there")
    good = True
    if isinstance(view, postconf.ServiceView) and (service := MasterService(view)).is_ours:
        say(f"{service.place}: service {view.service.name} {view.service.type}, run by {service.program}")
        for text in service.problems():
            say(f"error: {service.place}: {text}")
            good = False
    roles = load_roles(settings, _Report(say))
    found = states(settings, roles)
    for name, state in found.items():
        say(f"{name} role: {state}")
    for each in described(roles[0]):
        say(CertificateFields(each.as_json()).line())
    if all(state == OFF for state in found.values()):
        raise Fatal(nothing_to_serve(settings))
    good = good and not {FAILED, LIMITED} & set(found.values())
    say(_SUCCESS if good else "the configuration can't be served as it is: see above")
    return good


def nothing_to_serve(settings: TlsSettings) -> str:
    """Return the reason why there is no role, with the parameters that an administrator sets."""
    return (
        "nothing to serve: TLS is configured for neither role; set smtpd_tls_security_level = may (server role, for "
        "postscreen(8)) or smtp_tls_security_level = may (client role, for smtp(8)) in "
        f"{settings.view.config.directory}/main.cf"
    )
