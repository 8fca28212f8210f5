"""Configurations of smtpd(8) at random, odd ones among them, for the comparison with a scan."""

from __future__ import annotations

import random

_CURVES = ("X25519", "X448", "prime256v1", "P-256", "secp384r1", "P-384", "secp521r1", "brainpoolP256r1", "secp224r1")
_ODD_CURVES = (
    "x25519",
    "bogus",
    "X25519:P-256",
    "secp256k1",
    "ffdhe2048",
    "X25519MLKEM768",
    "P-521",
    "brainpoolP512r1",
    "SecP256r1MLKEM768",
)
_PROTOCOLS = (
    *("", ">=TLSv1", ">=TLSv1.1", ">=TLSv1.2", ">=TLSv1.3", "<=TLSv1.2", "!TLSv1.2", "TLSv1.2", "TLSv1.3", "TLSv1"),
    *("!TLSv1:!TLSv1.1", "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", "TLSv1.2 TLSv1.3", ">=TLSv1.1, <=TLSv1.2", ">= TLSv1.2"),
    *("TLSv1 TLSv1.3", "!TLSv1.3", ">=SSLv3", ">=0303", ">=TLSv1.3 !TLSv1.3", "bogus"),
)
_GRADES = ("high", "medium", "medium", "low", "export", "null", "HIGH", "bogus")
_EXCLUSIONS = (
    *("", "aNULL", "RSA, DHE", "kRSA:aDSS", "SHA1 SHA256", "AES256,CAMELLIA", "unknown", "MD5, DES, ADH", "ECDHE"),
    *(
        "TLS_AES_256_GCM_SHA384",
        "aECDSA",
        "AES128 ARIA CAMELLIA",
        "EDH",
        "+bad",
        "kEECDH kEDH",
        "!x",
        "AESGCM CHACHA20",
    ),
)
_LISTS = (
    *("ALL:@SECLEVEL=1", "ALL:@SECLEVEL=2", "HIGH:@SECLEVEL=3", "DEFAULT", "HIGH:!aNULL", "ECDHE+AESGCM:AES128-SHA"),
    *("AES256-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA", "NONE", "aNULL", "eNULL:@SECLEVEL=0", "ALL:@STRENGTH"),
    *(
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "kRSA",
        "ALL:@SECLEVEL=1:@SECLEVEL=0",
        "HIGH:@SECLEVEL=2:!SHA1",
        "DHE:@SECLEVEL=2",
    ),
    *("ALL:@SECLEVEL=4", "eNULL:ALL", "TLSv1.2", "HIGH:MEDIUM:!SSLv3"),
)
_KEYS = (
    "rsa2048",
    "rsa1024",
    "ec256",
    "ec384",
    "ed25519",
    "ed448",
    "dsa1024",
    "rsa3072",
    "ec521",
    "two",
    "three",
    "pss",
)


def configuration(seed: int) -> dict[str, str]:
    """Return settings; `{pki}` stands for the directory of the certificates."""
    chance = random.Random(seed)
    settings: dict[str, str] = {}

    def maybe(share: float, name: str, value: str) -> None:
        if chance.random() < share:
            settings[name] = value

    settings["smtpd_tls_security_level"] = level = chance.choice(("may", "may", "encrypt"))
    maybe(0.15, "smtpd_tls_wrappermode", "yes")
    enforce = level == "encrypt" or "smtpd_tls_wrappermode" in settings
    prefix = f"smtpd_tls_{'mandatory_' if enforce else ''}"
    _certificates(chance, settings)
    maybe(0.5, f"{prefix}protocols", chance.choice(_PROTOCOLS))
    maybe(0.4, f"{prefix}ciphers", chance.choice(_GRADES))
    maybe(0.4, f"{prefix}exclude_ciphers", chance.choice(_EXCLUSIONS))
    maybe(0.2, "smtpd_tls_exclude_ciphers", chance.choice(_EXCLUSIONS))
    maybe(0.25, chance.choice(("tls_medium_cipherlist", "tls_high_cipherlist")), chance.choice(_LISTS))
    maybe(0.2, "smtpd_tls_ask_ccert", "yes")
    maybe(0.2, "smtpd_tls_req_ccert", "yes")
    maybe(0.5, "tls_preempt_cipherlist", "yes")
    maybe(0.25, "smtpd_tls_dh1024_param_file", chance.choice(("none", "auto", "{pki}/dh512.pem", "{pki}/dh1024.pem")))
    if chance.random() < 0.5:
        count = chance.randint(0, 4)
        curves = chance.sample(_CURVES, count) + chance.sample(_ODD_CURVES, chance.randint(0, 2))
        chance.shuffle(curves)
        if curves:  # 3.7 does not start with an empty list
            settings["tls_eecdh_auto_curves"] = chance.choice((" ", ", ", ",")).join(curves)
    maybe(0.2, "tls_server_sni_maps", "texthash:{pki}/names")
    maybe(0.2, "smtpd_tls_session_cache_database", "internal:sessions")
    maybe(0.1, "compatibility_level", chance.choice(("0", "2", "3.6")))
    maybe(0.1, "tls_disable_workarounds", chance.choice(("LEGACY_SERVER_CONNECT", "0x00000004")))
    maybe(0.15, "tls_ssl_options", chance.choice(("NO_TICKET", "PRIORITIZE_CHACHA", "0x20000000", "NO_RENEGOTIATION")))
    return settings


def _certificates(chance: random.Random, settings: dict[str, str]) -> None:
    way = chance.random()
    key = chance.choice(_KEYS)
    if way < 0.7:
        settings["smtpd_tls_chain_files"] = f"{{pki}}/{key}.pem"
    elif way < 0.8:
        settings["smtpd_tls_chain_files"] = ""
        settings["smtpd_tls_cert_file"] = "none"
    elif way < 0.85:
        settings["smtpd_tls_chain_files"] = "{pki}/missing.pem"
    elif way < 0.88:
        settings["smtpd_tls_chain_files"] = ""
    else:
        settings["smtpd_tls_chain_files"] = ""
        settings["smtpd_tls_cert_file"] = settings["smtpd_tls_key_file"] = "{pki}/rsa2048.pem"
        if way < 0.95:
            settings["smtpd_tls_eccert_file"] = settings["smtpd_tls_eckey_file"] = "{pki}/ec256.pem"
