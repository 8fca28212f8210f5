"""Reading the files that text tables are, as far as Postfix would get."""

from __future__ import annotations

import os

from postconf.syntax.lines import encode


class TextFile:
    """What could be read of a file, its status, and the error that ended it."""

    def __init__(self, path: str) -> None:
        """Raise OSError if it can't be opened; what comes later is `error`: a directory opens, but can't be read."""
        self.data = b""
        self.error: OSError | None = None
        descriptor = os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.status = os.fstat(descriptor)
            pieces = []
            while piece := os.read(descriptor, 1 << 20):
                pieces.append(piece)
        except OSError as error:
            self.error = error
        finally:
            os.close(descriptor)
        self.data = b"".join(pieces)
