"""Hostile servers in any number: chains with one flaw or two, before policies of every kind.

`attacks` makes them from a seed. Each is an `Attack`: the chain that a server sends, and the policy of smtp(8). It
knows its flaws, for tests that have to explain a verdict.
"""

from __future__ import annotations

import os
import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256, sha512
from pathlib import Path

from ..fakes.smtp_client import Asked, Record, server_context
from ..tools.forging import (
    ANY,
    CERT_SIGN,
    CLIENT,
    DIGITAL_SIGNATURE,
    SERVER,
    Key,
    Template,
    authority,
    basic,
    chain_pem,
    constraints,
    dns,
    key,
    key_usage,
    names,
    oid,
    purposes,
    sequence,
    server,
    subject,
    tlv,
    unknown,
)

HOST = "mx.example.test"
LEVELS = ("may", "encrypt", "fingerprint", "half-dane", "dane", "dane-only", "verify", "secure")
_HOSTILE_NAME = "mx.evil.test"

# Chains. A list of templates: the server's own certificate, its issuers, the root.

Chain = list[Template]
Flaw = Callable[[Template, random.Random], Template]


def _resigned(by: Callable[[], Key]) -> Flaw:
    return lambda template, _: template.but(signer=by())


def _extended(**extensions: object) -> Flaw:
    return lambda template, _: template.extended(**extensions)  # type: ignore[arg-type]


def _changed(**changes: object) -> Flaw:
    return lambda template, _: template.but(**changes)


def _rekeyed(kind: str) -> Flaw:
    """Use another key; the certificate below is signed by it."""
    return lambda template, source: template.but(key=key(f"{kind}-{source.randrange(2)}", kind))


def _broken_signature(template: Template, source: random.Random) -> Template:
    signature = bytearray(template.signer.sign(b"something else", template.digest))
    signature[int(source.random() * len(signature))] ^= 1 << source.randrange(8)
    return template.but(signature=bytes(signature))


def _san(*general: bytes) -> Flaw:
    return _extended(names=names(*general))


def _ip(*numbers: int) -> bytes:
    return tlv(0x87, bytes(numbers))


