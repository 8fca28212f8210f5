"""Certification paths: from a peer's certificate, through those that it has sent, to one that is trusted already.

A path that exists is a `VerifiedPath`, which is never empty. Every failure is a `PathFailure`. Neither has a truth
value, so that no `path or chain` makes a failure into a success: a caller has to take the result apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from OpenSSL import crypto
from OpenSSL._util import ffi, lib

from .binding import clear_errors, require
from .peers import OK, UNSPECIFIED, PeerCertificate, borrowed

require(
    *("X509_PURPOSE_SSL_SERVER", "X509_STORE_CTX_free", "X509_STORE_CTX_get1_chain", "X509_STORE_CTX_get_current_cert"),
    *("X509_STORE_CTX_get_error", "X509_STORE_CTX_get_error_depth", "X509_STORE_CTX_init", "X509_STORE_CTX_new"),
    *("X509_STORE_set_purpose", "X509_verify_cert", "sk_X509_free", "sk_X509_num", "sk_X509_value"),
)

_PARTIAL_CHAIN, _NO_CHECK_TIME = 0x80000, 0x200000


class _Result:
    """A result whose kind has to be asked for."""

    __slots__ = ()

    if not TYPE_CHECKING:  # mypy refuses a truth value only where it sees none (error code truthy-bool)

        def __bool__(self) -> NoReturn:
            raise TypeError("a result of path building has no truth value: take it apart by its type")


class VerifiedPath(_Result):
    """A verified path: the peer's certificate first, and at the end the one that was trusted already."""

    __slots__ = ("certificates",)

    def __init__(self, certificates: tuple[PeerCertificate, ...]) -> None:
        """Raise ValueError for an empty path."""
        if not certificates:
            raise ValueError("a path has at least one certificate")
        self.certificates = certificates

    @property
    def depth(self) -> int:
        """The depth of the topmost certificate."""
        return len(self.certificates) - 1


class PathFailure(_Result):
    """There is no path. `error` is OpenSSL's number, never 0; `depth` and `certificate` are the place it is about."""

    __slots__ = ("certificate", "depth", "error")

    def __init__(self, error: int, depth: int, certificate: PeerCertificate) -> None:
        self.error = error if error != OK else UNSPECIFIED
        self.depth = depth
        self.certificate = certificate


class Reach:
    """Longest path in a chain, the peer's certificate first. Nothing in it has been verified."""

    __slots__ = ("unverified",)

    def __init__(self, unverified: tuple[PeerCertificate, ...]) -> None:
        self.unverified = unverified

    @property
    def depth(self) -> int:
        """The depth of the topmost certificate."""
        return len(self.unverified) - 1

    @property
    def top(self) -> PeerCertificate:
        """The topmost certificate."""
        return self.unverified[-1]


def reach(chain: Sequence[PeerCertificate]) -> Reach:
    """Build a path by names and key identifiers, as OpenSSL does before it verifies signatures."""
    with _Verification(chain, ()) as tried:
        return Reach(tried.certificates or (chain[0],))


def signed_path(chain: Sequence[PeerCertificate], anchors: Sequence[PeerCertificate]) -> VerifiedPath | PathFailure:
    """Build a path for a TLS server from the first certificate of `chain` to one of `anchors`, without regard to dates.

    OpenSSL checks signatures, purposes, constraints and unknown critical extensions. The first certificate may be an
    anchor itself. Keys and digests of any strength will do, since the binding can't ask for a security level.
    """
    with _Verification(chain, anchors, _NO_CHECK_TIME) as tried:
        if tried.verified and tried.certificates:
            return VerifiedPath(tried.certificates)
        return tried.error


class _Verification:
    """One run of X509_verify_cert(3) beside any connection; a context manager, at whose end its memory is freed."""

    def __init__(self, chain: Sequence[PeerCertificate], anchors: Sequence[PeerCertificate], flags: int = 0) -> None:
        self._leaf = chain[0]
        store = crypto.X509Store()
        store.set_flags(_PARTIAL_CHAIN | flags)
        lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_SERVER)
        for anchor in anchors:
            store.add_cert(anchor.x509)
        self._settings = crypto.X509StoreContext(store, self._leaf.x509, [each.x509 for each in chain[1:]])
        self._context = lib.X509_STORE_CTX_new()
        if self._context == ffi.NULL:
            raise MemoryError("X509_STORE_CTX_new")
        others = self._settings._chain
        begun = lib.X509_STORE_CTX_init(self._context, store._store, self._leaf.x509._x509, others) == 1
        self.verified = begun and lib.X509_verify_cert(self._context) == 1
        """True if OpenSSL has found a path, and nothing wrong with it."""

    def __enter__(self) -> _Verification:
        return self

    def __exit__(self, *_: object) -> None:
        lib.X509_STORE_CTX_free(self._context)
        clear_errors()

    @property
    def certificates(self) -> tuple[PeerCertificate, ...]:
        """Path that OpenSSL has built, verified or not; empty if it failed before."""
        stack = lib.X509_STORE_CTX_get1_chain(self._context)
        if stack == ffi.NULL:
            return ()
        members = [lib.sk_X509_value(stack, position) for position in range(lib.sk_X509_num(stack))]
        found = tuple(PeerCertificate(crypto.X509._from_raw_x509_ptr(each)) for each in members)
        lib.sk_X509_free(stack)
        return found

    @property
    def error(self) -> PathFailure:
        """OpenSSL's error, and its place in the path; some errors do not concern a certificate."""
        error = lib.X509_STORE_CTX_get_error(self._context)
        blamed = borrowed(lib.X509_STORE_CTX_get_current_cert(self._context))
        return PathFailure(
            error, lib.X509_STORE_CTX_get_error_depth(self._context), self._leaf if blamed is None else blamed
        )
