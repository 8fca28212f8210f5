"""Private binding for peers: certificates, verification of chains, sessions.

The second part of `tlsproxy.tls.openssl.binding`, with the same rule: symbols are looked up once, at import.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from ..verification.der import SEQUENCE, DerError, Parts, only, parts
from .binding import clear_errors, require

require(
    *("ASN1_STRING_to_UTF8", "EVP_get_digestbyname", "OPENSSL_free", "OpenSSL_version_num", "RAND_add"),
    *("SSL_CTX_get_cert_store", "SSL_CTX_load_verify_locations", "SSL_CTX_set_cert_store"),
    *("SSL_CTX_set_default_verify_paths", "SSL_SESSION_free", "SSL_get1_session", "SSL_get_peer_cert_chain"),
    *("SSL_get_peer_certificate", "SSL_get_verify_result", "SSL_session_reused", "SSL_set_session"),
    *("X509_NAME_ENTRY_get_data", "X509_NAME_get_entry", "X509_NAME_get_index_by_NID", "X509_NAME_oneline"),
    *("X509_STORE_up_ref", "X509_free", "X509_up_ref"),
    *("X509_get_issuer_name", "X509_get_subject_name", "X509_verify_cert_error_string", "d2i_SSL_SESSION"),
    *("i2d_SSL_SESSION", "sk_X509_num", "sk_X509_value"),
)

VERSION: Final[int] = lib.OpenSSL_version_num()

_COMMON_NAME, _ORGANIZATION = 13, 17  # OpenSSL's object numbers
_MAX_NAME = 256
_ONELINE = 256


class PeerCertificate:
    """A certificate of the peer, read by OpenSSL: cryptography's parser refuses some that are in use."""

    def __init__(self, x509: crypto.X509) -> None:
        self.x509 = x509

    @classmethod
    def from_der(cls, data: bytes) -> PeerCertificate | None:
        """Parse a DER certificate; return None if it is malformed, or more than one."""
        try:
            only(data, SEQUENCE)
            return cls(crypto.load_certificate(crypto.FILETYPE_ASN1, data))
        except (DerError, crypto.Error):
            return None

    @cached_property
    def der(self) -> bytes:
        """The whole certificate."""
        return crypto.dump_certificate(crypto.FILETYPE_ASN1, self.x509)

    @cached_property
    def parts(self) -> Parts:
        """Fields of the certificate, parsed by `der`; raise `der.DerError`."""
        return parts(self.der)

    @property
    def self_issued(self) -> bool:
        """True if subject and issuer have the same name."""
        return self.names_as_issuer(self)

    def names_as_issuer(self, other: PeerCertificate) -> bool:
        """Return True if `other` has the name of the issuer, case and blanks aside (X509_NAME_cmp(3))."""
        issuer, subject = ("".join(each.split()).lower() for each in (self.issuer, other.subject))
        return issuer == subject

    @cached_property
    def subject(self) -> str:
        """The subject on one line, as Postfix prints it."""
        return _oneline(lib.X509_get_subject_name(self._pointer))

    @cached_property
    def issuer(self) -> str:
        """The issuer on one line, as Postfix prints it."""
        return _oneline(lib.X509_get_issuer_name(self._pointer))

    @cached_property
    def common_names(self) -> tuple[str, ...]:
        """All common names of the subject, as far as they are proper text, for matching."""
        name = lib.X509_get_subject_name(self._pointer)
        return tuple(text for text in _texts(name, _COMMON_NAME) if text)

    @cached_property
    def peer_name(self) -> str:
        """The subject's first common name, or an empty string without a printable one."""
        return _printable(lib.X509_get_subject_name(self._pointer), _COMMON_NAME)

    @cached_property
    def issuer_name(self) -> str:
        """The issuer's common name, or else its organization."""
        name = lib.X509_get_issuer_name(self._pointer)
        return _printable(name, _COMMON_NAME) or _printable(name, _ORGANIZATION)

    @property
    def _pointer(self) -> Any:
        return self.x509._x509


def _texts(name: Any, kind: int) -> list[str]:
    found = []
    position = -1
    while (position := lib.X509_NAME_get_index_by_NID(name, kind, position)) >= 0:
        data = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(name, position))
        out = ffi.new("unsigned char **")
        size = lib.ASN1_STRING_to_UTF8(out, data)
        if size < 0:
            clear_errors()
            found.append("")
            continue
        text = ffi.buffer(out[0], size)[:].rstrip(b"\0")
        lib.OPENSSL_free(out[0])
        found.append(text.decode("utf-8", "surrogateescape"))
    return found


def _printable(name: Any, kind: int) -> str:
    texts = _texts(name, kind)
    if not texts:
        return ""
    text = texts[0]
    unfit = len(text.encode("utf-8", "surrogateescape")) >= _MAX_NAME or any(c < " " or c == "\x7f" for c in text)
    return "" if unfit else text


