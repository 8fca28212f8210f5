"""A name server with made-up zones: it answers from a table, and says (AD) which of its names DNSSEC secures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

FAILING = "FAIL"


class NameServer:
    """Answers UDP queries on one address until the `with` block ends.

    Records are lines of a zone file, `name TYPE data`; one that ends in `insecure` has no AD bit, and a name with the
    type FAIL instead has SERVFAIL for that type: `name FAIL TLSA`.
    """

    def __init__(self, records: Iterable[str], address: str = "127.0.0.1", port: int = 0) -> None:
        self._records: dict[tuple[dns.name.Name, str], list[str]] = {}
        self._failing: set[tuple[dns.name.Name, str]] = set()
        for line in records:
            name, kind, data = line.split(None, 2)
            owner = dns.name.from_text(name)
            if kind == FAILING:
                self._failing.add((owner, data))
            else:
                self._records.setdefault((owner, kind), []).append(data)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self.address, self.port = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def seen_through(self, resolv_conf: Path) -> Callable[..., list[str]]:
        """Return a prefix for commands that ask this server only, on port 53: as root, in a mount namespace of its own.

        Hundreds of processes may ask at once, and mail is put off where an answer is late.
        """
        resolv_conf.write_text(f"nameserver {self.address}\noptions edns0 trust-ad timeout:10 attempts:5\n")
        mount = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return lambda *command: ["unshare", "--mount", "sh", "-c", mount, str(resolv_conf), *map(str, command)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, self.port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name
        secure = True
        for _ in range(8):
            name = dns.name.from_text(name.to_text().lower())
            secure = secure and b"insecure" not in name.labels
            if (name, kind) in self._failing:
                response.set_rcode(dns.rcode.SERVFAIL)
                return response
            if found := self._records.get((name, kind)):
                response.answer.append(_records(name, kind, found))
                break
            alias = self._records.get((name, "CNAME"))
            if not alias:
                if not any(owner == name for owner, _ in self._records):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            response.answer.append(_records(name, "CNAME", alias))
            name = dns.name.from_text(alias[0])
        if secure:
            response.flags |= dns.flags.AD
        return response


def _records(name: dns.name.Name, kind: str, data: list[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, 3600, "IN", kind, data, origin=dns.name.root, relativize=False)
