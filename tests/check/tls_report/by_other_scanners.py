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
from tlsproxy.check.tls_report.openssl.ciphers import cipher

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
        command: list[str | Path] = [
            program,
            "--jsonfile",
            file,
            "--quiet",
            "--color",
            "0",
            "--warnings",
            "off",
            "--nodns",
            "none",
        ]
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


_WITHOUT_NAME = re.compile(r"ADH-CAMELLIA(128|256)-SHA256")
"""Suites for which sslyze has no name."""
_ITS_CURVES = frozenset({"prime256v1", "secp384r1", "secp521r1"})
"""Curves that all clients of sslyze offer: OpenSSL 1.0.2 has no X25519 and X448, 1.1.1 not the others."""
_NEW_KEYS = frozenset({"RSA-PSS", "Ed25519", "Ed448"})
_ITS_GROUPS = _ITS_CURVES | {"X25519", "X448"}
"""The groups of TLS 1.3 that it offers."""


def as_sslyze(offer: Offer, seen: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the differences of an offer from sslyze's view, and the explanation where it can't see more."""
    differs = _compared(offer, seen)
    if differs and _groups_differ(offer, seen):
        differs["groups"] = list(offer.groups), seen["groups"]
    reasons: set[str] = set()
    keys = {each.algorithm for each in offer.certificates if not each.server_name}
    if differs and "reset" in seen.get("error", "") and keys <= _NEW_KEYS:
        return differs, "keys that OpenSSL 1.0.2 does not have"  # its first handshake fails, and it gives up
    for what, (said, met) in differs.items():
        if what == "protocols":
            hidden = [each for each in said if each not in met]
            reasons |= {_hidden_version(offer, each) for each in hidden} | ({""} if set(met) - set(said) else set())
        elif what != "groups":
            reasons |= {_hidden_suite(offer, each) for each in said} | ({""} if met else set())
    return differs, "" if "" in reasons else ", ".join(sorted(reasons))


def _hidden_version(offer: Offer, version: str) -> str:
    """Return the reason for which sslyze does not see a version."""
    suites = [found for found in map(cipher, offer.ciphers[version]) if found]
    if version == "TLSv1.3":
        return "" if _ITS_GROUPS & set(offer.groups) else "groups it has not"
    reasons = {"no certificate" if each.is_anonymous else _hidden_suite(offer, each.name) for each in suites}
    return "" if "" in reasons else "no certificate"


def _hidden_suite(offer: Offer, name: str) -> str:
    """Return the reason for which sslyze does not see a suite."""
    suite = cipher(name)
    keys = {each.algorithm for each in offer.certificates if not each.server_name}
    if suite is None or _WITHOUT_NAME.fullmatch(name):
        return "suites it has no name for"
    if suite.exchange == "ECDHE" and not _ITS_CURVES & set(offer.groups):
        return "groups it has not"
    if suite.authentication == "RSA" and suite.exchange != "RSA" and "RSA-PSS" in keys:
        return "keys that OpenSSL 1.0.2 does not have"
    if suite.authentication == "ECDSA" and keys & (_NEW_KEYS - {"RSA-PSS"}):
        return "keys that OpenSSL 1.0.2 does not have"
    return ""


def _groups_differ(offer: Offer, seen: dict[str, Any]) -> bool:
    if seen.get("groups") is None or not any("ECDHE" in each for names in offer.ciphers.values() for each in names):
        return False
    names = {"secp256r1": "prime256v1"}
    return _ITS_GROUPS & set(offer.groups) != _ITS_GROUPS & {names.get(each, each) for each in seen["groups"]}


def as_testssl(offer: Offer, seen: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the same for testssl.sh: versions with anonymous suites only are not seen."""
    differs = _compared(offer, seen)
    hidden = set(offer.protocols) - set(seen["protocols"])
    is_hidden = set(differs) == {"protocols"} and all(
        found.is_anonymous for each in hidden for found in map(cipher, offer.ciphers[each]) if found
    )
    return differs, "no certificate" if is_hidden else ""


def _compared(offer: Offer, seen: dict[str, Any]) -> dict[str, Any]:
    differs: dict[str, Any] = {}
    if list(offer.protocols) != seen["protocols"]:
        differs["protocols"] = list(offer.protocols), seen["protocols"]
    for version in offer.protocols:
        said, met = set(offer.ciphers[version]), set(seen["ciphers"].get(version, []))
        if said != met and version in seen["protocols"]:
            differs[version] = sorted(said - met), sorted(met - said)
    return differs
