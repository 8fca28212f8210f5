"""A name server of the test's own, and programs that see no other: as root, in a mount namespace of theirs.

It claims that all its answers are secure (AD), which Postfix believes of a resolver on this machine.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from .postfix import own_address


class NameServer:
    """Answers from `records`: name and type (`mx.test. A`) → values. A context manager."""

    def __init__(self, directory: Path, records: Mapping[str, Sequence[str]]) -> None:
        self.records = dict(records)
        self.insecure: set[str] = set()
        """Names whose answers are not signed."""
        self._address = own_address(), 53
        self._resolv_conf = directory / "resolv.conf"
        self._resolv_conf.write_text(f"nameserver {self._address[0]}\noptions trust-ad\n")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def command(self, *command: str | Path) -> list[str]:
        """A command that runs where only this server is asked."""
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, str(self._resolv_conf), *map(str, command)]

    def __enter__(self) -> NameServer:
        self._socket.bind(self._address)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._address)
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), question.rdtype.name
        answer.flags |= dns.flags.RA
        if name not in self.insecure:
            answer.flags |= dns.flags.AD
        values = self.records.get(f"{name} {kind}")
        if values is not None:
            answer.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, *values))
        elif not any(each.startswith(f"{name} ") for each in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
