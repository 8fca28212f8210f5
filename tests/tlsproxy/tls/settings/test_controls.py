"""docs/controls.md lists every control of tlsproxy(8): its effect, the test that shows it, the cases where we can't
follow Postfix; docs/compatibility.md lists the differences that the matrix of the server role has found.

The tables are made here: `python tests/tlsproxy/tls/settings/test_controls.py` writes them, and tests compare them
with the documents and look up everything they refer to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

ROOT = Path(__file__).parents[4]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))

from peers.cases.server_cases import COMMON  # noqa: E402
from peers.cases.server_differences import DIFFERENCES  # noqa: E402
from peers.cases.server_oddities import CASES  # noqa: E402

from postconf.models import ServiceSettings, TlsClient, TlsGlobals, TlsServer  # noqa: E402

DOCUMENT = ROOT / "docs" / "controls.md"
COMPATIBILITY = ROOT / "docs" / "compatibility.md"
TESTS = ROOT / "tests"
GROUPS: dict[str, type[BaseModel]] = {
    "Both roles": TlsGlobals,
    "The server role": TlsServer,
    "The client role": TlsClient,
    "The service": ServiceSettings,
}

_MATRIX = "test_client_matrix.py::test_every_verdict_and_every_line_is_that_of_the_c_program"
_CONFIGURED = "test_client_role.py::test_role_exists_where_the_configuration_needs_it"
_SETTINGS = "test_client_role.py::test_each_of_our_settings_is_compared_with_requests"
_LIVE = "test_client_settings.py::test_request_equal_to_main_cf_gets_its_settings"
_NAMES = "test_service_controls.py::test_names_facility_and_number_are_logged_as_by_c_program"
_CLIENT_SETTINGS = [
    f"tlsproxy_client_{name}"
    for name in (
        *("scert_verifydepth", "loglevel", "loglevel_parameter", "chain_files", "cert_file", "key_file", "dcert_file"),
        *("dkey_file", "eccert_file", "eckey_file", "CAfile", "CApath", "fingerprint_digest"),
    )
]

ELSEWHERE = {
    "tls_high_cipherlist": "matrix: grade-high",
    "tls_low_cipherlist": "matrix: grade-low",
    "tls_export_cipherlist": "matrix: grade-export",
    "tls_null_cipherlist": "matrix: grade-null",
    "tls_ffdhe_auto_groups": "test_server_role.py::test_groups_are_chosen_as_the_release_does",
    "tls_server_sni_maps": "test_server_names.py::test_certificate_is_chosen_by_name",
    "tls_trust_server_ccerts": "test_server_settings.py::test_certificate_for_servers_is_accepted_if_configured",
    "tls_dane_digests": "test_client_matrix.py::test_every_verdict_and_every_line_is_that_of_the_c_program",
    "tls_dane_digest_agility": _MATRIX,
    "tls_dane_trust_anchor_digest_enable": _MATRIX,
    "tls_daemon_random_bytes": "test_client_sessions.py::test_as_much_entropy_is_asked_for_as_the_configuration_says",
    **dict.fromkeys(_CLIENT_SETTINGS, _LIVE),
    "tlsproxy_client_security_level": _CONFIGURED,
    "tlsproxy_client_per_site": _CONFIGURED,
    "tlsproxy_client_policy_maps": _CONFIGURED,
    "tlsproxy_client_use_tls": _CONFIGURED,
    "tlsproxy_client_enforce_tls": _CONFIGURED,
    "tlsproxy_client_level": _CONFIGURED,
    "tlsproxy_client_policy": _CONFIGURED,
    "config_directory": "test_service_controls.py::test_directory_of_the_configuration_can_be_referred_to",
    **dict.fromkeys(("process_id", "process_name", "service_name", "syslog_facility", "syslog_name"), _NAMES),
    "tlsproxy_watchdog_timeout": ("test_service_controls.py::test_stuck_process_is_ended_by_its_watchdog_and_replaced"),
    "tlsproxy_tls_enable_rpk": "test_server_role.py::test_unsupported_settings_are_logged_at_start",
    "tlsproxy_tls_security_level": "matrix: level-none, level-may, level-encrypt, level-secure, level-by-use",
    "tlsproxy_tls_loglevel": "test_packet_dump.py; matrix: log-0, log-1, log-2, log-3, log-debug-client",
    "tlsproxy_tls_chain_files": "matrix: certificates-all, certificates-one-file, bad-chain-mismatch",
}
"""Proofs that are not found by a parameter's name in the matrix, or better ones."""

