"""Configurations of the server role, and the probes of clients with each: the matrix that `test_server_matrix`
compares.

A case is settings on top of `COMMON`, and the probes to make. `{pki}` stands for the directory with the certificates.
"""

from __future__ import annotations

from dataclasses import dataclass

COMMON = {
    "smtpd_tls_security_level": "may",
    "smtpd_tls_chain_files": "{pki}/rsa2048.pem",
    "smtpd_tls_loglevel": "1,untrusted,peercert",
}


@dataclass(frozen=True)
class Case:
    settings: dict[str, str]
    probes: tuple[str, ...] = ("tls13", "tls12", "hello12")


CASES: dict[str, Case] = {}


def add(name: str, probes: str, **settings: str) -> None:
    """Add a case; a name in `settings` without a prefix is one of tlsproxy_tls_."""
    full = {
        key
        if key.startswith(("tls_", "tlsmgr_", "smtpd_", "tlsproxy_", "openssl_"))
        else f"tlsproxy_tls_{key}": settings[key]
        for key in settings
    }
    assert name not in CASES, name
    CASES[name] = Case(full, tuple(probes.split()))


BASIC = "tls13 tls12 tls10 hello13 hello12"

# -- protocols

for number, protocols in enumerate(
    [
        *("", ">=TLSv1", ">=TLSv1.1", ">=TLSv1.2", ">=TLSv1.3", "<=TLSv1.2", "<=TLSv1.1", "<=TLSv1", ">=None"),
        *("!TLSv1", "!TLSv1, !TLSv1.1", "!TLSv1.2", "!TLSv1.3", "!SSLv2, !SSLv3, !TLSv1", "!TLSv1:!TLSv1.1"),
        *("TLSv1.2", "TLSv1.3", "TLSv1", "TLSv1.2 TLSv1.3", "tlsv1.2, TLSV1.3", "TLSv1 TLSv1.3", "SSLv3"),
        *(">=TLSv1.1, <=TLSv1.2", ">=0303", ">=0x304", "<=303", ">=TLSv1.2 >=TLSv1", ">=", "<=", ">= TLSv1.2"),
        *(">=SSLv3", ">=999", "<=999", "SSLv2", "!SSLv2", ">=TLSv1.2 !TLSv1.3", ">=TLSv1.3 !TLSv1.3", "+TLSv1.2"),
        *("TLSv1_2", "! TLSv1", "=TLSv1.2", ">TLSv1.2", ">=-1", ">=TLSv9", "TLSv1.2,bogus", ">=TLSv1.2x"),
    ]
):
    add(f"protocols{number}", "versions", protocols=protocols)
add("mandatory-protocols", "versions", security_level="encrypt", mandatory_protocols="TLSv1.2", protocols="bogus")
add("mandatory-protocols-unused", "versions", protocols="TLSv1.3", mandatory_protocols="bogus")
add("mandatory-protocols-bad", "versions", security_level="encrypt", mandatory_protocols="bogus")

# -- ciphers

for grade in ("high", "medium", "low", "export", "null", "HIGH"):
    add(f"grade-{grade.lower() if grade.islower() else 'upper'}", f"{BASIC} suites12 suites10 suites13", ciphers=grade)
add("grade-mandatory", "tls12 suites12", security_level="encrypt", mandatory_ciphers="high", ciphers="null")
add("grade-mandatory-unused", "tls12 hello12", mandatory_ciphers="high", ciphers="medium")
add("preempt", "tls13 tls12 suites12 suites13", tls_preempt_cipherlist="yes")
add("preempt-high", "suites12", tls_preempt_cipherlist="yes", ciphers="high")
for number, exclusions in enumerate(
    (
        "aNULL",
        "RSA, DHE",
        "kRSA:aDSS",
        "SHA1 SHA256",
        "AES256,CAMELLIA",
        "unknown-cipher",
        "MD5, DES, ADH",
        "TLS_AES_256_GCM_SHA384",
    )
):
    add(f"exclude{number}", "tls12 suites12 hello13", exclude_ciphers=exclusions, tls_preempt_cipherlist="yes")
