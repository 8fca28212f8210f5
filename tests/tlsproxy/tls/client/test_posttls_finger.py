"""posttls-finger(1) by itself, with -X through the C tlsproxy(8), and with -X through us: the same verdict each time.

-X makes it work like smtp(8) with smtp_tls_connection_reuse. Its socket is always private/tlsproxy.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5, sha256
from pathlib import Path

import pytest
from peers.cases.client_cases import Chains, key_info
from peers.daemon.proxy import running
from peers.fakes.nameserver import NameServer
from peers.fakes.smtp_client import server_context
from peers.fakes.smtp_server import SmtpServer
from peers.real.postfix import PrivatePostfix, own_address, public_directory

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("name-server")]

MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
postlog   unix-dgram n - n  -  1  postlogd
"""
SERVERS = (
    *("direct", "intermediate", "wildcard", "names", "common-name", "self-signed", "unknown", "bare", "expired"),
    *("wrong-name", "for-clients", "rsa", "weak", "nameless", "anonymous"),
)
Result = tuple[int, list[str]]
Results = tuple[Result, Result, Result]
Finger = Callable[[str], Results]
EVERYTHING = "summary,certmatch,peercert,untrusted"
FILES = "-F {ca}"

CASES = {
    **{f"{kind} may": f"{FILES} -l may {{{kind}}}" for kind in SERVERS},
    **{f"{kind} encrypt": f"{FILES} -l encrypt {{{kind}}}" for kind in ("direct", "unknown", "anonymous")},
    **{f"{kind} verify": f"{FILES} -l verify {{{kind}}} mx.example.test" for kind in SERVERS},
    **{f"{kind} secure": f"{FILES} -l secure {{{kind}}} .example.test first.test" for kind in SERVERS},
    **{f"{kind} dane": f"{FILES} -l dane {{dns {kind}}}" for kind in SERVERS},
    **{f"{kind} dane-only": f"{FILES} -l dane-only {{dns {kind}}}" for kind in ("direct", "expired", "self-signed")},
    "nexthop": f"{FILES} -l secure {{dns direct}} nexthop",
    "dot-nexthop": f"{FILES} -l secure {{dns direct}} dot-nexthop",
    "hostname": f"{FILES} -l verify {{dns wildcard}} hostname",
    "no authorities": "-l verify {direct} mx.example.test",
    "no authorities, may": "-l may {direct}",
    "fingerprint": "-l fingerprint -d sha256 {direct} <direct>",
    "fingerprint of a key": "-l fingerprint -d sha256 {direct} <direct key>",
    "fingerprint of another": "-l fingerprint -d sha256 {unknown} <direct>",
    "two fingerprints": "-l fingerprint -d sha256 {unknown} <direct> <unknown>",
    "md5 fingerprint": "-l fingerprint -d md5 {direct} <direct md5>",
    "trust anchor": "-A {root} -l secure {intermediate} mx.example.test",
    "trust anchor of others": "-A {other} -l secure {intermediate} mx.example.test",
    "trust anchor, wrong name": "-A {root} -l secure {wrong-name} mx.example.test",
    "TLS 1.2": f"{FILES} -l verify -p <=TLSv1.2 {{rsa}} mx.example.test",
    "TLS 1.0": f"{FILES} -l encrypt -p <=TLSv1 {{rsa}}",
    "high ciphers": f"{FILES} -l verify -g high {{rsa}} mx.example.test",
    "server name": f"{FILES} -l verify -s mx.example.test {{direct}} mx.example.test",
    "records of an issuer": f"{FILES} -l dane {{dns issuer}}",
    "records of an issuer, wrong name": f"{FILES} -l dane {{dns issuer-wrong-name}}",
    "wrong records": f"{FILES} -l dane {{dns wrong}}",
    "unusable records": f"{FILES} -l dane {{dns unusable}}",
    "unusable records, dane-only": f"{FILES} -l dane-only {{dns unusable}}",
    "no records": f"{FILES} -l dane {{dns none}}",
    "no records, dane-only": f"{FILES} -l dane-only {{dns none}}",
    "verbose": f"{FILES} -l verify -L verbose,summary {{direct}} mx.example.test",
    "traced": f"{FILES} -l verify -L 2 {{direct}} mx.example.test",
}


@pytest.fixture(scope="module")
def finger() -> Iterator[Finger]:
    with public_directory() as root:
        yield from _finger(root)


