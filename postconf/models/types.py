"""The types that settings have, and how each is made from the text in main.cf.

What kind of value a parameter has and which limits come from the catalogue, by the field's name. Values that are typed
already pass as they are, so that a program can make a model without main.cf.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from .. import catalogue, values
from ..values import SecurityLevel


class Settings(BaseModel):
    """A group of settings: a field's name is the parameter's name, and the order of fields is Postfix's own.

    A field has a default here only if not every release has the parameter: others always get a value from the
    configuration or the catalogue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def _from_text(convert: Callable[[str], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: convert(value) if isinstance(value, str) else value)


def _by_kind(value: Any, info: ValidationInfo) -> object:
    """Convert text as the catalogue says, which is the validation's context (without: that of the default release)."""
    name = info.field_name or ""
    release: catalogue.Release = info.context or catalogue.release()
    # An old name, which has no kind, is text.
    is_text = isinstance(value, str) and name in release.kinds
    return values.parse(release.parameter(name), value) if is_text else value


Boolean = Annotated[bool, BeforeValidator(_by_kind)]
Integer = Annotated[int, BeforeValidator(_by_kind)]
Seconds = Annotated[int, BeforeValidator(_by_kind)]
Text = Annotated[str, BeforeValidator(_by_kind)]
"""Kept as it is; what it means is asked of `postconf.values` where it is used, since Postfix looks no earlier."""

FileNames = Annotated[tuple[str, ...], _from_text(values.words)]
CipherExclusions = Annotated[tuple[str, ...], _from_text(values.cipher_exclusions)]
ServerLevel = Annotated[SecurityLevel | None, _from_text(partial(values.security_level, allowed=values.SERVER_LEVELS))]
ClientLevel = Annotated[SecurityLevel | None, _from_text(partial(values.security_level, allowed=values.CLIENT_LEVELS))]
