"""The client of tlsproxy(8) in smtp(8) 3.7: it hands connections over, to the C program or ours, and reads the context.

The remote server is a thread with a certificate chain of the test's choice.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import postconf
from postconf.models import load
from tlsproxy.wire.attributes import AttributeReader, write_list
from tlsproxy.wire.messages import ClientStart, Generation

from ..daemon.proxy import read_status, request_list
from ..tools.children import PATIENCE

PARAMS = (
    *("config_file", "config_name", "tls_high_cipherlist", "tls_medium_cipherlist", "tls_low_cipherlist"),
    *("tls_export_cipherlist", "tls_null_cipherlist", "tls_eecdh_auto_curves", "tls_eecdh_strong_curve"),
    *("tls_eecdh_ultra_curve", "tls_disable_workarounds", "tls_ssl_options", "tls_dane_digests"),
    *("tlsmgr_service_name", "tls_session_ticket_cipher", "tls_daemon_random_bytes", "tls_append_default_CA"),
    *("tls_legacy_public_key_fingerprints", "tls_preempt_cipherlist", "tls_wildcard_matches_multiple_labels"),
)
INIT: dict[str, str | int] = {
    "log_param": "smtp_tls_loglevel",
    "log_level": "1",
    "verifydepth": 9,
    "cache_type": "smtp",
    **dict.fromkeys(("chain_files", "cert_file", "key_file", "dcert_file", "dkey_file", "eccert_file"), ""),
    **dict.fromkeys(("eckey_file", "CAfile", "CApath"), ""),
    "mdalg": "sha256",
}
START: dict[str, str | int] = {
    "timeout": 300,
    "tls_level": 1,
    "nexthop": "example.test",
    "host": "mx.example.test",
    "namaddr": "mx.example.test[192.0.2.25]:25",
    "sni": "",
    "serverid": "smtp&example.test&mx.example.test&",
    "helo": "mx.example.test",
    "protocols": ">=TLSv1",
    "cipher_grade": "medium",
    "cipher_exclusions": "",
}
LEVELS = ("none", "may", "encrypt", "fingerprint", "half-dane", "dane", "dane-only", "verify", "secure")
Record = tuple[int, int, int, bytes]
_TLSRPT: list[tuple[str, str | int]] = [
    ("tlsrpt", 1),
    *((name, "x") for name in ("rpt_socket_name", "rpt_policy_domain", "rpt_policy_string")),
    *(("tls_policy_type", 2), ("argv_size", 1), ("argv_value", "x"), ("tls_policy_domain", "x"), ("argv_size", 0)),
    *((name, "x") for name in ("snd_mta_addr", "rcv_mta_name", "rcv_mta_addr", "rcv_mta_ehlo")),
    *(("skip_reused_hs", 0), ("flags", 0)),
]


@dataclass
class Asked:
    """The parts of a request that are not the usual ones."""

    level: str = "may"
    match: Sequence[str] = ()
    records: Sequence[Record] | None = None
    domain: str = "mx.example.test"
    mdalg: str = "sha256"
    init: Mapping[str, str | int] = field(default_factory=dict)
    start: Mapping[str, str | int] = field(default_factory=dict)
    params: Mapping[str, str | int] = field(default_factory=dict)
    generation: Generation = Generation.V3_6
    failure: str = ""
    """Why the session must fail (Postfix 3.10 and later)."""
    log_level: str = "1"
    """Of this session (Postfix 3.12 and later)."""


@dataclass
class Session:
    """The result of a session. `context`: None without a handshake."""

    status: int
    context: dict[str, str] | None = None
    server_name: str | None = None
    reused: bool | None = None
    client_certificate: bytes | None = None


def server_context(chain: Path | None, *, ask: bool = False) -> ssl.SSLContext:
    """A TLS server with a file of key and chain, or without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if chain is None:
        context.set_ciphers("aNULL:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.load_cert_chain(chain)
    if ask:
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class SmtpClient:
    """A client of one daemon, with the same main.cf."""

    def __init__(self, socket_path: Path, config_directory: Path) -> None:
        self._path = str(socket_path)
        library = load(postconf.load(str(config_directory), version="3.7.11")).globals.as_sent()
        library |= {"config_file": library["tls_config_file"], "config_name": library["tls_config_name"]}
        self._params = {name: library[name] for name in PARAMS}

    def request(self, asked: Asked, *, endpoint: str = "[192.0.2.25]:25") -> tuple[socket.socket, int]:
        """Send a request; return the stream and the status."""
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(PATIENCE)
        local.connect(self._path)
        if asked.generation >= Generation.V3_6:
            read_list(local)
        local.sendall(request_list(flags=6, endpoint=endpoint) + self.settings(asked))
        return local, read_status(local)

    def settings(self, asked: Asked) -> bytes:
        generation = asked.generation
        start = {**START, "tls_level": LEVELS.index(asked.level), **asked.start}
        if generation >= Generation.V3_9:
            start = {"timeout": 300, "enable_rpk": 1, **start}
        if generation >= Generation.V3_12:
            start = {"log_param": "smtp_tls_loglevel", "log_level": asked.log_level, **start}
        attributes: list[tuple[str, Any]] = [
            *{**self._params, **asked.params}.items(),
            *{**INIT, **asked.init}.items(),
            *start.items(),
            ("argv_size", len(asked.match)),
            *(("argv_value", each) for each in asked.match),
            ("mdalg", asked.mdalg),
            ("dane", int(asked.records is not None)),
        ]
        if asked.records is not None and generation is Generation.V3_5:
            attributes += _digests(asked.records, asked)
        elif asked.records is not None:
            attributes += [("domain", asked.domain), ("count", len(asked.records))]
            for record in asked.records:
                attributes += zip(("usage", "selector", "mtype", "data"), record, strict=True)
        if generation >= Generation.V3_10:
            attributes += [*_TLSRPT, ("forced_failure_type", asked.failure)]
        if generation >= Generation.V3_12:
            attributes += [("trace_size_limit", 4096), ("trace_peer", "mx.example.test")]
        return write_list(attributes)

    def session(self, server: ssl.SSLContext, asked: Asked, *, endpoint: str = "[192.0.2.25]:25") -> Session:
        """Have a whole session: handshake, TLS context, a word each way, end."""
        local, status = self.request(asked, endpoint=endpoint)
        with local:
            if not status:
                return Session(0)
            ours, theirs = socket.socketpair()
            with ours:
                socket.send_fds(local, [b"\0"], [theirs.fileno()])
                theirs.close()  # only the daemon has that end now
                result = Session(1)
                thread = Thread(target=_serve, args=(server, ours, result))
                thread.start()
                try:
                    with contextlib.suppress(EOFError):
                        result.context = dict(read_list(local))
                    if result.context is not None:
                        local.sendall(b"EHLO\r\n")
                        assert local.recv(5) == b"250\r\n"
                finally:
                    local.close()
                    thread.join(PATIENCE)
                return result


def client_start() -> ClientStart:
    """Return the usual START in types."""
    texts: dict[str, Any] = START | {"servername": START["sni"]}
    del texts["sni"]
    return ClientStart(match=(), mdalg="sha256", dane=None, **texts)


def _digests(records: Sequence[Record], asked: Asked) -> list[tuple[str, Any]]:
    """Return records as smtp(8) 3.5 sends them: digests (SHA2-256, and the request's own), and whole trust anchors."""
    attributes: list[tuple[str, Any]] = []
    for usage in (2, 3):
        attributes += [("count", 2)]
        for algorithm, mtype in (("sha256", 1), (asked.mdalg, 255)):
            attributes += [("mdalg", algorithm)]
            for selector in (0, 1):
                found = [each[3] for each in records if each[:3] == (usage, selector, mtype)]
                attributes += [("argv_size", len(found)), *(("argv_value", each.hex(":").upper()) for each in found)]
    for selector, label in ((0, "cert"), (1, "pkey")):
        whole = [each[3] for each in records if each[:3] == (2, selector, 0)]
        attributes += [("count", len(whole)), *((label, each) for each in whole)]
    return [*attributes, ("domain", asked.domain), ("flags", 0), ("exp", 1795770000)]


def _serve(context: ssl.SSLContext, stream: socket.socket, result: Session) -> None:
    names: list[str | None] = []

    def on_name(_tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        names.append(name)

    context.sni_callback = on_name
    stream.settimeout(PATIENCE)
    with contextlib.suppress(OSError), context.wrap_socket(stream, server_side=True) as tls:
        result.server_name = names[-1] if names else None
        result.reused = tls.session_reused
        result.client_certificate = tls.getpeercert(binary_form=True)
        if tls.recv(100):
            tls.sendall(b"250\r\n")
            tls.recv(1)


def read_list(local: socket.socket) -> list[tuple[str, str]]:
    """Read one attribute list, and nothing beyond it."""
    reader = AttributeReader("proxy")

    def pairs() -> Any:
        found = []
        while name := (yield from reader.next_name()):
            found.append((name, (yield from reader.text(name))))
        return found

    reading = pairs()
    while True:
        try:
            next(reading)
        except StopIteration as end:
            found: list[tuple[str, str]] = end.value
            return found
        data = local.recv(1)
        if not data:
            raise EOFError
        reader.feed(data)
