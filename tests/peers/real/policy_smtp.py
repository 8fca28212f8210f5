"""Real smtp(8) processes, and the policy that each has for a destination.

One private instance runs an smtp(8) service for each case, with connection reuse, and we are its tlsproxy(8): the
request that comes is the decision, word for word. We are its mail server, too, and its name server.
"""

from __future__ import annotations

import re
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlsproxy.wire.attributes import AttributeReader, ProtocolError
from tlsproxy.wire.messages import (
    ANNOUNCEMENT,
    ClientStart,
    read_client_settings,
    read_request,
    status_reply,
)

from ..fakes.nameserver import NameServer
from .postfix import MASTER_CF, PrivatePostfix, free_ports, own_address

PATIENCE = 200


@dataclass(frozen=True)
class Case:
    """A destination, the settings of its smtp(8) service, and the tables that these name as `$tables/NAME`."""

    nexthop: str
    settings: Mapping[str, str] = field(default_factory=dict)
    policy: Mapping[str, str] = field(default_factory=dict)
    per_site: Mapping[str, str] = field(default_factory=dict)
    lmtp: bool = False


@dataclass
class Decision:
    """Actions of smtp(8): the request to tlsproxy(8), if there was one; warnings; the delivery's status."""

    start: ClientStart | None = None
    warnings: list[str] = field(default_factory=list)
    status: str = ""


@dataclass
class Outcome:
    """Decisions of smtp(8) for each case, with their configuration and port."""

    decisions: list[Decision]
    configuration: Path
    port: int


def run(root: Path, cases: Sequence[Case], records: Sequence[str]) -> Outcome:
    """Let smtp(8) deliver a message for each case. `PORT` in records stands for that of the mail server."""
    [port] = free_ports(1)
    services = [_service(number, case, root) for number, case in enumerate(cases)]
    settings = {
        "inet_protocols": "ipv4",
        "smtp_tcp_port": str(port),
        "smtp_host_lookup": "dns",
        "smtp_dns_support_level": "dnssec",
        "lmtp_tcp_port": str(port),
        "lmtp_host_lookup": "dns",
        "lmtp_dns_support_level": "dnssec",
        "smtp_tls_connection_reuse": "yes",
        "lmtp_tls_connection_reuse": "yes",
        "smtp_tls_policy_maps": "",
        "transport_maps": f"hash:{root}/transport",
        "maximal_queue_lifetime": "1h",
        "minimal_backoff_time": "1h",
        "default_process_limit": "400",
        "smtpd_recipient_limit": "1000",
        "default_destination_rate_delay": "0s",
    }
    own_services = "".join(line for line in MASTER_CF.splitlines(keepends=True) if not line.startswith("tlsproxy"))
    postfix = PrivatePostfix(root, settings, own_services.replace("inet n - n - - smtpd", "inet n - n - 5 smtpd"))
    with (postfix.conf / "master.cf").open("a") as master_cf:
        master_cf.writelines(services)
    _write_tables(postfix, cases, port)
    decisions = [Decision() for _ in cases]
    with ExitStack() as stack:
        names = NameServer([each.replace("PORT", str(port)) for each in records], own_address(), 53)
        stack.enter_context(names)
        stack.enter_context(_mail_server(port))
        stack.enter_context(_proxy(postfix.queue / "private" / "tlsproxy", decisions))
        postfix.start(names.seen_through(root / "resolv.conf"))
        stack.callback(postfix.stop)
        with smtplib.SMTP("127.0.0.1", postfix.ports["submission"], timeout=PATIENCE) as client:
            client.sendmail("", [f"x@d{number}.test" for number in range(len(cases))], "Subject: x\r\n\r\nx\r\n")
        _wait(postfix, decisions)
    return Outcome(decisions, postfix.conf, port)


