"""Comparison of the settings in requests with our own ("unexpected settings").

Their TLS_CLIENT_PARAMS or TLS_SERVER_PARAMS are only compared; their INIT_PROPS are used, and compared if they name
files, which may not be readable for us. Every difference is logged once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from postconf.models import TlsSettings

from ...log import Log
from ...wire.messages import ClientInit, ServerInit
from .parameters import FILES

Init = TypeVar("Init", ClientInit, ServerInit)

_UNEXPECTED = "request from tlsproxy {} with unexpected settings"
_HINT = (
    "to avoid this warning, 1) identify the tlsproxy {0} that is making this request, 2) configure a custom "
    "tlsproxy service with settings that match that tlsproxy {0}, and 3) configure that tlsproxy {0} with a "
    "tlsproxy_service_name setting that resolves to that custom tlsproxy service"
)
_MAX_LOGGED = 1000
_BUILT_IN = {"tls_eecdh_auto_curves": "?X25519MLKEM768:DEFAULT", "tls_ffdhe_auto_groups": ""}
"""Defaults of Postfix 3.11 and later where it was built with OpenSSL 3.5 or later; ours are those of other builds."""
_RENAMED = {"config_file": "tls_config_file", "config_name": "tls_config_name"}


class SettingsComparison(Generic[Init]):
    """Compares requests with our own settings, and logs the differences."""

    def __init__(self, settings: TlsSettings, init: Init, log: Log, *, sender: str) -> None:
        """Compare with these settings. `sender`: Postfix's name for the senders of such requests."""
        self.init: Init = init
        self._sender = sender
        self._params = settings.globals.as_sent()
        release = settings.view.config.release
        self._mask_log_param = release.since("3.12")
        self._built_in: dict[str, str] = {}
        if release.since("3.11"):
            self._built_in = {name: _BUILT_IN[name] for name in _BUILT_IN if settings.origin(name).kind == "default"}
        self._log = log
        self._same: Mapping[str, str | int] = {}
        """The parameters of the last request in which nothing differed; most have the same."""
        self._logged: set[tuple[tuple[str, str], ...]] = set()

    def key(self, init: Init) -> Init:
        """Return the part of an INIT that requests must have in common to share a context."""
        return init._replace(log_param="") if self._mask_log_param else init

    def compare(self, params: Mapping[str, str | int], init: Init, *, new: bool) -> None:
        """Warn of unexpected values in a request; `new`: True if its context is still to be made."""
        differing = self._compare_params(params)
        if new and self.key(init) != self.key(self.init) and any(getattr(init, name) for name in FILES):
            self._log.warning(_UNEXPECTED.format(self._sender))
            self._log.warning("; ".join(_differences(self.key(self.init)._asdict(), self.key(init)._asdict())))
            differing = True
        if differing:
            self._log.warning(_HINT.format(self._sender))

    def _compare_params(self, params: Mapping[str, str | int]) -> bool:
        if params == self._same:
            return False
        own = {name: self._params[_RENAMED.get(name, name)] for name in params}
        own |= {name: text for name, text in self._built_in.items() if params.get(name) == text}
        differences = _differences(own, params)
        if not differences:
            self._same = params
            return False
        key = tuple((name, str(value)) for name, value in params.items())
        if key in self._logged:
            return False
        if len(self._logged) < _MAX_LOGGED:
            self._logged.add(key)
        self._log.warning(_UNEXPECTED.format("client"))  # in either role
        self._log.warning("; ".join(differences))
        return True


def _differences(own: Mapping[str, str | int], theirs: Mapping[str, str | int]) -> list[str]:
    return [
        f"(server) '{name}={_text(own[name])}' != (client) '{name}={_text(value)}'"
        for name, value in theirs.items()
        if _differ(_text(own[name]), _text(value))
    ]


def _differ(own: str, theirs: str) -> bool:
    """Return True if the values differ; Postfix's built-in defaults may end with a blank, values of a file do not."""
    return own != theirs and own.strip() != theirs.strip()


def _text(value: str | int) -> str:
    return value if isinstance(value, str) else str(int(value))
