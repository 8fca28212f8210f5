"""From a cipher grade and its exclusions to the list that OpenSSL gets (tls_set_ciphers(3))."""

from __future__ import annotations

from collections.abc import Iterable

from postconf.models import TlsGlobals
from postconf.values import CipherGrade, cipher_grade


class BadCiphers(Exception):
    """A grade or list that can't be used. The text is Postfix's warning, without the session's name in front of it.

    `setting` is what is to blame: `cipher_grade`, `cipher_exclusions`, or the name of the list.
    """

    def __init__(self, message: str, setting: str = "cipher_grade") -> None:
        super().__init__(message)
        self.setting = setting


def cipher_list(library: TlsGlobals, grade: str, exclusions: Iterable[str]) -> str:
    """The OpenSSL cipher list of a grade, without the excluded ciphers; raise `BadCiphers`.

    TLS 1.3 has its own few suites, which no list or exclusion touches.
    """
    base: str = getattr(library, list_parameter(library, grade))
    for exclusion in exclusions:
        if exclusion[0] in "!+-@":
            raise BadCiphers(f"invalid unary '!+-@' in cipher exclusion: {exclusion}", "cipher_exclusions")
        base += f":!{exclusion}"
    return base


def list_parameter(library: TlsGlobals, grade: str) -> str:
    """The parameter that has the list of a grade; raise `BadCiphers`."""
    # Since Postfix 3.8 the lists of the weak grades are empty, and these words mean medium.
    known = cipher_grade(grade, weak_grades=bool(library.tls_low_cipherlist))
    if known is None:
        raise BadCiphers(f'invalid cipher grade: "{grade}"')
    return {
        CipherGrade.HIGH: "tls_high_cipherlist",
        CipherGrade.MEDIUM: "tls_medium_cipherlist",
        CipherGrade.LOW: "tls_low_cipherlist",
        CipherGrade.EXPORT: "tls_export_cipherlist",
        CipherGrade.NULL: "tls_null_cipherlist",
    }[known]