_ANY_HOST = dns(HOST)
FLAWS: dict[str, Flaw] = {
    # Signatures and their makers.
    "signer-attacker": _resigned(lambda: key("attacker")),
    "signer-attacker-rsa": _resigned(lambda: key("attacker", "rsa2048")),
    "signature-broken": _broken_signature,
    "signature-empty": _changed(signature=b""),
    "signature-zero": _changed(signature=bytes.fromhex("3006020100020100")),
    "digest-sha1": _changed(digest="sha1"),
    "digest-sha512": _changed(digest="sha512"),
    "digest-sha224": _changed(digest="sha224"),
    "algorithm-contradicts": _changed(inner_algorithm=sequence(oid("1.2.840.10045.4.3.3"))),
    "issuer-other": _changed(issuer=subject("Somebody Else")),
    "issuer-empty": _changed(issuer=subject("")),
    "issuer-other-encoding": lambda template, _: template.but(issuer=template.issuer.replace(b"\x0c", b"\x13", 1)),
    "issuer-other-case": lambda template, _: template.but(issuer=template.issuer.swapcase()),
    # Keys.
    **{
        f"key-{kind}": _rekeyed(kind)
        for kind in ("rsa512", "rsa768", "rsa1000", "rsa1023", "rsa1024", "rsa2048", "ec192", "ec224", "ec384", "ec521")
    },
    "key-ed25519": _rekeyed("ed25519"),
    "key-attacker": lambda template, _: template.but(key=key("attacker")),
    "key-of-another-in-it": lambda template, _: template.but(info=key("somebody").info),
    # Validity.
    "expired": _changed(days=(-30, -1)),
    "future": _changed(days=(1, 30)),
    "reversed": _changed(days=(30, -30)),
    "long-ago": _changed(days=(-20000, -19000)),
    # Authorities: constraints on issuers.
    "no-authority": _extended(basic=basic(False)),
    "authority": _extended(basic=basic(True)),
    "authority-not-critical": _extended(basic=basic(True, critical=False)),
    "no-constraints": _extended(basic=None),
    "path-length-0": _extended(basic=basic(True, 0)),
    "path-length-1": _extended(basic=basic(True, 1)),
    "path-length-huge": _extended(basic=basic(True, 1 << 40)),
    "path-length-negative": _extended(basic=basic(True, -1)),
    "path-length-without-authority": _extended(basic=basic(False, 0)),
    "usage-none": _extended(usage=None),
    "usage-signature-only": _extended(usage=key_usage(DIGITAL_SIGNATURE)),
    "usage-signing-only": _extended(usage=key_usage(CERT_SIGN)),
    "usage-agreement": _extended(usage=key_usage(4, critical=False)),
    "usage-both": _extended(usage=key_usage(DIGITAL_SIGNATURE, CERT_SIGN)),
    "purpose-client": _extended(purposes=purposes(CLIENT)),
    "purpose-client-critical": _extended(purposes=purposes(CLIENT, critical=True)),
    "purpose-any": _extended(purposes=purposes(ANY)),
    "purpose-both": _extended(purposes=purposes(CLIENT, SERVER)),
    "purpose-unknown": _extended(purposes=purposes("1.3.6.1.4.1.99999.2")),
    "purpose-none": _extended(purposes=None),
    # Name constraints.
    "excludes-host": _extended(constraints=constraints(excluded=(dns("example.test"),))),
    "excludes-all-hosts": _extended(constraints=constraints(excluded=(dns(""),))),
    "permits-other-host": _extended(constraints=constraints(permitted=(dns("other.test"),))),
    "permits-host": _extended(constraints=constraints(permitted=(dns("example.test"),))),
    "permits-dot-host": _extended(constraints=constraints(permitted=(dns(".example.test"),))),
    "permits-other-address": _extended(constraints=constraints(permitted=(_ip(10, 0, 0, 0, 255, 0, 0, 0),))),
    "permits-other-mail": _extended(constraints=constraints(permitted=(tlv(0x81, b"other.test"),))),
    "permits-other-subject": _extended(constraints=constraints(permitted=(tlv(0xA4, subject("Other")),))),
    "excludes-uri": _extended(constraints=constraints(excluded=(tlv(0x86, b"example.test"),))),
    # Extensions and versions.
    "critical-unknown": _extended(unknown=unknown()),
    "unknown": _extended(unknown=unknown(critical=False)),
    "critical-name-inhibition": _extended(policy=("2.5.29.36", True, sequence(tlv(0x80, b"\0")))),
    "critical-policies": _extended(policies=("2.5.29.32", True, sequence(sequence(oid("1.3.6.1.4.1.99999.3"))))),
    "netscape-client": _extended(netscape=("2.16.840.1.113730.1.1", False, bytes.fromhex("03020780"))),
    "authority-key-other": _extended(akid=("2.5.29.35", False, sequence(tlv(0x80, b"another key")))),
    "subject-key-other": _extended(skid=("2.5.29.14", False, tlv(4, b"another key"))),
    "version-1": lambda template, _: template.but(version=None),
    "version-1-bare": lambda template, _: template.but(version=None, extensions={}),
    "version-2": _changed(version=1),
    "version-3-bare": _changed(extensions={}),
    "serial-zero": _changed(serial=0),
    "serial-huge": _changed(serial=1 << 400),
    "proxy": _extended(
        proxy=("1.3.6.1.5.5.7.1.14", True, sequence(sequence(oid("1.3.6.1.5.5.7.21.1")))),
    ),
    # Names.
    "name-other": _san(dns(_HOSTILE_NAME)),
    "name-nul-inside": _san(dns(HOST + "\0.evil.test")),
    "name-nul-at-end": _san(dns(HOST + "\0")),
    "name-nul-first": _san(dns("\0" + HOST)),
    "name-dot-at-end": _san(dns(HOST + ".")),
    "name-dot-first": _san(dns("." + HOST)),
    "name-upper": _san(dns(HOST.upper())),
    "name-blank": _san(dns(HOST + " ")),
    "name-latin": _san(dns(b"mx.ex\xe4mple.test")),
    "name-kelvin": _san(dns("mx.example.test".replace("k", "\x6b").encode() + b"\xe2\x84\xaa")),
    "name-empty": _san(dns("")),
    "name-wildcard": _san(dns("*.example.test")),
    "name-wildcard-of-all": _san(dns("*")),
    "name-wildcard-of-top": _san(dns("*.test")),
    "name-wildcard-partial": _san(dns("m*.example.test")),
    "name-wildcard-twice": _san(dns("*.*.test")),
    "name-wildcard-inside": _san(dns("mx.*.test")),
    "name-wildcard-deep": _san(dns("*.mx.example.test")),
    "name-wildcard-alabel": _san(dns("xn--*.example.test")),
    "name-alabel": _san(dns("xn--bcher-kva.test")),
    "name-second": _san(dns(_HOSTILE_NAME), _ANY_HOST),
    "name-for-address": _san(dns("192.0.2.25")),
    "name-address": _san(_ip(192, 0, 2, 25)),
    "name-address-short": _san(_ip(192, 0, 2)),
    "name-address-mapped": _san(_ip(*[0] * 10, 255, 255, 192, 0, 2, 25)),
    "name-address-and-host": _san(_ip(192, 0, 2, 25), _ANY_HOST),
    "name-mail": _san(tlv(0x81, f"a@{HOST}".encode())),
    "name-uri": _san(tlv(0x86, f"smtp://{HOST}".encode())),
    "name-other-form": _san(tlv(0xA0, oid("1.3.6.1.5.5.7.8.7"), tlv(0xA0, tlv(0x16, HOST.encode())))),
    "name-directory": _san(tlv(0xA4, subject(HOST))),
    "names-none": _extended(names=None),
    "names-empty": _san(),
    "names-thousand": _san(*(dns(f"host{number}.evil.test") for number in range(1000))),
    "names-64k": _san(dns("a" * 65536 + ".test"), _ANY_HOST),
    "names-64k-host": _san(dns("mx." * 21845 + "example.test")),
    "common-name-other": lambda template, _: template.but(subject=subject(_HOSTILE_NAME)),
    "common-name-only": lambda template, _: template.extended(names=None).but(subject=subject(HOST)),
    "common-name-nul": lambda template, _: template.extended(names=None).but(subject=subject(HOST + "\0.evil.test")),
    "common-name-wide": lambda template, _: template.extended(names=None).but(
        subject=subject(HOST.encode("utf-16-be"), tag=0x1E)
    ),
    "common-name-64k": lambda template, _: template.but(subject=subject("x" * 65536)),
    "subject-empty": lambda template, _: template.but(subject=subject("")),
}
"""Flaws and oddities of one certificate."""

