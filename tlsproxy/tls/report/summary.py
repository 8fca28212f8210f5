"""Parameters of a finished handshake in Postfix's terms, for the log line and for the client's TLS context.

Few distinct parameter sets occur, so their log text is cached.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

from ...wire.messages import PeerStatus, TlsContext
from ..openssl import binding
from ..settings.release_behaviour import Behaviour

# OpenSSL's group names → short name of the key type, curve, bits: the names in the log before Postfix 3.10.
_FIXED_GROUPS = {"x25519": "X25519", "x448": "X448"}
_CURVES = {"secp256r1": "prime256v1", "secp192r1": "prime192v1"}
_NIST_CURVES = {
    "prime192v1": "P-192",
    "secp224r1": "P-224",
    "prime256v1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}
"""Names of these curves before Postfix 3.7."""

_DIGESTS = {
    **dict.fromkeys((0x0401, 0x0403, 0x0804, 0x0809, 0x081A), "SHA256"),
    **dict.fromkeys((0x0501, 0x0503, 0x0805, 0x080A, 0x081B), "SHA384"),
    **dict.fromkeys((0x0601, 0x0603, 0x0806, 0x080B, 0x081C), "SHA512"),
    **dict.fromkeys((0x0201, 0x0203), "SHA1"),
}
"""Signature schemes (RFC 8446 §4.2.3) and the digest in them; EdDSA and ML-DSA have none."""


class Agreement(NamedTuple):
    """Negotiated TLS parameters, without the identities of the peers."""

    protocol: str
    cipher: str
    key_exchange: str
    """The curve or other group; empty up to TLS 1.2, for which Postfix logs none."""
    text: str
    """Text for the log."""
    facts: dict[str, Any]
    """The fields of a context that are not empty."""

    def context(self, namaddr: str) -> TlsContext:
        """Return the TLS context for the local client, which has the peer's name and address, but not its identity."""
        return TlsContext(**self.facts, namaddr=namaddr)


Signature = tuple[binding.Key, str]
"""A key, and with which digest it has signed."""


def signature(key: binding.Key | None, scheme: int) -> Signature | None:
    """Return the signature of a key in a handshake. `scheme`: a scheme of RFC 8446, or 0 for none."""
    return None if key is None else (key, _DIGESTS.get(scheme, ""))


def agreement(ssl: Any, servers: Signature | None, clients: Signature | None, behaviour: Behaviour) -> Agreement:
    """Return the result of a finished handshake, with the signatures of server and client.

    Up to TLS 1.2 there are no signatures.
    """
    words = behaviour.group_names, behaviour.nist_curves
    protocol, cipher = binding.protocol(ssl), binding.cipher(ssl)
    if protocol != "TLSv1.3":
        return _agreement(protocol, cipher, "", (None, None), words)
    return _agreement(protocol, cipher, binding.group(ssl), (servers, clients), words)


@lru_cache(maxsize=1000)
def _agreement(
    protocol: str,
    cipher: tuple[str, int, int],
    group: str,
    sides: tuple[Signature | None, Signature | None],
    words: tuple[bool, bool],
) -> Agreement:
    """Return the parameters in Postfix's terms; `sides` are the signatures of server and client."""
    servers, clients = sides
    group_names, nist_curves = words
    facts = TlsContext()
    facts.cipher_protocol = protocol
    facts.cipher_name, facts.cipher_usebits, facts.cipher_algbits = cipher
    if group:
        _key_exchange(facts, group, group_names=group_names)
    if servers is not None:
        (facts.srvr_signature, facts.srvr_signature_curve, facts.srvr_signature_bits), digest = servers
        facts.srvr_signature_digest = digest
    if clients is not None:
        (facts.clnt_signature, facts.clnt_signature_curve, facts.clnt_signature_bits), digest = clients
        facts.clnt_signature_digest = digest
    if nist_curves:
        for name in ("key_exchange_curve", "srvr_signature_curve", "clnt_signature_curve"):
            curve = getattr(facts, name)
            setattr(facts, name, _NIST_CURVES.get(curve, curve))
    known = {each.name: value for each in fields(facts) if (value := getattr(facts, each.name))}
    key_exchange = facts.key_exchange_curve or facts.key_exchange
    return Agreement(protocol, facts.cipher_name, key_exchange, _text(facts), known)


def _key_exchange(facts: TlsContext, group: str, *, group_names: bool) -> None:
    if group_names or group in _FIXED_GROUPS:
        facts.key_exchange = group if group_names else _FIXED_GROUPS[group]
    elif group.startswith("ffdhe"):
        facts.key_exchange, facts.key_exchange_bits = "DHE", int(group[5:])
    elif group.startswith(("secp", "brainpool")):
        facts.key_exchange, facts.key_exchange_curve = "ECDHE", _CURVES.get(group, group)
    else:
        facts.key_exchange = group  # a hybrid, which Postfix before 3.10 has no words for


def summary(agreed: Agreement, status: int, direction: str, name: str, servername: str = "") -> str:
    """Return the line that is logged for each session (tls_log_summary(3)); `direction` is `from` or `to`."""
    if not status:
        verdict = "Anonymous"
    elif status & PeerStatus.SECURED:
        verdict = "Verified"
    elif status & PeerStatus.TRUSTED:
        verdict = "Trusted"
    else:
        verdict = "Untrusted"
    return f"{verdict} TLS connection established {direction} {name}{servername and f' to {servername}'}: {agreed.text}"


def _text(facts: TlsContext) -> str:
    text = (
        f"{facts.cipher_protocol} with cipher {facts.cipher_name} ({facts.cipher_usebits}/{facts.cipher_algbits} bits)"
    )
    if facts.key_exchange:
        text += f" key-exchange {facts.key_exchange}"
        text += _detail(facts.key_exchange_curve, facts.key_exchange_bits)
    if facts.srvr_signature:
        text += f" server-signature {facts.srvr_signature}"
        text += _detail(facts.srvr_signature_curve, facts.srvr_signature_bits)
        text += _digest("server", facts.srvr_signature_digest)
    if facts.clnt_signature:
        text += f" client-signature {facts.clnt_signature}"
        text += _detail(facts.clnt_signature_curve, facts.clnt_signature_bits)
        text += _digest("client", facts.clnt_signature_digest)
    return text


def _detail(curve: str, bits: int) -> str:
    if curve:
        return f" ({curve})"
    return f" ({bits} bits)" if bits else ""


def _digest(side: str, digest: str) -> str:
    return f" {side}-digest {digest}" if digest else ""
