"""Standard output in blocks, as Postfix's programs write it (vstream(3)).

Output is buffered, and written in blocks of 4,096 bytes. If standard error is the same file, a diagnostic appears after
the full blocks before it, and before the rest.
"""

from __future__ import annotations

import os

_BLOCK = 4096
_STDOUT = 1


class Output:
    """Buffered standard output. All methods raise OSError as write(2) does."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Add bytes to the buffer; write full blocks if it is large."""
        self._held += data
        if len(self._held) > 16 * _BLOCK:
            self.write_blocks()

    def write_blocks(self) -> None:
        """Write full blocks, as needed before a diagnostic."""
        if len(self._held) > _BLOCK:
            rest = (len(self._held) - 1) % _BLOCK + 1
            self._write(len(self._held) - rest)

    def flush(self) -> None:
        """Write the whole buffer."""
        self._write(len(self._held))

    def _write(self, count: int) -> None:
        data = memoryview(bytes(self._held[:count]))
        del self._held[:count]  # no retry after an error
        while data:
            data = data[os.write(_STDOUT, data) :]