OF_LEAVES = tuple(label for label in FLAWS if label.startswith(("name", "common-name", "subject-empty")))
OF_ALL = tuple(label for label in FLAWS if label not in OF_LEAVES)


def _hierarchy(length: int, root: str) -> Chain:
    """Return a good chain: a server's certificate with `length` issuers between it and the root."""
    chain = [authority(root)]
    for number in range(length):
        chain.insert(0, authority(f"{root}: issuer {number}", chain[0]))
    return [server(HOST, chain[0]), *chain]


def _relinked(chain: Chain, position: int, old: Template) -> Chain:
    """Let the certificate below be signed by the one at `position` now, if it was signed by the old one."""
    new = chain[position]
    if not position:
        return chain
    below = chain[position - 1]
    changes: dict[str, object] = {}
    if below.signer is old.key:
        changes["signer"] = new.key
    if below.issuer == old.subject:
        changes["issuer"] = new.subject
    changed = list(chain)
    changed[position - 1] = below.but(**changes)
    return changed


def _flawed(chain: Chain, position: int, flaw: str, source: random.Random) -> Chain:
    old = chain[position]
    changed = list(chain)
    changed[position] = new = FLAWS[flaw](old, source)
    if position == len(chain) - 1:  # a root signs itself
        itself = {"signer": new.key} if old.signer is old.key and new.signer is old.signer else {}
        named = {"issuer": new.subject} if old.issuer == old.subject and new.issuer == old.issuer else {}
        changed[position] = new.but(**itself, **named)
    return _relinked(changed, position, old)


# The chains that are sent.


@cache
def _junk(count: int) -> tuple[Template, ...]:
    return tuple(authority("Junk").but(serial=number) for number in range(count))


def _loop(chain: Chain) -> Chain:
    """Add the topmost issuer once more, issued by the one below it."""
    if len(chain) < 3:
        return chain
    lower, upper = chain[1], chain[-1]
    return [*chain, upper.but(issuer=lower.subject, signer=lower.key)]


def _crossed(chain: Chain) -> Chain:
    """Add the same issuer, certified by another root, before and after."""
    if len(chain) < 3:
        return chain
    other = authority("Another Root")
    twin = chain[1].but(issuer=other.subject, signer=other.key)
    return [chain[0], twin, *chain[1:], other]


