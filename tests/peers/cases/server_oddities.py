"""Configurations of the server role that are mistakes and occur, and clients that don't behave.

They are part of the matrix, which is whole only when this module has been imported.
"""

from __future__ import annotations

from .bad_hellos import BAD_HELLOS
from .server_cases import ANONYMOUS, ASK, CASES, CERTIFICATE_PROBES, add
from .server_differences import DIFFERENCES

__all__ = ["CASES", "RAW"]

RAW = {
    "nothing": b"",
    "smtp": b"EHLO client.private.test\r\nMAIL FROM:<>\r\n",
    "newline": b"\r\n",
    "http": b"GET / HTTP/1.1\r\nHost: mail.private.test\r\n\r\n",
    "proxied-http": b"CONNECT mail.private.test:25 HTTP/1.0\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "alert-first": b"\x15\x03\x01\x00\x02\x02\x28",
    "warning-first": b"\x15\x03\x01\x00\x02\x01\x5a",
    "close-notify-first": b"\x15\x03\x01\x00\x02\x01\x00",
    "change-cipher-spec-first": b"\x14\x03\x03\x00\x01\x01",
    "data-first": b"\x17\x03\x03\x00\x05hello",
    "heartbeat-first": b"\x18\x03\x02\x00\x03\x01\x40\x00",
    "empty-record": b"\x16\x03\x01\x00\x00",
    "empty-hello": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    "short-hello": b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    "huge-hello": b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
    "server-hello": b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
    "finished-first": b"\x16\x03\x03\x00\x10\x14\x00\x00\x0c" + bytes(12),
    "unknown-message": b"\x16\x03\x03\x00\x04\x63\x00\x00\x00",
}
"""Data that a client sends instead of a hello."""

RAW_PROBES = " ".join(f"raw:{each}" for each in RAW)
BROKEN_HELLOS = "in-pieces by-the-byte two-at-once trailing-plaintext half-closed13 half-closed12 fallback"
add("odd-clients", f"{RAW_PROBES} {BROKEN_HELLOS}")
add("odd-clients-debug", "raw:smtp raw:alert-first raw:close-notify-first raw:nothing half-closed13", loglevel="2")
add("odd-clients-new-only", f"{RAW_PROBES} fallback tls10 tls12", protocols=">=TLSv1.3")
add("odd-clients-and-names", RAW_PROBES, tls_server_sni_maps="inline:{{ {{a.test = {pki}/sni.pem}} }}", **ASK)

BAD_HELLO_PROBES = " ".join(
    f"hello:{each}" for each in BAD_HELLOS if f"hello-{each}" not in DIFFERENCES and each != "version-ssl3"
)
add("bad-hellos", BAD_HELLO_PROBES)
add("bad-hellos-debug", BAD_HELLO_PROBES, loglevel="2")
add("bad-hellos-new-only", BAD_HELLO_PROBES, protocols=">=TLSv1.3")
add(
    "bad-hellos-and-names",
    " ".join(each for each in BAD_HELLO_PROBES.split() if each.startswith("hello:name")),
    tls_server_sni_maps="inline:{{ {{sni.private.test = {pki}/sni.pem}} }}",
)

# -- files with keys and certificates

for kind in ("trusted-first", "trusted-within", "trusted-before-bad", "trusted-before-mismatch"):
    add(f"odd-chain-{kind}", "status", chain_files=f"{{pki}}/odd-{kind}.pem")
for kind in (
    *("expired", "traditional-rsa", "traditional-ec", "ec-parameters", "carriage-returns", "with-text", "with-root"),
    *("with-strangers", "no-newline", "rsa512", "blank-lines"),
):
    add(f"odd-chain-{kind}", f"status {CERTIFICATE_PROBES}", chain_files=f"{{pki}}/odd-{kind}.pem")
    add(
        f"odd-pair-{kind}",
        f"status {CERTIFICATE_PROBES}",
        chain_files="",
        cert_file=f"{{pki}}/odd-{kind}.pem",
        key_file=f"{{pki}}/odd-{kind}.pem",
    )
