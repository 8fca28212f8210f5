"""Key exchange groups: names, the versions that have them, and their strength."""

from __future__ import annotations

from typing import NamedTuple

from postconf.models import TlsGlobals
from postconf.values import words

from ....log import Log
from ....tls.settings.groups import choose_groups, is_known_curve
from .library import Library

_DUPLICATES_SINCE = (3, 5)
"""The first OpenSSL that tolerates a group twice in a list."""


class Group(NamedTuple):
    """A key exchange group, with the TLS versions that have it."""

    name: str
    in_tls12: bool
    in_tls13: bool
    bits: int
    """Of security."""


_TABLE = (
    *(Group(name, in_tls12=True, in_tls13=True, bits=bits) for name, bits in (("X25519", 128), ("X448", 224))),
    Group("prime256v1", in_tls12=True, in_tls13=True, bits=128),
    Group("secp384r1", in_tls12=True, in_tls13=True, bits=192),
    Group("secp521r1", in_tls12=True, in_tls13=True, bits=256),
    *(
        Group(name, in_tls12=True, in_tls13=False, bits=bits)
        for name, bits in (
            *(("prime192v1", 80), ("secp192k1", 80), ("secp224r1", 112), ("secp224k1", 112), ("secp256k1", 128)),
            *(("secp160k1", 80), ("secp160r1", 80), ("secp160r2", 80)),
            *(("sect163k1", 80), ("sect163r1", 80), ("sect163r2", 80), ("sect193r1", 80), ("sect193r2", 80)),
            *(("sect233k1", 112), ("sect233r1", 112), ("sect239k1", 112), ("sect283k1", 128), ("sect283r1", 128)),
            *(("sect409k1", 192), ("sect409r1", 192), ("sect571k1", 256), ("sect571r1", 256)),
            *(("brainpoolP256r1", 128), ("brainpoolP384r1", 192), ("brainpoolP512r1", 256)),
        )
    ),
    *(
        Group(name, in_tls12=False, in_tls13=True, bits=bits)
        for name, bits in (
            *(("brainpoolP256r1tls13", 128), ("brainpoolP384r1tls13", 192), ("brainpoolP512r1tls13", 256)),
            *(("curveSM2", 128), ("curveSM2MLKEM768", 192)),
            *(("ffdhe2048", 112), ("ffdhe3072", 128), ("ffdhe4096", 128), ("ffdhe6144", 128), ("ffdhe8192", 192)),
            *(("X25519MLKEM768", 192), ("SecP256r1MLKEM768", 192), ("SecP384r1MLKEM1024", 256), ("X448MLKEM1024", 256)),
            *(("MLKEM512", 128), ("MLKEM768", 192), ("MLKEM1024", 256)),
        )
    ),
)
_ALIASES = {
    "p-192": "prime192v1",
    "secp192r1": "prime192v1",
    "p-224": "secp224r1",
    "p-256": "prime256v1",
    "secp256r1": "prime256v1",
    "p-384": "secp384r1",
    "p-521": "secp521r1",
    "k-163": "sect163k1",
    "b-163": "sect163r2",
    "k-233": "sect233k1",
    "b-233": "sect233r1",
    "k-283": "sect283k1",
    "b-283": "sect283r1",
    "k-409": "sect409k1",
    "b-409": "sect409r1",
    "k-571": "sect571k1",
    "b-571": "sect571r1",
}
_BY_NAME = {each.name.lower(): each for each in _TABLE}


def group(name: str) -> Group | None:
    """Return a group by any of its names; None for one that is not known."""
    word = name.lstrip("?*").lower()
    return _BY_NAME.get(_ALIASES.get(word, word))


def chosen_groups(globals_: TlsGlobals, library: Library, log: Log, *, defaults: str | None) -> list[Group]:
    """Return the groups that a context has, in order; `defaults` as for `choose_groups`."""
    text = choose_groups(globals_, log, defaults=defaults, usable_of=library.usable_groups)
    if library.version < _DUPLICATES_SINCE:
        if defaults is None:
            written = [each for each in words(globals_.tls_eecdh_auto_curves) if is_known_curve(each)]
        else:
            written = text.split(":")
        usable = [each for each in written if library.usable_groups((each,))]
        names = [each.name for each in map(group, usable) if each]
        if len(names) > len(set(names)):
            log.warning("a key exchange group is there twice: OpenSSL refuses the list, and uses its own")
            text = ""
    return expanded(text, library.default_groups)


def expanded(text: str, defaults: tuple[str, ...]) -> list[Group]:
    """Return the groups of a list in OpenSSL's syntax, each once; `defaults` are those of DEFAULT or an empty list."""
    if not text:
        return [each for each in map(group, defaults) if each]
    found: dict[str, Group] = {}
    for word in text.replace("/", ":").split(":"):
        plain = word.lstrip("?*")
        if plain.startswith("-"):
            removed = group(plain[1:])
            found.pop(removed.name if removed else "", None)
            continue
        for name in defaults if plain == "DEFAULT" else (plain,):
            if each := group(name):
                found.setdefault(each.name, each)
    return list(found.values())
