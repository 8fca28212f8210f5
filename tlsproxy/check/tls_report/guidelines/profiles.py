"""Guidelines as data: `profiles.toml` explains its fields."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from postconf.spelling import suggestion

from ....errors import TlsproxyError

_DATA = Path(__file__).with_name("profiles.toml")


class UnknownProfileError(TlsproxyError):
    """A name that is not a profile's."""


@dataclass(frozen=True)
class Profile:
    """Guideline: the TLS that a server may offer. None means unspecified."""

    name: str
    title: str
    source: str
    date: date
    protocols: tuple[str, ...]
    required: tuple[str, ...] = ()
    ciphers: re.Pattern[str] | None = None
    tls13: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    rsa: int = 0
    dh: int = 0
    curves: tuple[str, ...] | None = None
    signatures: tuple[str, ...] | None = None
    days: int = 0
    order: str = ""


def profile(name: str) -> Profile:
    """Return a profile; raise `UnknownProfileError`."""
    data = _data()
    if name not in data:
        raise UnknownProfileError(f"unknown profile {name}{suggestion(name, data)}; known are {', '.join(data)}")
    fields = dict(data[name])
    while like := fields.pop("like", ""):
        fields = {**data[like], **fields}
    made: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    if "ciphers" in made:
        made["ciphers"] = re.compile("|".join(f"(?:{each})" for each in made["ciphers"]))
    return Profile(name, **made)


def profile_names() -> list[str]:
    """Return the names of all profiles."""
    return list(_data())


@cache
def _data() -> Mapping[str, Mapping[str, Any]]:
    data: dict[str, dict[str, Any]] = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    return data
