"""Files of keys and certificates in use: those of services with TLS, each with its setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from postconf import ServiceView, View
from postconf.files.regular import open_regular
from postconf.values import (
    CLIENT_LEVELS,
    SERVER_LEVELS,
    InvalidValueError,
    SecurityLevel,
    resulting_level,
    security_level,
)

from ....tls.settings.parameters import CERTIFICATES, CHAIN_FILES, KEY_PAIRS, KEYS
from ...context import Context
from ...text.sources import Assignment

AUTHORITIES = "CAfile"
_CERTIFICATE_OF = {pair.key: pair.certificate for pair in KEY_PAIRS}
_SUFFIXES = (CHAIN_FILES, *CERTIFICATES, *KEYS, AUTHORITIES)
ENFORCED = tuple(each.word for each in SecurityLevel if each >= SecurityLevel.ENCRYPT)


@dataclass(frozen=True)
class UsedFile:
    """One file that a service reads."""

    assignment: Assignment
    suffix: str
    """The end of the parameter's name, which is the purpose of the file."""
    path: str
    is_server: bool


def server_level(context: Context, view: View) -> str:
    """Return the level of an smtpd(8) service, also by older parameters: none, may, encrypt, or no level."""
    if context.is_yes("smtpd_tls_wrappermode", view):
        return SecurityLevel.ENCRYPT.word
    level = _level(context, view, "smtpd")
    return min(level, SecurityLevel.ENCRYPT).word if isinstance(level, SecurityLevel) else level


def client_level(context: Context, view: View) -> str:
    """Return the level of an smtp(8) service, also by older parameters."""
    return level_of(context, view, "smtp")


def level_of(context: Context, view: View, side: str) -> str:
    """Return the level of a side, such as lmtp or postscreen; an invalid level as it is written."""
    level = _level(context, view, side)
    return level.word if isinstance(level, SecurityLevel) else level


def is_level_valid(context: Context, view: View, side: str) -> bool:
    """Return True if the level of a side is valid; another rule reports an invalid one."""
    return isinstance(_level(context, view, side), SecurityLevel)


def level_parameter(context: Context, view: View, side: str) -> str:
    """Return the parameter that decides on a level (`resulting_level`): an obsolete switch only without a level."""
    level = f"{side}_tls_security_level"
    switches = (f"{side}_enforce_tls", f"{side}_use_tls")
    if context.value(level, view):
        return level
    return next((name for name in switches if context.is_yes(name, view)), level)


def _level(context: Context, view: View, side: str) -> SecurityLevel | str:
    """Return the level of a service; an invalid level, which another rule reports, is returned as text."""
    known = context.keep(_no_levels)
    key = id(view.service) if isinstance(view, ServiceView) else 0, side
    if key not in known:
        known[key] = _found_level(context, view, side)
    return known[key]


def _no_levels(_context: Context) -> dict[tuple[int, str], SecurityLevel | str]:
    return {}


def _found_level(context: Context, view: View, side: str) -> SecurityLevel | str:
    text = context.value(f"{side}_tls_security_level", view)
    try:
        level = security_level(text, SERVER_LEVELS if side in ("smtpd", "postscreen") else CLIENT_LEVELS)
    except InvalidValueError:
        return text.lower()
    use, enforce = (context.is_yes(f"{side}_{verb}_tls", view) for verb in ("use", "enforce"))
    peername = side in ("smtp", "lmtp") and context.is_yes(f"{side}_tls_enforce_peername", view)
    return resulting_level(level, use=use, enforce=enforce, peername=peername)


def servers(context: Context) -> list[View]:
    """Return the views of smtpd(8) services that offer TLS."""
    return [view for view in context.views("smtpd") if server_level(context, view) != "none"]


def clients(context: Context) -> list[View]:
    """Return the views of smtp(8) services that use TLS."""
    return [view for view in context.views("smtp") if client_level(context, view) != "none"]


def used_files(context: Context) -> list[UsedFile]:
    """Return all files that some service reads, each once."""
    return context.keep(_used_files)


def _used_files(context: Context) -> list[UsedFile]:
    found: dict[tuple[int, str], UsedFile] = {}
    for prefix, views in (("smtpd_tls_", servers(context)), ("smtp_tls_", clients(context))):
        for view in _distinct(views):
            for used in _of(context, view, prefix):
                found.setdefault((id(used.assignment), used.path), used)
    if servers(context) or clients(context):
        for each in context.everywhere:
            if each.name.startswith(("tlsproxy_tls_", "tlsproxy_client_")) and each.name.endswith(_SUFFIXES):
                suffix = next(
                    suffix for suffix in sorted(_SUFFIXES, key=len, reverse=True) if each.name.endswith(suffix)
                )
                for path in _paths(suffix, context.expanded(each) or ""):
                    found.setdefault(
                        (id(each), path), UsedFile(each, suffix, path, each.name.startswith("tlsproxy_tls_"))
                    )
    return list(found.values())


def _distinct(views: list[View]) -> list[View]:
    """Return one view for each set of files: services without -o settings for files have the same ones."""
    found: dict[object, View] = {}
    for view in views:
        own = (
            tuple(
                (each.name, each.value)
                for each in view.service.settings
                if each.name.endswith(_SUFFIXES) or "$" in each.value
            )
            if isinstance(view, ServiceView)
            else ()
        )
        found.setdefault(own, view)
    return list(found.values())


def _of(context: Context, view: View, prefix: str) -> Iterator[UsedFile]:
    has_chains = bool(context.value(prefix + CHAIN_FILES, view))
    for suffix in _SUFFIXES:
        if has_chains and suffix in (*CERTIFICATES, *KEYS):
            continue
        value = context.value(prefix + suffix, view)
        if not value:
            continue
        assignment = context.setting(prefix + suffix, view)
        if assignment is None or context.undefined(assignment):
            continue
        if suffix in KEYS and not context.value(prefix + _CERTIFICATE_OF[suffix], view):
            continue
        for path in _paths(suffix, value):
            yield UsedFile(assignment, suffix, path, prefix == "smtpd_tls_")


def _paths(suffix: str, value: str) -> list[str]:
    if value.lower() in ("none", "auto"):
        return []
    paths = value.replace(",", " ").split() if suffix == CHAIN_FILES else [value]
    return [path for path in paths if path.startswith("/")]


def missing(context: Context, path: str) -> str:
    """Return the system's error for a file that can't be read; empty if it can be, or if only this user can't."""
    try:
        os.close(open_regular(context.files.locate(path)))
    except PermissionError:
        return "Permission denied" if os.geteuid() == 0 else ""
    except (OSError, ValueError) as error:
        return (error.strerror if isinstance(error, OSError) else str(error)) or "can't be opened"
    return ""


def is_hidden(context: Context, path: str) -> bool:
    """Return True if this user may not read an existing file, so that its content is unknown."""
    try:
        os.close(open_regular(context.files.locate(path)))
    except PermissionError:
        return True
    except (OSError, ValueError):
        pass
    return False
