"""OpenSSL's own configuration takes effect, in the section that is named (tls_config_file, tls_config_name)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from peers.certificates import Certificates
from peers.proxy import client_context, running, write_config

CONFIGURATION = """\
openssl_conf = first
[first]
ssl_conf = first_ssl
[first_ssl]
system_default = first_defaults
[first_defaults]
SignatureAlgorithms = RSA-PSS+SHA512:ECDSA+SHA512
MinProtocol = TLSv1.3
[second]
ssl_conf = second_ssl
[second_ssl]
system_default = second_defaults
[second_defaults]
SignatureAlgorithms = RSA-PSS+SHA384:ECDSA+SHA384
"""


@pytest.mark.parametrize(
    ("settings", "digest"),
    [
        ({}, "SHA256"),
        ({"tls_config_file": "none"}, "SHA256"),
        ({"tls_config_file": "{file}"}, "SHA512"),
        ({"tls_config_file": "{file}", "tls_config_name": "second"}, "SHA384"),
        ({"tls_config_file": "{file}", "tls_config_name": "missing"}, "SHA256"),
    ],
)
def test_the_section_that_is_named_takes_effect(tmp_path: Path, settings: dict[str, str], digest: str) -> None:
    file = tmp_path / "openssl.cnf"
    file.write_text(CONFIGURATION)
    certificates = Certificates(tmp_path / "pki")
    chain = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem"}
    write_config(tmp_path, chain | {name: value.format(file=file) for name, value in settings.items()})
    with running(tmp_path) as proxy:
        local, remote = proxy.tls_session()
        with local, remote:
            log = proxy.wait_for_log("TLS connection established")
        assert f"server-digest {digest}" in log
        # Postfix's own protocol list is in force, whatever the file says.
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        local, remote = proxy.tls_session(context)
        with local, remote:
            assert remote.version() == "TLSv1.2"
