"""The C tlsproxy(8) and ours, with the same configurations, to be asked the same by the same clients.

One private Postfix has a service for each configuration, `-o` settings in its master.cf; ours reads the same master.cf.
The view of a session from both sides, and its log lines, can then be compared.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path

from tlsproxy.wire.messages import Generation, TlsContext

from ..real.postfix import PrivatePostfix
from ..tools.children import PATIENCE
from .proxy import Proxy

_MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
"""
POSTFIX_LINE = re.compile(r"\S+ +\S+ \S+ \S+ (?P<service>[^/]+)/tlsproxy\[\d+\]: (?P<text>.*)")
_OUR_LINE = re.compile(r"(?P<service>[^:]+): (?P<text>.*)")


class Log:
    """A log file that grows, as lines by service."""

    def __init__(self, path: Path, form: re.Pattern[str]) -> None:
        self._path = path
        self._form = form
        self._position = 0
        self._lines: dict[str, list[str]] = {}

    def read(self) -> dict[str, list[str]]:
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
            data = data[: data.rfind(b"\n") + 1]
            self._position += len(data)
            for line in data.decode(errors="surrogateescape").splitlines():
                if match := self._form.match(line):
                    self._lines.setdefault(match["service"], []).append(match["text"])
        return self._lines


@dataclass
class Side:
    """One of the two: the sockets of its services, and their log."""

    name: str
    sockets: Path
    log: Log

    def connect(
        self, service: str, endpoint: str, *, flags: int = 1, timeouts: tuple[int, int] = (30, 30)
    ) -> tuple[socket.socket, socket.socket]:
        """Begin a session; return its local and its remote end."""
        return Service(self.sockets / service).session(flags=flags, endpoint=endpoint, timeouts=timeouts)

    def status(self, service: str, endpoint: str) -> int:
        """Ask whether the service is available, and leave it at that."""
        local, status = Service(self.sockets / service).request(endpoint=endpoint)
        local.close()
        return status

    def wait_for_disconnects(self, service: str, count: int) -> list[str]:
        """Return a service's log as soon as so many sessions have ended in it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            lines = self.log.read().get(service, [])
            if sum(line.startswith("DISCONNECT") for line in lines) >= count:
                return lines
            assert time.monotonic() < deadline, f"{self.name}: not {count} sessions in this log:\n" + "\n".join(lines)
            time.sleep(0.02)


class Service(Proxy):
    """A daemon of which only the socket is known."""

    def __init__(self, path: Path) -> None:
        self.socket = path


@contextmanager
def both(
    root: Path,
    common: Mapping[str, str],
    services: Mapping[str, Mapping[str, str]],
    managers: Mapping[str, Mapping[str, str]],
) -> Iterator[tuple[Side, Side]]:
    """Run all services on both sides; yield the C side and ours.

    `common` are settings in main.cf; `managers` are further services of tlsmgr(8).
    """
    master_cf = _MASTER_CF
    for manager, own in managers.items():
        master_cf += f"{manager} unix - - n 1000? 1 tlsmgr\n" + _overrides(own)
    for service, own in services.items():
        master_cf += f"{service} unix - - n - 0 tlsproxy\n  -o syslog_name={service}\n" + _overrides(own)
    # A process that has had enough sessions would be followed by another, which logs its start.
    postfix = PrivatePostfix(root / "postfix", {"max_use": "10000", **common}, master_cf)
    sockets = root / "ours"
    sockets.mkdir()
    log_file = root / "ours.log"
    with ours(postfix.conf, sockets, log_file), postfix:
        yield (
            Side("tlsproxy(8)", postfix.queue / "private", Log(postfix.log_file, POSTFIX_LINE)),
            Side("ours", sockets, Log(log_file, _OUR_LINE)),
        )


def _overrides(settings: Mapping[str, str]) -> str:
    lines = [f"  -o {{ {parameter} = {value} }}\n" for parameter, value in settings.items()]
    return "".join(lines).replace("{", "{{").replace("}", "}}")  # str.format is still to come


@contextmanager
def ours(config_directory: Path, sockets: Path, log_file: Path, version: str = "3.7.11") -> Iterator[None]:
    with tempfile.NamedTemporaryFile("w", suffix=".cnf") as configuration:
        # One ticket for each handshake, as the daemon has it.
        configuration.write("openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nNumTickets=1\n")
        configuration.flush()
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("services.py"), config_directory, sockets, log_file, version],
            env=os.environ | {"OPENSSL_CONF": configuration.name},
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()
            process.communicate()


# -- one session with a client that does all of TLS


@dataclass
class Client:
    """A client: a configuration of Python's ssl module."""

    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_3)
    ciphers: str = "ALL:@SECLEVEL=0"
    name: str | None = None
    certificate: Path | None = None
    resume: bool = False
    """Come back with the session of a first connection."""
    tickets: bool = True

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(self.ciphers)
        context.minimum_version, context.maximum_version = self.versions
        if self.certificate:
            context.load_cert_chain(self.certificate)
        if not self.tickets:
            context.options |= ssl.OP_NO_TICKET
        return context


