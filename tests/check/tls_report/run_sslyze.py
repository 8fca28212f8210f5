"""sslyze's view of servers: `run_sslyze.py`, with sslyze's Python, reads targets as JSON and prints one line for each.

A target has a port of this machine, and `wrapped` if TLS begins at once. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sslyze import (
    ProtocolWithOpportunisticTlsEnum,
    ScanCommand,
    Scanner,
    ServerNetworkConfiguration,
    ServerNetworkLocation,
    ServerScanRequest,
)
from sslyze.mozilla_tls_profile import tls_config_checker as mozilla

VERSIONS = {
    "TLSv1": "tls_1_0_cipher_suites",
    "TLSv1.1": "tls_1_1_cipher_suites",
    "TLSv1.2": "tls_1_2_cipher_suites",
    "TLSv1.3": "tls_1_3_cipher_suites",
}
GUIDELINES = {"mozilla-modern": "modern", "mozilla-intermediate": "intermediate", "mozilla-old": "old"}


def main() -> None:
    targets = json.load(sys.stdin)
    commands = {
        *(ScanCommand(each) for each in VERSIONS.values()),
        *(ScanCommand.CERTIFICATE_INFO, ScanCommand.ELLIPTIC_CURVES, ScanCommand.SESSION_RESUMPTION),
    }
    for each in targets:
        request = ServerScanRequest(
            server_location=ServerNetworkLocation("localhost", each["port"], "127.0.0.1"),
            network_configuration=ServerNetworkConfiguration(
                "mail.private.test",
                tls_opportunistic_encryption=None if each["wrapped"] else ProtocolWithOpportunisticTlsEnum.SMTP,
                network_timeout=20,
                network_max_retries=1,
            ),
            scan_commands=commands,
        )
        scanner = Scanner(per_server_concurrent_connections_limit=3, concurrent_server_scans_limit=1)
        scanner.queue_scans([request])
        for result in scanner.get_results():
            print(json.dumps(_seen(result)), flush=True)


def _seen(result: Any) -> dict[str, Any]:
    seen: dict[str, Any] = {"port": result.server_location.port, "protocols": [], "ciphers": {}}
    if result.scan_result is None:
        seen["error"] = str(result.connectivity_error_trace)[-300:]
        return seen
    for version, name in VERSIONS.items():
        attempt = getattr(result.scan_result, name)
        if attempt.result is None:
            seen.setdefault("failed", []).append(name)
        elif attempt.result.accepted_cipher_suites:
            seen["protocols"].append(version)
            accepted = attempt.result.accepted_cipher_suites
            seen["ciphers"][version] = [each.cipher_suite.openssl_name for each in accepted]
            sizes = [
                each.ephemeral_key.size for each in accepted if getattr(each.ephemeral_key, "type_name", "") == "DH"
            ]
            if sizes:
                seen["dh_bits"] = min([*sizes, seen.get("dh_bits", sizes[0])])
    curves = result.scan_result.elliptic_curves.result
    seen["groups"] = sorted(each.name for each in curves.supported_curves or ()) if curves else None
    certificates = result.scan_result.certificate_info.result
    if certificates:
        leaves = [each.received_certificate_chain[0] for each in certificates.certificate_deployments]
        seen["certificates"] = sorted(each.public_bytes(_pem()).decode() for each in leaves)
    resumption = result.scan_result.session_resumption.result
    if resumption:
        seen["resumption"] = [
            resumption.tls_ticket_resumption_result.name,
            resumption.session_id_resumption_result.name,
        ]
    seen["verdicts"] = {}
    for guideline, name in GUIDELINES.items():
        wanted = mozilla.MozillaTlsConfiguration.get(mozilla.TlsConfigurationEnum(name))
        # The public function wants scans for vulnerabilities, which no configuration has.
        seen["verdicts"][guideline] = {
            **(mozilla._check_certificates(certificates, wanted) if certificates else {"certificates": "unknown"}),
            **mozilla._check_tls_versions_and_ciphers(_with_ssl(result.scan_result), wanted),
            **(mozilla._check_tls_curves(curves, wanted) if curves else {"curves": "unknown"}),
        }
    return seen


class _NotOffered:
    is_tls_version_supported = False


class _WithSsl:
    """A scan with the versions that no library of today has."""

    def __init__(self, scanned: Any) -> None:
        self._scanned = scanned

    def __getattr__(self, name: str) -> Any:
        attempt = getattr(self._scanned, name)
        return attempt if attempt.result is not None else _Attempt()


class _Attempt:
    result = _NotOffered()


def _with_ssl(scanned: Any) -> Any:
    return _WithSsl(scanned)


def _pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


if __name__ == "__main__":
    main()
