"""The report and a scan of our daemon say the same for each release of Postfix, whose defaults differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.tls_report.side_by_side import difference, make_certificates, report
from check.tls_report.smtp_front import SmtpFronts
from peers.daemon.side_by_side import POSTFIX_LINE, Log, Side, ours
from peers.fakes.tls_scan import scan, smtp_connector

from postconf.catalogue import upstream_releases
from tlsproxy.check.tls_report.openssl.library import Bundled

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),  # old versions are meant
]
MAIN_CF = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {pki}/two.pem
"""
CASES = {
    "defaults": "",
    "encrypt": "  -o smtpd_tls_security_level=encrypt\n",
    "high": "  -o smtpd_tls_ciphers=high\n  -o tls_preempt_cipherlist=yes\n",
    "curves": "  -o tls_eecdh_auto_curves=X25519,bogus,P-256\n",
}


@pytest.mark.parametrize("version", upstream_releases())
def test_settings_are_reported_as_met(version: str, tmp_path: Path) -> None:
    pki = make_certificates(tmp_path / "pki").directory
    configuration, sockets = tmp_path / "conf", tmp_path / "ours"
    configuration.mkdir()
    sockets.mkdir()
    (configuration / "main.cf").write_text(MAIN_CF.format(pki=pki))
    master_cf = "".join(f"{name} unix - - n - 0 tlsproxy\n{overrides}" for name, overrides in CASES.items())
    (configuration / "master.cf").write_text(master_cf)
    said = {each.service: each for each in report(configuration, Bundled(), version) if each.role == "server"}
    side = Side("ours", sockets, Log(tmp_path / "log", POSTFIX_LINE))
    with ours(configuration, sockets, tmp_path / "log", version), SmtpFronts(side, list(CASES)) as fronts:
        found = {
            name: difference(said[f"{name}/unix"], scan(smtp_connector(port)), by_client=True)
            for name, port in fronts.ports.items()
        }
    assert not {name: differs for name, differs in found.items() if differs}
