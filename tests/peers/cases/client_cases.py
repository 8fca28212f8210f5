"""Servers' chains, and the policies for them: the verification matrix of the client role.

Everything is generated: each chain at every level, names against patterns, TLSA records of every kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5, sha1, sha256, sha512
from itertools import product
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..fakes.smtp_client import Asked, Record
from ..tools.certificates import CLIENT, SERVER, Identity, name

HOST = "mx.example.test"


class Chains:
    """Files of keys and chains in a directory, by name, with their authorities in ca.pem."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.root = Identity(name("Test Root", "Test"), authority=True)
        self.issuer = Identity(name("Test Issuer"), self.root, authority=True)
        self.lower = Identity(name("Lower Issuer"), self.issuer, authority=True)
        self.other = Identity(name("", "Other Organization"), authority=True)
        old_issuer = Identity(name("Old Issuer"), self.root, authority=True, days=(-300, -1))
        old_root = Identity(name("Old Root"), authority=True, days=(-300, -1))
        no_issuer = Identity(name("No Issuer"), self.root)
        hosts = [HOST]
        self.leaves = {
            "direct": Identity(name(HOST), self.root, hosts=hosts),
            "intermediate": Identity(name(HOST), self.issuer, hosts=hosts),
            "long": Identity(name(HOST), self.lower, hosts=hosts),
            "rsa": Identity(name(HOST), self.issuer, kind="rsa2048", hosts=hosts),
            "ed25519": Identity(name(HOST), self.issuer, kind="ed25519", hosts=hosts),
            "weak": Identity(name(HOST), self.issuer, kind="rsa1024", hosts=hosts),
            "weak-and-wrong": Identity(name(HOST), self.issuer, kind="rsa1024", hosts=["other.test"]),
            "self-signed": Identity(name(HOST), hosts=hosts),
            "self-signed-authority": Identity(name(HOST), authority=True, hosts=hosts),
            "unknown": Identity(name(HOST), self.other, hosts=hosts),
            "expired": Identity(name(HOST), self.issuer, hosts=hosts, days=(-30, -1)),
            "future": Identity(name(HOST), self.issuer, hosts=hosts, days=(1, 30)),
            "expired-issuer": Identity(name(HOST), old_issuer, hosts=hosts),
            "expired-root": Identity(name(HOST), old_root, hosts=hosts),
            "no-issuer": Identity(name(HOST), no_issuer, hosts=hosts),
            "for-clients": Identity(name(HOST), self.issuer, hosts=hosts, purposes=[CLIENT]),
            "for-both": Identity(name(HOST), self.issuer, hosts=hosts, purposes=[CLIENT, SERVER]),
            "wrong-name": Identity(name("other.test"), self.issuer, hosts=["other.test"]),
            "wrong-and-expired": Identity(name("other.test"), self.issuer, hosts=["other.test"], days=(-30, -1)),
            "domain": Identity(name("example.test"), self.issuer, hosts=["example.test"]),
            "wildcard": Identity(name("*.example.test"), self.issuer, hosts=["*.example.test"]),
            "common-name": Identity(name(HOST), self.issuer),
            "nameless": Identity(name("", "Nobody"), self.issuer, hosts=hosts),
            "names": Identity(
                name("first.test"), self.issuer, hosts=["a.test", "MX.Example.TEST", "xn--bcher-kva.test"]
            ),
            "address": Identity(name(HOST), self.issuer, hosts=hosts, addresses=["192.0.2.25", "2001:db8::25"]),
            "nul": Identity(name(f"{HOST}\0.evil.test"), self.issuer),
            "control": Identity(name("mx\x07.example.test"), self.issuer, hosts=hosts),
        }
        for kind, each in self.leaves.items():
            self._write(kind, each.key_pem + each.chain_pem)
        intermediate, unknown = self.leaves["intermediate"], self.leaves["unknown"]
        self._write("with-root", intermediate.key_pem + intermediate.chain_pem + self.root.pem)
        self._write("bare", intermediate.key_pem + intermediate.pem)
        self._write("unknown-with-root", unknown.key_pem + unknown.chain_pem + self.other.pem)
        expired_root = self.leaves["expired-root"]
        self._write("expired-with-root", expired_root.key_pem + expired_root.chain_pem + old_root.pem)
        self._alias = {"with-root": "intermediate", "bare": "intermediate"}
        self._alias |= {"unknown-with-root": "unknown", "expired-with-root": "expired-root"}
        self.authorities = directory / "ca.pem"
        self.authorities.write_bytes(self.root.pem + old_root.pem)

    def _write(self, kind: str, data: bytes) -> None:
        self.file(kind).write_bytes(data)

    def file(self, kind: str) -> Path:
        return self.directory / f"{kind}.pem"

    @property
    def kinds(self) -> list[str]:
        return [*self.leaves, *self._alias]

    def leaf(self, kind: str) -> Identity:
        return self.leaves[self._alias.get(kind, kind)]


