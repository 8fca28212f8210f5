"""Scans by other programs, sslyze and testssl.sh, in the terms of our own scanner."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from check.tls_report.scanned_peers import Target

from tlsproxy.check.tls_report.offers.offer import Offer

_RUN_SSLYZE = Path(__file__).with_name("run_sslyze.py")
_TESTSSL_VERSIONS = {"TLS1": "TLSv1", "TLS1_1": "TLSv1.1", "TLS1_2": "TLSv1.2", "TLS1_3": "TLSv1.3"}


def by_sslyze(python: str, targets: Sequence[Target]) -> Iterator[tuple[Target, dict[str, Any]]]:
    """Yield each target with its scan; `python` is one that has sslyze."""
    wanted = {each.port: each for each in targets}
    process = subprocess.Popen(
        [python, _RUN_SSLYZE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdin
    assert process.stdout
    json.dump([{"port": each.port, "wrapped": each.wrapped} for each in targets], process.stdin)
    process.stdin.close()
    for line in process.stdout:
        seen = json.loads(line)
        yield wanted[seen["port"]], seen
    if process.wait():
        raise SystemExit(f"{python}: sslyze ended with status {process.returncode}")


def by_testssl(program: str, target: Target) -> dict[str, Any]:
    """Return the scan of one target: versions, and the ciphers of each in order."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "scan.json")
        command = [program, "--jsonfile", file, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"]
        command += ["--openssl", "/usr/bin/openssl", "--openssl-timeout", "20", "-p", "-E"]
        command += [] if target.wrapped else ["-t", "smtp"]
        run = subprocess.run(
            [*command, f"127.0.0.1:{target.port}"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        entries = json.loads(file.read_text() or "[]") if file.exists() else []
    if not any(each["id"] in _TESTSSL_VERSIONS for each in entries):
        return {"error": run.stdout[-300:] + run.stderr[-300:], "protocols": [], "ciphers": {}}
    return read_testssl(entries)


def read_testssl(entries: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return protocols and ciphers of a report of testssl.sh; suites have no order there unless the server has one."""
    seen: dict[str, Any] = {"protocols": [], "ciphers": {}}
    for each in entries:
        name, finding = each["id"], each["finding"]
        if name in _TESTSSL_VERSIONS and finding.startswith("offered"):
            seen["protocols"].append(_TESTSSL_VERSIONS[name])
        elif name.startswith("cipher-tls"):
            version, _, cipher = finding.split()[:3]
            seen["ciphers"].setdefault(version, []).append(cipher)
    return seen


_LACKS_SSLYZE = re.compile(r"ARIA.*|.*-CCM8?|ADH-CAMELLIA.*-SHA256")
"""Suites for which sslyze has no name."""


def as_sslyze(offer: Offer, seen: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the differences of an offer from sslyze's view, and the explanation if there is one."""
    return _compared(offer, seen), ""


def as_testssl(offer: Offer, seen: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the same for testssl.sh."""
    return _compared(offer, seen), ""


def _compared(offer: Offer, seen: dict[str, Any]) -> dict[str, Any]:
    differs: dict[str, Any] = {}
    if list(offer.protocols) != seen["protocols"]:
        differs["protocols"] = list(offer.protocols), seen["protocols"]
    for version in offer.protocols:
        said, met = set(offer.ciphers[version]), set(seen["ciphers"].get(version, []))
        if said != met and version in seen["protocols"]:
            differs[version] = sorted(said - met), sorted(met - said)
    return differs
