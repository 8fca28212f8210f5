"""Differences between the server role and the C tlsproxy(8), with reasons: OpenSSL 4 in place of 3, gaps of its Python
binding, and mistakes that we notice at start. Each is a configuration and a probe of `test_server_matrix`.
"""

from __future__ import annotations

from dataclasses import dataclass

from .server_cases import ANONYMOUS


@dataclass(frozen=True)
class Difference:
    """A configuration and a probe that the two answer differently, and the reason."""

    settings: dict[str, str]
    probe: str
    attribute: str
    """Of the answer; empty for the whole of it, `problems` for the lines that are logged as such of OpenSSL."""
    there: object
    here: object
    reason: str
    corrected: object = None
    """The answer of the C program, too, where a correction of OpenSSL 3 is installed."""


def _full(**settings: str) -> dict[str, str]:
    return {key if key.startswith("tls_") else f"tlsproxy_tls_{key}": value for key, value in settings.items()}


OTHER_WORDS = "OpenSSL 4 has another error text."
TOO_LONG = "SSL routines:packet length too long"
NO_COMMON_FIELD = (
    "OpenSSL 4 does finite-field key exchange below TLS 1.3 by RFC 7919: with a client that lists such groups only in "
    "one of those. Postfix 3.7 has no list of them."
)
DIFFERENCES = {
    "anonymous-by-field": Difference(
        _full(**ANONYMOUS), "tls13", "cipher", "ADH-AES256-GCM-SHA384", "AECDH-AES256-SHA", NO_COMMON_FIELD
    ),
    "dsa-by-field": Difference(
        _full(chain_files="{pki}/dsa1024.pem"),
        "tls13",
        "cipher",
        "DHE-DSS-AES256-GCM-SHA384",
        "AECDH-AES256-SHA",
        NO_COMMON_FIELD,
    ),
    "field-of-a-weak-key": Difference(
        _full(chain_files="{pki}/dsa1024.pem"),
        "hello12",
        "group",
        1024,
        2048,
        "OpenSSL's choice of a group as weak as the key is not bound; ours is always of 2048 bits.",
    ),
    "ccm8": Difference(
        _full(ciphers="high"), "ccm8", "suite", 0xC0A1, 0, "OpenSSL 4 counts CCM8 as medium: short authentication tags."
    ),
    "digest-without-a-length": Difference(
        _full(fingerprint_digest="shake256"),
        "status",
        "",
        1,
        0,
        "OpenSSL 4 has no default length for SHAKE.",
    ),
    "cipher-in-lower-case": Difference(
        _full(exclude_ciphers="ecdhe"), "ecdhe12", "suite", 0xC030, 0, "OpenSSL 4 ignores the case of cipher names."
    ),
    "groups-of-the-client": Difference(
        {},
        "groups13",
        "",
        (29, 30, 23, 25, 24),
        (30, 25, 24, 23, 29),
        "OpenSSL 4 follows the client's preference even if it has to request another key share.",
    ),
    "groups-twice": Difference(
        _full(tls_eecdh_auto_curves="X448 X448"),
        "groups13-any-order",
        "",
        [23, 24, 25, 29, 30, 256],
        [30],
        "OpenSSL 3 refuses a list with duplicates, and Postfix goes on with OpenSSL's own; we drop the duplicates.",
    ),
    "ssl3": Difference({}, "ssl3", "alert", 40, 70, "OpenSSL 4 has no SSLv3; OpenSSL 3 has it, and does not offer it."),
    "old-protocols-with-verification": Difference(
        _full(security_level="encrypt", req_ccert="yes", CAfile="{pki}/ca.pem"),
        "tls10",
        "error",
        "TLSV1_ALERT_INTERNAL_ERROR",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "At security level 1 there are no digests for TLS 1.0 and 1.1; OpenSSL 4 detects that earlier.",
    ),
    **{
        f"hello-{name}": Difference({}, f"hello:{name}", attribute, there, here, reason)
        for name, attribute, there, here, reason in (
            ("suites-none", "", ["alert 2.47"], ["alert 2.50"], "A list without ciphers is malformed."),
            ("versions-13-over-ssl3", "", ["alert 2.40"], ["alert 2.70"], "As with SSLv3 itself."),
            (
                "groups-10000",
                "",
                ["message 2", "message 11", "message 12", "message 14"],
                ["message 2", "message 11", "message 14"],
                "OpenSSL 4 reads only a limited number of groups.",
            ),
            (
                "compressions-without-null",
                "",
                ["alert 2.50"],
                ["alert 2.47"],
                "A missing value is not a syntax error.",
            ),
            ("sslv2", "", ["alert 2.40"], [], "OpenSSL 4 does not accept a hello in the format of SSLv2."),
            ("sslv2-real", "", ["alert 2.70"], [], "OpenSSL 4 does not accept a hello in the format of SSLv2."),
            ("share-short", "problems", ["SSL routines:bad ecpoint"], ["SSL routines:bad key share"], OTHER_WORDS),
            (
                "share-no-point",
                "problems",
                ["elliptic curve routines:point is not on curve", "SSL routines:bad ecpoint"],
                ["elliptic curve routines:point is not on curve", "SSL routines:bad key share"],
                OTHER_WORDS,
            ),
            (
                "share-compressed-point",
                "problems",
                ["SSL routines:bad ecpoint"],
                ["SSL routines:bad key share"],
                OTHER_WORDS,
            ),
            (
                "fragment-length-bad",
                "problems",
                ["SSL routines:ssl3 ext invalid max fragment length"],
                ["SSL routines:tls ext invalid max fragment length"],
                OTHER_WORDS,
            ),
            ("record-18433", "problems", [TOO_LONG], ["SSL routines:data length too long"], OTHER_WORDS),
            ("record-65535", "problems", [TOO_LONG], ["SSL routines:data length too long"], OTHER_WORDS),
        )
    },
    "short-record": Difference(
        {},
        "short12",
        "problems",
        ["Provider routines:invalid aad", "SSL routines:internal error"],
        ["SSL routines:decryption failed or bad record mac"],
        "A record that is too short is not an internal error, as in OpenSSL 3 since the fix of CVE-2026-75806.",
        corrected=["SSL routines:decryption failed or bad record mac"],
    ),
    "plaintext-in-a-session": Difference(
        {},
        "plaintext13",
        "problems",
        ["SSL routines:wrong version number"],
        ["SSL routines:bad record type"],
        OTHER_WORDS,
    ),
    "missing-chain-file": Difference(
        _full(chain_files="/nonexistent"),
        "status",
        "",
        1,
        0,
        "This program detects the error at start, Postfix at the first session.",
    ),
    "bad-grade": Difference(
        _full(ciphers="strong"),
        "status",
        "",
        1,
        0,
        "This program detects the error at start, Postfix at the first session.",
    ),
    "bad-exclusion": Difference(
        _full(exclude_ciphers="-RSA"),
        "status",
        "",
        1,
        0,
        "This program detects the error at start, Postfix at the first session.",
    ),
    "bad-list": Difference(
        _full(tls_medium_cipherlist="bogus"),
        "status",
        "",
        1,
        0,
        "This program detects the error at start, Postfix at the first session.",
    ),
}
