"""Patterns that select services, fields and -o settings of master.cf: `name/type/more`, where `*` is anything."""

from __future__ import annotations

from ..errors import ConfigError
from ..syntax.mastercf import FIELDS

ANY = "*"


def parse_pattern(text: str, least: int, most: int) -> tuple[str, ...] | None:
    """The parts of a pattern, missing ones as `*`; None where their number or a `*` within a word is wrong."""
    parts = [part for part in text.split("/") if part]
    is_valid = least <= len(parts) <= most and not text.startswith("/")
    if not is_valid or any(ANY in part and part != ANY for part in parts):
        return None
    return (*parts, *[ANY] * (most - len(parts)))


def matches(pattern: str, name: str) -> bool:
    """Is this the name, or any name?"""
    return pattern in (ANY, name)


def check_field(name: str) -> str:
    """The name of a field of master.cf, or `*`; raise `ConfigError` for anything else."""
    if name not in (*FIELDS, ANY):
        raise ConfigError(f'invalid service attribute name: "{name}"', None, f"one of {', '.join(FIELDS)}")
    return name