def _twins(chain: Chain) -> Chain:
    """Add an issuer of the same name with the attacker's key, first."""
    if len(chain) < 2:
        return chain
    return [chain[0], chain[1].but(key=key("attacker"), signer=key("attacker")), *chain[1:]]


def _shuffled(chain: Chain, source: random.Random) -> Chain:
    rest = chain[1:]
    source.shuffle(rest)
    return [chain[0], *rest]


Sending = Callable[[Chain, random.Random], Chain]
SENDINGS: dict[str, Sending] = {
    "without-root": lambda chain, _: chain[:-1] if len(chain) > 1 else chain,
    "with-root": lambda chain, _: chain,
    "leaf-only": lambda chain, _: chain[:1],
    "without-issuer": lambda chain, _: [chain[0], *chain[2:]],
    "shuffled": _shuffled,
    "reversed": lambda chain, _: [chain[0], *reversed(chain[1:])],
    "twice": lambda chain, _: [*chain, *chain],
    "leaf-again": lambda chain, _: [chain[0], *chain],
    "loop": lambda chain, _: _loop(chain),
    "crossed": lambda chain, _: _crossed(chain),
    "twins": lambda chain, _: _twins(chain),
    "junk-first": lambda chain, _: [chain[0], *_junk(5), *chain[1:]],
}
_USUAL = ("without-root", "without-root", "with-root", "shuffled")
_MASSES = {"junk-200": 200, "junk-3000": 3000}
"""Numbers of useless certificates in a chain: now and then more than a message may have, and fewer."""


# The policies.

_DIGESTS = {1: sha256, 2: sha512, 255: sha256}


def _record(target: Template, usage: int, selector: int, mtype: int) -> Record:
    data = target.info or target.key.info if selector == 1 else target.der
    return usage, selector, mtype, _DIGESTS[mtype](data).digest() if mtype in _DIGESTS else data


def _unusable(target: Template, source: random.Random) -> Record:
    usage, selector, mtype, data = _record(target, 3, 1, 1)
    return source.choice(
        (
            (usage, selector, 9, data),
            (4, selector, mtype, data),
            (255, selector, mtype, data),
            (usage, 2, mtype, data),
            (usage, selector, mtype, data[:-1]),
            (usage, selector, mtype, data + b"\0"),
            (2, 0, 0, b"not a certificate"),
            (2, 0, 0, target.der + b"\0"),
            (2, 0, 0, target.der[:-1]),
            (2, 1, 0, target.key.info + b"\0"),
            (2, 1, 0, b"not a key" * 20),
            (3, 1, 0, b"\0"),
        )
    )


def _target(chain: Chain, source: random.Random) -> Template:
    if source.random() < 0.1:
        return server("other.test", authority("Elsewhere"))
    return chain[source.choice((0, 1, len(chain) - 1, source.randrange(len(chain)))) % len(chain)]


def _tlsa(chain: Chain, source: random.Random) -> list[Record]:
    records = []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        target = _target(chain, source)
        usage = source.choice((0, 1, 2, 2, 2, 2, 3, 3))
        records.append(_record(target, usage, source.randrange(2), source.choice((0, 0, 1, 2))))
    if source.random() < 0.2:
        records.insert(source.randrange(len(records) + 1), _unusable(_target(chain, source), source))
    return records


def _fingerprints(chain: Chain, source: random.Random) -> list[Record]:
    found = [_record(_target(chain, source), 3, selector, 255) for selector in (0, 1)]
    if source.random() < 0.3:
        found += [_record(_target(chain, source), 3, selector, 255) for selector in (0, 1)]
    return found if source.random() < 0.9 else [_unusable(chain[0], source)]


def _anchor_file(chain: Chain, source: random.Random) -> list[Record]:
    """A trust anchor file, as smtp(8) sends it: certificates and bare keys."""
    found: list[Record] = []
    for _ in range(source.choice((1, 1, 2))):
        selector, target = source.randrange(2), _target(chain, source)
        found += [_record(target, usage, selector, 0) for usage in (2, 3)]
    return found


_MATCHES = (
    *(["hostname"],) * 8,
    ["nexthop", "hostname"],
    ["nexthop", "dot-nexthop"],
    [".example.test"],
    ["other.test"],
    ["192.0.2.25"],
    ["192.0.2.25", HOST],
    [HOST.upper()],
    ["bücher.test", HOST],
    ["."],
    [".test"],
    ["*.example.test"],
)

