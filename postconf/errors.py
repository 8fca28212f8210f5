"""Places in configuration files, and the errors of this package."""

from __future__ import annotations


class Place:
    """Place in a file. Lines and columns count from 1, columns in characters; 0 means the whole file or line."""

    __slots__ = ("column", "line", "path")

    def __init__(self, path: str, line: int = 0, column: int = 0) -> None:
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return ":".join([self.path, *(str(number) for number in (self.line, self.column) if number)])

    def __repr__(self) -> str:
        return f"Place({self.path!r}, {self.line}, {self.column})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class PostconfError(Exception):
    """Base of all errors that this package raises for its callers."""


class ConfigError(PostconfError):
    """Configuration that Postfix refuses.

    `message`: that of Postfix (postconf(1) prints it after `fatal: `). `place`: that of the error, None if it is not
    known. `remedy`: the fix, perhaps empty. The text has all three.
    """

    def __init__(self, message: str, place: Place | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{self.message}{remedy}"
