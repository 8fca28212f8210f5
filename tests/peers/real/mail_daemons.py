"""Debian's trivial-rewrite(8) and cleanup(8) on a configuration of their own, started as master(8) starts them.

They are asked on their sockets, as smtpd(8) and qmgr(8) do; nothing is delivered. Needs root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tlsproxy.mail.addresses import quoted, unquoted

from ..tools.children import PATIENCE
from .postfix import QUEUES, SBIN

_OLD = 1_000_000_000
"""A time of change: Postfix waits for files that are younger than a second."""
_SYNTAX, _FAILURE = 4, 8
_CLASSES = {
    1 << 8: "local",
    1 << 9: "virtual-alias",
    1 << 10: "virtual-mailbox",
    1 << 11: "relay",
    1 << 12: "default",
}
_ROUTED = 2
_FILTER_REPLY, _MAPPINGS = 0xC2, 0x30
"""The cleanup flags of smtpd(8), and those that no_address_mappings takes away."""

Attributes = list[tuple[str, str]]


class Answer(NamedTuple):
    """The answer of trivial-rewrite(8); no class for a bad address, and for one that could not be resolved."""

    address_class: str | None
    transport: str = ""
    nexthop: str = ""
    recipient: str = ""
    is_routed: bool = False


class MailDaemons:
    """The daemons; a context manager that ends them."""

    def __init__(self, root: Path, settings: Mapping[str, str], files: Mapping[str, str] | None = None) -> None:
        """Write main.cf and other files to `root`/conf, and start them; other users must be able to read `root`."""
        self.conf = root / "conf"
        self.queue = root / "queue"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._sockets: list[socket.socket] = []
        self._lay_out(root)
        base: dict[str, object] = {
            "queue_directory": self.queue,
            "data_directory": root / "data",
            "maillog_file": root / "log",
        }
        base |= {"maillog_file_prefixes": "/", "in_flow_delay": "0", "notify_classes": ""}
        main = "".join(f"{name} = {value}\n" for name, value in {**base, **settings}.items())
        for name, text in {**(files or {}), "main.cf": main, "master.cf": ""}.items():
            (self.conf / name).write_text(text)
            os.utime(self.conf / name, (_OLD, _OLD))
        self.log: deque[str] = deque(maxlen=100)
        """The last lines that the daemons logged."""
        log = self._bind("public/postlog", socket.SOCK_DGRAM)
        self._status = socket.socketpair()
        self._readers = [
            threading.Thread(target=self._read_log, args=(log,), daemon=True),
            threading.Thread(target=self._read_status, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._flow = os.pipe()
        for descriptor in self._flow:
            os.set_blocking(descriptor, False)
        self._start("trivial-rewrite", "private/rewrite")
        self._start("cleanup", "public/cleanup", "-z")
        self._rewriter: tuple[socket.socket, _Reader] | None = None

    def rewrite(self, address: str) -> str:
        """Rewrite an address in internal form, in the local context."""
        answer = self._ask(("request", "rewrite"), ("rule", "local"), ("address", quoted(address)))
        return unquoted(dict(answer)["address"])

    def resolve(self, sender: str, address: str) -> Answer:
        """Resolve an address; both are in internal form and have been rewritten."""
        answer = self._ask(("request", "resolve"), ("sender", sender), ("address", address))
        flags, found = int(answer[-1][1]), dict(answer)
        if flags & (_SYNTAX | _FAILURE):
            return Answer(None)
        (name,) = [name for bit, name in _CLASSES.items() if flags & bit]
        return Answer(name, found["transport"], found["nexthop"], found["recipient"], bool(flags & _ROUTED))

    def envelope(self, sender: str, *recipients: str, mappings: bool = True) -> tuple[str, list[str]] | None:
        """Return the sender and the recipients that are written to the queue; None if the message is refused."""
        peer, reader = self._connect("public/cleanup")
        with peer, reader:
            queue_id = dict(reader.attributes())["queue_id"]
            peer.sendall(
                _attributes(("flags", str(_FILTER_REPLY | (_MAPPINGS if mappings else 0))))
                + _record("T", f"{time.time():.0f} 0")
                + _record("A", "rewrite_context=local")
                + _record("S", sender)
                + b"".join(_record("R", each) for each in recipients)
                + _record("M", "")
                + _record("N", "Received: from client by server; Thu, 1 Jan 2026 00:00:00 +0000")
                + _record("N", "")
                + _record("X", "")
                + _record("E", "")
            )
            if dict(reader.attributes()).get("status") != "0":
                return None
        path = self.queue / "incoming" / queue_id
        records = list(_records(path.read_bytes()))
        path.unlink()
        (queued,) = [text for kind, text in records if kind == "S"]
        return queued, [text for kind, text in records if kind == "R"]

    def close(self) -> None:
        """End the daemons."""
        if self._rewriter is not None:
            for each in self._rewriter:
                each.close()
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(PATIENCE)
        for each in (*self._sockets, self._status[0]):
            with suppress(OSError):  # a socket that is not connected
                each.shutdown(socket.SHUT_RDWR)
        for reader in self._readers:
            reader.join(PATIENCE)
        for each in (*self._sockets, *self._status):
            each.close()
        for descriptor in self._flow:
            os.close(descriptor)

    def _lay_out(self, root: Path) -> None:
        for name in ("conf", "queue", "data"):
            (root / name).mkdir(parents=True)
        for name in (*QUEUES, "public", "pid"):
            (self.queue / name).mkdir()
            shutil.chown(self.queue / name, "postfix")
        shutil.chown(self.queue / "pid", "root")
        shutil.chown(root / "data", "postfix")

    def _bind(self, path: str, kind: int) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, kind)
        bound.bind(str(self.queue / path))
        (self.queue / path).chmod(0o666)
        self._sockets.append(bound)
        return bound

    def _read_log(self, log: socket.socket) -> None:
        while data := log.recv(1 << 16):
            self.log.append(data.decode(errors="replace"))

    def _read_status(self) -> None:
        """Take the reports to master(8); a daemon waits when they are not read."""
        while self._status[0].recv(1 << 12):
            pass

    def _start(self, program: str, path: str, *options: str) -> None:
        listener = self._bind(path, socket.SOCK_STREAM)
        listener.listen(64)
        given = [*self._flow, self._status[1].fileno(), listener.fileno()]

        def place_descriptors() -> None:
            high = [os.dup2(descriptor, 200 + index) for index, descriptor in enumerate(given)]
            for index, descriptor in enumerate(high):
                os.dup2(descriptor, 3 + index)

        command = [program, "-n", path.partition("/")[2], "-t", "unix", "-u", *options, "-o", "max_use=1000000"]
        process = subprocess.Popen(
            command,
            executable=SBIN / program,
            preexec_fn=place_descriptors,  # noqa: PLW1509  it takes no lock
            close_fds=False,
            cwd=self.queue,
            env={"MAIL_CONFIG": str(self.conf), "GENERATION": "1", "PATH": "/usr/bin:/bin", "LANG": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)

    def _connect(self, path: str) -> tuple[socket.socket, _Reader]:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(PATIENCE)
        peer.connect(str(self.queue / path))
        return peer, _Reader(peer)

    def _ask(self, *request: tuple[str, str]) -> Attributes:
        if self._rewriter is None:
            self._rewriter = self._connect("private/rewrite")
            self._rewriter[1].attributes()  # which protocol this is
        peer, reader = self._rewriter
        peer.sendall(_attributes(*request))
        return reader.attributes()

    def __enter__(self) -> MailDaemons:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Reader:
    """Reads lists of attributes."""

    def __init__(self, peer: socket.socket) -> None:
        self._file = peer.makefile("rb")

    def attributes(self) -> Attributes:
        found = []
        while name := self._text():
            found.append((name, self._text()))
        return found

    def close(self) -> None:
        self._file.close()

    def _text(self) -> str:
        data = bytearray()
        while byte := self._read():
            if byte == b"\0":
                return data.decode(errors="surrogateescape")
            data += byte
        raise EOFError("a daemon has closed the connection")

    def _read(self) -> bytes:
        try:
            return self._file.read(1)
        except TimeoutError:
            raise EOFError("a daemon does not answer") from None

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attributes(*pairs: tuple[str, str]) -> bytes:
    texts = [text for pair in pairs for text in pair]
    return b"".join(text.encode(errors="surrogateescape") + b"\0" for text in texts) + b"\0"


def _record(kind: str, text: str) -> bytes:
    """Return a record of a queue file: its type, its length in groups of seven bits, and its data."""
    data = text.encode(errors="surrogateescape")
    length, digits = len(data), bytearray()
    while True:
        digits.append(length & 127 | (128 if length > 127 else 0))
        length >>= 7
        if not length:
            return kind.encode() + digits + data


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the records of a queue file."""
    position = 0
    while position < len(data):
        kind = chr(data[position])
        position += 1
        length = shift = 0
        while True:
            digit = data[position]
            position += 1
            length |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        yield kind, data[position : position + length].decode(errors="surrogateescape")
        position += length
