"""ClientHellos of bad clients: too long, too short, with parts twice, contradictory or not yet invented.

Each is the pieces that are sent, one after the other; a server answers with an alert, or finds nothing wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..fakes.hello import SIGNATURES, TLS13_SUITES

RANDOM = bytes(range(32))
Extension = tuple[int, bytes]
NAME, GROUPS, FORMATS, ALGORITHMS, ALPN, TICKET, VERSIONS, MODES, SHARE = 0, 10, 11, 13, 16, 35, 43, 45, 51
SUITES12 = (0xC02B, 0xC02F, 0xC030, 0x009C, 0x002F)
X25519, P256 = 29, 23


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def numbers(values: Iterable[int], size: int = 2) -> bytes:
    return b"".join(each.to_bytes(size, "big") for each in values)


def name(host: bytes, kind: int = 0) -> Extension:
    return NAME, vector(2, bytes([kind]) + vector(2, host))


def groups(*values: int) -> Extension:
    return GROUPS, vector(2, numbers(values))


BASE: list[Extension] = [
    groups(X25519, P256, 24, 25),
    (FORMATS, b"\1\0"),
    (ALGORITHMS, vector(2, numbers(SIGNATURES))),
    (TICKET, b""),
]
V13: list[Extension] = [(VERSIONS, vector(1, numbers([0x304]))), (MODES, b"\1\1")]
EMPTY_SHARE: Extension = (SHARE, vector(2, b""))


def share(group: int, key: bytes) -> bytes:
    return group.to_bytes(2, "big") + vector(2, key)


def shares(*parts: bytes) -> Extension:
    return SHARE, vector(2, b"".join(parts))


def body(
    extensions: Iterable[Extension] | bytes | None = BASE,
    *,
    version: int = 0x303,
    session_id: bytes = b"",
    suites: bytes | None = None,
    compressions: bytes = b"\0",
) -> bytes:
    """The inside of a hello; extensions may be raw bytes, with their length, or None for none at all."""
    if extensions is not None and not isinstance(extensions, bytes):
        extensions = vector(2, b"".join(kind.to_bytes(2, "big") + vector(2, data) for kind, data in extensions))
    offered = numbers(SUITES12) if suites is None else suites
    head = version.to_bytes(2, "big") + RANDOM + vector(1, session_id)
    return head + vector(2, offered) + vector(1, compressions) + (extensions or b"")


def message(inside: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + vector(3, inside)


def record(data: bytes, version: int = 0x301, kind: int = 22) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + vector(2, data)


def records(data: bytes, size: int) -> bytes:
    return b"".join(record(data[at : at + size]) for at in range(0, len(data), size))


def hello(*arguments: object, **options: object) -> bytes:
    return records(message(body(*arguments, **options)), 16384)  # type: ignore[arg-type]


def hello13(*extra: Extension, **options: object) -> bytes:
    options.setdefault("suites", numbers(TLS13_SUITES))
    return hello([*BASE, *V13, *extra], **options)


GOOD = message(body())
WARNING = record(b"\1\x5a", kind=21)

BAD_HELLOS: dict[str, list[bytes]] = {
    # names
    "name-255": [hello([*BASE, name(b"x" * 255)])],
    "name-256": [hello([*BASE, name(b"x" * 256)])],
    "name-60000": [hello([*BASE, name(b"x" * 60000)])],
    "name-empty": [hello([*BASE, name(b"")])],
    "name-nul": [hello([*BASE, name(b"sni.private.test\0.evil.test")])],
    "name-nul-only": [hello([*BASE, name(b"\0")])],
    "name-dot": [hello([*BASE, name(b"sni.private.test.")])],
    "name-upper": [hello([*BASE, name(b"SNI.PRIVATE.TEST")])],
    "name-address": [hello([*BASE, name(b"192.0.2.1")])],
    "name-address-6": [hello([*BASE, name(b"[2001:db8::1]")])],
    "name-newline": [hello([*BASE, name(b"a\nb.test")])],
    "name-percent": [hello([*BASE, name(b"%s%n.test")])],
    "name-slash": [hello([*BASE, name(b"../../etc/passwd")])],
    "name-utf8": [hello([*BASE, name("bücher.example.test".encode())])],
    "name-of-another-kind": [hello([*BASE, name(b"sni.private.test", kind=1)])],
    "names-two": [hello([*BASE, (NAME, vector(2, b"\0" + vector(2, b"a.test") + b"\0" + vector(2, b"b.test")))])],
    "name-list-empty": [hello([*BASE, (NAME, vector(2, b""))])],
    "name-nothing": [hello([*BASE, (NAME, b"")])],
    "name-list-too-short": [hello([*BASE, (NAME, b"\0\4\0" + vector(2, b"sni.private.test"))])],
    "name-list-too-long": [hello([*BASE, (NAME, b"\0\xff\0" + vector(2, b"sni.private.test"))])],
    "name-twice": [hello([*BASE, name(b"a.test"), name(b"b.test")])],
    # suites
    "suites-none": [hello(suites=b"")],
    "suites-odd": [hello(suites=b"\xc0\x2b\xc0")],
    "suites-unknown": [hello(suites=numbers((0x0A0A, 0xFEFE, 0x1A1A)))],
    "suites-scsv-only": [hello(suites=numbers((0x00FF,)))],
    "suites-fallback-only": [hello(suites=numbers((0x5600,)))],
    "suites-32767": [hello(suites=numbers([0x2A2A] * 32766 + [0xC02B]), extensions=None)],
    "suites-twice": [hello(suites=numbers(SUITES12 * 200))],
    "suites-13-in-12": [hello(suites=numbers(TLS13_SUITES))],
    "suites-12-in-13": [hello([*BASE, *V13, EMPTY_SHARE], suites=numbers(SUITES12))],
    "suites-null": [hello(suites=numbers((0, 1, 2, 0x3B, 0xC001, 0xC006, 0xC010)))],
    # versions
    "version-2": [hello(version=0x002)],
    "version-ssl3": [hello(None, version=0x300)],
    "version-10": [hello(version=0x301)],
    "version-10-bare": [hello(None, version=0x301)],
    "version-3.5": [hello(version=0x305)],
    "version-4": [hello(version=0x400)],
    "version-ffff": [hello(version=0xFFFF)],
    "versions-unknown": [hello([*BASE, (VERSIONS, vector(1, numbers((0x0A0A, 0x7F1C)))), EMPTY_SHARE])],
    "versions-empty": [hello([*BASE, (VERSIONS, b"\0"), EMPTY_SHARE])],
    "versions-odd": [hello([*BASE, (VERSIONS, b"\3\3\4\3"), EMPTY_SHARE])],
    "versions-only-old": [hello([*BASE, (VERSIONS, vector(1, numbers((0x302, 0x301))))], version=0x303)],
    "versions-13-over-10": [hello13(EMPTY_SHARE, version=0x301)],
    "versions-13-over-ssl3": [hello13(EMPTY_SHARE, version=0x300)],
    "record-version-0": [record(GOOD, 0x000)],
    "record-version-9": [record(GOOD, 0x909)],
    "record-version-304": [record(GOOD, 0x304)],
    # groups and shares
    "groups-none": [hello([each for each in BASE if each[0] != GROUPS])],
    "groups-empty": [hello([groups(), *BASE[1:]])],
    "groups-unknown": [hello([groups(0x0A0A, 0xFFFE), *BASE[1:]], suites=numbers((0xC02B, 0xC02F)))],
    "groups-unknown-with-rsa": [hello([groups(0x0A0A, 0xFFFE), *BASE[1:]])],
    "groups-odd": [hello([(GROUPS, b"\0\3\0\x1d\0"), *BASE[1:]])],
    "groups-10000": [hello([groups(*[0x0A0A] * 10000, X25519), *BASE[1:]])],
    "groups-13-unknown": [hello([groups(0x0A0A), *BASE[1:], *V13, EMPTY_SHARE], suites=numbers(TLS13_SUITES))],
    "groups-13-none": [hello([*BASE[1:], *V13, EMPTY_SHARE], suites=numbers(TLS13_SUITES))],
    "formats-compressed-only": [hello([BASE[0], (FORMATS, b"\1\1"), *BASE[2:]], suites=numbers((0xC02B, 0xC02F)))],
    "formats-empty": [hello([BASE[0], (FORMATS, b"\0"), *BASE[2:]])],
    "share-none": [hello13()],
    "share-short": [hello13(shares(share(X25519, bytes(31))))],
    "share-zero": [hello13(shares(share(X25519, bytes(32))))],
    "share-empty-key": [hello13(shares(share(X25519, b"")))],
    "share-no-point": [hello13(shares(share(P256, b"\4" + bytes(64))))],
    "share-compressed-point": [hello13(shares(share(P256, b"\2" + bytes(32))))],
    "share-not-offered": [hello13(shares(share(30, bytes(56))))],
    "share-unknown": [hello13(shares(share(0x0A0A, b"x")))],
    "share-twice": [hello13(shares(share(X25519, RANDOM), share(X25519, RANDOM)))],
    "share-truncated": [hello13((SHARE, vector(2, b"\0\x1d\0\x20" + bytes(8))))],
    "share-many": [hello13(shares(*(share(0x0A0A + 0x1010 * n, bytes(50)) for n in range(15))))],
    # algorithms
    "algorithms-none": [hello([each for each in BASE if each[0] != ALGORITHMS])],
    "algorithms-none-13": [
        hello([each for each in [*BASE, *V13, EMPTY_SHARE] if each[0] != ALGORITHMS], suites=numbers(TLS13_SUITES))
    ],
    "algorithms-empty": [hello([BASE[0], BASE[1], (ALGORITHMS, vector(2, b""))])],
    "algorithms-odd": [hello([BASE[0], BASE[1], (ALGORITHMS, b"\0\3\4\1\4")])],
    "algorithms-unknown": [hello([BASE[0], BASE[1], (ALGORITHMS, vector(2, numbers((0x0A0A, 0xFEFE))))])],
    "algorithms-sha1": [hello([BASE[0], BASE[1], (ALGORITHMS, vector(2, numbers((0x0201, 0x0203))))])],
    "algorithms-sha1-13": [
        hello(
            [BASE[0], BASE[1], (ALGORITHMS, vector(2, numbers((0x0201, 0x0203)))), *V13, EMPTY_SHARE],
            suites=numbers(TLS13_SUITES),
        )
    ],
    "algorithms-md5": [hello([BASE[0], BASE[1], (ALGORITHMS, vector(2, numbers((0x0101,))))])],
    # other parts of a hello
    "session-id-32": [hello(session_id=b"s" * 32)],
    "session-id-33": [hello(session_id=b"s" * 33)],
    "session-id-255": [hello(session_id=b"s" * 255)],
    "compressions-none": [hello(compressions=b"")],
    "compressions-without-null": [hello(compressions=b"\1")],
    "compressions-deflate": [hello(compressions=b"\1\0")],
    "compressions-13": [hello13(EMPTY_SHARE, compressions=b"\1\0")],
    "extensions-none": [hello(None)],
    "extensions-empty": [hello(b"\0\0")],
    "extensions-too-long": [hello(b"\0\x09\0\x23\0\0")],
    "extensions-too-short": [hello(b"\0\x02\0\x23\0\0")],
    "extension-truncated": [hello(b"\0\x04\0\x23\0\xff")],
    "extension-twice": [hello([*BASE, (TICKET, b"")])],
    "extension-unknown-twice": [hello([*BASE, (0x0A0A, b""), (0x0A0A, b"")])],
    "extensions-unknown-1000": [hello([*BASE, *((0x4000 + n, b"x") for n in range(1000))])],
    "extension-large": [hello([*BASE, (0x0A0A, bytes(60000))])],
    "trailing": [record(message(body() + b"trailing"))],
    "alpn": [hello([*BASE, (ALPN, vector(2, vector(1, b"smtp")))])],
    "alpn-empty": [hello([*BASE, (ALPN, vector(2, b""))])],
    "alpn-broken": [hello([*BASE, (ALPN, b"\0\3\5a")])],
    "fragment-length": [hello([*BASE, (1, b"\1")])],
    "fragment-length-bad": [hello([*BASE, (1, b"\x09")])],
    "status-request": [hello([*BASE, (5, b"\1\0\0\0\0")])],
    "status-request-bad": [hello([*BASE, (5, b"\1\0\0")])],
    "heartbeat": [hello([*BASE, (15, b"\1")])],
    "renegotiation-info-full": [hello([*BASE, (0xFF01, vector(1, b"x" * 12))])],
    "renegotiation-info-bad": [hello([*BASE, (0xFF01, b"\5x")])],
    "ticket-garbage": [hello([*BASE[:3], (TICKET, b"garbage" * 30)])],
    "extended-master-secret": [hello([*BASE, (23, b"")])],
    "extended-master-secret-bad": [hello([*BASE, (23, b"x")])],
    "encrypt-then-mac": [hello([*BASE, (22, b"")], suites=numbers((0x002F,)))],
    "modes-none": [hello([*BASE, V13[0], EMPTY_SHARE], suites=numbers(TLS13_SUITES))],
    "modes-unknown": [hello([*BASE, V13[0], (MODES, b"\1\x7f"), EMPTY_SHARE], suites=numbers(TLS13_SUITES))],
    "cookie": [hello13(EMPTY_SHARE, (44, vector(2, b"cookie")))],
    "early-data": [hello13(EMPTY_SHARE, (42, b""))],
    "post-handshake": [hello13(EMPTY_SHARE, (49, b""))],
    "psk-garbage": [
        hello13(EMPTY_SHARE, (41, vector(2, vector(2, b"ticket") + bytes(4)) + vector(2, vector(1, bytes(32)))))
    ],
    "psk-not-last": [
        hello13((41, vector(2, vector(2, b"ticket") + bytes(4)) + vector(2, vector(1, bytes(32)))), EMPTY_SHARE)
    ],
    "psk-without-binder": [hello13(EMPTY_SHARE, (41, vector(2, vector(2, b"ticket") + bytes(4)) + vector(2, b"")))],
    "next-protocol": [hello([*BASE, (13172, b"")])],
    # records
    "records-of-one-byte": [records(GOOD, 1)],
    "records-of-four-bytes": [records(GOOD, 4)],
    "record-empty-before": [record(b"") + record(GOOD)],
    "record-empty-within": [record(GOOD[:10]) + record(b"") + record(GOOD[10:])],
    "record-warning-before": [WARNING + record(GOOD)],
    "record-warning-within": [record(GOOD[:10]) + WARNING + record(GOOD[10:])],
    "record-warnings-3": [WARNING * 3 + record(GOOD)],
    "record-warnings-10": [WARNING * 10 + record(GOOD)],
    "record-data-within": [record(GOOD[:10]) + record(b"data", kind=23) + record(GOOD[10:])],
    "record-ccs-before": [record(b"\1", kind=20) + record(GOOD)],
    "record-alert-long": [record(b"\1\x5a\1\x5a", kind=21)],
    "record-alert-short": [record(b"\2", kind=21)],
    "record-alert-unknown": [record(b"\2\xee", kind=21)],
    "record-alert-level": [record(b"\7\x28", kind=21)],
    "record-16385": [b"\x16\x03\x01" + vector(2, bytes(16385))],
    "record-18433": [b"\x16\x03\x01" + vector(2, bytes(18433))],
    "record-65535": [b"\x16\x03\x01\xff\xff" + bytes(65535)],
    "message-huge": [record(b"\1\xff\xff\xff" + GOOD[4:])],
    "message-16000000": [record(b"\1\0\xff\xff" + GOOD[4:])],
    "message-two-hellos": [record(GOOD + GOOD)],
    "message-hello-request": [record(b"\0\0\0\0")],
    "message-hello-request-then-hello": [record(b"\0\0\0\0" + GOOD)],
    "message-certificate": [record(message(vector(3, b""), kind=11))],
    "message-key-update": [record(message(b"\0", kind=24), 0x303)],
    "then-plaintext": [record(GOOD), b"EHLO client.private.test\r\n"],
    "then-an-alert": [record(GOOD) + record(b"\2\x28", 0x303, 21)],
    "then-another": [record(GOOD), record(GOOD)],
    "then-finished": [record(GOOD) + record(message(bytes(12), kind=20))],
    "sslv2": [b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10" + bytes.fromhex("010080") * 7 + bytes(16)],
    "sslv2-real": [b"\x80\x1c\x01\0\x02\0\3\0\0\0\x10" + bytes.fromhex("010080") + bytes(16)],
    "sslv2-three": [b"\0\x2e\0\x01\x03\x01\0\x15\0\0\0\x10" + bytes(40)],
}


def outline(data: bytes) -> list[str]:
    """Return the alerts of a peer, and the kinds of its records and messages that are in the clear."""
    found: list[str] = []
    encrypted = False
    while len(data) >= 5:
        kind, size = data[0], int.from_bytes(data[3:5], "big")
        inside, data = data[5 : 5 + size], data[5 + size :]
        if kind == 22 and not encrypted:
            while len(inside) >= 4:
                end = 4 + int.from_bytes(inside[1:4], "big")
                found.append(f"message {inside[0]}")
                inside = inside[end:]
        elif kind == 21 and size == 2:
            found.append(f"alert {inside[0]}.{inside[1]}")
        else:
            encrypted = encrypted or kind == 20
            found.append(f"record {kind}")
    return [*found, repr(data)] if data else found
