"""Differential of the TLS report: generated configurations, several peers, several scanners, and each difference.

`python -m check.tls_report.scan_peers --count 200 --tool own --tool sslyze=PYTHON --tool testssl=PROGRAM`, with
tests/ on the path, as root. It prints each difference that has no explanation, and totals by peer and tool.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from check.tls_report.by_other_scanners import as_sslyze, as_testssl, by_sslyze, by_testssl
from check.tls_report.configurations import configuration
from check.tls_report.key_kinds import Described, certificates_met
from check.tls_report.scanned_peers import PEERS, Target, scanned_peers
from check.tls_report.side_by_side import difference
from peers.fakes.tls_scan import scan, smtp_connector

from tlsproxy.check.tls_report.offers.offer import Offer

_AT_ONCE = 50
"""Configurations of one Postfix: master(8) is slow to start more."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--peer", action="append", choices=PEERS)
    parser.add_argument("--tool", action="append", help="own, certificates, sslyze=PYTHON or testssl=PROGRAM")
    parser.add_argument("--log", type=Path, help="all that was seen, a JSON object a line")
    options = parser.parse_args()
    totals: Counter[tuple[str, str, str]] = Counter()
    started = time.monotonic()
    for first in range(options.first, options.first + options.count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, options.first + options.count))
        with tempfile.TemporaryDirectory() as root:
            Path(root).chmod(0o755)
            with scanned_peers(
                Path(root), {f"s{each}": configuration(each) for each in numbers}, options.peer or PEERS
            ) as targets:
                for tool in options.tool or ["own"]:
                    for target, seen, differs, why in scans(tool, targets):
                        verdict = "explained" if differs and why else "differs" if differs else "equal"
                        totals[tool.partition("=")[0], target.peer, verdict] += 1
                        if verdict == "differs":
                            print(f"{target.peer} {target.name} {tool}: {dict(target.settings)}: {differs}")
                        if options.log:
                            _log(options.log, tool, target, seen, differs, why)
        print(f"{numbers[-1] + 1} after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    for (tool, peer, verdict), count in sorted(totals.items()):
        print(f"{tool:8} {peer:9} {verdict:10} {count:5}")
    sys.exit(any(verdict == "differs" for _, _, verdict in totals))


def scans(tool: str, targets: Sequence[Target]) -> Iterator[tuple[Target, dict[str, Any], dict[str, Any], str]]:
    """Yield each target with its scan, its differences, and the explanation of these, if any."""
    name, _, program = tool.partition("=")
    if name == "own":
        for target in targets:
            own = scan(smtp_connector(target.port, wrapped=target.wrapped))
            differs = difference(target.offer, own, by_client=target.peer == "daemon")
            # The report for tlsproxy(8) is that of our daemon, which has no TLS without its chain file.
            is_lenient = target.peer == "tlsproxy" and "missing" in target.settings.get("smtpd_tls_chain_files", "")
            yield target, vars(own), differs, "the C program goes on without a certificate" if is_lenient else ""
    elif name == "certificates":
        for target in targets:
            yield target, *_certificates_of(target), ""
    elif name == "sslyze":
        for target, seen in by_sslyze(program, targets):
            yield target, seen, *as_sslyze(target.offer, seen)
    else:
        for target in targets:
            seen = by_testssl(program, target)
            yield target, seen, *as_testssl(target.offer, seen)


def _certificates_of(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the certificates that clients meet, by server name, and the differences."""
    offer = target.offer
    seen: dict[str, Any] = {}
    differs: dict[str, Any] = {}
    names = ("", "other.test", "a.sub.test") if "tls_server_sni_maps" in target.settings else ("",)
    for server_name in names if offer.protocols else ():
        said = _certificates(offer, server_name)
        met: set[Described] = set()
        asks = False
        for version in {offer.protocols[-1], *(each for each in offer.protocols[-2:] if each == "TLSv1.2")}:
            certificates, asked = certificates_met(target.port, version, server_name, wrapped=target.wrapped)
            met |= certificates
            asks = asks or asked
        seen[server_name] = sorted(met), asks
        if met != said:
            differs[f"certificates of {server_name!r}"] = sorted(said), sorted(met)
        if met and asks != (offer.client_certificate != "none"):
            differs["client_certificate"] = offer.client_certificate, asks
    return seen, differs


def _certificates(offer: Offer, server_name: str) -> set[Described]:
    wanted = {"": "", "other.test": "other.test", "a.sub.test": ".sub.test"}[server_name]
    return {
        (each.algorithm.removesuffix("-PSS"), 0 if each.algorithm.startswith("Ed") else each.bits, each.names)
        for each in offer.certificates
        if each.server_name == wanted
    }


def _log(file: Path, tool: str, target: Target, seen: dict[str, Any], differs: dict[str, Any], why: str) -> None:
    line = {
        "tool": tool.partition("=")[0],
        "peer": target.peer,
        "name": target.name,
        "settings": dict(target.settings),
        "offer": {
            **{each: getattr(target.offer, each) for each in ("protocols", "ciphers", "groups", "prefers", "dh_bits")},
            "resumption": target.offer.resumption,
            "certificates": [(each.algorithm, each.bits, each.curve) for each in target.offer.certificates],
        },
        "seen": seen,
        "differs": differs,
        "why": why,
    }
    with file.open("a") as stream:
        stream.write(json.dumps(line, default=list) + "\n")


if __name__ == "__main__":
    os.nice(5)
    main()
