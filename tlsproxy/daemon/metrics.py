"""Numbers for the eyes outside: counted in place by whoever serves, in memory that a parent shares with its workers.

Counting is one addition to a 64-bit number, without a system call; who wants to know reads the numbers of all. The
label sets are fixed here, so that no peer can make them grow. Names and text form are those of Prometheus.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ..tls.report.summary import Agreement
from .certificate_report import Described

ROLES = ("server", "client", "none")
OUTCOMES = (
    *("established", "handshake_failed", "handshake_timeout", "abandoned"),
    *("no_descriptor", "refused", "bad_request"),
)
"""What has become of a request. Abandoned: a peer left during the handshake; refused: status 0."""
_VERSIONS = ("TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1", "other")
_CIPHERS = (
    *("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"),
    *(
        f"{exchange}-{cipher}"
        for exchange in ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA")
        for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305")
    ),
    "other",
)
_GROUPS = ("X25519MLKEM768", "X25519", "X448", "prime256v1", "secp384r1", "secp521r1", "DHE", "none", "other")
"""In Postfix's words; none: TLS 1.2 and below, where it tells none."""


class Family(NamedTuple):
    """A metric: where its numbers begin, and the labels of each."""

    name: str
    kind: str
    help: str
    start: int
    labels: tuple[str, ...] = ("",)


def _families() -> Iterator[Family]:
    rows = (
        ("sessions", "gauge", "Sessions that are open.", ("",)),
        ("sessions_beginning", "gauge", "Sessions that are open, and have not done their handshake.", ("",)),
        ("accepted_total", "counter", "Connections of local peers.", ("",)),
        ("accept_pauses_total", "counter", "Times when there was no room for one more.", ("",)),
        ("log_lines_lost_total", "counter", "Log lines that nobody took for too long.", ("",)),
        (
            "sessions_ended_total",
            "counter",
            "Requests of local peers that have come to an end, by what became of them.",
            tuple(f'role="{role}",outcome="{outcome}"' for role in ROLES for outcome in OUTCOMES),
        ),
        (
            "handshakes_total",
            "counter",
            "Handshakes that succeeded.",
            tuple(
                f'role="{role}",version="{version}",resumed="{resumed}"'
                for role in ROLES[:2]
                for version in _VERSIONS
                for resumed in ("no", "yes")
            ),
        ),
        ("ciphers_total", "counter", "The same, by cipher.", tuple(f'cipher="{each}"' for each in _CIPHERS)),
        ("groups_total", "counter", "The same, by key exchange.", tuple(f'group="{each}"' for each in _GROUPS)),
    )
    start = 0
    for name, kind, text, labels in rows:
        yield Family(f"tlsproxy_{name}", kind, text, start, labels)
        start += len(labels)


FAMILIES: Final = tuple(_families())
SIZE: Final = FAMILIES[-1].start + len(FAMILIES[-1].labels)
"""How many numbers a process has."""
_STARTS = tuple(each.start for each in FAMILIES)
SESSIONS, BEGINNING, ACCEPTED, PAUSES, LOG_LOST, _ENDED, _HANDSHAKES, _CIPHER, _GROUP = _STARTS
_GAUGES = (SESSIONS, BEGINNING)

Numbers = memoryview
"""The numbers of one process, `SIZE` of them."""

ENDED: Final = {
    (role, outcome): _ENDED + row * len(OUTCOMES) + column
    for row, role in enumerate(ROLES)
    for column, outcome in enumerate(OUTCOMES)
}
_HANDSHAKE_INDEX = {
    (server, version): _HANDSHAKES + 2 * (row * len(_VERSIONS) + column)
    for row, server in enumerate((True, False))
    for column, version in enumerate(_VERSIONS)
}
_CIPHER_INDEX = {each: _CIPHER + number for number, each in enumerate(_CIPHERS)}
_GROUP_INDEX = {each: _GROUP + number for number, each in enumerate(_GROUPS)}
_GROUP_INDEX |= {"x25519": _GROUP_INDEX["X25519"], "x448": _GROUP_INDEX["X448"], "": _GROUP_INDEX["none"]}
_GROUP_INDEX |= {"secp256r1": _GROUP_INDEX["prime256v1"]}


def count_handshake(numbers: Numbers, agreed: Agreement, *, server: bool, resumed: bool) -> None:
    """Count one that has succeeded."""
    version = _HANDSHAKE_INDEX.get((server, agreed.protocol))
    if version is None:
        version = _HANDSHAKE_INDEX[server, "other"]
    numbers[version + resumed] += 1
    numbers[_CIPHER_INDEX.get(agreed.cipher) or _CIPHER_INDEX["other"]] += 1
    numbers[_GROUP_INDEX.get(agreed.key_exchange) or _GROUP_INDEX["other"]] += 1


class Shared:
    """The numbers of several processes, in memory that they share when they are forked from the one that made it."""

    def __init__(self, processes: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, processes * SIZE * 8)).cast("Q")
        self._free = list(reversed(range(1, processes)))
        # The first place is for what processes have counted that are gone.

    def take(self) -> int:
        """Find a place for one more process; the last one is shared by all that are too many."""
        return self._free.pop() if len(self._free) > 1 else self._free[0]

    def numbers(self, place: int) -> Numbers:
        """The numbers at a place."""
        return self._memory[place * SIZE : (place + 1) * SIZE]

    def give_back(self, place: int) -> None:
        """Note that the process has ended; what it has counted stays counted."""
        numbers, gone = self.numbers(place), self.numbers(0)
        for index in range(SIZE):
            if index not in _GAUGES:
                gone[index] += numbers[index]
            numbers[index] = 0
        if place not in self._free:
            self._free.append(place)

    def total(self) -> list[int]:
        """The sums of all processes."""
        memory = self._memory
        return [sum(memory[index::SIZE]) for index in range(SIZE)]


def own_numbers() -> Numbers:
    """Numbers of a process that shares them with nobody."""
    return memoryview(bytearray(SIZE * 8)).cast("Q")


def render(numbers: Iterable[int], certificates: Iterable[Described]) -> str:
    """Everything in Prometheus's text format."""
    values = list(numbers)
    lines = []
    for each in FAMILIES:
        lines += [f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}"]
        for offset, labels in enumerate(each.labels):
            lines.append(f"{each.name}{labels and f'{{{labels}}}'} {values[each.start + offset]}")
    name = "tlsproxy_certificate_expiry_timestamp_seconds"
    lines += [f"# HELP {name} When the certificate in a file expires.", f"# TYPE {name} gauge"]
    for certificate in certificates:
        escaped = certificate.file.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        lines.append(f'{name}{{file="{escaped}"}} {certificate.expires:.0f}')
    return "\n".join([*lines, ""])
