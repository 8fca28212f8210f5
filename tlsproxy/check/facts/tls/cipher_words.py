"""Words of OpenSSL's cipher lists: aliases, and the parts of the names of suites, after ciphers(1).

Source: ciphers(1) and ssl_ciph.c of several releases. OpenSSL ignores an unknown word, and so does Postfix.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import lru_cache

from postconf.spelling import nearest

_TEXT_OF_PARTS = """
3DES ADH AECDH AES AES128 AES256 ARIA ARIA128 ARIA256 CAMELLIA CAMELLIA128 CAMELLIA256 CBC CBC3 CCM CCM8 CFB
CHACHA20 DES DH DHE DSS ECDH ECDHE ECDSA EDE EDH EECDH EXP EXP1024 FZA GCM GOST2001 GOST2012 GOST8912 GOST89 GOST94
IANA IDEA KRB5 KUZNYECHIK KUZNYECHIKOMAC LEGACY M1 MAGMA MAGMAOMAC MD5 NULL POLY1305 PSK RC2 RC4 RSA SEED SHA
SHA256 SHA384 SRP 64
"""
_PARTS = frozenset(_TEXT_OF_PARTS.split())
_TEXT_OF_ALIASES = """
AESCCM AESCCM8 AESGCM ALL ARIAGCM COMPLEMENTOFALL COMPLEMENTOFDEFAULT DEFAULT DTLSv1 DTLSv1.0 DTLSv1.2 ECCdraft
EXPORT EXPORT40 EXPORT56 FIPS GOST GOST12 GOST89MAC HIGH LOW MEDIUM SHA1 SSLv2 SSLv3 SUITEB128 SUITEB128C2
SUITEB128ONLY SUITEB192 TLSv1 TLSv1.0 TLSv1.1 TLSv1.2 TLSv1.3 aDH aDSS aECDH aECDSA aFZA aGOST aGOST01 aGOST12
aGOST94 aKRB5 aNULL aPSK aRSA aSRP eFZA eNULL kDH kDHE kDHEPSK kDHd kDHr kECDH kECDHE kECDHEPSK kECDHe kECDHr kEDH
kEECDH kFZA kGOST kGOST18 kKRB5 kPSK kRSA kRSAPSK kSRP
"""
_ALIASES = frozenset(_TEXT_OF_ALIASES.split())
_LEAST_SIMILAR = 0.8
_LONGEST = 60


@lru_cache(maxsize=1000)
def cipher_meant(word: str) -> str:
    """Return the word that a misspelled one most likely stands for; empty for a known word, and for an unlike one."""
    if len(word) > _LONGEST or "_" in word:
        return ""
    meant = "+".join(each if each in _ALIASES else _meant(each) for each in word.split("+"))
    return (
        meant if meant != word and SequenceMatcher(None, word.lower(), meant.lower()).ratio() >= _LEAST_SIMILAR else ""
    )


def _meant(name: str) -> str:
    known = sorted(_PARTS if "-" in name else _PARTS | _ALIASES)
    return "-".join(part if part in known else nearest(part, known) or part for part in name.split("-"))
