"""Answers those who ask how the daemon is: HTTP/1.0 on a UNIX socket or on the loopback interface.

GET /metrics is for Prometheus, GET /status is what `tlsproxy --status` shows. Nothing can be changed here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ..log import Fatal, Log
from ..loop import GONE, IN, OUT, Loop

Page = Callable[[], str]

_MAX_CONNECTIONS = 16
_MAX_REQUEST = 8192
_LIMIT = 10.0
_MODE = 0o600


def control_path(socket: Path) -> Path:
    """Where a daemon with this socket for its sessions says how it is."""
    return socket.with_name(f"{socket.name}.control")


class Control:
    """The sockets, and the few connections there are."""

    def __init__(self, loop: Loop, log: Log, pages: Mapping[str, Page]) -> None:
        """`pages` by their path."""
        self.loop = loop
        self.log = log
        self.pages = pages
        self.connections: set[_Connection] = set()
        self._listeners: list[socket.socket] = []
        self._path: Path | None = None
        self._inode = 0
        loop.chores.append(self._chores)

    def listen_at(self, path: Path) -> None:
        """Make a UNIX socket for the owner of the process, in place of one that is there; raise `OSError`."""
        new = path.with_name(f"{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            old_mask = os.umask(0o777 & ~_MODE)
            try:
                new.unlink(missing_ok=True)
                listener.bind(str(new))
            finally:
                os.umask(old_mask)
            listener.listen(_MAX_CONNECTIONS)
            new.rename(path)
        except OSError:
            listener.close()
            raise
        self._path, self._inode = path, path.stat().st_ino
        self._add(listener)

    def listen_on(self, address: str) -> None:
        """Listen on HOST:PORT; raise `Fatal`."""
        host, _, port = address.rpartition(":")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._add(socket.create_server((host.strip("[]"), int(port)), family=family))
        except (OSError, ValueError, OverflowError) as error:
            raise Fatal(f"can't listen on {address}: {error}") from None

    def close(self, *, remove: bool = True) -> None:
        """Answer no more; `remove` the UNIX socket unless it is another process's meanwhile."""
        for listener in self._listeners:
            self.loop.watch(listener.fileno(), 0, self._on_connection(listener))
            listener.close()
        self._listeners.clear()
        for each in list(self.connections):
            each.close()
        if remove and self._path is not None:
            with suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()

    def _add(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listeners.append(listener)
        self.loop.watch(listener.fileno(), IN, self._on_connection(listener))

    def _on_connection(self, listener: socket.socket) -> Callable[[int], None]:
        def accept(_events: int) -> None:
            try:
                new, _ = listener.accept()
            except OSError:  # that one has gone, or no descriptors are left: the next chores try again
                self.loop.watch(listener.fileno(), 0, accept)
                return
            if len(self.connections) < _MAX_CONNECTIONS:
                _Connection(self, new)
            else:
                new.close()

        return accept

    def _chores(self, now: float) -> None:
        for listener in self._listeners:
            self.loop.watch(listener.fileno(), IN, self._on_connection(listener))
        for each in list(self.connections):
            if now - each.since > _LIMIT:
                each.close()


class _Connection:
    """One question and its answer."""

    def __init__(self, control: Control, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.since = control.loop.now
        self._control = control
        self._stream = stream
        self._data = b""
        control.connections.add(self)
        control.loop.watch(stream.fileno(), IN, self._on_request)

    def close(self) -> None:
        self._control.connections.discard(self)
        self._control.loop.close(self._stream.detach())

    def _on_request(self, _events: int) -> None:
        try:
            data = self._stream.recv(_MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._data += data
        if not data or len(self._data) > _MAX_REQUEST:
            self.close()
        elif b"\r\n\r\n" in self._data or b"\n\n" in self._data:
            try:
                self._data = self._answer()
            except Exception:
                self.close()
                raise
            self._on_writable(OUT)

    def _answer(self) -> bytes:
        words = self._data.split(b"\n", 1)[0].decode("latin-1").split()
        page = self._control.pages.get(words[1].partition("?")[0]) if len(words) > 1 and words[0] == "GET" else None
        if page is None:
            return b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        body = page().encode("utf-8", "replace")
        kind = "application/json" if body.startswith(b"{") else "text/plain; version=0.0.4; charset=utf-8"
        return f"HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    def _on_writable(self, events: int) -> None:
        try:
            self._data = self._data[self._stream.send(self._data) :]
        except BlockingIOError:
            pass
        except OSError:
            self._data = b""
        if not self._data or not events & (OUT | GONE):
            self.close()
        else:
            self._control.loop.watch(self._stream.fileno(), OUT, self._on_writable)


def ask(path: Path, page: str) -> str:
    """Ask a daemon that runs; raise `Fatal` if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(_LIMIT)
            stream.connect(str(path))
            stream.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while data := stream.recv(65536):
                answer += data
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror or error}: no daemon answers") from None
    return answer.partition(b"\r\n\r\n")[2].decode()