add(
    "exclude-mandatory",
    "tls12 suites12",
    security_level="encrypt",
    exclude_ciphers="CAMELLIA",
    mandatory_exclude_ciphers="ARIA",
)
add("exclude-mandatory-unused", "tls12 suites12", mandatory_exclude_ciphers="aNULL")
add(
    "own-list",
    "tls12 suites12 tls10",
    tls_medium_cipherlist="ECDHE-RSA-AES128-SHA:AES256-SHA",
    tls_preempt_cipherlist="yes",
)
add("own-list-default", "tls12 suites12", tls_medium_cipherlist="DEFAULT:!kRSA")
add("own-list-level", "tls12 suites12", tls_medium_cipherlist="ALL:@SECLEVEL=1")
ANONYMOUS = {"cert_file": "none", "chain_files": ""}
add("anonymous", "tls12 tls10 suites12 hello12", **ANONYMOUS)
add("anonymous-high", "tls12 suites12", cert_file="NONE", chain_files="", ciphers="high")

# -- keys and certificates

CERTIFICATE_PROBES = "tls13 tls12 tls10 hello12 only-rsa only-ecdsa only-eddsa"
for kind in ("rsa1024", "dsa1024", "ec256", "ec384", "ed25519", "ed448", "direct"):
    probes = "tls12 tls10 only-rsa only-ecdsa" if kind == "dsa1024" else CERTIFICATE_PROBES
    add(f"certificate-{kind}", probes, chain_files=f"{{pki}}/{kind}.pem")
add("certificates-two", CERTIFICATE_PROBES, chain_files="{pki}/rsa2048.pem, {pki}/ec256.pem")
add(
    "certificates-all",
    CERTIFICATE_PROBES,
    chain_files="{pki}/ed25519.pem {pki}/ec384.pem {pki}/rsa2048.pem {pki}/dsa1024.pem {pki}/ed448.pem",
)
add("certificates-one-file", CERTIFICATE_PROBES, chain_files="{pki}/all-in-one.pem")
add("certificates-key-and-chain-apart", CERTIFICATE_PROBES, chain_files="{pki}/rsa2048-key.pem {pki}/rsa2048-cert.pem")
PAIR = {"chain_files": "", "cert_file": "{pki}/rsa2048-cert.pem", "key_file": "{pki}/rsa2048-key.pem"}
EC_PAIR = {"eccert_file": "{pki}/ec256-cert.pem", "eckey_file": "{pki}/ec256-key.pem"}
DSA_PAIR = {"dcert_file": "{pki}/dsa1024-cert.pem", "dkey_file": "{pki}/dsa1024-key.pem"}
add("pair", CERTIFICATE_PROBES, **PAIR)
add("pairs-two", CERTIFICATE_PROBES, **PAIR, **EC_PAIR)
add("pairs-three", CERTIFICATE_PROBES, **PAIR, **EC_PAIR, **DSA_PAIR)
add("pair-ec-only", CERTIFICATE_PROBES, chain_files="", **EC_PAIR)
add(
    "pair-in-the-wrong-slot",
    CERTIFICATE_PROBES,
    chain_files="",
    cert_file="{pki}/ec256-cert.pem",
    key_file="{pki}/ec256-key.pem",
)
add("pair-mixed", CERTIFICATE_PROBES, chain_files="", cert_file="{pki}/rsa2048.pem", key_file="{pki}/rsa2048.pem")
add(
    "pair-mixed-key-last",
    CERTIFICATE_PROBES,
    chain_files="",
    cert_file="{pki}/key-last.pem",
    key_file="{pki}/key-last.pem",
)
add(
    "pair-mixed-two-keys",
    CERTIFICATE_PROBES,
    chain_files="",
    cert_file="{pki}/two-keys.pem",
    key_file="{pki}/two-keys.pem",
)
add("pair-without-key-file", "status", chain_files="", cert_file="{pki}/rsa2048.pem")
add("both-ways", CERTIFICATE_PROBES, cert_file="{pki}/ec256-cert.pem", key_file="{pki}/ec256-key.pem")
add("key-without-certificate", "status", chain_files="", key_file="{pki}/rsa2048-key.pem")
add("other-pem-types", "tls13", chain_files="{pki}/with-parameters.pem")

# -- mistakes that keep the role from being served

