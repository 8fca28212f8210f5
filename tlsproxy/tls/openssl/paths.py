"""Certification paths: from a peer's certificate, through those that it has sent, to one that is trusted already.

A path that exists is a `Path`, which is never empty. Every failure is a `PathError`. Neither has a truth value, so that
no `path or chain` makes a failure into a success: a caller has to take the result apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from OpenSSL import crypto
from OpenSSL._util import ffi, lib

from .binding import clear_errors, require
from .peers import OK, UNSPECIFIED, Certificate

require("X509_PURPOSE_SSL_SERVER", "X509_STORE_set_purpose")

_PARTIAL_CHAIN, _NO_CHECK_TIME = 0x80000, 0x200000


class _Result:
    """A result whose kind has to be asked for."""

    __slots__ = ()

    if not TYPE_CHECKING:  # mypy refuses a truth value only where it sees none (error code truthy-bool)

        def __bool__(self) -> NoReturn:
            raise TypeError("a result of path building has no truth value: take it apart by its type")


class Path(_Result):
    """A verified path: the peer's certificate first, and at the end the one that was trusted already."""

    __slots__ = ("certificates",)

    def __init__(self, certificates: tuple[Certificate, ...]) -> None:
        """Raise ValueError for an empty path."""
        if not certificates:
            raise ValueError("a path has at least one certificate")
        self.certificates = certificates

    @property
    def depth(self) -> int:
        """The depth of the topmost certificate."""
        return len(self.certificates) - 1


class PathError(_Result):
    """There is no path. `error` is OpenSSL's number, never 0; `depth` and `certificate` are the place it is about."""

    __slots__ = ("certificate", "depth", "error")

    def __init__(self, error: int, depth: int, certificate: Certificate) -> None:
        self.error = error if error != OK else UNSPECIFIED
        self.depth = depth
        self.certificate = certificate


def signed_path(chain: Sequence[Certificate], anchors: Sequence[Certificate]) -> Path | PathError:
    """Build a path for a TLS server from the first certificate of `chain` to one of `anchors`, without regard to dates.

    OpenSSL checks signatures, purposes, constraints and unknown critical extensions. The first certificate may be an
    anchor itself. Keys and digests of any strength will do, since the binding can't ask for a security level.
    """
    store = crypto.X509Store()
    store.set_flags(_PARTIAL_CHAIN | _NO_CHECK_TIME)
    lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_SERVER)
    for anchor in anchors:
        store.add_cert(anchor.x509)
    store_context = crypto.X509StoreContext(store, chain[0].x509, [each.x509 for each in chain[1:]])
    try:
        path = Path(tuple(Certificate(each) for each in store_context.get_verified_chain()))
    except crypto.X509StoreContextError as problem:
        error, depth, _text = problem.errors
        named = problem.certificate
        return PathError(int(error), int(depth), chain[0] if named._x509 == ffi.NULL else Certificate(named))
    finally:
        clear_errors()
    return path