def _service(number: int, case: Case, root: Path) -> str:
    prefix = "lmtp" if case.lmtp else "smtp"
    given = {"syslog_name": f"s{number}", **case.settings}
    if case.policy:
        given[f"{prefix}_tls_policy_maps"] = f"hash:{root}/policy.{number}"
    if case.per_site:
        given[f"{prefix}_tls_per_site"] = f"hash:{root}/site.{number}"
    options = "".join(f"  -o {{ {name} = {value} }}\n" for name, value in given.items())
    return f"s{number} unix - - n - - {prefix}\n{options}"


def _write_tables(postfix: PrivatePostfix, cases: Sequence[Case], port: int) -> None:
    tables = {"transport": {f"d{n}.test": f"s{n}:{case.nexthop}" for n, case in enumerate(cases)}}
    for number, case in enumerate(cases):
        tables |= {f"policy.{number}": dict(case.policy)} if case.policy else {}
        tables |= {f"site.{number}": dict(case.per_site)} if case.per_site else {}
    for name, entries in tables.items():
        text = "".join(f"{key}\t{value}\n" for key, value in entries.items()).replace("PORT", str(port))
        (postfix.root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    files = [f"hash:{postfix.root}/{name}" for name in tables]
    subprocess.run(["postmap", "-c", postfix.conf, *files], check=True, timeout=60, capture_output=True)


def _wait(postfix: PrivatePostfix, decisions: list[Decision]) -> None:
    """Wait until each recipient has its status, and take it and the warnings from the log."""
    deadline = time.monotonic() + PATIENCE
    while True:
        log = postfix.log()
        found = dict(re.findall(r"to=<x@d(\d+)\.test>.* status=(.*)\n", log))
        if len(found) == len(decisions):
            break
        missing = [number for number in range(len(decisions)) if str(number) not in found]
        assert time.monotonic() < deadline, f"no status for {missing}:\n{log}"
        time.sleep(0.1)
    for number, decision in enumerate(decisions):
        decision.status = found[str(number)]
        decision.warnings = re.findall(rf"\bs{number}/\w+\[\d+\]: warning: (.*)", log)


@contextmanager
def _mail_server(port: int) -> Iterator[None]:
    """Listen on all of 127/8 that matters, offer STARTTLS, and put off clients that do without."""
    with socket.create_server(("127.0.0.1", port), backlog=500) as listener:
        thread = threading.Thread(target=_accept, args=(listener, _speak_smtp), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def _proxy(path: Path, decisions: list[Decision]) -> Iterator[None]:
    def serve(peer: socket.socket) -> None:
        _take_request(peer, decisions)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(500)
        thread = threading.Thread(target=_accept, args=(listener, serve), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _accept(listener: socket.socket, serve: object) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(peer,), daemon=True).start()  # type: ignore[arg-type]


def _speak_smtp(peer: socket.socket) -> None:
    peer.settimeout(PATIENCE)
    with peer, peer.makefile("rwb", buffering=0) as stream:
        try:
            stream.write(b"220 server.test ESMTP\r\n")
            for line in stream:
                verb = line[:4].upper()
                if verb in (b"EHLO", b"LHLO"):
                    stream.write(b"250-server.test\r\n250 STARTTLS\r\n")
                elif verb == b"STAR":
                    stream.write(b"220 go on\r\n")
                    stream.read(1)  # until the proxy, or TLS without one, has had it
                    return
                else:
                    stream.write(b"451 4.7.1 in the clear\r\n")
        except OSError:
            return


def _take_request(peer: socket.socket, decisions: list[Decision]) -> None:
    peer.settimeout(PATIENCE)
    reader = AttributeReader()
    with peer:
        peer.sendall(ANNOUNCEMENT)
        readings: tuple[Generator[None, None, Any], ...] = (read_request(reader), read_client_settings(reader))
        for reading in readings:
            while True:
                try:
                    next(reading)
                except StopIteration as finished:
                    result = finished.value
                    break
                except ProtocolError:
                    return
                reader.feed(peer.recv(65536))
            if reading is readings[0]:
                number = int(result.serverid.removeprefix("s"))
        decisions[number].start = result.start
        peer.sendall(status_reply(False))
        peer.recv(1)
