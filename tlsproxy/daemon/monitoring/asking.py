"""State of a running daemon, asked for at its control socket (`tlsproxy --status`) and not trusted.

The control socket is in a directory that may belong to another account. So the account that answers is checked, and the
answer is bounded in size and time. Each field has to be of its type, and only printable characters are shown.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from ...log import FatalError

_LIMIT = 10.0
"""Seconds for the whole answer."""
_MAX_ANSWER = 1 << 20
_MAX_NUMBER = 1 << 53

Fields = Mapping[str, object]


class NoDaemonError(FatalError):
    """Nothing listens at the control socket."""


def ask(path: Path, page: str, *, believed: Collection[int] | None = None) -> str:
    """Ask for a page; raise `FatalError` if there is no answer that can be used, `NoDaemonError` if nothing listens.

    `believed`: the user ids whose answers count; None: those of all.
    """
    deadline = time.monotonic() + _LIMIT
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(_LIMIT)
            stream.connect(str(path))
            _check_peer(stream, path, believed)
            stream.sendall(f"GET {page} HTTP/1.0\r\n\r\n".encode())
            answer = b""
            while data := stream.recv(65536):
                answer += data
                if len(answer) > _MAX_ANSWER:
                    raise _not_understood(path, f"more than {_MAX_ANSWER} bytes")
                stream.settimeout(max(0.001, deadline - time.monotonic()))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoDaemonError(
            f"{path}: {error.strerror}: the daemon does not answer; start it, or name its socket"
        ) from None
    except PermissionError:
        raise FatalError(f"{path}: Permission denied; ask as root or as the account of the daemon") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or error
        raise FatalError(f"{path}: {printable(str(reason))}: the daemon does not answer") from None
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end or not head.startswith(b"HTTP/1.0 200 "):
        raise _not_understood(path, "no HTTP status 200")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _not_understood(path, "bytes that are no UTF-8") from None


def _check_peer(stream: socket.socket, path: Path, believed: Collection[int] | None) -> None:
    """Raise `FatalError` if the listening process belongs to an account that is not trusted (SO_PEERCRED, unix(7))."""
    _, user, _ = struct.unpack("3i", stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if believed is not None and user not in believed:
        try:
            name = pwd.getpwuid(user).pw_name
        except KeyError:
            name = str(user)
        raise FatalError(
            f"{path}: account {name} has replied, and is not trusted; if it is the daemon's account, add --user {name}"
        )


def _not_understood(path: Path, reason: str) -> FatalError:
    return FatalError(f"{path}: {reason}: the reply is not from tlsproxy(8)")


class DaemonStatus:
    """The fields of /status, each of the type that it should have."""

    def __init__(self, text: str, path: Path) -> None:
        """Raise `FatalError` for a text that is no such answer."""
        try:
            fields = _as_mapping(json.loads(text, parse_constant=_refuse), "the whole")
        except (ValueError, RecursionError):
            raise _not_understood(path, "no JSON") from None
        except TypeError as error:
            raise _not_understood(path, str(error)) from None
        try:
            self.version = _text(fields, "version")
            self.openssl = _text(fields, "openssl")
            self.postfix = _text(fields, "postfix")
            self.mode = _text(fields, "mode")
            self.state = _text(fields, "state")
            self.problems = [_as_text(each) for each in _list(fields, "problems")]
            self.pid = _number(fields, "pid")
            self.uptime = _number(fields, "uptime_seconds")
            self.generation = _number(fields, "generation")
            reload = _mapping(fields, "reload")
            self.reload = _text(reload, "state"), "" if reload["time"] is None else _text(reload, "time")
            self.roles = {_as_text(name): _as_text(state) for name, state in _mapping(fields, "roles").items()}
            self.workers = [_Worker(_as_mapping(each)) for each in _list(fields, "workers")]
            self.certificates = [CertificateFields(_as_mapping(each)) for each in _list(fields, "certificates")]
        except (TypeError, KeyError) as error:
            reason = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise _not_understood(path, printable(reason)[:200]) from None
        self.json = json.dumps(fields, indent=2)
        """The same, made again: ASCII only."""

    @property
    def is_good(self) -> bool:
        """True if there is nothing that an operator has to look at."""
        return self.state == "ok" and not self.problems

    def lines(self) -> list[str]:
        """Return the text for people."""
        state = "" if self.is_good else f", {self.state}: {', '.join(self.problems)}"
        lines = [f"tlsproxy {self.version}, process {self.pid}, up {_duration(self.uptime)}{state}"]
        lines.append(f"{self.openssl}, as Postfix {self.postfix}")
        reloaded = {
            "none": "not reloaded since the start",
            "done": "reloaded at {}",
            "failed": "reload failed at {}: keeping the previous configuration; see the log",
            "waiting": "reload at {} waits for new processes; the log says why",
        }.get(self.reload[0], self.reload[0])
        when = self.reload[1]
        # master(8) counts the processes that it starts; that number is not one of reloads.
        generation = f"generation {self.generation}: " if self.mode == "standalone" else "under master(8): "
        lines.append(generation + reloaded.replace("{}", when))
        lines += [f"{role} role: {state}" for role, state in self.roles.items()]
        lines += [each.line(self.mode) for each in self.workers]
        lines += [each.line() for each in self.certificates]
        return [printable(line) for line in lines]


class _Worker:
    def __init__(self, fields: Fields) -> None:
        self.pid = _number(fields, "pid")
        self.generation = _number(fields, "generation")
        self.sessions = _number(fields, "sessions")
        self.beginning = _number(fields, "beginning")
        self.leaving = fields["leaving"] is True

    def line(self, mode: str) -> str:
        generation = f"generation {self.generation}, " if mode == "standalone" else ""
        leaving = ", leaving" if self.leaving else ""
        return f"worker {self.pid}: {generation}{self.sessions} sessions, {self.beginning} of them beginning{leaving}"


class CertificateFields:
    """One certificate of an answer."""

    def __init__(self, fields: Fields) -> None:
        self.file = _text(fields, "file")
        self.subject = _text(fields, "subject")
        self.sha256 = _text(fields, "sha256")
        self.expires = "" if fields["expires"] is None else _text(fields, "expires")
        self.left = _number(fields, "seconds_left") if self.expires else 0

    def line(self) -> str:
        """Return the text for people."""
        if not self.expires:
            return f"{self.file}: {self.subject}, expiry unknown"
        left = self.left
        when = f"expires in {_duration(left)}" if left > 0 else f"EXPIRED {_duration(-left)} ago"
        return f"{self.file}: {self.subject}, {when} ({self.expires})"


def printable(text: str) -> str:
    """Return a text with escapes in place of all that a terminal might act on."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _text(fields: Fields, name: str) -> str:
    return _as_text(fields[name], name)


def _as_text(value: object, name: str = "an item") -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _number(fields: Fields, name: str) -> int:
    value = fields[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_MAX_NUMBER < value < _MAX_NUMBER:
        raise TypeError(f"{name} is no number")
    return int(value)


def _list(fields: Fields, name: str) -> list[object]:
    value = fields[name]
    if not isinstance(value, list):
        raise TypeError(f"{name} is no list")
    return value


def _mapping(fields: Fields, name: str) -> Fields:
    return _as_mapping(fields[name], name)


def _as_mapping(value: object, name: str = "an item") -> Fields:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no object")
    return value


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def own_accounts() -> set[int]:
    """Return the user ids that are always believed: root's, and that of this process."""
    return {0, os.geteuid()}
