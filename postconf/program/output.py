"""Standard output in blocks, as Postfix's programs write it (vstream(3)).

Lines are held until there are more than 4,096 bytes, and blocks of that size are written then. Where standard error is
the same file, a diagnostic stands behind the blocks that were full before it, and in front of the rest.
"""

from __future__ import annotations

import os

_BLOCK = 4096
_STDOUT = 1


class Output:
    """Bytes on their way to standard output. All methods raise OSError as write(2) does."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Take bytes; write them when many have come together."""
        self._held += data
        if len(self._held) > 16 * _BLOCK:
            self.write_blocks()

    def write_blocks(self) -> None:
        """Write the blocks that are full, as has to be done before a diagnostic."""
        if len(self._held) > _BLOCK:
            rest = (len(self._held) - 1) % _BLOCK + 1
            self._write(len(self._held) - rest)

    def flush(self) -> None:
        """Write all that is held."""
        self._write(len(self._held))

    def _write(self, count: int) -> None:
        data = memoryview(bytes(self._held[:count]))
        del self._held[:count]  # what can't be written is not tried again
        while data:
            data = data[os.write(_STDOUT, data) :]
