"""Settings of a project: `[tool.tlsproxy-check]` in pyproject.toml, or tlsproxy-check.toml.

    select = ["S", "N"]            ignore = ["N004"]          known = ["my_milter_socket"]
    extend-select = ["M010"]       fail-on = "warning"        expiry-days = 30
    postfix-version = "3.10"

The nearest file upwards from the working directory counts; the command line goes before it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from postconf.catalogue import UnknownReleaseError, release
from postconf.files.regular import read_regular

from ... import bounded_toml
from ...errors import TlsproxyError
from ..findings import Severity


class ProjectError(TlsproxyError):
    """A file with settings that mean nothing; the text names them."""


@dataclass(frozen=True, slots=True)
class Project:
    """Settings of a project for all its runs."""

    path: str = ""
    """The file that has them; empty without one."""
    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    fail_on: str = "error"
    postfix_version: str = ""
    expiry_days: int = 21


_TYPES = {
    "select": list,
    "extend-select": list,
    "ignore": list,
    "known": list,
    "fail-on": str,
    "postfix-version": str,
    "expiry-days": int,
}


def find_project(start: Path) -> Project:
    """Return the settings that hold in a directory; raise `ProjectError`."""
    for directory in (start, *start.parents):
        for name, keys in (("tlsproxy-check.toml", ()), ("pyproject.toml", ("tool", "tlsproxy-check"))):
            path = directory / name
            if os.path.isfile(path):  # noqa: PTH113  False, too, where this user may not look
                table = _table(path, keys)
                if table is not None:
                    return _project(table, path)
    return Project()


def _table(path: Path, keys: tuple[str, ...]) -> dict[str, object] | None:
    try:
        table: object = bounded_toml.loads(read_regular(str(path)).decode())
    except OSError as error:
        raise ProjectError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ProjectError(f"{path}: {error}") from None
    for key in keys:
        if isinstance(table, dict):
            table = table.get(key, {})
    if not isinstance(table, dict):
        raise ProjectError(f"{path}: {'.'.join(keys)} has to be a table")
    return table if table or not keys else None


def _project(table: dict[str, object], path: Path) -> Project:
    arguments: dict[str, object] = {}
    for key, value in table.items():
        if key not in _TYPES:
            raise ProjectError(f"{path}: unknown setting {key}; there are {', '.join(_TYPES)}")
        strings = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if not isinstance(value, _TYPES[key]) or (isinstance(value, list) and not strings):
            raise ProjectError(f"{path}: {key} has to be {_WORDS[_TYPES[key]]}")
        if problem := _problem(key, value):
            raise ProjectError(f"{path}: {key}{problem}")
        arguments[key.replace("-", "_")] = tuple(value) if isinstance(value, list) else value
    return Project(str(path), **arguments)  # type: ignore[arg-type]  # each was compared with _TYPES


def _problem(key: str, value: object) -> str:
    """Return the reason why a value of the right type means nothing; empty if it means something."""
    if key == "fail-on" and value not in _LEVELS:
        return f" has to be one of {', '.join(_LEVELS)}"
    if key == "expiry-days" and (value is True or value is False or value not in range(_MOST_DAYS)):
        return f" has to be a number of days below {_MOST_DAYS}"
    if key == "postfix-version" and isinstance(value, str) and value:
        try:
            release(value)
        except UnknownReleaseError as error:
            return f": {error}"
    return ""


_LEVELS = (*(each.word for each in Severity), "never")
_MOST_DAYS = 100_000
_WORDS: dict[type, str] = {list: "a list of strings", str: "a string", int: "a number"}