NOTES = {
    "tls_config_file": (
        "Read only at start. `default` is not read unless `tls_config_name` names a section of it: Postfix's own "
        "settings override those of distributions."
    ),
    "tls_config_name": "The key of the file whose value is the section's name, as in OpenSSL's own programs.",
    "tls_low_cipherlist": (
        "OpenSSL 4 has no ciphers of that grade (RC4, DES, export), nor has OpenSSL 3: nothing is logged."
    ),
    "tls_export_cipherlist": "As `tls_low_cipherlist`.",
    "tls_high_cipherlist": "OpenSSL 4 counts the CCM8 ciphers as medium.",
    "tls_medium_cipherlist": ("SEED and IDEA are never offered: distributions build OpenSSL without them."),
    "tls_eecdh_auto_curves": (
        "Hybrid groups (`X25519MLKEM768`) are accepted in every release. Each warning is logged once, not "
        "for each context. Without `tls_preempt_cipherlist` OpenSSL 4 follows the client's order even after a "
        "retry."
    ),
    "tls_session_ticket_cipher": (
        "On or off: OpenSSL's own tickets are AES-256-CBC with HMAC-SHA-256. A name that Postfix refuses "
        "turns tickets off with its warning. TLS 1.3 tickets are renewed at each use."
    ),
    "tlsmgr_service_name": (
        "The server role does not need tlsmgr(8): its session settings are read from main.cf, and the daemon has its "
        "own ticket keys, valid in all workers. The client role stores sessions in tlsmgr(8), if it runs."
    ),
    "tls_daemon_random_bytes": (
        "No entropy is requested in the server role, and the client role does not wait for it: OpenSSL seeds itself."
    ),
    "process_id": "Known from the start; in Postfix it is empty if syslog_name refers to it.",
    "process_name": "Always `tlsproxy`, for any command name in master.cf, so that log tools find its lines.",
    "tls_dane_digest_agility": "Without effect since Postfix 3.2.",
    "tls_dane_trust_anchor_digest_enable": "Without effect since Postfix 3.2.",
    "tlsproxy_client_loglevel_parameter": "Until Postfix 3.11, its value is part of the name of a context.",
    "tls_fast_shutdown_enable": "Without effect, as in the C tlsproxy(8).",
    "openssl_path": "Without effect, as in the C tlsproxy(8).",
    "tls_legacy_public_key_fingerprints": "Without effect since Postfix 3.9.",
    "tlsproxy_tls_protocols": (
        "No SSLv3: OpenSSL 4 has none. `not supported: SSLv3, …` is logged at start if a list names it."
    ),
    "tlsproxy_tls_mandatory_protocols": "As `tlsproxy_tls_protocols`.",
    "tlsproxy_tls_dh1024_param_file": (
        "Without a file the group is always of 2048 bits (RFC 3526), never smaller for smaller keys. Clients "
        "that list finite-field groups get one of those in OpenSSL 4."
    ),
    "tlsproxy_tls_req_ccert": "At security level 1 OpenSSL 4 refuses TLS 1.0 and 1.1 at once.",
    "tlsproxy_tls_enable_rpk": (
        "No raw public keys: the binding lacks them, and clients get a certificate. `not supported: raw "
        "public keys …` is logged at start."
    ),
    "tlsproxy_tls_chain_files": ("A missing file turns the role off at start; Postfix continues without certificates."),
    "tlsproxy_tls_ciphers": "A bad grade turns the role off at start; Postfix drops each session.",
    "tlsproxy_tls_mandatory_ciphers": "As `tlsproxy_tls_ciphers`.",
    "tlsproxy_tls_exclude_ciphers": "As `tlsproxy_tls_ciphers`. OpenSSL 4 knows names in any case (`ecdhe`).",
    "tlsproxy_tls_mandatory_exclude_ciphers": "As `tlsproxy_tls_ciphers`.",
    "tlsproxy_tls_loglevel": (
        "Packets are shown as they are received and sent, not as OpenSSL reads them. Errors have no source file, "
        "line and data. `trace` (3.12) has no effect."
    ),
}