def _finger(root: Path) -> Iterator[Finger]:
    chains = Chains(root / "chains")
    (root / "root.pem").write_bytes(chains.root.pem)
    (root / "other.pem").write_bytes(chains.other.pem)
    settings = {
        "smtp_tls_security_level": "may",
        "smtp_dns_support_level": "dnssec",
        "smtp_host_lookup": "dns, native",
        "smtp_tls_fingerprint_digest": "sha256",
    }
    postfix = PrivatePostfix(root / "postfix", settings, MASTER_CF)
    theirs = PrivatePostfix(root / "theirs", settings, MASTER_CF + "tlsproxy unix - - n - 0 tlsproxy\n")
    words = {"{ca}": str(chains.authorities), "{root}": f"{root}/root.pem", "{other}": f"{root}/other.pem"}
    direct, unknown = chains.leaves["direct"], chains.leaves["unknown"]
    words |= {"<direct>": _hex(direct.der), "<unknown>": _hex(unknown.der), "<direct key>": _hex(key_info(direct))}
    words["<direct md5>"] = md5(direct.der).digest().hex(":")
    records: list[str] = []
    with contextlib.ExitStack() as stack:
        ports = {}
        for kind in SERVERS:
            context = server_context(None if kind == "anonymous" else chains.file(kind))
            ports[kind] = stack.enter_context(SmtpServer(context)).port
            words[f"{{{kind}}}"] = f"[127.0.0.1]:{ports[kind]}"
        named = {kind: (kind, f"3 1 1 {sha256(key_info(chains.leaf(kind))).hexdigest()}") for kind in SERVERS[:-1]}
        issuer = f"2 0 1 {sha256(chains.issuer.der).hexdigest()}"
        named |= {"anonymous": ("anonymous", issuer), "issuer": ("intermediate", issuer)}
        named |= {"issuer-wrong-name": ("wrong-name", issuer), "wrong": ("direct", f"3 1 1 {'00' * 32}")}
        named |= {"unusable": ("direct", f"3 1 9 {'00' * 32}"), "none": ("direct", "")}
        for label, (kind, tlsa) in named.items():
            host = "mx.example.test" if label == "issuer" else f"{label}.example.test"
            records.append(f"{host}. A 127.0.0.1")
            words[f"{{dns {label}}}"] = f"[{host}]:{ports[kind]}"
            if tlsa:
                records.append(f"_{ports[kind]}._tcp.{host}. TLSA {tlsa}")
        names = stack.enter_context(NameServer(records, own_address(), 53)).seen_through(root / "resolv.conf")
        (root / "tlsproxy").mkdir()
        for name in ("main.cf", "master.cf"):
            (root / "tlsproxy" / name).symlink_to(postfix.conf / name)
        socket = str(postfix.queue / "private" / "tlsproxy")
        stack.enter_context(running(root / "tlsproxy", "--socket", socket))
        stack.enter_context(postfix)
        stack.enter_context(theirs)

        def run(case: str, *options: str, instance: PrivatePostfix) -> Result:
            for word, value in words.items():
                case = case.replace(word, value)
            command = ["posttls-finger", "-L", EVERYTHING, *options, *case.split()]
            environment = os.environ | {"MAIL_CONFIG": str(instance.conf)}
            result = subprocess.run(
                names(*command), env=environment, capture_output=True, timeout=60, cwd=instance.queue
            )
            lines = (result.stdout + result.stderr).decode(errors="replace").splitlines()
            return result.returncode, [line for line in lines if "overriding earlier entry" not in line]

        pool = stack.enter_context(ThreadPoolExecutor(3))

        def run_all(case: str) -> Results:
            ways = ((), postfix), (("-X",), theirs), (("-X",), postfix)
            results = [pool.submit(run, case, *options, instance=instance) for options, instance in ways]
            return results[0].result(), results[1].result(), results[2].result()

        yield run_all


def _hex(data: bytes) -> str:
    return sha256(data).digest().hex(":")


@pytest.mark.parametrize("name", CASES)
def test_verdict_is_the_same_without_us_and_through_either(finger: Finger, name: str) -> None:
    alone, through_theirs, through_ours = finger(CASES[name])
    assert through_ours == through_theirs
    assert through_ours[0] == alone[0]
    assert sorted(_verdict(through_ours[1])) == sorted(_verdict(alone[1]))


def _verdict(lines: list[str]) -> list[str]:
    return [line for line in lines if "TLS connection established" in line or "Server certificate" in line]


def test_most_cases_have_a_verdict(finger: Finger) -> None:
    assert len(CASES) >= 60
    alone, _, _ = finger(CASES["direct verify"])
    assert "Verified TLS connection established to 127.0.0.1[127.0.0.1]" in "\n".join(_verdict(alone[1]))
