"""The digest of our signature in a handshake of TLS 1.3, for the log and the client's TLS context (RFC 8446 §4.2.3).

OpenSSL's binding does not have it. The messages of a handshake can be watched for it (`callbacks`), but that costs a
call into Python for each record of the session. Usually it can be predicted: a curve has one digest only, and for RSA
OpenSSL takes the first RSA-PSS scheme in the ClientHello that the key has room for. So the ClientHello is read before
OpenSSL reads it, and only the other handshakes are watched (docs/performance.md).
"""

from __future__ import annotations

from ..openssl.binding import Key
from .client_hello import is_whole, peek, signature_schemes

_RSA_PSS = {
    "RSA-PSS": {0x0804: 32, 0x0805: 48, 0x0806: 64},
    "RSASSA-PSS": {0x0809: 32, 0x080A: 48, 0x080B: 64},
}
"""Schemes and the sizes of their digests, for ordinary RSA keys and for those that allow RSA-PSS only."""
_SCHEMES = {
    "prime256v1": 0x0403,
    "secp384r1": 0x0503,
    "secp521r1": 0x0603,
    "brainpoolP256r1": 0x081A,
    "brainpoolP384r1": 0x081B,
    "brainpoolP512r1": 0x081C,
}


class SignatureDigest:
    """The way to the digest of one handshake: from the keys, from the hello, or by watching the messages."""

    __slots__ = ("_hello", "is_watched", "waits_for_hello")

    def __init__(self, *, wanted: bool, must_watch: bool, keys_decide: bool) -> None:
        """`must_watch`: True if there is no other way; `keys_decide`: True if our keys leave no choice of a digest."""
        self.is_watched = must_watch
        """True if the messages of the handshake are to be seen."""
        self.waits_for_hello = wanted and not must_watch and not keys_decide
        """True if TLS is to begin when the client has sent something, and `look` has seen it."""
        self._hello = b""

    def look(self, descriptor: int) -> None:
        """Look at the client's first bytes, before TLS begins; watch the handshake if they are not a whole hello."""
        if self.waits_for_hello:
            self._hello = peek(descriptor)
            self.is_watched = not is_whole(self._hello)

    def scheme(self, key: Key | None, seen: int, *, resumed: bool) -> int:
        """Return the scheme with which `key` has signed; `seen`: the one that was seen in the messages, or 0."""
        hello, self._hello = self._hello, b""
        if key is None or resumed or self.is_watched:
            return seen
        return predicted_scheme(hello, key)


def predicted_scheme(hello: bytes, key: Key) -> int:
    """Predict the signature scheme of a TLS 1.3 handshake with this hello; 0 for one without digest.

    For keys on curves the hello is not needed.
    """
    algorithm, curve, bits = key
    sizes = _RSA_PSS.get(algorithm)
    if sizes is None:
        return _SCHEMES.get(curve, 0)
    room = (bits + 7) // 8 - 2 if bits else 128  # for twice the digest
    return next((each for each in signature_schemes(hello) if each in sizes and 2 * sizes[each] <= room), 0)
