"""Reading the files that text tables are, as far as Postfix would get; a daemon reads regular files only."""

from __future__ import annotations

import errno
import os

from postconf.files.regular import LIMIT, open_regular
from postconf.syntax.lines import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


_PIECE = 1 << 18


class TextFile:
    """A file that is read once, piece by piece, up to its end or an `error`: a directory opens, but can't be read."""

    def __init__(self, path: str, *, for_daemon: bool = False) -> None:
        """Open it; raise OSError.

        `for_daemon`: True if nothing may be waited for: FIFOs, devices and huge files are refused.
        """
        self.error: OSError | None = None
        self._descriptor = open_regular(path) if for_daemon else os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC)
        self.status = os.fstat(self._descriptor)
        if for_daemon and self.status.st_size > LIMIT:
            os.close(self._descriptor)
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes that can be read, and close the file."""
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