def key_info(identity: Identity) -> bytes:
    info: bytes = identity.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return info


DIGESTS = {1: sha256, 2: sha512}


def record(identity: Identity, usage: int, selector: int, mtype: int) -> Record:
    data = key_info(identity) if selector else identity.der
    return usage, selector, mtype, DIGESTS[mtype](data).digest() if mtype in DIGESTS else data


def fingerprints(*data: bytes, digest: object = sha256) -> list[Record]:
    """As smtp(8) sends them: each value for the certificate and for its key."""
    values = [digest(each).digest() for each in data]  # type: ignore[operator]
    return [(3, selector, 255, value) for value in values for selector in (0, 1)]


def anchors(*identities: Identity) -> list[Record]:
    """A trust anchor file, as smtp(8) sends it."""
    return [(usage, 0, 0, each.der) for each in identities for usage in (2, 3)]


@dataclass
class Scenario:
    """A chain, and the requests for it; `anonymous` means no chain."""

    chain: str
    asked: Asked


def scenarios(chains: Chains) -> Iterator[tuple[str, Scenario]]:
    """All of them, with names that stay the same from run to run."""
    init: dict[str, str | int] = {"CAfile": str(chains.authorities), "log_level": "summary, certmatch, untrusted"}
    for generate in (_levels, _names, _records, _special):
        for label, chain, asked in generate(chains):
            asked.init = {**init, **asked.init}
            yield label, Scenario(chain, asked)


Generated = Iterator[tuple[str, str, Asked]]


def _levels(chains: Chains) -> Generated:
    host = ["hostname"]
    for kind in [*chains.kinds, "anonymous"]:
        leaf = chains.leaf(kind if kind != "anonymous" else "direct")
        above = leaf.issuers[0] if leaf.issuers else chains.root
        asked = {
            "may": Asked("may"),
            "encrypt": Asked("encrypt"),
            "verify": Asked("verify", host),
            "secure": Asked("secure", ["nexthop", "dot-nexthop"]),
            "fingerprint": Asked("fingerprint", records=fingerprints(leaf.der)),
            "fingerprint-key": Asked("fingerprint", records=fingerprints(b"other", key_info(leaf))),
            "fingerprint-other": Asked("fingerprint", records=fingerprints(b"other")),
            "dane-ee": Asked("dane", ["nexthop", "hostname"], [record(leaf, 3, 1, 1)]),
            "dane-ta": Asked("dane", ["nexthop", "hostname"], [record(above, 2, 0, 1)]),
            "dane-other": Asked("dane-only", host, [record(chains.lower, 3, 1, 1)]),
            "half-dane": Asked("half-dane", host, [record(leaf, 3, 1, 2)]),
            "anchors": Asked("secure", host, anchors(above)),
        }
        for level, each in asked.items():
            yield f"{kind}: {level}", kind, each


def _names(chains: Chains) -> Generated:
    patterns = (
        *("mx.example.test", "MX.EXAMPLE.TEST", ".example.test", "example.test", ".test", "*.example.test", "."),
        *(
            "nexthop",
            "dot-nexthop",
            "hostname",
            "NextHop",
            "bücher.test",
            "192.0.2.25",
            "x.mx.example.test",
            "first.test",
        ),
        *("first.test:hostname", "", "。example.test", "mx.example.test.", ".mx.example.test"),
    )
    for kind, pattern in product(("direct", "wildcard", "names", "common-name", "domain", "nul"), patterns):
        words = pattern.split(":") if pattern else [""]
        yield f"name {kind}: {pattern}", kind, Asked("secure", words)


def _records(chains: Chains) -> Generated:
    targets = {"leaf": chains.leaves["long"], "lower": chains.lower, "issuer": chains.issuer, "root": chains.root}
    for target, usage, selector, mtype in product(targets, range(4), range(2), (0, 1, 2)):
        wanted = record(targets[target], usage, selector, mtype)
        yield f"tlsa {target}: {usage} {selector} {mtype}", "long", Asked("dane", ["hostname"], [wanted])