add("odd-chain-directory", "status", chain_files="", cert_file="{pki}", key_file="{pki}")
add("odd-pair-one-of-two", "status", cert_file="{pki}/rsa2048-cert.pem", key_file="{pki}/nothing.pem", chain_files="")
add("odd-CAfile-key", "status", ask_ccert="yes", CAfile="{pki}/rsa2048-key.pem")
add("odd-CAfile-twice", "client-good hello12", ask_ccert="yes", CAfile="{pki}/odd-twice.pem")
add("odd-CAfile-text", "client-good client-unknown hello12", ask_ccert="yes", CAfile="{pki}/odd-ca-with-text.pem")
add("odd-CAfile-half", "status", ask_ccert="yes", CAfile="{pki}/odd-ca-half.pem")
add("odd-CAfile-leaf", "client-good client-intermediate hello12", ask_ccert="yes", CAfile="{pki}/client-good.pem")
add("odd-CApath-missing", "status client-good", ask_ccert="yes", CApath="/nonexistent")
add("odd-CApath-file", "status client-good", ask_ccert="yes", CApath="{pki}/ca.pem")
add("odd-CAfile-and-CApath", "client-good client-unknown hello12", **ASK, CApath="{pki}/hashed")
add("odd-system-authorities-only", "client-good client-unknown", ask_ccert="yes", tls_append_default_CA="yes")
add("odd-depth", "client-good client-intermediate", **ASK, ccert_verifydepth="2147483647")

# -- words

for number, options in enumerate(
    ("0x20000000", "0x44000", "0x400000", "0x1", "0x", "4000", "-1", "ALL", "0xffffffffff", "NO_TICKET,,NO_TICKET")
):
    add(f"odd-options{number}", "tls13 tls12 resume12", tls_ssl_options=options)
for number, workarounds in enumerate(("0xFFFFFFFF", "ALL", "all", "NONE", "0x0", "SAFARI_ECDHE_ECDSA_BUG, 0x10")):
    add(f"odd-workarounds{number}", "tls13 tls12 tls10", tls_disable_workarounds=workarounds)
for number, curves in enumerate(
    ("P-256:P-384", "?X25519 X448", "*X25519", "secp521r1/X25519", "prime192v1 X448", "DEFAULT")
):
    add(f"odd-groups{number}", "groups13-any-order tls12", tls_eecdh_auto_curves=curves)
for number, level in enumerate(
    ("9", "1,2", "ssl-expert,summary", "dane", "certmatch", "SSL-Debug", "-1", "3,cache", "1, untrusted,,peercert")
):
    add(f"odd-log{number}", "tls13 resume12 raw:smtp", loglevel=level)
for number, exclusions in enumerate((",,,", "aNULL:eNULL", "kECDHE kDHE", "AESGCM:CHACHA20")):
    add(f"odd-exclude{number}", "tls12 hello12 suites12", exclude_ciphers=exclusions, tls_preempt_cipherlist="yes")
for number, digest in enumerate(("SHA-512", "sha512-256", "blake2b512", "md5-sha1", "sha3-512")):
    add(f"odd-digest{number}", "status client-good", **ASK, fingerprint_digest=digest)
for number, digest in enumerate(("null", "md5 ", "SHA2", "1.2.3")):
    add(f"odd-no-digest{number}", "status", fingerprint_digest=digest)
for number, grade in enumerate(("Medium", "HIGH", "Null", "Export")):
    add(f"odd-grade{number}", "tls12 suites12", ciphers=grade, tls_preempt_cipherlist="yes")
add("odd-level-required-anonymous", "tls12 hello12", security_level="encrypt", **ANONYMOUS)
add(
    "odd-require-and-names",
    "name:a.test client-good client-unknown tls13",
    security_level="encrypt",
    req_ccert="yes",
    CAfile="{pki}/ca.pem",
    tls_server_sni_maps="inline:{{ {{a.test = {pki}/sni.pem}} }}",
)
MANY_NAMES = (
    "a.test",
    "b.test",
    "c.test",
    "x.a.test",
    "A.TEST",
    "x.y.z.d.test",
    "d.test",
    "*.test",
    "_a.test",
    "xn--a.test",
)
add("odd-many-names", " ".join(f"name:{each}" for each in MANY_NAMES), tls_server_sni_maps="texthash:{pki}/many-names")
