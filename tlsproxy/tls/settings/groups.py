"""Key exchange groups: elliptic curves, finite fields and hybrids (tls_dh(3), postconf(5) tls_eecdh_auto_curves)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from OpenSSL import SSL

from postconf.models import TlsGlobals
from postconf.values import LIST_SEPARATORS, words

from ...log import Log
from ..openssl.binding import is_object_name, set_groups

_NIST_CURVES = frozenset({"P-192", "P-224", "P-256", "P-384", "P-521"})


Usable = Callable[[tuple[str, ...]], tuple[str, ...]]


def choose_groups(
    library: TlsGlobals, log: Log, *, defaults: str | None = None, usable_of: Usable | None = None
) -> str:
    """Return the configured groups that OpenSSL has, in its own syntax; empty if it is to use its own.

    `defaults` are those of Postfix 3.8 and later, which takes all that OpenSSL takes in such a list; None stands for
    the way of Postfix 3.7. `usable_of`: the groups that another OpenSSL takes of some.
    """
    usable_of = usable_of or usable_groups
    if defaults is None:
        return ":".join(_known_curves(library.tls_eecdh_auto_curves, log, usable_of))
    configured = f"{library.tls_eecdh_auto_curves} {library.tls_ffdhe_auto_groups}"
    return ":".join(_first_usable(configured, defaults, log, usable_of))


def is_known_curve(name: str) -> bool:
    """Return True for a name that Postfix 3.7 looks up; it is not necessarily one that OpenSSL has a group for."""
    return name in _NIST_CURVES or is_object_name(name) or "MLKEM" in name


def _known_curves(text: str, log: Log, usable_of: Usable) -> tuple[str, ...]:
    """Return the usable curves, by the exact names of objects; hybrid groups are younger than this rule."""
    known = []
    for name in words(text):
        if is_known_curve(name):
            known.append(name)
        else:
            log.warning(f'ignoring unknown ECDHE curve "{name}"')
    usable = usable_of(tuple(known))
    if known and not usable:
        log.warning("none of the configured ECDHE curves are supported")
    return usable


def _first_usable(configured: str, defaults: str, log: Log, usable_of: Usable) -> tuple[str, ...]:
    """Return the groups of the first list that has any which OpenSSL takes."""
    if not configured.strip():
        return ()
    for text, origin in ((configured, "configured"), (defaults, "Postfix default")):
        wanted = words(text, LIST_SEPARATORS + ":")
        usable = usable_of(wanted)
        if usable:
            return usable
        if wanted:
            log.warning(f"none of the {origin} key exchange groups are supported")
        else:
            log.warning(f"no {origin} key exchange group - OpenSSL requires at least one")
        if words(configured) == words(defaults):
            break
        if text is configured:
            log.warning("using Postfix default key exchange groups instead")
    log.warning("using OpenSSL default key exchange groups instead")
    return ()


@lru_cache(maxsize=100)  # the library has the same ones for as long as it is loaded
def usable_groups(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that OpenSSL takes, each once."""
    scratch = SSL.Context(SSL.TLS_METHOD)
    usable: dict[str, str] = {}
    for name in names:
        # OpenSSL takes an unknown `?name` and makes an empty list of it, with which no handshake can succeed.
        if set_groups(scratch, name.removeprefix("?")):
            usable.setdefault(name.lower(), name)
    return tuple(usable.values())
