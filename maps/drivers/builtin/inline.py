"""inline: a table whose name lists its entries, `{ key=value, {key = value with blanks} }`."""

from __future__ import annotations

import re

from postconf.syntax.lines import SPACE, encode

from ... import file_values
from ...folding import is_valid
from ...memory import MemoryTable, stored_key
from ...naming import BracesError, braced_list, in_braces
from ...table import Flags, OpenError, require_reading
from ...text.source import SPACE as BLANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...table import Access, Table

_KEY = re.compile(rb'(?:[^\s="\\]+|\\(?:.|\Z)|"[^"\\]*(?:\\(?:.|\Z)[^"\\]*)*")*', re.DOTALL)
"""Key up to a blank or `=` outside double quotes; a backslash escapes the next character.

There is only one way to match each text, so that a missing quote causes no backtracking. (Possessive quantifiers would
express that, but are broken before Python 3.11.5.)
"""


def open_table(name: str, access: Access) -> Table:
    """Read the entries; the last one of equal keys counts."""
    require_reading("inline", name, access)
    if access.utf8 and not is_valid(encode(name)):
        raise _error("bad UTF-8 syntax", name)
    elements = braced_list(name)
    if elements is None:
        raise _error("bad syntax", name)
    table = MemoryTable("inline", name, access)
    try:
        for element in elements:
            key, value = _split(encode(in_braces(element).strip(SPACE) if element.startswith("{") else element))
            table.update(stored_key(key, access), file_values.resolve(value, access))
        if not elements:
            raise _EntryError("empty table")
    except (BracesError, _EntryError, file_values.FileValueError) as error:
        raise _error(str(error), name, "filename" if access.flags & Flags.SRC_RHS_IS_FILE else "value") from error
    return table


class _EntryError(ValueError):
    """Element that is not an entry, with Postfix's message."""


def _split(text: bytes) -> tuple[bytes, bytes]:
    """Split `key = value` (split_qnameval(3)); the key keeps its quotes."""
    text = text.lstrip(BLANK)
    if not text:
        raise _EntryError("no key found; expected format: key = value")
    match = _KEY.match(text)
    length = match.end() if match else 0
    if text[length : length + 1] == b'"':
        raise _EntryError("unbalanced '\"'")
    rest = text[length:].lstrip(BLANK)
    if not rest.startswith(b"="):
        raise _EntryError("missing '=' after attribute name")
    return text[:length], rest[1:].strip(BLANK)


def _error(problem: str, name: str, value: str = "value") -> OpenError:
    return OpenError(f'{problem}: "inline:{name}"; need "inline:{{name={value}...}}"')