def _special(chains: Chains) -> Generated:
    leaf, issuer, root = chains.leaves["intermediate"], chains.issuer, chains.root
    self_signed = chains.leaves["self-signed"]
    good, host = record(leaf, 3, 1, 1), ["hostname"]
    bad = (3, 1, 1, bytes(32))
    unusable = {
        "mtype": (3, 1, 9, good[3]),
        "usage": (4, 1, 1, good[3]),
        "selector": (3, 2, 1, good[3]),
        "length": (3, 1, 1, good[3][:-1]),
        "no-certificate": (2, 0, 0, b"not a certificate"),
        "no-key": (3, 1, 0, b"not a key" * 20),
    }
    for (why, each), level in product(unusable.items(), ("half-dane", "dane", "dane-only", "secure", "fingerprint")):
        yield f"unusable {why}: {level}", "intermediate", Asked(level, host, [each])
        yield f"unusable {why} and a good one: {level}", "intermediate", Asked(level, host, [each, good])
    for level in ("half-dane", "dane", "dane-only", "verify", "fingerprint"):
        yield f"no records: {level}", "intermediate", Asked(level, host, [])
        yield f"no records, unknown: {level}", "unknown", Asked(level, host, [])
        yield f"two unusable: {level}", "intermediate", Asked(level, host, [unusable["mtype"], unusable["length"]])
        yield f"names unusable: {level}", "intermediate", Asked(level, ["."], [good])
    weak, strong = record(leaf, 3, 1, 1), record(leaf, 3, 1, 2)
    wrong = (3, 1, 2, bytes(64))
    for label, records in {
        "strong wrong": [weak, wrong],
        "weak wrong": [bad, strong],
        "full beside wrong": [record(leaf, 3, 1, 0), wrong],
        "other selector": [record(leaf, 3, 0, 1), wrong],
        "two of a kind": [bad, weak],
    }.items():
        yield f"agility {label}", "intermediate", Asked("dane", host, records)
    for label, chain, records in (
        ("issuer and leaf", "intermediate", [record(issuer, 2, 0, 1), bad]),
        ("wrong name under an issuer", "wrong-name", [record(issuer, 2, 0, 1)]),
        ("wrong name of the leaf", "wrong-name", [record(chains.leaves["wrong-name"], 3, 1, 1)]),
        ("root that is sent", "with-root", [record(root, 2, 0, 1)]),
        ("root that is given", "intermediate", [record(root, 2, 0, 0)]),
        ("key of a root that is given", "intermediate", [record(root, 2, 1, 0)]),
        ("key of an issuer that is given", "bare", [record(issuer, 2, 1, 0)]),
        ("issuer that is given", "bare", [record(issuer, 2, 0, 0)]),
        ("self-signed as an anchor", "self-signed", [record(self_signed, 2, 0, 1)]),
        ("self-signed full as an anchor", "self-signed", [record(self_signed, 2, 0, 0)]),
        ("self-signed key as an anchor", "self-signed", [record(self_signed, 2, 1, 0)]),
        ("expired anchor", "expired-issuer", [record(chains.leaves["expired-issuer"].issuers[0], 2, 0, 1)]),
    ):
        for level in ("dane", "dane-only", "half-dane"):
            yield f"records {label}: {level}", chain, Asked(level, host, records)
    for depth, kind in product((0, 1, 2), ("direct", "intermediate", "long")):
        yield f"depth {depth}: {kind}", kind, Asked("verify", host, init={"verifydepth": depth})
        yield (
            f"depth {depth}: {kind} dane",
            kind,
            Asked("dane", host, [record(root, 2, 0, 0)], init={"verifydepth": depth}),
        )
    for depth, target in product((0, 1), (chains.lower, issuer, root)):
        for how, numbers in (("digest", (2, 0, 1)), ("given", (2, 0, 0)), ("key", (2, 1, 0)), ("wrong", (3, 1, 1))):
            wanted = record(target, *numbers)
            label = f"depth {depth}: {target.subject.rfc4514_string()} {how}"
            yield label, "long", Asked("dane", host, [wanted], init={"verifydepth": depth})
    for label, words in (
        ("address and name", ["192.0.2.25", "mx.example.test"]),
        ("two addresses", ["192.0.2.25", "192.0.2.26"]),
        ("address and wrong name", ["192.0.2.25", "other.test"]),
        ("other address and name", ["192.0.2.26", "mx.example.test"]),
        ("other address second", ["192.0.2.25", "2001:db8::25", "mx.example.test"]),
    ):
        yield f"addresses {label}", "address", Asked("secure", words)
    for label, digest in (("md5", md5), ("sha1", sha1), ("sha512", sha512)):
        records = fingerprints(leaf.der, digest=digest)
        asked = Asked("fingerprint", records=records, mdalg=label, init={"mdalg": label})
        yield f"digest {label}", "intermediate", asked
    for kind in ("intermediate", "unknown", "self-signed"):
        yield f"without authorities: {kind} verify", kind, Asked("verify", host, init={"CAfile": ""})
        yield f"without authorities: {kind} encrypt", kind, Asked("encrypt", init={"CAfile": ""})
    for kind in ("intermediate", "wrong-name", "self-signed", "expired", "bare"):
        yield f"anchors issuer: {kind}", kind, Asked("secure", host, anchors(issuer))
        yield f"anchors leaf: {kind}", kind, Asked("secure", host, anchors(chains.leaf(kind)))
        yield f"anchors root: {kind}", kind, Asked("verify", host, anchors(root, chains.other))