for name, file in {
    "certificate-first": "key-last.pem",
    "keys-in-a-row": "keys-in-a-row.pem",
    "key-at-the-end": "key-at-the-end.pem",
    "key-only": "rsa2048-key.pem",
    "certificates-only": "rsa2048-cert.pem",
    "mismatch": "mismatch.pem",
    "mismatch-of-kinds": "mismatch-of-kinds.pem",
    "mismatch-before-another": "mismatch-before-another.pem",
    "empty": "empty.pem",
    "text": "text.pem",
    "encrypted": "encrypted.pem",
    "bad-certificate": "bad-certificate.pem",
    "bad-key": "bad-key.pem",
}.items():
    add(f"bad-chain-{name}", "status", chain_files=f"{{pki}}/{file}")
add("bad-chain-empty-twice", "status", chain_files="{pki}/empty.pem, {pki}/empty.pem")
add("bad-chain-in-the-second-file", "status", chain_files="{pki}/rsa2048.pem,{pki}/bad-key.pem")
add("bad-chain-same-kind-twice", "status", chain_files="{pki}/rsa2048.pem {pki}/rsa1024.pem")
add("bad-pair-no-certificate", "status", chain_files="", cert_file="/nonexistent", key_file="{pki}/rsa2048-key.pem")
add("bad-pair-no-key", "status", chain_files="", cert_file="{pki}/rsa2048-cert.pem", key_file="/nonexistent")
add("bad-pair-mismatch", "status", chain_files="", cert_file="{pki}/rsa2048-cert.pem", key_file="{pki}/rsa1024-key.pem")
add(
    "bad-pair-mismatch-of-kinds",
    "status",
    chain_files="",
    cert_file="{pki}/rsa2048-cert.pem",
    key_file="{pki}/ec256-key.pem",
)
add("bad-pair-ec", "status", **PAIR, eccert_file="{pki}/ec256-cert.pem", eckey_file="{pki}/ec384-key.pem")
add("bad-pair-mixed", "status", chain_files="", cert_file="{pki}/rsa2048-cert.pem", key_file="{pki}/rsa2048-cert.pem")
add("bad-pair-mixed-missing", "status", chain_files="", cert_file="/nonexistent", key_file="/nonexistent")
add("bad-pair-encrypted", "status", chain_files="", cert_file="{pki}/rsa2048-cert.pem", key_file="{pki}/encrypted.pem")
add("bad-dcert-none", "status", chain_files="", dcert_file="none", cert_file="none")
add("no-certificates", "status", chain_files="")
add("no-certificates-wanted", "status", chain_files="", cert_file="none", ask_ccert="yes", CAfile="{pki}/ca.pem")
add("bad-digest", "status", fingerprint_digest="md4x")
add("bad-CAfile", "status", CAfile="/nonexistent", ask_ccert="yes")
add("bad-CAfile-empty", "status", CAfile="{pki}/empty.pem")
add("bad-CAfile-and-path", "status", CAfile="/nonexistent", CApath="{pki}")

add("bad-config-file-relative", "status", tls_config_file="openssl.cnf")
add("bad-config-file-missing", "status", tls_config_file="/nonexistent")
add("bad-config-file-missing-named", "status", tls_config_file="/nonexistent", tls_config_name="postfix")
add("config-file-none", "tls13", tls_config_file="none")
add("config-name", "tls13", tls_config_name="postfix")

# -- levels

for level in ("none", "may", "encrypt", "verify", "secure", "fingerprint", "May"):
    add(
        f"level-{level if level.islower() else 'upper'}",
        "status" if level == "none" else "status tls13",
        security_level=level,
    )
add("level-by-use", "status tls13", security_level="", tlsproxy_use_tls="yes")
add(
    "level-by-enforce",
    "status tls13",
    security_level="",
    tlsproxy_enforce_tls="yes",
    mandatory_protocols="TLSv1.3",
    protocols="TLSv1.2",
)
add("level-by-neither", "status", security_level="", tlsproxy_use_tls="no")

# -- client certificates

