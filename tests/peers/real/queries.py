"""Queries of one table as `postmap -q -` makes them, through the library: the same answers, the same messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from maps import Access, ConfigurationLookupError, Flags, TableError, TemporaryLookupError, file_values, open_table
from postconf.syntax.lines import decode, encode

from .postmap import Postmap

OPTIONS = {
    "": Flags.FOLD_FIX | Flags.UTF8_REQUEST,
    "-u": Flags.FOLD_FIX,
    "-f": Flags.UTF8_REQUEST,
    "-F": Flags.FOLD_FIX | Flags.UTF8_REQUEST | Flags.SRC_RHS_IS_FILE,
}


class Answer(NamedTuple):
    output: bytes
    messages: list[bytes]


def real(tables: Postmap, spec: str, keys: Sequence[bytes], option: str = "") -> Answer:
    """Ask the real command; it loses its earlier answers at a fatal error."""
    options = [option] if option else []
    done = tables.run(*options, "-q", "-", spec, keys=b"".join(key + b"\n" for key in keys))
    lines = [line.removeprefix(b"postmap: ") for line in done.stderr.splitlines()]
    return Answer(done.stdout, lines)


def ours(tables: Postmap, spec: str, keys: Sequence[bytes], option: str = "") -> Answer:
    messages: list[str] = []
    flags = Flags.LOCK | Flags.DUP_WARN | OPTIONS[option]
    access = Access(flags=flags, warn=lambda text: messages.append(f"warning: {text}"))
    output = b""
    try:
        with tables.inside(), open_table(spec, access) as table:
            for key in keys:
                named = f"{table.type}:{table.name}"
                try:
                    value = table.lookup(key)
                    if value is not None and flags & Flags.SRC_RHS_IS_FILE:
                        value = file_values.decode(value)
                except ConfigurationLookupError as error:
                    raise TableError(f"table {named}: query error") from error
                except TemporaryLookupError as error:
                    raise TableError(f"table {named}: query error: {error}") from error
                except file_values.FileValueError as error:
                    messages.append(f"warning: table {named}: key {decode(key)}: {error}")
                    raise TableError(f"table {named}: query error") from error
                if value == b"":
                    messages.append(f"warning: table {named}: key {decode(key)}: empty string result is not allowed")
                    messages.append(f"warning: table {named} should return NO RESULT in case of NOT FOUND")
                if value is not None:
                    output += key + b"\t" + value + b"\n"
    except TableError as error:
        output = b""
        messages.append(f"fatal: {error}")
    return Answer(output, [_printable(message) for message in messages])


_SHOWN = re.compile(rb"[\xc2-\xfe][\x80-\xbf]+|([^ -~])")


def _printable(text: str) -> bytes:
    """Replace unprintable characters as Postfix's log does."""
    return _SHOWN.sub(lambda match: b"?" if match[1] else match[0], encode(text))
