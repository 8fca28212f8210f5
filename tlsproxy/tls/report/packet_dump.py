"""Packet dumps in the log (log levels 3 and 4), in the format of tls_dump_buffer(3). No I/O."""

from __future__ import annotations

from collections.abc import Iterator

_WIDTH = 16
_SPLIT = 8
_TRAILING = b" \0"


def dump(data: bytes) -> Iterator[str]:
    """Yield the lines for some bytes: offset, hexadecimal, text. Blanks and NULs at the end are only counted."""
    shown = data.rstrip(_TRAILING)
    for offset in range(0, len(shown), _WIDTH):
        row = shown[offset : offset + _WIDTH]
        cells = [f"{byte:02x}{'|' if column == _SPLIT - 1 else ' '}" for column, byte in enumerate(row)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        if len(text) >= _SPLIT:
            text = f"{text[:_SPLIT]} {text[_SPLIT:]}"
        yield f"{offset:04x} {''.join(cells):<{3 * _WIDTH}} {text}"
    if len(shown) < len(data):
        yield f"{len(shown):04x} - <SPACES/NULLS>"


def heading(verb: str, where: int, size: int) -> str:
    """Return the heading. `verb`: `read from` or `write to`; `where`: a number that identifies the connection."""
    return f"{verb} {where:08X} [{where:08X}] ({size} bytes => {size} (0x{size:X}))"
