"""Patterns for services, fields and -o settings of master.cf: `name/type/more`, where `*` matches anything."""

from __future__ import annotations

from ..errors import ConfigError
from .mastercf import FIELDS

ANY = "*"


def parse_pattern(text: str, least: int, most: int) -> tuple[str, ...] | None:
    """Return the parts of a pattern, missing ones as `*`; None for a wrong number, or a `*` within a word."""
    parts = [part for part in text.split("/") if part]
    is_valid = least <= len(parts) <= most and not text.startswith("/")
    if not is_valid or any(ANY in part and part != ANY for part in parts):
        return None
    return (*parts, *[ANY] * (most - len(parts)))


def matches(pattern: str, name: str) -> bool:
    """Return True if the pattern is the name, or `*`."""
    return pattern in (ANY, name)


def check_field(name: str) -> str:
    """Return the name of a field of master.cf, or `*`; raise `ConfigError` for another name."""
    if name not in (*FIELDS, ANY):
        raise ConfigError(f'invalid service attribute name: "{name}"', None, f"one of {', '.join(FIELDS)}")
    return name