KINDS = "good rsa ed25519 intermediate self-signed expired future server unknown nameless unicode control nul weak"
CLIENTS = " ".join(f"client-{kind}" for kind in KINDS.split()) + " client-good-tls12 client-unknown-tls12"
ASK = {"ask_ccert": "yes", "CAfile": "{pki}/ca.pem"}
add("ask", f"{CLIENTS} tls13 tls12 hello12 suites12", **ASK)
add("ask-no-CAfile", "client-good client-self-signed hello12", ask_ccert="yes")
add("ask-two-authorities", "client-good client-unknown hello12", ask_ccert="yes", CAfile="{pki}/both-cas.pem")
add("ask-CApath", "client-good client-unknown hello12", ask_ccert="yes", CApath="{pki}/hashed")
add("ask-system-authorities", "client-good hello12", **ASK, tls_append_default_CA="yes")
add("ask-depth-0", "client-good client-intermediate", **ASK, ccert_verifydepth="0")
add("ask-depth-1", "client-good client-intermediate", **ASK, ccert_verifydepth="1")
add("ask-depth-negative", "client-good client-intermediate", **ASK, ccert_verifydepth="-1")
add("ask-quietly", "client-unknown client-good", **ASK, loglevel="1")
add("ask-silently", "client-unknown client-good", **ASK, loglevel="0")
add("ask-verbosely", "client-unknown client-good client-intermediate", **ASK, loglevel="verbose")
add("ask-resumed", "client-good-resumed client-unknown-resumed client-good-resumed-tls12", **ASK)
add("require", f"{CLIENTS} tls13 tls12", security_level="encrypt", req_ccert="yes", CAfile="{pki}/ca.pem", loglevel="1")
add("require-at-may", "client-unknown tls13 hello12", req_ccert="yes", CAfile="{pki}/ca.pem")
add("require-at-may-and-ask", "client-unknown hello12", req_ccert="yes", **ASK)
for digest in ("md5", "sha1", "sha256", "sha512", "SHA384", "sha3-256", "sm3", "ripemd160", "sha-256", "rsa-sha256"):
    add(f"digest-{digest.lower()}", "client-good", **ASK, fingerprint_digest=digest)
add("legacy-key-fingerprints", "client-good client-rsa client-ed25519", **ASK, tls_legacy_public_key_fingerprints="yes")

# -- groups

PREEMPT = {"tls_preempt_cipherlist": "yes"}
for number, curves in enumerate(
    (
        *("X25519", "X448", "prime256v1", "secp384r1 secp521r1", "P-256, P-384", "secp521r1", "brainpoolP256r1"),
        *("x25519 prime256v1", "bogus X448", "P-521:P-256 X448"),
    )
):
    add(f"groups{number}", "groups13 tls13 tls12", tls_eecdh_auto_curves=curves, **PREEMPT)
for number, curves in enumerate(("bogus", "X25519:P-256", "rsaEncryption")):
    # The library's own order has changed.
    add(f"groups-of-the-library{number}", "groups13-any-order tls13 tls12", tls_eecdh_auto_curves=curves)
add("groups-default", "groups13 ecdhe12", **PREEMPT)
for grade in ("auto", "none", "strong", "ultra", "bogus"):
    add(f"eecdh-{grade}", "groups13 ecdhe12", eecdh_grade=grade, **PREEMPT)
add("eecdh-unused-curves", "groups13", tls_eecdh_strong_curve="secp521r1", tls_eecdh_ultra_curve="bogus", **PREEMPT)

# -- finite-field Diffie-Hellman

add("dh-default", "dhe12 dhe10")
add("dh-auto", "dhe12", dh1024_param_file="auto")
add("dh-auto-upper", "dhe12", dh1024_param_file="AUTO")
add("dh-3072", "dhe12", dh1024_param_file="{pki}/dh3072.pem")
add("dh-512", "dhe12 tls12", dh1024_param_file="{pki}/dh512.pem")
add("dh-missing", "dhe12", dh1024_param_file="/nonexistent")
add("dh-not", "dhe12", dh1024_param_file="{pki}/rsa2048.pem")
add("dh512-unused", "dhe12", dh512_param_file="/nonexistent")

# -- options

for number, workarounds in enumerate(
    (
        "CRYPTOPRO_TLSEXT_BUG",
        "DONT_INSERT_EMPTY_FRAGMENTS, TLSEXT_PADDING",
        "CVE-2010-4180 bogus",
        "0x800",
        "0xzz",
        "legacy_server_connect",
    )
):
    add(f"workarounds{number}", "tls13 tls12", tls_disable_workarounds=workarounds)
for number, options in enumerate(
    (
        "NO_TICKET",
        "NO_COMPRESSION NO_RENEGOTIATION",
        "PRIORITIZE_CHACHA",
        "no_ticket, bogus",
        "0x4000",
        "ENABLE_MIDDLEBOX_COMPAT",
    )
):
    add(f"options{number}", "tls13 tls12 resume13 resume12 suites13", tls_ssl_options=options)
