"""Answers about the state of the daemon: HTTP/1.0 on a UNIX socket, and on a TCP address if that is wanted.

GET /metrics is for Prometheus, GET /status is JSON, GET /healthz is one line with status 200 or 503. Nothing can be
changed here. A TCP address that can't be had is tried again, forever: monitoring never ends the daemon.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from postconf.files.ownership import as_owner_of

from ...log import Log
from ...loop import GONE, IN, OUT, Loop
from ..process.unix_sockets import bind_with_mode, remove

Page = Callable[[], str]
Health = Callable[[], tuple[bool, str]]

_MAX_CONNECTIONS = 16
_MAX_REQUEST = 8192
_LIMIT = 10.0
_MODE = 0o600
_AGAIN = 10.0
"""Seconds until an address that was not to be had is tried again."""
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def control_path(socket: Path) -> Path:
    """Return the control socket of a daemon with this socket for its sessions."""
    return socket.with_name(f"{socket.name}.control")


class Control:
    """The sockets, and the few connections there are."""

    def __init__(self, loop: Loop, log: Log, pages: Mapping[str, Page], health: Health) -> None:
        """`pages` by their path; `health` makes the page /healthz."""
        self.loop = loop
        self.log = log
        self.pages = pages
        self.health = health
        self.connections: set[_Connection] = set()
        self._listeners: list[socket.socket] = []
        self._path: Path | None = None
        self._inode = 0
        self._wanted: tuple[str, int] | None = None
        self._listen_at = 0.0
        loop.periodic_tasks.append(self._periodic_task)

    def listen_at(self, path: Path) -> None:
        """Make a UNIX socket for the owner of its directory, in place of one that is there; raise `OSError`."""
        new = path.with_name(f"{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with as_owner_of(path.parent):
                new.unlink(missing_ok=True)
                bind_with_mode(listener, new, _MODE)
                inode = new.lstat().st_ino
                new.rename(path)
            # With the rights of this process again: clients see them as the listener's (unix(7), SO_PEERCRED).
            listener.listen(_MAX_CONNECTIONS)
        except OSError:
            listener.close()
            raise
        self._path, self._inode = path, inode
        self._add(listener)

    def listen_on(self, host: str, port: int) -> None:
        """Listen on an address as soon as it is free; the log has the address, or the error."""
        self._wanted = host, port
        self._try_to_listen(first=True)

    def _try_to_listen(self, *, first: bool) -> None:
        if self._wanted is None:
            return
        host, port = self._wanted
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        listener = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_MAX_CONNECTIONS)
        except OSError as error:
            if listener is not None:
                listener.close()
            if first:
                self.log.warning(
                    f"metrics on {shown}: {error.strerror}: sessions are served without metrics; "
                    f"retrying every {_AGAIN:.0f} s, free the port or change --metrics"
                )
            self._listen_at = self.loop.now + _AGAIN
            return
        self._wanted = None
        self.log.info(f"metrics on {shown}")
        self._add(listener)

    def close(self, *, remove_socket: bool = True) -> None:
        """Answer no more; remove the UNIX socket, if that is wanted, unless it is another process's meanwhile."""
        for listener in self._listeners:
            self.loop.watch(listener.fileno(), 0, self._on_connection(listener))
            listener.close()
        self._listeners.clear()
        self._wanted = None
        for each in list(self.connections):
            each.close()
        if remove_socket and self._path is not None:
            remove(self._path, self._inode)

    def _add(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listeners.append(listener)
        self.loop.watch(listener.fileno(), IN, self._on_connection(listener))

    def _on_connection(self, listener: socket.socket) -> Callable[[int], None]:
        def accept(_events: int) -> None:
            try:
                new, _ = listener.accept()
            except OSError:  # the client has left, or no descriptors are left: the next periodic task retries
                self.loop.watch(listener.fileno(), 0, accept)
                return
            if len(self.connections) < _MAX_CONNECTIONS:
                _Connection(self, new)
            else:
                new.close()

        return accept

    def _periodic_task(self, now: float) -> None:
        if self._wanted is not None and now >= self._listen_at:
            self._try_to_listen(first=False)
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
        method, path = words[:2] if len(words) > 1 else ("", "")
        status, body = self._page(path.partition("?")[0]) if method in ("GET", "HEAD") else (405, "use GET\n")
        content = body.encode("utf-8", "replace")
        kind = "application/json" if content.startswith(b"{") else "text/plain; version=0.0.4; charset=utf-8"
        head = f"HTTP/1.0 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        return head.encode() + (b"" if method == "HEAD" else content)

    def _page(self, path: str) -> tuple[int, str]:
        if path == "/healthz":
            good, text = self._control.health()
            return 200 if good else 503, text + "\n"
        page = self._control.pages.get(path)
        if page is None:
            return 404, f"pages: {' '.join([*self._control.pages, '/healthz'])}\n"
        return 200, page()

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
