"""Real smtp(8) delivers through us, and through the C tlsproxy(8) beside us, over connections that it uses again."""

from __future__ import annotations

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from peers.cases.client_cases import Chains, key_info
from peers.daemon.proxy import running
from peers.fakes.nameserver import NameServer
from peers.real.postfix import MASTER_CF, PrivatePostfix, own_address, public_directory

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("name-server")]

SIDES = "ours", "theirs"
GOOD = {
    "may": "may",
    "encrypt": "encrypt",
    "verify": "verify match=hostname",
    "secure": "secure match=.example.test",
    "fingerprint": "fingerprint match={fingerprint}",
    "dane": "dane",
    "dane-only": "dane-only",
}
BAD = {
    "bad-verify": "verify match=other.test",
    "bad-secure": "secure match=example.test",
    "bad-fingerprint": "fingerprint match=" + "00:" * 31 + "00",
    "bad-dane": "dane",
    "bad-dane-only": "dane-only",
    "none-dane-only": "dane-only",
}
EACH = 200
"""Messages to each good server, through us."""
_DELIVERY = re.compile(r"to=<u@([^>]+)>.*? (?:conn_use=(\d+), )?delay.* dsn=([\d.]+), status=(\w+) (\(.*)")


@dataclass
class Deliveries:
    """Facts in the log: for each domain its results, and the most uses of a connection."""

    results: dict[str, Counter[tuple[str, str, str]]] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, log: str) -> Deliveries:
        found = cls()
        for line in log.splitlines():
            if "/smtp[" in line and (match := _DELIVERY.search(line)):
                domain, use, dsn, status, text = match.groups()
                text = re.sub(r"queued as \w+|\d+ms|127\.0\.0\.1\[[^]]*\]:\d+|\b(ours|theirs)\b|:\d+", "*", text)
                found.results.setdefault(domain, Counter())[dsn, status, text] += 1
                found.uses[domain] = max(found.uses[domain], int(use or 1))
        return found


@pytest.fixture(scope="module")
def deliveries() -> Iterator[tuple[Deliveries, str, str]]:
    """Send everything, and wait until each message has been sent or deferred; also both logs."""
    with public_directory() as root:
        yield _deliver(root)


def _deliver(root: Path) -> tuple[Deliveries, str, str]:
    chains = Chains(root / "chains")
    leaf = chains.leaves["wildcard"]
    spki = sha256(key_info(leaf)).hexdigest()
    hosts = [*GOOD, *BAD]
    postfix = PrivatePostfix(root / "postfix", {}, _master_cf())
    port = postfix.ports["sink"]
    records = [f"mx-{kind}.example.test. A 127.0.0.1" for kind in hosts]
    for kind in ("dane", "dane-only"):
        records.append(f"_{port}._tcp.mx-{kind}.example.test. TLSA 3 1 1 {spki}")
        records.append(f"_{port}._tcp.mx-bad-{kind}.example.test. TLSA 3 1 1 {'00' * 32}")
    fingerprint = sha256(leaf.der).digest().hex(":")
    policies = {
        f"[mx-{kind}.example.test]:{port}": level.format(fingerprint=fingerprint)
        for kind, level in (GOOD | BAD).items()
    }
    transports = {f"{kind}.{side}": f"{side}:[mx-{kind}.example.test]:{port}" for kind in hosts for side in SIDES}
    postfix.configure(
        {
            "smtpd_tls_chain_files": str(chains.file("wildcard")),
            "smtpd_tls_security_level": "may",
            "smtp_tls_CAfile": str(chains.authorities),
            "smtp_tls_fingerprint_digest": "sha256",
            "smtp_tls_loglevel": "1",
            "smtp_tls_connection_reuse": "yes",
            "smtp_connection_cache_destinations": "static:all",
            "smtp_tls_security_level": "may",
            "smtp_tls_policy_maps": _inline(policies),
            "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
            "smtp_dns_support_level": "dnssec",
            "smtp_host_lookup": "dns",
            "transport_maps": _inline(transports),
            "default_destination_concurrency_limit": "4",
            "initial_destination_concurrency": "4",
            "default_destination_concurrency_failed_cohort_limit": "100",
        }
    )
    (root / "tlsproxy").mkdir()
    for name in ("main.cf", "master.cf"):
        (root / "tlsproxy" / name).symlink_to(postfix.conf / name)
    socket = str(postfix.queue / "private" / "ours-tlsproxy")
    with (
        NameServer(records, own_address(), 53) as names,
        running(root / "tlsproxy", "--socket", socket) as proxy,
    ):
        postfix.start(names.seen_through(root / "resolv.conf"))
        try:
            counts = {f"{kind}.{side}": _count(kind, side) for kind in hosts for side in SIDES}
            for domain, count in counts.items():
                _send(postfix, domain, count)
            deadline = time.monotonic() + 240
            while sum(sum(each.values()) for each in Deliveries.read(postfix.log()).results.values()) < sum(
                counts.values()
            ):
                assert time.monotonic() < deadline, postfix.log()[-5000:]
                time.sleep(0.2)
        finally:
            postfix.stop()
        return Deliveries.read(postfix.log()), postfix.log(), proxy.log()


