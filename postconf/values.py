"""Typed values of parameters, as Postfix's daemons read them: numbers, times, booleans, lists, TLS keywords.

Pure functions, independent of the origin of the text. An invalid value raises `InvalidValueError` with Postfix's
message and a remedy. A value that Postfix refuses only when it is used (a protocol list, a cipher grade) gives None.

The rules are those of C: strtol(3) takes leading blanks and a sign, and only ASCII counts.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import NamedTuple

from .catalogue import Parameter
from .errors import PostconfError

SPACE = " \t\n\v\f\r"
LIST_SEPARATORS = ", \t\r\n"

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

SYSLOG_FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp"),
    *(f"local{number}" for number in range(8)),
)


class InvalidValueError(PostconfError, ValueError):
    """Value that is a fatal error in Postfix's daemons, with their message."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def parse(parameter: Parameter, text: str) -> bool | int | str:
    """Return the value by the parameter's kind; times in seconds."""
    if parameter.kind in ("bool", "nbool"):
        return boolean(parameter.name, text)
    if parameter.kind in ("int", "nint", "long"):
        return integer(parameter, text)
    if parameter.kind == "time":
        return seconds(parameter, text)
    return string(parameter, text)


def boolean(name: str, text: str) -> bool:
    """Return True for `yes`, False for `no`, in any case."""
    word = _lower(text)
    if word not in ("yes", "no"):
        raise InvalidValueError(f"bad boolean configuration: {name} = {text}", 'specify "yes" or "no"')
    return word == "yes"


def integer(parameter: Parameter, text: str) -> int:
    """Return a decimal number within the parameter's limits."""
    number, rest = _strtol(text)
    largest = LONG_MAX if parameter.kind == "long" else INT_MAX
    if not text or rest or not -largest - 1 <= number <= largest:
        raise InvalidValueError(f"bad numerical configuration: {parameter.name} = {text}", "specify a whole number")
    if parameter.minimum and number < parameter.minimum:
        message = f"invalid {parameter.name} parameter value {number} < {parameter.minimum}"
        raise InvalidValueError(message, f"specify at least {parameter.minimum}")
    if parameter.maximum and number > parameter.maximum:
        message = f"invalid {parameter.name} parameter value {number} > {parameter.maximum}"
        raise InvalidValueError(message, f"specify at most {parameter.maximum}")
    return number


