"""Types of settings, and their conversion from the text in main.cf.

The catalogue has the kind and the limits, by the field's name. Typed values pass unchanged, so that a program can
create a model without main.cf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, ValidationInfo

from .. import catalogue, values
from ..catalogue import Release
from ..values import Grade, ProtocolList, SecurityLevel
from .dane_digests import DaneDigests
from .log_level import LogLevel, log_level
from .ssl_options import OPTIONS, WORKAROUNDS, SslOptions


class FromText:
    """Conversion rule of a field: `convert` gives its value for (name, text, release), or an `InvalidValueError`."""

    def __init__(self, convert: Callable[[str, str, Release], object]) -> None:
        self.convert = convert

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return BeforeValidator(self._validate).__get_pydantic_core_schema__(source, handler)

    def _validate(self, value: Any, info: ValidationInfo) -> object:
        """Return the value of a text; the validation's context is the release, by default `catalogue.release()`."""
        release = info.context or catalogue.release()
        return self.convert(info.field_name or "", value, release) if isinstance(value, str) else value


class Settings(BaseModel):
    """Group of settings: a field's name is the parameter's name, and fields are in Postfix's order.

    A field has a default only if some releases lack the parameter: all others get a value from the configuration or
    the catalogue.
    """

    # pydantic builds its validators when a program first creates a model: `load` converts each text by the field's
    # rule without them, and they would make a daemon's start a fifth longer.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def from_text(cls, name: str, text: str, release: Release) -> object:
        """Return the value of a field for `text` in main.cf; raise `InvalidValueError`."""
        (rule,) = cls.model_fields[name].metadata
        return rule.convert(name, text, release)


def _by_kind(name: str, text: str, release: Release) -> bool | int | str:
    # An obsolete name has no kind, and is text.
    return values.parse(release.parameter(name), text) if name in release.kinds else text


_BY_KIND = FromText(_by_kind)
Boolean = Annotated[bool, _BY_KIND]
Integer = Annotated[int, FromText(lambda name, text, release: int(_by_kind(name, text, release)))]
"""Number; process_id has no kind in the catalogue."""
Seconds = Annotated[int, _BY_KIND]
Text = Annotated[str, _BY_KIND]
"""Unparsed text; `postconf.values` parses it where it is used, as Postfix does."""


def _meaning(read: Callable[[str, Release], object]) -> FromText:
    """Return the rule of a parsed text; its length is checked first."""
    return FromText(lambda name, text, release: read(str(_by_kind(name, text, release)), release))


LogLevelWords = Annotated[LogLevel, _meaning(lambda text, release: log_level(text, traces=release.since("3.12")))]
ProtocolNames = Annotated[ProtocolList, _meaning(lambda text, _release: ProtocolList.of(text))]
GradeWord = Annotated[Grade, _meaning(lambda text, _release: Grade.of(text))]
OptionNames = Annotated[SslOptions, _meaning(lambda text, _release: SslOptions.of(text, OPTIONS))]
WorkaroundNames = Annotated[SslOptions, _meaning(lambda text, _release: SslOptions.of(text, WORKAROUNDS))]
DigestNames = Annotated[DaneDigests, _meaning(lambda text, _release: DaneDigests.of(text))]
FileNames = Annotated[tuple[str, ...], FromText(lambda _name, text, _release: values.words(text))]
CipherExclusions = Annotated[tuple[str, ...], FromText(lambda _name, text, _release: values.cipher_exclusions(text))]
ServerLevel = Annotated[
    SecurityLevel | None, FromText(lambda _name, text, _release: values.security_level(text, values.SERVER_LEVELS))
]
ClientLevel = Annotated[
    SecurityLevel | None, FromText(lambda _name, text, _release: values.security_level(text, values.CLIENT_LEVELS))
]