_LOCAL_TRUST = ("", "root", "root", "both", "issuers")


@dataclass
class Attack:
    """A server, and the policy for it."""

    label: str
    chain: Chain
    sent: Chain
    asked: Asked
    flaws: tuple[str, ...] = ()
    before: Asked | None = None
    """The request for the same server in an earlier session that may be resumed."""
    trusts: str = ""
    """The file of local authorities, by name; "" for none."""

    @property
    def records(self) -> Sequence[Record]:
        return self.asked.records or ()


@dataclass
class Surroundings:
    """Files of local authorities that stay the same from attack to attack, so that contexts can be used again."""

    directory: Path
    files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root, other = authority("Root"), authority("Another Root")
        weak = authority("Root", kind="rsa768"), authority("Root", kind="rsa1024")
        issuers = _hierarchy(2, "Root")[1:-1]
        for label, members in {
            "root": (root, *weak),
            "both": (root, other),
            "issuers": tuple(issuers),
        }.items():
            self.files[label] = self.directory / f"{label}.pem"
            self.files[label].write_bytes(b"".join(each.pem for each in members))


def _policy(chain: Chain, level: str, source: random.Random) -> Asked:
    match = list(source.choice(_MATCHES))
    if level in ("may", "encrypt"):
        return Asked(level, records=_tlsa(chain, source) if source.random() < 0.2 else None)
    if level == "fingerprint":
        return Asked(level, records=_fingerprints(chain, source))
    if level in ("verify", "secure"):
        return Asked(level, match, records=_anchor_file(chain, source) if source.random() < 0.6 else None)
    return Asked(level, match, records=_tlsa(chain, source))


def attacks(seed: int, surroundings: Surroundings) -> Iterator[Attack]:
    """Yield attacks without end, the same ones for the same seed."""
    source = random.Random(seed)
    rounds = 0
    while True:
        order = [*OF_ALL, *OF_LEAVES]
        source.shuffle(order)
        for first in order:
            rounds += 1
            yield _attack(source, surroundings, first, rounds)


def _attack(source: random.Random, surroundings: Surroundings, first: str, number: int) -> Attack:
    length = source.choice((0, 1, 1, 1, 2, 3))
    root = source.choice(("Root", "Root", "Root", "Unknown Root"))
    chain = _hierarchy(length, root)
    flaws: list[str] = []
    wanted = [first] if number % 2 else [first, source.choice((*OF_ALL, *OF_LEAVES))]
    if number % 16 == 0:
        wanted = []
    for flaw in wanted:
        position = 0 if flaw in OF_LEAVES or source.random() < 0.4 else source.randrange(len(chain))
        chain = _flawed(chain, position, flaw, source)
        flaws.append(f"{flaw}@{position}")
    if number % 150 == 0:
        sending = source.choice(tuple(_MASSES))
        sent = [*chain, *_junk(_MASSES[sending])]
    else:
        sending = source.choice(_USUAL) if source.random() < 0.7 else source.choice(tuple(SENDINGS))
        sent = SENDINGS[sending](chain, source)
    level = source.choice(LEVELS)
    asked = _policy(chain, level, source)
    trusts = source.choice(_LOCAL_TRUST)
    init: dict[str, str | int] = {"log_level": "0", "cache_type": ""}
    if trusts:
        init["CAfile"] = str(surroundings.files[trusts])
    if source.random() < 0.05:
        init["verifydepth"] = source.choice((0, 1, 2))
    before = None
    if source.random() < 0.06:
        init["cache_type"] = "smtp"
        before = _policy(chain, source.choice(LEVELS), source)
        before.init = dict(init)
    asked.init = init
    label = f"{number}: {'+'.join(flaws) or 'nothing'} {length} {root} {sending} {level} {trusts or '-'}"
    return Attack(label, chain, sent, asked, tuple(flaws), before, trusts)


def server_of(attack: Attack) -> ssl.SSLContext | None:
    """Make the attack's TLS server; None if the library refuses to send such a certificate."""
    descriptor = os.memfd_create("chain")
    try:
        os.write(descriptor, chain_pem(*attack.sent))
        return server_context(Path(f"/proc/self/fd/{descriptor}"))
    except ssl.SSLError:
        return None
    finally:
        os.close(descriptor)
