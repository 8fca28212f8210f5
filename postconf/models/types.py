"""The types that settings have, and how each is made from the text in main.cf.

What kind of value a parameter has and which limits come from the catalogue, by the field's name. Values that are typed
already pass as they are, so that a program can make a model without main.cf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationInfo

from .. import catalogue, values
from ..catalogue import Release
from ..values import Grade, ProtocolList, SecurityLevel
from .log_level import LogLevel, log_level


class FromText:
    """A field's rule: `convert` makes its value of (name, text, release); it raises `BadValue`."""

    def __init__(self, convert: Callable[[str, str, Release], object]) -> None:
        self.convert = convert

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return BeforeValidator(self._validate).__get_pydantic_core_schema__(source, handler)

    def _validate(self, value: Any, info: ValidationInfo) -> object:
        """The validation's context is the release; without one, it is the default release."""
        release = info.context or catalogue.release()
        return self.convert(info.field_name or "", value, release) if isinstance(value, str) else value


class Settings(BaseModel):
    """A group of settings: a field's name is the parameter's name, and the order of fields is Postfix's own.

    A field has a default here only if not every release has the parameter: others always get a value from the
    configuration or the catalogue.
    """

    # What pydantic needs for validation is built when a program first makes a model of its own: `load` converts each
    # text by the field's rule and needs none of it, and a daemon's start would be a fifth longer.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def from_text(cls, name: str, text: str, release: Release) -> object:
        """The value that a field has when main.cf says `text`; raise `BadValue`."""
        (rule,) = cls.model_fields[name].metadata
        return rule.convert(name, text, release)


def _by_kind(name: str, text: str, release: Release) -> bool | int | str:
    # An old name, which has no kind, is text.
    return values.parse(release.parameter(name), text) if name in release.kinds else text


_BY_KIND = FromText(_by_kind)
Boolean = Annotated[bool, _BY_KIND]
Integer = Annotated[int, FromText(lambda name, text, release: int(_by_kind(name, text, release)))]
"""process_id has no kind of its own."""
Seconds = Annotated[int, _BY_KIND]
Text = Annotated[str, _BY_KIND]
"""Kept as it is; what it means is asked of `postconf.values` where it is used, since Postfix looks no earlier."""


def _meaning(read: Callable[[str, Release], object]) -> FromText:
    """Make the rule of a text that has a meaning; its length is checked first, as that of any other."""
    return FromText(lambda name, text, release: read(str(_by_kind(name, text, release)), release))


LogLevelWords = Annotated[LogLevel, _meaning(lambda text, release: log_level(text, traces=release.since("3.12")))]
ProtocolNames = Annotated[ProtocolList, _meaning(lambda text, _release: ProtocolList.of(text))]
GradeWord = Annotated[Grade, _meaning(lambda text, _release: Grade(text, values.cipher_grade(text)))]
FileNames = Annotated[tuple[str, ...], FromText(lambda _name, text, _release: values.words(text))]
CipherExclusions = Annotated[tuple[str, ...], FromText(lambda _name, text, _release: values.cipher_exclusions(text))]
ServerLevel = Annotated[
    SecurityLevel | None, FromText(lambda _name, text, _release: values.security_level(text, values.SERVER_LEVELS))
]
ClientLevel = Annotated[
    SecurityLevel | None, FromText(lambda _name, text, _release: values.security_level(text, values.CLIENT_LEVELS))
]
