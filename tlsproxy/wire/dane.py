"""TLSA records on the wire (TLS_DANE), in the two forms that they have had. No I/O.

Since Postfix 3.6 they are handed over as they are; fingerprints and trust anchors have the same form. Before that,
smtp(8) sorts them itself, and hands over the results: digests of trust anchors and of servers,
by algorithm, and the whole certificates and keys of trust anchors. Here these become records again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from .attributes import AttributeReader, ProtocolError, Reading

_Attribute = tuple[str, str | int | bytes]
_TRUST_ANCHOR, _SERVER = 2, 3
"""Usages that were supported (RFC 7672, section 3.1)."""
_CERTIFICATE, _KEY = 0, 1
"""Selectors (RFC 6698, section 2.1.2)."""
_TYPES = {"sha256": 1, "sha512": 2}
_FINGERPRINT = 255
"""Matching type of the digest algorithm in the request."""
_NONE = 254
"""A matching type that does not exist: the digest can't be used."""


class TlsaRecord(NamedTuple):
    """One TLSA record, or a fingerprint or trust anchor in its form (RFC 6698)."""

    usage: int
    selector: int
    mtype: int
    data: bytes


class Dane(NamedTuple):
    """The records that a session may be verified with, and the TLSA base domain."""

    domain: str
    records: tuple[TlsaRecord, ...]


def read_records(reader: AttributeReader) -> Reading[Dane | None]:
    """Read the structure, as it is since Postfix 3.6."""
    if not (yield from reader.integer("dane")):
        return None
    domain = yield from reader.text("domain")
    records = []
    for _ in range((yield from _count(reader))):
        usage = yield from reader.integer("usage")
        selector = yield from reader.integer("selector")
        mtype = yield from reader.integer("mtype")
        records.append(TlsaRecord(usage, selector, mtype, (yield from reader.data("data"))))
    return Dane(domain, tuple(records))


def write_records(dane: Dane | None) -> Iterator[_Attribute]:
    """Encode the structure, as it is since Postfix 3.6."""
    yield "dane", int(dane is not None)
    if dane is not None:
        yield from (("domain", dane.domain), ("count", len(dane.records)))
        for record in dane.records:
            yield from zip(("usage", "selector", "mtype", "data"), record, strict=True)


def read_digests(reader: AttributeReader, mdalg: str) -> Reading[Dane | None]:
    """Read the structure, as it was until Postfix 3.5, in a request whose own digest algorithm is `mdalg`.

    A structure without digests matches nothing: a record that can't be used stands for that.
    """
    if not (yield from reader.integer("dane")):
        return None
    records: list[TlsaRecord] = []
    for usage in (_TRUST_ANCHOR, _SERVER):
        for _ in range((yield from _count(reader))):
            mtype = _matching_type((yield from reader.text("mdalg")), mdalg)
            for selector in (_CERTIFICATE, _KEY):
                digests = yield from reader.argv()
                records += (TlsaRecord(usage, selector, mtype, _binary(each)) for each in digests)
    for selector, name in ((_CERTIFICATE, "cert"), (_KEY, "pkey")):
        for _ in range((yield from _count(reader))):
            records.append(TlsaRecord(_TRUST_ANCHOR, selector, 0, (yield from reader.data(name))))
    domain = yield from reader.text("domain")
    yield from reader.integer("flags")
    yield from reader.integer("exp")
    if not records:
        records.append(TlsaRecord(_SERVER, _CERTIFICATE, _NONE, b""))
    return Dane(domain, tuple(records))


def write_digests(dane: Dane | None, mdalg: str) -> Iterator[_Attribute]:
    """Encode records as they were until Postfix 3.5; one with a matching type that has no name is left out."""
    yield "dane", int(dane is not None)
    if dane is None:
        return
    for usage in (_TRUST_ANCHOR, _SERVER):
        tables: dict[str, tuple[list[str], list[str]]] = {}
        for record in dane.records:
            algorithm = _algorithm(record.mtype, mdalg)
            if record.usage == usage and record.selector in (_CERTIFICATE, _KEY) and algorithm:
                data = record.data if record.mtype else hashlib.sha256(record.data).digest()
                tables.setdefault(algorithm, ([], []))[record.selector].append(data.hex(":").upper())
        yield "count", len(tables)
        for algorithm, lists in tables.items():
            yield "mdalg", algorithm
            for each in lists:
                yield "argv_size", len(each)
                yield from (("argv_value", digest) for digest in each)
    for selector, name in ((_CERTIFICATE, "cert"), (_KEY, "pkey")):
        whole = [each.data for each in dane.records if (each.usage, each.selector, each.mtype) == (2, selector, 0)]
        yield "count", len(whole)
        yield from ((name, each) for each in whole)
    yield from (("domain", dane.domain), ("flags", 0), ("exp", 0))


def _count(reader: AttributeReader) -> Reading[int]:
    count = yield from reader.integer("count")
    if count < 0:
        raise ProtocolError(f"invalid count {count} from {reader.source} while reading TLSA records")
    return count


def _matching_type(algorithm: str, mdalg: str) -> int:
    if algorithm == mdalg:
        return _FINGERPRINT
    return _TYPES.get(algorithm.lower(), _NONE)


def _algorithm(mtype: int, mdalg: str) -> str:
    """Return the digest algorithm of a matching type; whole data were compared by this digest of them."""
    return {0: "sha256", 1: "sha256", 2: "sha512", _FINGERPRINT: mdalg}.get(mtype, "")


def _binary(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest.replace(":", ""))
    except ValueError:
        return b""
