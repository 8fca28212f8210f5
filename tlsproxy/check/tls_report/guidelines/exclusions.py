"""Words of an exclusion list that hit some ciphers and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..openssl.ciphers import Cipher, cipher

_TOKENS: dict[str, Callable[[Cipher], bool]] = {
    "aNULL": lambda each: each.is_anonymous,
    "eNULL": lambda each: each.bits == 0,
    "kRSA": lambda each: each.exchange == "RSA",
    "kDHE": lambda each: each.exchange == "DHE",
    "aDSS": lambda each: each.authentication == "DSA",
    "SHA1": lambda each: each.name.endswith("-SHA"),
    "SHA256": lambda each: each.name.endswith("SHA256") and "GCM" not in each.name,
    "SHA384": lambda each: each.name.endswith("SHA384") and "GCM" not in each.name,
    "CAMELLIA": lambda each: "CAMELLIA" in each.name,
    "ARIA": lambda each: "ARIA" in each.name,
    "AESCCM8": lambda each: each.name.endswith("CCM8"),
    "AESCCM": lambda each: "AES" in each.name and "CCM" in each.name,
    "CHACHA20": lambda each: "CHACHA20" in each.name,
    "3DES": lambda each: "CBC3" in each.name,
    "SEED": lambda each: "SEED" in each.name,
    "MD5": lambda each: each.name.endswith("MD5"),
}


def exclusions(bad: Sequence[str], good: Sequence[str]) -> list[str]:
    """Return a short exclusion list that matches all forbidden ciphers and no allowed one."""
    left = {each for each in map(cipher, bad) if each}
    kept = [each for each in map(cipher, good) if each]
    usable = {word: test for word, test in _TOKENS.items() if not any(test(each) for each in kept)}
    found: list[str] = []
    while left:
        word, hit = max(
            ((word, {each for each in left if test(each)}) for word, test in usable.items()),
            key=lambda pair: len(pair[1]),
            default=("", set()),
        )
        if len(hit) < 2:  # a name is as short
            break
        found.append(word)
        left -= hit
    return [*found, *sorted(each.name for each in left)]
