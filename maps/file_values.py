"""Values that name files and are replaced by their content (`Flags.SRC_RHS_IS_FILE`, `postmap -F`).

A table has the content in base64, because values are single lines.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from postconf.syntax.lines import decode as as_text

from .errors import MapsError
from .formats.indexed import reason, text
from .text.reading import TextFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .table import Access

_SEPARATORS = re.compile(rb"[, \t\r\n]+")
_DIGIT = rb"[A-Za-z0-9+/]"
_BASE64 = re.compile(rb"((?:%b{4})*)(?:(%b{2,3})=.*)?" % (_DIGIT, _DIGIT), re.DOTALL)


class FileValueError(MapsError, ValueError):
    """Unreadable files, or a value that is not their content, with Postfix's message."""


def encode(value: bytes, *, for_daemon: bool = False) -> bytes:
    """Return the content of the files in a list of paths, with a newline between two files, in base64."""
    paths = [as_text(path) for path in _SEPARATORS.split(value) if path]
    if not paths:
        raise FileValueError(f"empty pathname list: >>{as_text(value)}<<'")
    return b64encode(b"\n".join(_read(path, for_daemon=for_daemon) for path in paths))


def resolve(value: bytes, access: Access) -> bytes:
    """Return the stored value for a value of the source: the content of files, if the access requests that."""
    return encode(value, for_daemon=access.for_daemon) if access.values_are_files else value


def decode(value: bytes) -> bytes:
    """Return the content of the files: up to the first `=`, and as a C string."""
    match = None if len(value) % 4 else _BASE64.fullmatch(value)
    if match is None:
        raise FileValueError(f"malformed BASE64 value: {as_text(value[:30])}")
    whole, rest = match[1], match[2] or b""
    return text(b64decode(whole + rest + b"=" * (-len(rest) % 4)))


def _read(path: str, *, for_daemon: bool) -> bytes:
    try:
        file = TextFile(path, for_daemon=for_daemon)
    except OSError as error:
        raise FileValueError(f"open {path}: {reason(error)}") from error
    data = file.read()
    if file.error:
        raise FileValueError(f"read {path}: {reason(file.error)}") from file.error
    return data
