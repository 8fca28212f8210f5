"""The report and a scan of a real smtpd(8) say the same of many configurations, odd ones among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from check.tls_report.configurations import configuration
from check.tls_report.side_by_side import compared, difference

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),  # old versions are meant
]

COMMON = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": "{pki}/rsa2048.pem"}
_ENFORCED = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_mandatory_protocols": ""}
ODD = {
    "required-certificate": {**_ENFORCED, "smtpd_tls_req_ccert": "yes"},
    "certificate-required-at-may": {"smtpd_tls_req_ccert": "yes"},
    "no-certificate": {"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "none"},
    "no-certificate-but-asking": {
        "smtpd_tls_chain_files": "",
        "smtpd_tls_cert_file": "none",
        "smtpd_tls_ask_ccert": "yes",
    },
    "nothing-configured": {"smtpd_tls_chain_files": ""},
    "chain-missing": {"smtpd_tls_chain_files": "{pki}/missing.pem"},
    "dh-none": {"smtpd_tls_dh1024_param_file": "none"},
    "dh-too-small": {"smtpd_tls_dh1024_param_file": "{pki}/dh512.pem"},
    "level-in-list": {"tls_medium_cipherlist": "ALL:@SECLEVEL=2"},
    "level-over-key": {"tls_medium_cipherlist": "ALL:@SECLEVEL=3"},
    "level-of-list-and-of-request": {
        **_ENFORCED,
        "smtpd_tls_req_ccert": "yes",
        "tls_medium_cipherlist": "ALL:@SECLEVEL=2",
    },
    "curve-unknown": {"tls_eecdh_auto_curves": "bogus secp384r1 x25519"},
    "curves-with-colon": {"tls_eecdh_auto_curves": "X25519:P-256"},
    "curve-twice": {"tls_eecdh_auto_curves": "P-256 prime256v1"},
    "curves-of-tls12-only": {"tls_eecdh_auto_curves": "secp224r1 brainpoolP256r1"},
    "hole-without-cipher": {"smtpd_tls_protocols": "!TLSv1.2", "tls_medium_cipherlist": "ECDHE-RSA-AES128-GCM-SHA256"},
    "list-of-nothing": {"tls_medium_cipherlist": "NONE", "smtpd_tls_protocols": ">=TLSv1.3"},
    "wrapper": {"smtpd_tls_wrappermode": "yes", "smtpd_tls_mandatory_protocols": ">=TLSv1.2"},
    "wrapper-at-none": {"smtpd_tls_wrappermode": "yes", "smtpd_tls_security_level": "none"},
}


def differences(root: Path, configurations: list[dict[str, str]]) -> list[str]:
    return [
        f"{settings}: {found}"
        for settings, offer, seen in compared(root, configurations)
        if (found := difference(offer, seen))
    ]


def test_odd_configurations_are_reported_as_met(public_path: Path) -> None:
    """Services of one Postfix, each with -o of its own."""
    assert not differences(public_path, [{**COMMON, **each} for each in ODD.values()])


def test_random_configurations_are_reported_as_met(public_path: Path) -> None:
    assert not differences(public_path, [configuration(seed) for seed in range(12)])


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_hundreds_of_configurations_are_reported_as_met(public_path: Path) -> None:
    assert not differences(public_path, [configuration(seed) for seed in range(1000, 1300)])
