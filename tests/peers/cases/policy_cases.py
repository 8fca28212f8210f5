"""Destinations, settings and tables whose policy a real smtp(8) has to decide, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from ..real.policy_smtp import Case

MX = "mx.sec.test"
FINGERPRINT = ":".join(["AB"] * 32)
OTHER = "cd" * 32


def _a(name: str) -> str:
    return f"{name} A 127.0.0.1"


def _tlsa(name: str, data: str) -> str:
    return f"_PORT._tcp.{name} TLSA {data}"


GOOD = f"3 1 1 {OTHER}"
RECORDS = [
    "sec.test MX 10 mx.sec.test",
    "sub.sec.test MX 10 mx.sec.test",
    "deep.sub.sec.test MX 10 mx.sec.test",
    "insecure.test MX 10 dane.sec.test",
    "dane.test MX 10 dane.sec.test",
    "aliasmx.test CNAME dane.test",
    *(_a(f"{name}.sec.test") for name in ("mx", "dane", "usages", "unusable", "failing", "ta", "many", "private")),
    _a("insecure.host.test"),
    _a("host.insecure"),
    _a("target.sec.test"),
    _tlsa("dane.sec.test", GOOD),
    _tlsa("many.sec.test", GOOD),
    _tlsa("many.sec.test", f"2 0 1 {'ef' * 32}"),
    _tlsa("many.sec.test", f"3 0 2 {'01' * 64}"),
    _tlsa("usages.sec.test", f"1 1 1 {OTHER}"),
    _tlsa("usages.sec.test", GOOD),
    _tlsa("unusable.sec.test", f"0 0 1 {OTHER}"),
    _tlsa("private.sec.test", f"3 1 255 {OTHER}"),
    "_PORT._tcp.failing.sec.test FAIL TLSA",
    _tlsa("ta.sec.test", f"2 1 1 {OTHER}"),
    _tlsa("host.insecure", GOOD),
    # Aliases: a secure one to a secure host, with records at either end, and a secure one to an insecure host.
    "to-records.sec.test CNAME dane.sec.test",
    "with-records.sec.test CNAME target.sec.test",
    _tlsa("with-records.sec.test", GOOD),
    "to-insecure.sec.test CNAME host.insecure",
    _tlsa("to-insecure.sec.test", f"3 0 1 {OTHER}"),
    "without.sec.test CNAME target.sec.test",
    # A TLSA record that is itself an alias.
    _a("shared.sec.test"),
    "_PORT._tcp.shared.sec.test CNAME tlsa.sec.test",
    f"tlsa.sec.test TLSA {GOOD}",
    f"tlsa.sec.test TLSA 0 1 1 {OTHER}",
]


def _policy(value: str, key: str = "sec.test", nexthop: str = "sec.test", **settings: str) -> Case:
    return Case(nexthop, settings, {key: value})


def _main(nexthop: str = "sec.test", **settings: str) -> Case:
    return Case(nexthop, settings)


def _level(level: str, nexthop: str = "sec.test", **settings: str) -> Case:
    return Case(nexthop, {"smtp_tls_security_level": level, **settings})


def _site(entries: Mapping[str, str], nexthop: str = "sec.test", **settings: str) -> Case:
    return Case(nexthop, settings, per_site=dict(entries))


DEFAULTS = [
    _main(),
    _main(smtp_use_tls="yes"),
    _main(smtp_enforce_tls="yes"),
    _main(smtp_enforce_tls="yes", smtp_tls_enforce_peername="no"),
    *(_level(level) for level in ("none", "may", "encrypt", "verify", "secure", "FINGERPRINT")),
    _level("may", smtp_enforce_tls="yes"),
    _level("fingerprint", smtp_tls_fingerprint_cert_match=FINGERPRINT),
    _level("fingerprint", smtp_tls_fingerprint_cert_match=f"{FINGERPRINT}, {OTHER} zz:1, AB:"),
    _level("fingerprint", smtp_tls_fingerprint_cert_match="a" * 200),
    _level("encrypt", smtp_tls_exclude_ciphers="RC4, MD5", smtp_tls_mandatory_exclude_ciphers="aECDSA"),
    _level("may", smtp_tls_exclude_ciphers="RC4, MD5", smtp_tls_mandatory_exclude_ciphers="aECDSA"),
    _level("secure", smtp_tls_secure_cert_match="hostname:nexthop, .example.com"),
    _level("verify", smtp_tls_verify_cert_match="nexthop"),
    _level("verify", smtp_tls_verify_cert_match=","),
    _level("may", smtp_tls_protocols="TLSv1.2", smtp_tls_ciphers="low"),
    _level("encrypt", smtp_tls_mandatory_protocols="!TLSv1", smtp_tls_mandatory_ciphers="high"),
    _level("encrypt", smtp_tls_servername="hostname"),
    _level("encrypt", smtp_tls_servername="bad..name"),
    _level("none", smtp_tls_servername="bad..name"),
    _level("secure", smtp_tls_trust_anchor_file="/nonexistent/ta.pem"),
    _level("secure", smtp_tls_trust_anchor_file="$config_directory/../anchors.pem"),
    _level("secure", smtp_tls_trust_anchor_file="$config_directory/../anchors.pem, $config_directory/../key.pem"),
    _level("verify", smtp_tls_trust_anchor_file="$config_directory/../empty.pem"),
    _level("verify", smtp_tls_trust_anchor_file="$config_directory/../broken.pem"),
    _level("verify", smtp_tls_trust_anchor_file=","),
    _level("encrypt", smtp_tls_trust_anchor_file="/nonexistent/ta.pem"),
]

ENTRIES = [
    *(_policy(level) for level in ("none", "may", "encrypt", "verify", "secure", "fingerprint", "Secure")),
    *(_policy(value) for value in ("halfdane", "half-dane", "tls", ",", ", ,", "may,", "\u00e9", "must")),
    _policy("none ciphers=high, match=x"),
    _policy("may match=x"),
    _policy("encrypt match=x"),
    _policy("dane match=x"),
    _policy("verify match=mx.example.com:.example.com"),
    _policy("verify match=a match=b:c,match=hostname"),
    _policy("verify match=:"),
    _policy("verify match="),
    _policy("verify MATCH=x CIPHERS=high"),
    _policy("secure match=nexthop:dot-nexthop protocols=TLSv1.2:TLSv1.3 ciphers=high exclude=aRSA:MD5"),
    _policy("secure ciphers=high ciphers=low"),
    _policy("secure ciphers="),
    _policy("secure Ciphers="),
    _policy("secure ciphers=unheard-of"),
    _policy("secure protocols="),
    _policy("secure protocols=!TLSv1:!TLSv1.1 protocols=TLSv1.2"),
    _policy("encrypt protocols=nonsense"),
    _policy("encrypt exclude="),
    _policy("encrypt exclude=RC4", smtp_tls_exclude_ciphers="MD5", smtp_tls_mandatory_exclude_ciphers="DES"),
    _policy("may exclude=RC4 exclude=MD5"),
    _policy("may exclude=RC4", smtp_tls_exclude_ciphers="MD5"),
    _policy("encrypt servername=sni.example.com", smtp_tls_servername="bad..name"),
    _policy("encrypt servername=hostname servername=nexthop"),
    _policy("encrypt servername="),
    _policy("encrypt servername=-bad-.example"),
    _policy("encrypt servername=1.2.3.4"),
    _policy(f"fingerprint match={FINGERPRINT}"),
    _policy(f"fingerprint match={FINGERPRINT}|{OTHER} match={'0f' * 32}"),
    _policy("fingerprint match=nonsense"),
    _policy(f"fingerprint match=nonsense|{OTHER}"),
    _policy("fingerprint match=nonsense", smtp_tls_fingerprint_cert_match=FINGERPRINT),
    _policy("fingerprint", smtp_tls_fingerprint_cert_match=FINGERPRINT),
    _policy("fingerprint match=nonsense", smtp_tls_servername="bad..name"),
    _policy("fingerprint match=nonsense servername=bad..name"),
    _policy("fingerprint", smtp_tls_fingerprint_cert_match="nonsense", smtp_tls_servername="bad..name"),
    _policy("secure tafile=/nonexistent/x"),
    _policy("secure tafile="),
    _policy("encrypt tafile=/nonexistent/x"),
    _policy("encrypt tafile="),
    _policy("connection_reuse=yes"),
    _policy("encrypt connection_reuse=no"),
    _policy("encrypt connection_reuse=no connection_reuse=YES"),
    _policy("encrypt connection_reuse=no ciphers=unheard-of"),
    _policy("encrypt connection_reuse=no protocols=nonsense"),
    _policy("secure connection_reuse=no match=::"),
    _policy("encrypt connection_reuse=maybe"),
    _policy("encrypt enable_rpk=yes"),
    _policy("encrypt policy_type=sts"),
    _policy("encrypt foo=bar"),
    _policy("encrypt foo"),
    _policy("encrypt =bar"),
    _policy("encrypt ciphers = high"),
    _policy("encrypt {ciphers=high}"),
    _policy("encrypt ciphers=\vhigh\f"),
    _policy("encrypt \fciphers\v=high"),
    _policy("encrypt a\fb=high"),
    _policy("secure match=\u00fc.example"),
]

KEYS = [
    _policy("encrypt", key=".sec.test"),
    _policy("encrypt", key=".test", nexthop="deep.sub.sec.test"),
    _policy("encrypt", key="sec.test", nexthop="deep.sub.sec.test"),
    Case("deep.sub.sec.test", {}, {".sec.test": "encrypt", ".test": "none", ".sub.sec.test": "verify"}),
    Case("deep.sub.sec.test", {}, {".sec.test": "encrypt", ".sub.sec.test": "bogus"}),
    _policy("encrypt", key=".sec.test", nexthop="[mx.sec.test]"),
    _policy("encrypt", key="mx.sec.test", nexthop="[mx.sec.test]"),
    _policy("encrypt", key="[mx.sec.test]", nexthop="[mx.sec.test]"),
    _policy("encrypt", key="[mx.sec.test]:PORT", nexthop="[mx.sec.test]:PORT"),
    _policy("encrypt", key="[mx.sec.test]", nexthop="[mx.sec.test]:PORT"),
    _policy("encrypt", key=".sec.test:PORT", nexthop="sub.sec.test:PORT"),
    _policy("encrypt", key="sub.sec.test:PORT", nexthop="sub.sec.test:PORT"),
    _policy("secure", key="[127.0.0.1]", nexthop="[127.0.0.1]"),
    _policy("encrypt", key="mx.sec.test"),
    _policy("encrypt", nexthop="SEC.test"),
    _policy("verify", key=".sec.TEST", nexthop="Sub.Sec.Test"),
]

PER_SITE = [
    *(_site({"sec.test": word}) for word in ("NONE", "may", "Must", "MUST_NOPEERMATCH", "encrypt", "must ")),
    *(_site({MX: word}, smtp_tls_security_level="encrypt") for word in ("NONE", "MAY", "MUST", "nonsense")),
    *(
        _site({"sec.test": one, MX: other})
        for one in ("NONE", "MAY", "MUST_NOPEERMATCH", "MUST")
        for other in ("NONE", "MAY", "MUST_NOPEERMATCH", "MUST")
    ),
    _site({"sec.test": "MAY"}, smtp_tls_security_level="secure"),
    _site({"sec.test": "MAY"}, smtp_tls_security_level="none"),
    _site({"sec.test": "MUST"}, smtp_tls_security_level="secure"),
    _site({"sec.test": "NONE", MX: "MAY"}, smtp_tls_security_level="secure"),
    _site({"sec.test": "MAY", MX: "nonsense"}),
    _site({"other.test": "MUST"}, smtp_tls_security_level="may"),
    Case("sec.test", {}, {"sec.test": "encrypt"}, {"sec.test": "NONE"}),
]

DANE = [
    *(
        _level(level, nexthop=f"[{host}]")
        for level in ("dane", "dane-only")
        for host in (
            *("dane.sec.test", "many.sec.test", "ta.sec.test", "usages.sec.test", "unusable.sec.test"),
            *("private.sec.test", "failing.sec.test", MX, "to-records.sec.test", "with-records.sec.test"),
            *("to-insecure.sec.test", "without.sec.test", "shared.sec.test", "host.insecure"),
        )
    ),
    _level("dane", nexthop="[host.insecure]", smtp_tls_force_insecure_host_tlsa_lookup="yes"),
    *(_level(level, nexthop=nexthop) for level in ("dane", "dane-only") for nexthop in ("dane.test", "aliasmx.test")),
    *(
        _level(level, nexthop="mx.insecure", smtp_tls_dane_insecure_mx_policy=policy)
        for level in ("dane", "dane-only")
        for policy in ("may", "encrypt", "dane")
    ),
    _policy("dane", key="dane.test", nexthop="dane.test"),
    _policy("dane-only ciphers=high protocols=TLSv1.3", key="dane.test", nexthop="dane.test"),
    _policy("dane exclude=x servername=ignored.test", key="sec.test", nexthop="sec.test"),
    _level("dane", smtp_dns_support_level="enabled"),
    _level("dane-only", smtp_dns_support_level="enabled"),
    _level("dane", smtp_host_lookup="dns, native"),
    _level("dane", ignore_mx_lookup_error="yes"),
    _level("dane-only", ignore_mx_lookup_error="yes"),
    _level("dane-only", smtp_dns_resolver_options="res_defnames"),
]
RECORDS.append("mx.insecure MX 10 dane.sec.test")

LMTP = [
    Case("[mx.sec.test]", {"lmtp_tls_security_level": "secure"}, lmtp=True),
    Case("[mx.sec.test]", {"smtp_tls_security_level": "secure"}, lmtp=True),
    Case("[dane.sec.test]", {"lmtp_tls_security_level": "dane"}, lmtp=True),
    Case("mx.sec.test", {}, {".sec.test": "verify match=x bad"}, lmtp=True),
    Case("mx.sec.test", {}, per_site={"mx.sec.test": "what"}, lmtp=True),
]

ALL = [*DEFAULTS, *ENTRIES, *KEYS, *PER_SITE, *DANE, *LMTP]


def write_anchors(directory: Path) -> None:
    """Write the files of trust anchors that the cases name."""
    ca = trustme.CA()
    certificate = ca.cert_pem.bytes()
    key = load_pem_x509_certificate(certificate).public_key()
    public = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "anchors.pem").write_bytes(b"a comment\n" + certificate + public)
    (directory / "key.pem").write_bytes(public)
    (directory / "empty.pem").write_bytes(b"")
    (directory / "broken.pem").write_bytes(certificate[: len(certificate) // 2])