add("options-preempt-chacha", "suites13 suites12", tls_ssl_options="PRIORITIZE_CHACHA", tls_preempt_cipherlist="yes")

for number, workarounds in enumerate(("0x80", "0xffffffffffffffff", "0x1ffffffffffffffff", "0x", "0x_8", "0x0080")):
    add(f"workarounds-number{number}", "tls13 tls12 half-closed13 half-closed12", tls_disable_workarounds=workarounds)
    add(f"options-number{number}", "tls13 tls12 resume12", tls_ssl_options=workarounds)

# -- bytes that are no UTF-8

ODD = "\udcff"
ODD_BYTES = {
    "exclude_ciphers": f"x{ODD}",
    "tls_medium_cipherlist": f"x{ODD}:ALL",
    "tls_eecdh_auto_curves": ODD,
    "protocols": f"TLSv1.2{ODD}",
    "fingerprint_digest": f"md5{ODD}",
    "loglevel": f"1{ODD}",
    "tls_ssl_options": ODD,
    "tls_disable_workarounds": ODD,
    "tls_session_ticket_cipher": f"aes-256-cbc{ODD}",
    "CAfile": f"/nonexistent{ODD}",
    "CApath": f"/nonexistent{ODD}",
    "dh1024_param_file": f"/nonexistent{ODD}",
    "tls_server_sni_maps": f"texthash:/nonexistent{ODD}",
    "eecdh_grade": ODD,
}
for parameter, value in ODD_BYTES.items():
    add(f"odd-bytes-{parameter}", "status", **{parameter: value})
    if parameter in ("exclude_ciphers", "tls_medium_cipherlist", "tls_eecdh_auto_curves", "dh1024_param_file"):
        add(f"odd-bytes-in-session-{parameter}", "tls13 tls12", **{parameter: value})

# -- resumption

RESUME = "resume13 resume12 resume12-id"
add("resume", RESUME)
add("resume-no-ids", RESUME, always_issue_session_ids="no")
add("resume-no-cipher", RESUME, tls_session_ticket_cipher="")
add("resume-no-cipher-no-ids", RESUME, tls_session_ticket_cipher="", always_issue_session_ids="no")
for cipher in (
    "aes-128-cbc",
    "AES-256-CBC",
    "camellia-256-cbc",
    "aria-128-cbc",
    "aes-256-gcm",
    "des-ede3-cbc",
    "bogus",
):
    add(f"resume-cipher-{cipher.lower() if cipher.islower() else 'upper'}", RESUME, tls_session_ticket_cipher=cipher)

# -- the log

for level in (
    "0",
    "1",
    "2",
    "none",
    "routine",
    "summary",
    "debug",
    "cache",
    "ssl-debug",
    "verbose",
    "peercert",
    "untrusted",
    "summary,cache",
    "bogus",
    "1 bogus",
    "10",
    "Summary",
):
    word = level.replace(" ", "-").replace(",", "-")
    add(
        f"log-{word if word.islower() or word.isdigit() else 'upper'}",
        "tls13 tls12 resume13 resume12 garbage",
        loglevel=level,
    )
for level in ("3", "4", "ssl-handshake-packet-dump", "ssl-session-packet-dump"):
    add(f"log-{level}", "tls13 tls12", loglevel=level)
add("log-debug-client", "client-good client-unknown client-intermediate client-good-tls12", **ASK, loglevel="2")
add("log-debug-refusal", "only-eddsa old", loglevel="2", protocols=">=TLSv1.2")

# -- resumption as tlsmgr(8) has it: its settings are its own, so there is a service of it for each

MANAGERS = {
    "cache": {"smtpd_tls_session_cache_database": "btree:$data_directory/sessions"},
    "short": {"smtpd_tls_session_cache_timeout": "100s"},
    "never": {"smtpd_tls_session_cache_timeout": "0s"},
    "never-cache": {
        "smtpd_tls_session_cache_timeout": "0s",
        "smtpd_tls_session_cache_database": "btree:$data_directory/never",
    },
}
for manager, settings in MANAGERS.items():
    add(f"resume-{manager}", RESUME, tlsmgr_service_name=manager, **settings)
    add(f"resume-{manager}-no-ids", RESUME, tlsmgr_service_name=manager, always_issue_session_ids="no", **settings)
    add(f"resume-{manager}-no-tickets", RESUME, tlsmgr_service_name=manager, tls_ssl_options="NO_TICKET", **settings)
    debug = {"tlsmgr_service_name": manager, "loglevel": "cache", **settings}
    add(f"resume-{manager}-log", RESUME, **debug)
    add(f"resume-{manager}-no-tickets-log", RESUME, tls_ssl_options="NO_TICKET", **debug)
    add(f"resume-{manager}-no-cipher-log", RESUME, tls_session_ticket_cipher="", **debug)

