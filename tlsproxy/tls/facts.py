"""What a handshake has agreed on, in Postfix's words: for the log line and for the client's TLS context."""

from __future__ import annotations

from typing import Any

from ..wire.messages import PeerStatus, TlsContext
from . import openssl

# OpenSSL's group names → short name of the key type, curve, bits: what Postfix before 3.10 tells.
_FIXED_GROUPS = {"x25519": "X25519", "x448": "X448"}
_CURVES = {"secp256r1": "prime256v1", "secp192r1": "prime192v1"}
_NIST_CURVES = {
    "prime192v1": "P-192",
    "secp224r1": "P-224",
    "prime256v1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}
"""What Postfix before 3.7 calls them."""

_DIGESTS = {
    **dict.fromkeys((0x0401, 0x0403, 0x0804, 0x0809, 0x081A), "SHA256"),
    **dict.fromkeys((0x0501, 0x0503, 0x0805, 0x080A, 0x081B), "SHA384"),
    **dict.fromkeys((0x0601, 0x0603, 0x0806, 0x080B, 0x081C), "SHA512"),
    **dict.fromkeys((0x0201, 0x0203), "SHA1"),
}
"""Signature schemes (RFC 8446 §4.2.3) and the digest in them; EdDSA and ML-DSA have none."""


def read_facts(
    ssl: Any,
    schemes: tuple[int, int],
    *,
    server: bool,
    group_names: bool,
    nist_curves: bool = False,
    signatures: bool = True,
) -> TlsContext:
    """Collect the facts of a finished handshake.

    `schemes` are what we and the peer have signed with, 0 for nothing; `group_names`: Postfix 3.10 and later name the
    group as OpenSSL does; `nist_curves`: Postfix 3.6 and earlier call curves as NIST does; `signatures`: tell of them.
    Nothing is said of the peer's certificate beyond its signature.
    """
    context = brief(ssl, group_names=group_names)
    if context.cipher_protocol == "TLSv1.3" and signatures:
        _signatures(context, ssl, schemes, server=server)
    if nist_curves:
        for name in ("key_exchange_curve", "srvr_signature_curve", "clnt_signature_curve"):
            curve = getattr(context, name)
            setattr(context, name, _NIST_CURVES.get(curve, curve))
    return context


def _signatures(context: TlsContext, ssl: Any, schemes: tuple[int, int], *, server: bool) -> None:
    own = openssl.own_key(ssl) if server or schemes[0] else None
    peer = openssl.peer_key(ssl)
    own_digest, peer_digest = (_DIGESTS.get(each, "") for each in schemes)
    server_side, client_side = ((own, own_digest), (peer, peer_digest))[:: 1 if server else -1]
    if server_side[0]:
        context.srvr_signature, context.srvr_signature_curve, context.srvr_signature_bits = server_side[0]
        context.srvr_signature_digest = server_side[1]
    if client_side[0]:
        context.clnt_signature, context.clnt_signature_curve, context.clnt_signature_bits = client_side[0]
        context.clnt_signature_digest = client_side[1]


def brief(ssl: Any, *, group_names: bool = True) -> TlsContext:
    """Collect what both sides have agreed on, and nothing of who they are."""
    context = TlsContext()
    context.cipher_protocol = openssl.protocol(ssl)
    context.cipher_name, context.cipher_usebits, context.cipher_algbits = openssl.cipher(ssl)
    if context.cipher_protocol == "TLSv1.3":
        _key_exchange(context, openssl.group(ssl), group_names=group_names)
    return context


def _key_exchange(context: TlsContext, group: str, *, group_names: bool) -> None:
    if group_names or group in _FIXED_GROUPS:
        context.key_exchange = group if group_names else _FIXED_GROUPS[group]
    elif group.startswith("ffdhe"):
        context.key_exchange, context.key_exchange_bits = "DHE", int(group[5:])
    elif group.startswith(("secp", "brainpool")):
        context.key_exchange, context.key_exchange_curve = "ECDHE", _CURVES.get(group, group)
    else:
        context.key_exchange = group  # a hybrid, which Postfix before 3.10 has no words for


def summary(context: TlsContext, direction: str, name: str, sni: str = "") -> str:
    """The line that is logged for each session (tls_log_summary(3)); `direction` is `from` or `to`."""
    status = context.peer_status
    if not status:
        verdict = "Anonymous"
    elif status & PeerStatus.SECURED:
        verdict = "Verified"
    elif status & PeerStatus.TRUSTED:
        verdict = "Trusted"
    else:
        verdict = "Untrusted"
    line = (
        f"{verdict} TLS connection established {direction} {name}{sni and f' to {sni}'}: "
        f"{context.cipher_protocol} with cipher {context.cipher_name} "
        f"({context.cipher_usebits}/{context.cipher_algbits} bits)"
    )
    if context.key_exchange:
        line += f" key-exchange {context.key_exchange}"
        line += _detail(context.key_exchange_curve, context.key_exchange_bits)
    if context.srvr_signature:
        line += f" server-signature {context.srvr_signature}"
        line += _detail(context.srvr_signature_curve, context.srvr_signature_bits)
        line += _digest("server", context.srvr_signature_digest)
    if context.clnt_signature:
        line += f" client-signature {context.clnt_signature}"
        line += _detail(context.clnt_signature_curve, context.clnt_signature_bits)
        line += _digest("client", context.clnt_signature_digest)
    return line


def _detail(curve: str, bits: int) -> str:
    if curve:
        return f" ({curve})"
    return f" ({bits} bits)" if bits else ""


def _digest(side: str, digest: str) -> str:
    return f" {side}-digest {digest}" if digest else ""
