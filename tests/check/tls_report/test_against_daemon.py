"""The report for our own OpenSSL and a scan of our daemon say the same."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from check.tls_report.configurations import configuration
from check.tls_report.side_by_side import difference, make_certificates, report
from peers.daemon.side_by_side import Side, both
from peers.fakes.tls_scan import NoTlsError, Scan, scan

from tlsproxy.check.tls_report.openssl.library import Bundled

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.soak,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),  # old versions are meant
]


def test_random_configurations_are_reported_as_met(public_path: Path) -> None:
    pki = make_certificates(public_path / "pki").directory
    services = {}
    for seed in range(100):
        settings = configuration(seed)
        settings.pop("smtpd_tls_wrappermode", None)  # which no request to tlsproxy(8) has
        services[f"s{seed}"] = {name: value.replace("{pki}", str(pki)) for name, value in settings.items()}
    root = public_path / "both"
    root.mkdir()
    with both(root, {}, services, {}) as (_, ours):
        said = {each.service: each for each in report(root / "postfix" / "conf", Bundled())}
        found = {
            f"{name}: {settings}": differs
            for name, settings in services.items()
            if (differs := difference(said[f"{name}/unix"], _scan(ours, name), by_client=True))
        }
    assert not found


def _scan(side: Side, service: str) -> Scan:
    kept: list[socket.socket] = []

    def connect() -> socket.socket:
        if not side.status(service, "127.0.0.1:25"):
            raise NoTlsError(service)
        local, remote = side.connect(service, "127.0.0.1:25")
        for each in kept:
            each.close()
        kept[:] = [local]
        remote.settimeout(1)
        return remote

    try:
        return scan(connect)
    finally:
        for each in kept:
            each.close()
