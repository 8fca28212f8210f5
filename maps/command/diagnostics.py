"""Diagnostics on standard error, in the form of Postfix's programs (msg_vstream(3))."""

from __future__ import annotations

import os
from collections.abc import Callable

from postconf.syntax.lines import encode

_ASCII = bytes(byte if 32 <= byte < 127 else ord("?") for byte in range(256))
_STDERR = 2


class Diagnostics:
    """Unbuffered writer of lines; unprintable characters become question marks."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.utf8 = False
        """True if non-ASCII characters are printed (smtputf8_enable)."""
        self._held: list[str] | None = None
        self.before: Callable[[], None] = lambda: None
        """Function that is called before each line, to flush standard output."""

    def warn(self, text: str) -> None:
        """Write a warning, or hold it back."""
        if self._held is None:
            self.say(f"warning: {text}")
        else:
            self._held.append(text)

    def hold(self) -> None:
        """Start to hold back warnings."""
        self._held = []

    def held(self) -> list[str]:
        """Return the held-back warnings, and stop holding them."""
        held, self._held = self._held or [], None
        return held

    def say(self, text: str) -> None:
        """Write a line, and ignore a full disk. Raise `BrokenPipeError`."""
        self.before()
        line = encode(f"{self.program}: {text}")
        try:
            os.write(_STDERR, (_printable(line) if self.utf8 else line.translate(_ASCII)) + b"\n")
        except BrokenPipeError:
            raise
        except OSError:
            pass


def _printable(line: bytes) -> bytes:
    """Replace unprintable bytes; the first byte of a character keeps its continuation bytes."""
    if line.isascii():
        return line.translate(_ASCII)
    shown = bytearray()
    whole = False
    for position, byte in enumerate(line):
        follows = line[position + 1 : position + 2]
        if 194 <= byte <= 254 and follows and 128 <= follows[0] <= 191:
            whole = True
        elif not (whole and 128 <= byte <= 191):
            whole = False
        shown += line[position : position + 1] if whole else _ASCII[byte : byte + 1]
    return bytes(shown)
