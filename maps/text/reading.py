"""Reading the files that text tables are, as far as Postfix would get."""

from __future__ import annotations

import os

from postconf.syntax.lines import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 18


class TextFile:
    """A file that is read once, piece by piece; what ended that is `error`: a directory opens, but can't be read."""

    def __init__(self, path: str) -> None:
        """Open it; raise OSError."""
        self.error: OSError | None = None
        self._descriptor = os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC)
        self.status = os.fstat(self._descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Yield what can be read, and close the file."""
        try:
            while piece := os.read(self._descriptor, _PIECE):
                yield piece
        except OSError as error:
            self.error = error
        finally:
            os.close(self._descriptor)

    def read(self) -> bytes:
        """Return all that can be read, and close the file."""
        return b"".join(self.pieces())
