"""Metrics: per-worker counters in shared memory, summed by the parent.

Counting is one addition to a 64-bit number, without a system call; a report adds up the numbers of all. The
label sets are fixed here, so that no peer can make them grow. Names and text form are those of Prometheus.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ...tls.report.summary import Agreement

ROLES = ("server", "client", "none")
OUTCOMES = (
    *("established", "handshake_failed", "handshake_timeout", "abandoned"),
    *("no_descriptor", "refused", "bad_request"),
)
"""Outcome of a request. Abandoned: a peer closed the connection during the handshake; refused: status 0."""
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
FAILURES = {
    "no_shared_cipher": ("no shared cipher", "no ciphers available", "handshake failure"),
    "no_shared_group": ("no suitable key share", "no suitable groups", "no shared groups", "no common groups"),
    "no_shared_signature": (
        "no suitable signature algorithm",
        "no shared signature algorithms",
        "wrong signature type",
    ),
    "protocol_version": (
        *("unsupported protocol", "no protocols available", "version too low", "version too high"),
        *("wrong ssl version", "inappropriate fallback", "alert protocol version"),
    ),
    "not_tls": (
        "wrong version number",
        "http request",
        "https proxy request",
        "packet length too long",
        "record layer",
    ),
    "certificate": (
        *("certificate verify failed", "peer did not return a certificate", "alert bad certificate"),
        *(
            "alert unknown ca",
            "alert certificate",
            "alert unsupported certificate",
            "tlsv13 alert certificate required",
        ),
    ),
    "peer_alert": (" alert ",),
    "connection_lost": ("unexpected eof", "connection reset", "broken pipe"),
}
"""Reasons for failed handshakes: a label, and parts of OpenSSL's reasons; the first match counts."""
_FAILURES = (*FAILURES, "timeout", "refused", "other")
_GROUPS = ("X25519MLKEM768", "X25519", "X448", "prime256v1", "secp384r1", "secp521r1", "DHE", "none", "other")
"""Postfix's names. `none`: TLS 1.2 and below, for which Postfix logs no group."""


class Family(NamedTuple):
    """A metric: the index of its first number, and the labels of each."""

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
        ("log_lines_lost_total", "counter", "Log lines that were not taken for too long.", ("",)),
        ("open_descriptors", "gauge", "Descriptors that the processes with sessions have open.", ("",)),
        ("max_descriptors", "gauge", "Descriptors that these processes may have open (RLIMIT_NOFILE).", ("",)),
        (
            "sessions_ended_total",
            "counter",
            "Requests of local peers that have come to an end, by outcome.",
            tuple(f'role="{role}",outcome="{outcome}"' for role in ROLES for outcome in OUTCOMES),
        ),
        (
            "handshake_failures_total",
            "counter",
            "Handshakes that failed, by reason.",
            tuple(f'role="{role}",reason="{reason}"' for role in ROLES[:2] for reason in _FAILURES),
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
"""Quantity of numbers of a process."""
_STARTS = tuple(each.start for each in FAMILIES)
SESSIONS, BEGINNING, ACCEPTED, PAUSES, LOG_LOST, OPEN, MOST_OPEN, _ENDED, _FAILED, _HANDSHAKES, _CIPHER, _GROUP = (
    _STARTS
)
_GAUGES = (SESSIONS, BEGINNING, OPEN, MOST_OPEN)

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


def count_failure(numbers: Numbers, role: str, reason: str) -> None:
    """Count one that has failed; `reason` is a label, or OpenSSL's text."""
    if role in ROLES[:2]:
        numbers[_FAILED + ROLES.index(role) * len(_FAILURES) + _FAILURES.index(_label(reason))] += 1


def _label(reason: str) -> str:
    if reason in _FAILURES:
        return reason
    text = f" {reason.lower()} "
    return next((label for label, parts in FAILURES.items() if any(part in text for part in parts)), "other")


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
        # The first place is for the counts of processes that are gone.

    def take(self) -> int:
        """Find a place for one more process; the last one is shared by all that are too many."""
        return self._free.pop() if len(self._free) > 1 else self._free[0]

    def numbers(self, place: int) -> Numbers:
        """Return the numbers at a place."""
        return self._memory[place * SIZE : (place + 1) * SIZE]

    def give_back(self, place: int) -> None:
        """Note that the process has ended; its counts stay."""
        numbers, gone = self.numbers(place), self.numbers(0)
        for index in range(SIZE):
            if index not in _GAUGES:
                gone[index] += numbers[index]
            numbers[index] = 0
        if place not in self._free:
            self._free.append(place)

    def total(self) -> list[int]:
        """Return the sums of all processes."""
        memory = self._memory
        return [sum(memory[index::SIZE]) for index in range(SIZE)]


def own_numbers() -> Numbers:
    """Return numbers that are not shared with another process."""
    return memoryview(bytearray(SIZE * 8)).cast("Q")


class Gauge(NamedTuple):
    """A metric that is made when it is asked for; several of one name follow each other."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = {}
    kind: str = "gauge"


def render(numbers: Iterable[int], gauges: Iterable[Gauge]) -> str:
    """Return all metrics in Prometheus's text format."""
    values = list(numbers)
    lines = []
    for each in FAMILIES:
        lines += _heading(each.name, each.help, each.kind)
        for offset, labels in enumerate(each.labels):
            lines.append(f"{each.name}{labels and f'{{{labels}}}'} {values[each.start + offset]}")
    before = ""
    for gauge in gauges:
        name = f"tlsproxy_{gauge.name}"
        if name != before:
            lines += _heading(name, gauge.help, gauge.kind)
            before = name
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in gauge.labels.items())
        lines.append(f"{name}{labels and f'{{{labels}}}'} {_number(gauge.value)}")
    return "\n".join([*lines, ""])


def _heading(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.0f}"
