"""The configuration as the daemon wants it: of the installed Postfix's release, with all mistakes reported at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import postconf
from postconf.catalogue import UnknownReleaseError
from postconf.models import InvalidSettingsError, TlsSettings
from postconf.models import load as load_settings
from postconf.values import InvalidValueError, parse

from ..log import FatalError


def read_config(directory: str, *, version: str | None = None, overrides: Iterable[str] = ()) -> postconf.Config:
    """Read main.cf and master.cf; raise `FatalError`. Without `version`, the release is the installed one."""
    overrides = list(overrides)
    try:
        config = postconf.load(directory, version=version, overrides=overrides)
        installed = None if version else _installed_version(config["command_directory"])
        if installed and installed != config.release.name:
            config = postconf.load(directory, version=installed, overrides=overrides)
    except UnknownReleaseError as error:
        if version:
            raise FatalError(str(error)) from None
        # A release that is newer than the catalogue: the configuration stays as it was read first.
    except postconf.ConfigError as error:
        raise FatalError(str(error)) from None
    except OSError as error:
        raise FatalError(f"open {error.filename}: {error.strerror}") from None
    return config


def _installed_version(command_directory: str) -> str:
    """Return the release that Postfix itself reports (postconf -d mail_version); empty if it reports none."""
    try:
        command = [f"{command_directory}/postconf", "-dh", "mail_version"]
        answer = subprocess.run(command, capture_output=True, timeout=5, check=True)  # noqa: S603  as in main.cf
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode("ascii", "replace").strip()


def read_settings(view: postconf.View) -> TlsSettings:
    """Return the typed settings of a service; raise `FatalError` with all that is wrong."""
    try:
        return load_settings(view)
    except InvalidSettingsError as error:
        raise FatalError("\n".join(str(problem) for problem in error.problems)) from None
    except postconf.ConfigError as error:
        raise FatalError(str(error)) from None


def number(view: postconf.View, name: str) -> int:
    """Return a number or a time (in seconds) that no model has; raise `FatalError`."""
    try:
        return int(parse(view.config.release.parameter(name), view[name]))
    except (InvalidValueError, postconf.ConfigError) as error:
        raise FatalError(str(error)) from None