def seconds(parameter: Parameter, text: str) -> int:
    """Return a time in seconds. A bare number has the parameter's default unit; text after the unit is ignored."""
    number, rest = _strtol(text)
    scale = SECONDS.get(rest[:1] or parameter.unit, 0)
    too_large = number > INT_MAX or (scale > 1 and number >= INT_MAX // scale)
    if not text or not scale or number < 0 or too_large:
        message = f"parameter {parameter.name}: bad time value or unit: {text}"
        raise InvalidValueError(message, "specify a whole number with a unit: s, m, h, d or w, such as 10s")
    time = number * scale
    if parameter.minimum and time < parameter.minimum:
        message = f"invalid {parameter.name}: {time} (min {parameter.minimum})"
        raise InvalidValueError(message, f"specify at least {parameter.minimum}s")
    if parameter.maximum and time > parameter.maximum:
        message = f"invalid {parameter.name}: {time} (max {parameter.maximum})"
        raise InvalidValueError(message, f"specify at most {parameter.maximum}s")
    return time


def string(parameter: Parameter, text: str) -> str:
    """Return a text whose length in bytes is within the parameter's limits."""
    length = len(text.encode("utf-8", "surrogateescape"))
    if parameter.minimum and length < parameter.minimum:
        relation, remedy = f"{length} < {parameter.minimum}", "specify a value, or delete the setting for the default"
    elif parameter.maximum and length > parameter.maximum:
        relation, remedy = f"{length} > {parameter.maximum}", f"specify at most {parameter.maximum} characters"
    else:
        return text
    relation = f"({relation})" if parameter.kind == "raw" else relation
    raise InvalidValueError(f"bad string length {relation}: {parameter.name} = {text}", remedy)


def words(text: str, separators: str = LIST_SEPARATORS) -> tuple[str, ...]:
    """Return the non-empty elements of a list."""
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    return tuple(word for word in text.split(separators[0]) if word)


# TLS


class SecurityLevel(enum.IntEnum):
    """TLS security level, in Postfix's order and numbers (TLS_README, "TLS security levels")."""

    NONE = 0
    MAY = 1
    ENCRYPT = 2
    FINGERPRINT = 3
    HALF_DANE = 4  # a result of DANE, never configured
    DANE = 5
    DANE_ONLY = 6
    VERIFY = 7
    SECURE = 8

    @property
    def word(self) -> str:
        """Name of the level in main.cf."""
        return "half-dane" if self is SecurityLevel.HALF_DANE else self.name.lower().replace("_", "-")


_LEVELS = {level.word: level for level in SecurityLevel if level is not SecurityLevel.HALF_DANE}
SERVER_LEVELS = ("none", "may", "encrypt", "fingerprint", "verify", "secure")
"""Levels of the server; tlsproxy(8) treats the last three as `encrypt`, with a warning."""
CLIENT_LEVELS = tuple(_LEVELS)


def security_level(text: str, allowed: tuple[str, ...]) -> SecurityLevel | None:
    """Return a level by its name, in any case; None for an empty text: then other parameters decide."""
    if not text:
        return None
    if _lower(text) not in allowed:
        raise InvalidValueError(f'Invalid TLS level "{text}"', f"specify one of {', '.join(allowed)}")
    return _LEVELS[_lower(text)]


def resulting_level(level: SecurityLevel | None, *, use: bool, enforce: bool, peername: bool = False) -> SecurityLevel:
    """Return the level that is set, or else the level of the obsolete *_use_tls and *_enforce_tls.

    `peername`: value of smtp_tls_enforce_peername, with which *_enforce_tls also verifies the server's name.
    """
    if level is not None:
        return level
    if enforce:
        return SecurityLevel.VERIFY if peername else SecurityLevel.ENCRYPT
    return SecurityLevel.MAY if use else SecurityLevel.NONE


class CipherGrade(enum.StrEnum):
    """Cipher grade: the name of a cipher list, tls_GRADE_cipherlist."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    EXPORT = "export"
    NULL = "null"


def cipher_grade(text: str) -> CipherGrade | None:
    """Return a grade by its name, in any case; None for an unknown name."""
    word = _lower(text)
    return CipherGrade(word) if word in tuple(CipherGrade) else None


class Grade(NamedTuple):
    """Cipher grade as written, and its meaning; None if Postfix refuses the word when it uses it."""

    text: str
    grade: CipherGrade | None

    @classmethod
    def of(cls, text: str) -> Grade:
        """Read a grade."""
        return cls(text, cipher_grade(text))


def cipher_exclusions(text: str) -> tuple[str, ...]:
    """Return the ciphers or groups of ciphers of an exclusion list."""
    return words(text, LIST_SEPARATORS + ":")


PROTOCOLS = {"SSLv3": 0x300, "TLSv1": 0x301, "TLSv1.1": 0x302, "TLSv1.2": 0x303, "TLSv1.3": 0x304}
"""Protocols that can be excluded, and their versions on the wire."""


class Protocols(NamedTuple):
    """Enabled protocols of a list: PROTOCOLS without `excluded`, from `minimum` to `maximum` (0: no limit)."""

    excluded: frozenset[str] = frozenset()
    minimum: int = 0
    maximum: int = 0


@lru_cache(maxsize=100)  # each request of smtp(8) contains one
def protocols(text: str) -> Protocols | None:
    """Return the meaning of a list such as `>=TLSv1.2, !TLSv1.3` or `TLSv1.2 TLSv1.3`; None if it is invalid.

    `>=V` and `<=V` are limits, of which the last ones count; V is a protocol, `None`, or a hexadecimal number. `!NAME`
    excludes; a bare NAME includes, and then all other protocols are excluded. SSLv2 is accepted and has no effect.
    """
    included: set[str] = set()
    excluded: set[str] = set()
    limits: dict[str, int] = {}
    by_name = {_lower(name): name for name in PROTOCOLS} | {"sslv2": ""}
    for word in words(text, LIST_SEPARATORS + ":"):
        if word.startswith((">=", "<=")):
            version = _protocol_version(word[2:])
            if version is None:
                return None
            limits[word[:2]] = version
        else:
            name = by_name.get(_lower(word.removeprefix("!")))
            if name is None:
                return None
            (excluded if word.startswith("!") else included).add(name)
    included.discard("")
    excluded.discard("")
    if included:
        excluded |= PROTOCOLS.keys() - included
    return Protocols(frozenset(excluded), limits.get(">=", 0), limits.get("<=", 0))


class ProtocolList(NamedTuple):
    """Protocol list as written, and its meaning; None if Postfix refuses the list when it uses it."""

    text: str
    allowed: Protocols | None

    @classmethod
    def of(cls, text: str) -> ProtocolList:
        """Read a list."""
        return cls(text, protocols(text))


def _protocol_version(text: str) -> int | None:
    named = {_lower(name): version for name, version in PROTOCOLS.items()} | {"none": 0}
    if _lower(text) in named:
        return named[_lower(text)]
    number, rest = _strtoul(text, 16)
    return None if rest or number > INT_MAX else number


def _lower(text: str) -> str:
    """Fold ASCII only, like strcasecmp(3) in the C locale: `str.lower` converts the Kelvin sign to `k`."""
    return text.translate(_LOWER)


_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def _strtol(text: str, base: int = 10) -> tuple[int, str]:
    """Return the number at the beginning of a text, and the rest of the text; (0, text) without a number."""
    start = text.lstrip(SPACE)
    digits = start[1:] if start.startswith(("+", "-")) else start
    if base == 16 and digits[:2] in ("0x", "0X") and digits[2:3] and digits[2] in _DIGITS[16]:
        digits = digits[2:]
    rest = digits.lstrip(_DIGITS[base])
    if rest == digits:
        return 0, text
    significant = digits[: len(digits) - len(rest)].lstrip("0")
    number = int(significant or "0", base) if len(significant) <= _LONGEST else _OVERFLOW
    return (-number if start.startswith("-") else number), rest


def _strtoul(text: str, base: int) -> tuple[int, str]:
    """Read a number like strtoul(3): a minus sign wraps around."""
    number, rest = _strtol(text, base)
    return (number % 2**64 if -(2**64) < number < 0 else abs(number)), rest


_LONGEST = 40
_OVERFLOW = 10**_LONGEST
_DIGITS = {10: "0123456789", 16: "0123456789abcdefABCDEF"}