# -- sessions that go wrong

WRONG = (
    "distrust13 distrust12 broken13 broken12 half-hello reset silent renegotiation alert-in-session"
    " half-closed-locally13 half-closed-locally12"
)
add("wrong", WRONG)
add("wrong-debug", WRONG, loglevel="2")

# -- names

NAMES = (
    *(
        "sni.private.test",
        "SNI.Private.Test",
        "a.example.test",
        "a.b.example.test",
        "example.test",
        "mail.private.test",
    ),
    *("two.example.test", "-x.example.test", ".example.test", "a..example.test", "a_b.example.test", "1.2.3", "test."),
    *("x" * 64 + ".example.test", "bad.example.test", "mismatch.example.test", "b\xfccher.example.test"),
)
NAME_PROBES = " ".join(f"name:{each}" for each in NAMES)
for kind in ("hash", "btree", "cdb", "lmdb"):
    add(
        f"names-{kind}",
        f"{NAME_PROBES} tls12 resume13-name tls13-name",
        tls_server_sni_maps=f"{kind}:{{pki}}/{kind}-names",
    )
add("names-none", NAME_PROBES, tls_server_sni_maps="hash:{pki}/hash-names", **ANONYMOUS)
add("names-ask", f"{NAME_PROBES} client-good", tls_server_sni_maps="hash:{pki}/hash-names", **ASK)
add("names-debug", "name:a.example.test tls13-name", tls_server_sni_maps="hash:{pki}/hash-names", loglevel="2")
add("names-two-tables", NAME_PROBES, tls_server_sni_maps="hash:{pki}/empty-names, hash:{pki}/hash-names")
add("names-not-base64", "name:a.example.test name:mail.private.test", tls_server_sni_maps="hash:{pki}/plain-names")
add("names-missing", "name:a.example.test tls12", tls_server_sni_maps="hash:{pki}/no-names")
add(
    "names-missing-second",
    "name:a.example.test name:c.test",
    tls_server_sni_maps="hash:{pki}/hash-names hash:{pki}/no-names",
)
for kind in ("texthash", "regexp", "pcre", "cidr"):
    add(f"names-{kind}", NAME_PROBES, tls_server_sni_maps=f"{kind}:{{pki}}/{kind}-names")
for kind, table in {
    "inline": "inline:{{ {{sni.private.test = {pki}/sni.pem}}, {{.example.test = {pki}/domain.pem}} }}",
    "inline-missing-file": "inline:{{ {{sni.private.test = {pki}/sni.pem}}, {{a.example.test = /nonexistent}} }}",
    "static": "static:{pki}/sni.pem",
    "static-braces": "static:{{ {pki}/sni.pem, {pki}/domain.pem }}",
    "static-missing-file": "static:/nonexistent",
    "randmap": "randmap:{{ {pki}/sni.pem }}",
    "unionmap": "unionmap:{{ hash:{pki}/empty-names, hash:{pki}/hash-names }}",
    "pipemap": "pipemap:{{ hash:{pki}/plain-names }}",
    "environ": "environ:any",
    "fail": "fail:broken",
    "fail-after": "hash:{pki}/hash-names, fail:broken",
    "unknown-type": "nosuch:{pki}/hash-names",
    "texthash-missing": "texthash:/nonexistent",
    "regexp-missing": "regexp:/nonexistent",
    "inline-empty": "inline:{{ {{sni.private.test = }} }}",
}.items():
    add(f"names-{kind}", NAME_PROBES, tls_server_sni_maps=table)

# -- settings without an effect

add(
    "no-effect",
    "tls13 tls12 resume13",
    tls_fast_shutdown_enable="no",
    tls_wildcard_matches_multiple_labels="no",
    openssl_path="/nonexistent",
)
