"""Cipher lists for OpenSSL, from a cipher grade and its exclusions (tls_set_ciphers(3))."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from postconf.models import TlsGlobals
from postconf.values import CipherGrade, Grade

from .errors import CipherError


class CipherList(NamedTuple):
    """The ciphers up to TLS 1.2, in OpenSSL's syntax."""

    text: str
    grade: str
    """The word for the grade that the list comes from, as it was written, for messages."""


def cipher_list(library: TlsGlobals, grade: Grade, exclusions: Iterable[str]) -> CipherList:
    """Return the OpenSSL cipher list of a grade, without the excluded ciphers; raise `CipherError`.

    TLS 1.3 has its own few suites, which no list or exclusion touches.
    """
    base: str = getattr(library, list_parameter(library, grade))
    for exclusion in exclusions:
        if exclusion[0] in "!+-@":
            raise CipherError(f"invalid unary '!+-@' in cipher exclusion: {exclusion}", "cipher_exclusions")
        base += f":!{exclusion}"
    return CipherList(base, grade.text)


def list_parameter(library: TlsGlobals, grade: Grade) -> str:
    """Return the parameter that has the list of a grade; raise `CipherError`."""
    known = grade.grade
    if known is None:
        raise CipherError(f'invalid cipher grade: "{grade.text}"', "cipher_grade")
    if known in (CipherGrade.LOW, CipherGrade.EXPORT) and not library.tls_low_cipherlist:
        known = CipherGrade.MEDIUM  # since Postfix 3.8, whose lists of weak grades are empty
    return {
        CipherGrade.HIGH: "tls_high_cipherlist",
        CipherGrade.MEDIUM: "tls_medium_cipherlist",
        CipherGrade.LOW: "tls_low_cipherlist",
        CipherGrade.EXPORT: "tls_export_cipherlist",
        CipherGrade.NULL: "tls_null_cipherlist",
    }[known]
