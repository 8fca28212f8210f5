"""Differences between the TLS libraries of Postfix releases.

The differences that values alone don't make (those are in the catalogue) are listed here, once, and asked for by name.
"""

from __future__ import annotations

from typing import NamedTuple

from postconf.catalogue import Release

from ...wire.messages import Generation


class Behaviour(NamedTuple):
    """The behaviour of a Postfix release in which others differ."""

    generation: Generation
    """The dialect of clients that don't show theirs: those of the server role until 3.11, all until 3.5."""
    group_names: bool
    """A key exchange group is logged by OpenSSL's name for it, not as a key type with a curve or a size."""
    nist_curves: bool
    """Curves are called as NIST does: P-256."""
    default_groups: str | None
    """Groups are given to OpenSSL by any name it knows, and these ones if it knows none; None: curves only."""
    signatures_when_resumed: bool
    """The signatures of the certificates are logged even for a resumed session, which has none."""
    bare_key_fingerprints: bool
    """tls_legacy_public_key_fingerprints has an effect."""
    no_renegotiation: bool
    """Renegotiation is refused without a setting for it."""
    fingerprint_words: tuple[str, str] | None
    """The words for fingerprints of certificate and key in the log; None: those before raw public keys."""
    settings_from_client: bool
    """Clients of the server role send their settings; sessions are apart by their service."""
    mismatch_yields: bool
    """A wrong name hides no other error; alone, it leaves a server's certificate trusted."""
    credential: str
    """The words for a resumed session's certificate that is not trusted."""
    one_ticket_saved: bool
    """Of the tickets that a server sends in a session, the first is kept, not the last."""
    raw_keys: bool
    """Sessions for which raw public keys were requested are kept apart."""

    @classmethod
    def of(cls, release: Release) -> Behaviour:
        """Return the behaviour of a release."""
        generations = (
            *(("3.12", Generation.V3_12), ("3.10", Generation.V3_10), ("3.9", Generation.V3_9)),
            *(("3.6", Generation.V3_6),),
        )
        return cls(
            generation=next((each for first, each in generations if release.since(first)), Generation.V3_5),
            group_names=release.since("3.10"),
            nist_curves=not release.since("3.7"),
            default_groups=_default_groups(release) if release.since("3.8") else None,
            signatures_when_resumed=not release.since("3.6.17", "3.7.13", "3.8.8", "3.9.2", "3.10"),
            bare_key_fingerprints=not release.since("3.9"),
            no_renegotiation=release.since("3.8"),
            fingerprint_words=("cert fingerprint", "pkey fingerprint") if release.since("3.9") else None,
            settings_from_client=release.since("3.12"),
            mismatch_yields=release.since("3.10.4") or not release.since("3.6"),
            credential="peer credential" if release.since("3.9") else "certificate",
            one_ticket_saved=release.since("3.11"),
            raw_keys=release.since("3.9"),
        )


def _default_groups(release: Release) -> str:
    return f"{release.defaults['tls_eecdh_auto_curves']} {release.defaults['tls_ffdhe_auto_groups']}"