def _oneline(name: Any) -> str:
    text = ffi.new("char[]", _ONELINE)
    lib.X509_NAME_oneline(name, text, _ONELINE)
    return "".join(chr(c) if 32 <= c < 127 else "?" for c in ffi.string(text))


def peer_certificate(ssl: Any) -> PeerCertificate | None:
    """Return the certificate that the peer has shown, now or in the session that is resumed."""
    x509 = lib.SSL_get_peer_certificate(ssl)
    if x509 == ffi.NULL:
        return None
    certificate = PeerCertificate(crypto.X509._from_raw_x509_ptr(x509))
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    return _known.setdefault(certificate.der, certificate)


_MOST_KNOWN = 200
_known: dict[bytes, PeerCertificate] = {}
"""Parsed peer certificates, cached because sessions with the same server recur."""


def peer_chain(ssl: Any) -> list[PeerCertificate]:
    """Return the certificates that a server has sent, its own first."""
    stack = lib.SSL_get_peer_cert_chain(ssl)
    chain = []
    for index in range(0 if stack == ffi.NULL else lib.sk_X509_num(stack)):
        certificate = borrowed(lib.sk_X509_value(stack, index))
        if certificate is not None:
            chain.append(certificate)
    return chain


def borrowed(x509: Any) -> PeerCertificate | None:
    """Return a certificate that OpenSSL may free after the present call."""
    if x509 == ffi.NULL:
        return None
    lib.X509_up_ref(x509)
    return PeerCertificate(crypto.X509._from_raw_x509_ptr(x509))


# Verification.

OK, UNSPECIFIED = 0, 1


def verify_result(ssl: Any) -> int:
    """Return the verify result of the handshake or of the resumed session; 0 means success."""
    result: int = lib.SSL_get_verify_result(ssl)
    return result


def error_text(error: int) -> str:
    """Return OpenSSL's text for a verification error."""
    text: bytes = ffi.string(lib.X509_verify_cert_error_string(error))
    return text.decode("ascii", "replace")


# Trust, sessions, entropy.


def trust_locations(context: SSL.Context, file: str, directory: str) -> bool:
    """Trust the authorities in a file and a directory; False leaves the reasons in the error queue."""
    names = [name.encode("utf-8", "surrogateescape") if name else ffi.NULL for name in (file, directory)]
    loaded: bool = lib.SSL_CTX_load_verify_locations(context._context, *names) == 1
    return loaded


def trust_system(context: SSL.Context) -> None:
    """Trust the authorities that the system trusts."""
    context.set_default_verify_paths()
    clear_errors()


def share_trust(context: SSL.Context, other: SSL.Context) -> None:
    """Let `context` share the trusted authorities of `other`, without a copy."""
    store = lib.SSL_CTX_get_cert_store(other._context)
    lib.X509_STORE_up_ref(store)
    lib.SSL_CTX_set_cert_store(context._context, store)


def session_reused(ssl: Any) -> bool:
    """Return True if the handshake has resumed a session."""
    reused: bool = lib.SSL_session_reused(ssl) == 1
    return reused


def save_session(ssl: Any) -> bytes:
    """Return the present session with its verify result, as bytes, or empty bytes."""
    session = lib.SSL_get1_session(ssl)
    if session == ffi.NULL:
        return b""
    try:
        size = lib.i2d_SSL_SESSION(session, ffi.NULL)
        if size <= 0:
            return b""
        data = ffi.new("unsigned char[]", size)
        lib.i2d_SSL_SESSION(session, ffi.new("unsigned char **", data))
        return bytes(ffi.buffer(data, size))
    finally:
        lib.SSL_SESSION_free(session)
        clear_errors()


def offer_session(ssl: Any, data: bytes) -> bool:
    """Offer to resume a session that `save_session` has saved; return False for invalid bytes."""
    source = ffi.new("unsigned char[]", data)
    session = lib.d2i_SSL_SESSION(ffi.NULL, ffi.new("const unsigned char **", source), len(data))
    if session == ffi.NULL:
        clear_errors()
        return False
    offered: bool = lib.SSL_set_session(ssl, session) == 1
    lib.SSL_SESSION_free(session)
    clear_errors()
    return offered


def add_entropy(seed: bytes) -> None:
    """Seed OpenSSL's random number generator."""
    lib.RAND_add(seed, len(seed), float(len(seed)))


def is_digest_name(name: str) -> bool:
    """Return True if OpenSSL has a digest algorithm with this name."""
    known: bool = lib.EVP_get_digestbyname(name.encode("utf-8", "surrogateescape")) != ffi.NULL
    clear_errors()
    return known