@dataclass
class Seen:
    """The facts that both ends have seen of a session."""

    error: str = ""
    version: str | None = None
    cipher: tuple[str, str, int] | None = None
    certificate: str = ""
    """Its fingerprint."""
    resumed: bool = False
    lifetime: int = 0
    context: dict[str, str] = field(default_factory=dict)
    """The context that the daemon sends to its local client."""


def see(side: Side, service: str, endpoint: str, client: Client) -> Seen:
    """Have one session, or two if the client comes back; return the facts of the last one."""
    context = client.context()
    seen, session = _session(side, service, endpoint, context, client.name, None)
    if client.resume and not seen.error:
        seen, _ = _session(side, service, endpoint, context, client.name, session)
    return seen


def _session(
    side: Side,
    service: str,
    endpoint: str,
    context: ssl.SSLContext,
    name: str | None,
    session: ssl.SSLSession | None,
) -> tuple[Seen, ssl.SSLSession | None]:
    seen = Seen()
    local, remote = side.connect(service, endpoint, flags=5)
    with local, remote:
        try:
            tls = context.wrap_socket(remote, server_hostname=name, session=session)
        except OSError as error:
            seen.error = getattr(error, "reason", None) or type(error).__name__
            return seen, None
        with tls:
            seen.context = _read_context(local)
            local.sendall(b"220")
            with suppress(OSError):
                tls.recv(3)  # tickets come before data
            seen.version, seen.cipher = tls.version(), tls.cipher()
            seen.certificate = sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
            seen.resumed = bool(tls.session_reused)
            session = tls.session
            seen.lifetime = session.ticket_lifetime_hint if session and session.has_ticket else 0
            local.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                tls.recv(1)
    return seen, session


def _read_context(local: socket.socket) -> dict[str, str]:
    """Read the list of attributes that comes before all plaintext."""
    data = b""
    while not data.endswith(b"\0\0") or data.count(b"\0") < 2 * len(_CONTEXT) + 1:
        chunk = local.recv(4096)
        if not chunk:
            return {"ended": repr(data)}
        data += chunk
    parts = [each.decode() for each in data[:-2].split(b"\0")]
    return dict(zip(parts[::2], parts[1::2], strict=True))


_CONTEXT = [each.name for each in fields(TlsContext) if each.metadata.get("since", 0) <= Generation.V3_6]


# -- comparison of logs

WITHOUT_DESCRIPTOR = 20000
"""Ports of clients that only probe the service are above this."""

