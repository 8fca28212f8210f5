"""Base of the servers of the tests: a listening socket, and a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Own = TypeVar("Own", bound="Listening")


class Listening:
    """Calls `serve` with each connection, until the end of the context."""

    def __init__(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._serve = serve

    def __enter__(self: Own) -> Own:
        Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self._listener.accept()
                Thread(target=self._serve, args=(stream,), daemon=True).start()