HEAD = """\
# Parameters of tlsproxy(8)

All parameters that tlsproxy(8) reads, documented or not: the effect of each, the test that shows it, and differences
from the C program. "Matrix" names cases of `tests/tlsproxy/tls/server/test_server_matrix.py`: the C tlsproxy(8) 3.7.11
and this program get the same configuration and the same clients, and must reply and log the same. They differ if
OpenSSL 4 or its Python binding lacks a feature, or if this program detects an error at start and Postfix at the
first session; `DIFFERENCES` in `tests/peers/cases/server_differences.py` has a test of each such case.

These tables are generated by `tests/tlsproxy/tls/settings/test_controls.py`.
"""


def document() -> str:
    parts = [HEAD]
    for title, model in GROUPS.items():
        parts.append(f"\n## {title}\n\n| parameter | effect | shown by | difference |\n|---|---|---|---|\n")
        for name, field in model.model_fields.items():
            cells = f"`{name}`", field.description or "", proof(name), NOTES.get(name, "")
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


START, END = "<!-- made by tests/tlsproxy/tls/settings/test_controls.py -->\n", "<!-- end -->\n"


def compatibility() -> str:
    """docs/compatibility.md with a current table of differences."""
    before, _, rest = COMPATIBILITY.read_text().partition(START)
    _, _, after = rest.partition(END)
    lines = ["| case | tried with | Postfix 3.7.11 | here | why |\n|---|---|---|---|---|\n"]
    for name, each in DIFFERENCES.items():
        settings = [f"`{key.removeprefix('tlsproxy_tls_')} = {value}`" for key, value in each.settings.items()]
        tried = ", ".join([*settings, each.probe])
        there, here = (_shown(each.attribute, value) for value in (each.there, each.here))
        lines.append(f"| {name} | {tried} | {there} | {here} | {each.reason} |\n")
    return before + START + "".join(lines) + END + after


def _shown(attribute: str, value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    if attribute == "suite":
        return f"{value:#06x}" if value else "nothing"
    return f"{attribute or 'status'} {value}"


def proof(name: str) -> str:
    """Return the proofs of a control: a few cases of the matrix, or another test."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    cases = [case for case, each in (CASES | DIFFERENCES).items() if name in each.settings]
    if not cases:
        return ""
    shown = ", ".join(cases[:3])
    return f"matrix: {shown}" + (f" and {len(cases) - 3} more" if len(cases) > 3 else "")


def test_documents_are_current() -> None:
    assert DOCUMENT.read_text() == document(), "run: python tests/tlsproxy/tls/settings/test_controls.py"
    assert COMPATIBILITY.read_text() == compatibility(), "run: python tests/tlsproxy/tls/settings/test_controls.py"


def test_every_control_is_shown_live() -> None:
    names = [name for model in GROUPS.values() for name in model.model_fields]
    assert len(names) >= 77  # which the manual page of 3.7 has
    assert [name for name in names if not proof(name)] == []


def test_references_of_the_document_exist() -> None:
    known = {*CASES, *DIFFERENCES}
    for name in (name for model in GROUPS.values() for name in model.model_fields):
        for reference in references(proof(name)):
            if reference.startswith("test_"):
                file, _, function = reference.partition("::")
                assert f"def {function}" in next(TESTS.rglob(file)).read_text(), reference
            else:
                assert reference in known, reference
    assert not {*NOTES, *ELSEWHERE} - {name for model in GROUPS.values() for name in model.model_fields}
    assert all(name.startswith("smtpd_tls_") for name in COMMON)


def references(text: str) -> Iterator[str]:
    for part in text.split("; "):
        for each in part.removeprefix("matrix: ").partition(" and ")[0].split(", "):
            if each:
                yield each


if __name__ == "__main__":
    DOCUMENT.write_text(document())
    COMPATIBILITY.write_text(compatibility())