_NORMAL = (
    # The place of an error in OpenSSL's source, and its data: the library's own business.
    (re.compile(r"^(warning: TLS library problem: error:)[0-9A-F]{8}:([^:]*):[^:]*:([^:]*):.*"), r"\1\2:\3"),
    (re.compile(r"SSL routines:private key mismatch|x509 certificate routines:key values mismatch"), "key mismatch"),
    (re.compile(r"SSL routines:sslv3 alert "), "SSL routines:tls alert "),
    (re.compile(r"key expiration: \d+"), "key expiration: N"),
    (re.compile(r"^SSL_accept:error in .*"), "SSL_accept:error in STATE"),
    # OpenSSL 3.0 has no names for them.
    (re.compile(r"(SSL3 alert \w+:\w+:)(?:inappropriate fallback|missing extension)$"), r"\1unknown"),
    # The C program logs any error that was in errno.
    (re.compile(r"(receive remote SMTP peer file descriptor): .*"), r"\1"),
)
_ONLY_THERE = re.compile(
    # Until Postfix 3.7.15: of sessions that never came to a handshake.
    r"TLS handshake failed for service=smtpd peer=\[[^]]*\]:2"
    # We say it ourselves.
    r"|warning: TLS library problem: .*:not replacing certificate"
    # Our sessions are kept in the process, not by tlsmgr(8).
    r"|\S+: (?:save|looking up|reloaded|remove) session [0-9A-F]+&\S+ (?:to|in|from) smtpd cache"
)
_ONLY_OURS = re.compile(
    # Where the setting is made that Postfix's own warning is about.
    r"warning: (?:\S+:\d+:\d+: \S+ = |not set: |there is more than one key of the same kind)"
    # Settings that can't be used here.
    r"|not (?:supported|used): "
    # OpenSSL 4 reports errors in records twice.
    r"|warning: TLS library problem: .*:record layer failure"
)
_ANYWHERE = re.compile(
    # The C program begins before a client has said anything.
    "SSL_accept:before SSL initialization"
)
_PROBLEM = "warning: TLS library problem: "
DUMP = re.compile(
    r"(?:read from|write to) [0-9A-F]{8,} \[[0-9A-F]{8,}\] \(\d+ bytes => -?\d+(?: \(0x[0-9A-F]+\))?\)"
    r"|[0-9a-f]{4} (?:[0-9a-f]{2}[ |]){1,16} +.{1,17}|[0-9a-f]{4} - <SPACES/NULLS>"
)
"""Lines of packets, which the C program shows as OpenSSL reads and writes them, and we as they come and go."""
_NEW_TICKET = re.compile(r".*Issuing session ticket|SSL_accept:SSLv3/TLS write session ticket")


def problems(lines: list[str]) -> list[str]:
    """Errors that OpenSSL reports in normal lines."""
    marker = f"{_PROBLEM}error:"
    return [line.removeprefix(marker) for line in lines if line.startswith(marker)]


def normal(lines: list[str]) -> list[str]:
    """Return log lines without the parts that differ from run to run, and from build to build of OpenSSL."""
    result: list[str] = []
    for line in lines:
        if any(each.match(line) for each in (_ONLY_THERE, _ONLY_OURS, _ANYWHERE)) or DUMP.fullmatch(line):
            continue
        text = line
        for pattern, replacement in _NORMAL:
            text = pattern.sub(replacement, text)
        result.append(text)
    start = next((at for at, line in enumerate(result) if line.startswith("CONNECT")), len(result))
    return _normal_start(result[:start]) + _normal_sessions(result[start:])


def _normal_start(lines: list[str]) -> list[str]:
    """Each warning once (Postfix makes two contexts), and of OpenSSL's own reasons only that there are any."""
    return list(dict.fromkeys(_PROBLEM if line.startswith(_PROBLEM) else line for line in lines))


def _normal_sessions(lines: list[str]) -> list[str]:
    """OpenSSL's own tickets are renewed whenever one is used, Postfix's are not."""
    result: list[str] = []
    session: list[str] = []
    for line in lines:
        session.append(line)
        if line.startswith("DISCONNECT"):
            traced = any(each.startswith("SSL_accept:") for each in session)
            resumed = traced and not any(each.endswith("write certificate") for each in session)
            if resumed or any("Reusing old session" in each for each in session):
                session = [each for each in session if not _NEW_TICKET.match(each)]
            result += session
            session = []
    return result + session
