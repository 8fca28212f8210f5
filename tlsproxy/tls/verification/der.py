"""The few places of a certificate's DER that verification needs and no tolerant parser gives (RFC 5280).

Certificates of peers can be odd; a field that can't be read raises `DerError`, and the caller treats it as a
certificate that matches nothing. No I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from ...errors import TlsproxyError

SEQUENCE, _BIT_STRING, _OCTET_STRING, _OID = 0x30, 0x03, 0x04, 0x06
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_EXTENDED_KEY_USAGE = bytes.fromhex("551d25")
SERVER_AUTH = bytes.fromhex("2b06010505070301")
CLIENT_AUTH = bytes.fromhex("2b06010505070302")


class DerError(TlsproxyError, ValueError):
    """Bytes that are no DER, or not of the expected structure."""


class Element(NamedTuple):
    """One tag-length-value: `whole` are its bytes, `content` those behind tag and length."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """Yield the consecutive elements of `data`; raise `DerError`."""
    position = 0
    while position < len(data):
        start = position
        if len(data) - position < 2:
            raise DerError("truncated header")
        tag, length = data[position], data[position + 1]
        position += 2
        if tag & 0x1F == 0x1F:
            raise DerError("long tag")
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or len(data) - position < size:
                raise DerError("bad length")
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if len(data) - position < length:
            raise DerError("truncated content")
        yield Element(tag, data[position : position + length], data[start : position + length])
        position += length


def only(data: bytes, tag: int) -> Element:
    """Return the one element that `data` is, with this tag; raise `DerError`."""
    found = list(elements(data))
    if len(found) != 1 or found[0].tag != tag:
        raise DerError(f"not one element with tag {tag:#x}")
    return found[0]


class Parts(NamedTuple):
    """Fields of a certificate, unverified."""

    public_key_info: bytes
    """The SubjectPublicKeyInfo, whole."""
    public_key_bits: bytes
    """The bits of the key alone, without the count of unused ones."""
    signature_algorithm: bytes
    """The content of the AlgorithmIdentifier; empty if the signed part names another algorithm than the signature."""
    begins: str
    """The first second of its life, as YYYYMMDDhhmmssZ; empty if it is not written as RFC 5280 demands."""
    ends: str
    """The last second of its life, in the same form."""
    purposes: frozenset[bytes]
    """Extended key usages as object identifiers: SERVER_AUTH and others; empty without a restriction."""
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]


def parts(certificate: bytes) -> Parts:
    """Take a certificate apart; raise `DerError`."""
    outer = list(elements(only(certificate, SEQUENCE).content))
    if not outer or outer[0].tag != SEQUENCE:
        raise DerError("no TBSCertificate")
    fields = list(elements(outer[0].content))
    if fields and fields[0].tag == _VERSION:
        del fields[0]
    # serial number, algorithm, issuer, validity, subject, public key, …
    if len(fields) < 6 or fields[5].tag != SEQUENCE:
        raise DerError("no SubjectPublicKeyInfo")
    extensions = next((each.content for each in fields[6:] if each.tag == _EXTENSIONS), b"")
    signed_as, is_one = fields[1], len(outer) > 1 and outer[1].whole == fields[1].whole
    validity = [_time(each) for each in elements(fields[3].content)]
    if len(validity) != 2:
        raise DerError("not two times of validity")
    names = list(elements(_sequence_in_extension(extensions, _SUBJECT_ALT_NAME)))
    usages = elements(_sequence_in_extension(extensions, _EXTENDED_KEY_USAGE))
    return Parts(
        public_key_info=fields[5].whole,
        public_key_bits=_bits(fields[5].content),
        signature_algorithm=signed_as.content if is_one else b"",
        begins=validity[0],
        ends=validity[1],
        purposes=frozenset(each.content for each in usages if each.tag == _OID),
        dns_names=tuple(each.content.decode("latin-1") for each in names if each.tag == _DNS_NAME),
        addresses=tuple(
            str(ipaddress.ip_address(each.content))
            for each in names
            if each.tag == _IP_ADDRESS and len(each.content) in (4, 16)
        ),
    )


def _time(element: Element) -> str:
    """Return a time as YYYYMMDDhhmmssZ; "" for a form that RFC 5280, section 4.1.2.5, does not allow."""
    if element.tag == _UTC_TIME and _UTC.fullmatch(element.content):
        century = b"19" if element.content >= b"50" else b"20"
        return (century + element.content).decode("ascii")
    if element.tag == _GENERALIZED_TIME and _GENERALIZED.fullmatch(element.content):
        return element.content.decode("ascii")
    return ""


_UTC, _GENERALIZED = re.compile(rb"[0-9]{12}Z"), re.compile(rb"[0-9]{14}Z")


def _bits(public_key_info: bytes) -> bytes:
    members = list(elements(public_key_info))
    if len(members) != 2 or members[1].tag != _BIT_STRING or not members[1].content:
        raise DerError("no public key")
    return members[1].content[1:]


def _sequence_in_extension(extensions: bytes, kind: bytes) -> bytes:
    """Return the concatenated elements of the extension of this kind; empty without the extension."""
    if not extensions:
        return b""
    found = []
    for extension in elements(only(extensions, SEQUENCE).content):
        members = list(elements(extension.content))
        if members and members[0].tag == _OID and members[0].content == kind:
            if members[-1].tag != _OCTET_STRING:
                raise DerError("extension without a value")
            found.append(only(members[-1].content, SEQUENCE).content)
    if len(found) > 1:
        raise DerError("extension given twice")  # RFC 5280, section 4.2
    return found[0] if found else b""
