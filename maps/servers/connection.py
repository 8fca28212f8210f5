"""A connection to a server that answers lookups. Each wait for it has a limit."""

from __future__ import annotations

import encodings.idna  # noqa: F401  for getaddrinfo(3): it can't be imported after chroot(2)
import errno
import os
import socket
import time
from string import digits

from ..table import TableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class LookupStream:
    """A stream to a server. Requests and replies between one `begin` and the next share one limit of time."""

    def __init__(self, server: str, seconds: float, warn: Callable[[str], None]) -> None:
        """Connect to `inet:host:port` or `unix:path`; raises OSError, or `TableError` for another form of name."""
        self._seconds = seconds
        self._data = bytearray()
        self.begin()
        transport, _, address = server.partition(":")
        if transport == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.settimeout(seconds)
                self._socket.connect(address)
            except BaseException:
                self._socket.close()
                raise
        elif transport == "inet":
            try:
                self._socket = socket.create_connection(split_address(address), seconds)
            except socket.gaierror as error:
                raise not_found(address, error, warn) from error
        else:
            raise TableError(f"invalid transport name: {transport} in service: {server}")

    def begin(self) -> None:
        """Begin a request: its time limit starts."""
        self._deadline = time.monotonic() + self._seconds

    def send(self, data: bytes) -> None:
        """Send all of `data`; raises OSError."""
        self._limit()
        self._socket.sendall(data)

    def line(self, end: bytes, most: int) -> bytes:
        """Receive up to `end`, which is left out; raises OSError, EOFError, and OverflowError beyond `most` bytes."""
        while True:
            found = self._data.find(end)
            if found > most or (found < 0 and len(self._data) > most):
                raise OverflowError
            if found >= 0:
                line = bytes(self._data[:found])
                del self._data[: found + len(end)]
                return line
            self._receive()

    def exactly(self, count: int) -> bytes:
        """Receive `count` bytes; raises OSError and EOFError."""
        while len(self._data) < count:
            self._receive()
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()

    def _receive(self) -> None:
        self._limit()
        data = self._socket.recv(65536)
        if not data:
            raise EOFError
        self._data += data

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def split_address(address: str) -> tuple[str, str]:
    """Split `host:port`, `[host]:port`, or `port` of this host (host_port(3)); raises `TableError`."""
    problem = ""
    if address.startswith("["):
        host, closed, rest = address[1:].partition("]")
        port = rest[1:]
        if not closed:
            problem = 'missing "]"'
        elif rest and not rest.startswith(":"):
            problem = 'garbage after "]"'
    else:
        host, _, port = address.rpartition(":")
        host = host or "localhost"
    if not problem and not port:
        problem = "missing service information"
    elif not problem and port[0] in digits and port.strip(digits):
        problem = "garbage after numerical service"
    if problem:
        raise TableError(f"{address}: {problem}")
    return host, port


def not_found(address: str, error: socket.gaierror, warn: Callable[[str], None]) -> OSError:
    """Warn that a name has no address, and return the error that Postfix has then."""
    warn(f"host or service {address} not found: {error.strerror}")
    return OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))


def error_text(error: OSError | EOFError) -> str:
    """Return strerror(3) of an error."""
    if isinstance(error, TimeoutError):
        return "Connection timed out"
    return os.strerror(error.errno or 0) if isinstance(error, OSError) else "Success"