def _count(kind: str, side: str) -> int:
    return EACH if kind in GOOD and side == "ours" else 3


def _inline(table: dict[str, str]) -> str:
    return "inline:{ " + ", ".join(f"{{ {key} = {value} }}" for key, value in table.items()) + " }"


def _master_cf() -> str:
    text = MASTER_CF
    for side, service in zip(SIDES, ("ours-tlsproxy", "tlsproxy"), strict=True):
        text += f"{side} unix - - n - - smtp\n  -o tlsproxy_service_name={service}\n"
    return text


def _send(postfix: PrivatePostfix, domain: str, count: int) -> None:
    to = ["-f", f"s@{domain}", "-t", f"u@{domain}", "-m", str(count), "-s", "2", "-l", "2000"]
    command = ["smtp-source", *to, f"127.0.0.1:{postfix.ports['submission']}"]
    try:
        subprocess.run(command, check=True, timeout=240)
    except subprocess.SubprocessError as error:
        pytest.fail(f"{error}; {postfix.log()[-5000:]}")


@pytest.mark.parametrize("kind", GOOD)
def test_mail_goes_out_over_connections_that_are_used_again(deliveries: tuple[Deliveries, str, str], kind: str) -> None:
    found, _, _ = deliveries
    results = found.results[f"{kind}.ours"]
    assert [status for _, status, _ in results.elements()] == ["sent"] * EACH, results
    assert found.uses[f"{kind}.ours"] > 5
    assert set(results) == set(found.results[f"{kind}.theirs"])


@pytest.mark.parametrize("kind", BAD)
def test_mail_waits_exactly_where_the_c_program_makes_it_wait(
    deliveries: tuple[Deliveries, str, str], kind: str
) -> None:
    found, _, _ = deliveries
    assert found.results[f"{kind}.ours"] == found.results[f"{kind}.theirs"]
    assert {status for _, status, _ in found.results[f"{kind}.ours"]} == {"deferred"}


def test_nothing_is_complained_about(deliveries: tuple[Deliveries, str, str]) -> None:
    found, _, ours = deliveries
    complaints = [line for line in ours.splitlines() if "warning: " in line]
    # That there is no server role here.
    assert all("TLS server role" in line or "main.cf" in line or "not set: " in line for line in complaints)
    assert sum(found.results["may.ours"].values()) == EACH


def test_log_of_servers_is_that_of_the_c_program(deliveries: tuple[Deliveries, str, str]) -> None:
    _, log, ours = deliveries

    def verdicts(text: str, program: str) -> set[str]:
        lines = (line.partition(program)[2].partition("]: ")[2] for line in text.splitlines() if program in line)
        wanted = [line for line in lines if "TLS connection established" in line or "verification failed" in line]
        return {line.removesuffix(" server-digest SHA256") for line in wanted}  # which resumed sessions don't have

    assert verdicts(ours, "postfix/tlsproxy[") == verdicts(log, "postfix/tlsproxy[")
