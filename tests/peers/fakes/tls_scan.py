"""A scanner of TLS servers: versions, ciphers and groups in the server's order, by hellos that offer less and less.

It depends on no TLS library but for one complete handshake with each version, which proves that there can be one.
"""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache

from OpenSSL import SSL

from .hello import TLS10, TLS11, TLS12, TLS13, Hello, ask, groups_in_order, suites_in_order

VERSIONS = {"TLSv1": TLS10, "TLSv1.1": TLS11, "TLSv1.2": TLS12, "TLSv1.3": TLS13}
_PYTHON = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
GROUPS = {
    "prime192v1": 19,
    "secp224r1": 21,
    "secp256k1": 22,
    "prime256v1": 23,
    "secp384r1": 24,
    "secp521r1": 25,
    "brainpoolP256r1": 26,
    "brainpoolP384r1": 27,
    "brainpoolP512r1": 28,
    "X25519": 29,
    "X448": 30,
    "ffdhe2048": 256,
    "ffdhe3072": 257,
    "ffdhe4096": 258,
    "ffdhe6144": 259,
    "ffdhe8192": 260,
    "curveSM2": 41,
    "curveSM2MLKEM768": 0x11EE,
    "X25519MLKEM768": 0x11EC,
    "SecP256r1MLKEM768": 0x11EB,
    "SecP384r1MLKEM1024": 0x11ED,
    "MLKEM768": 0x0201,
}
_SIGNATURES = (
    *(0x0804, 0x0805, 0x0806, 0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601),
    *(0x081A, 0x081B, 0x081C, 0x0402, 0x0502, 0x0602, 0x0203, 0x0201, 0x0202),
)
_CERTIFICATE_CURVES = (23, 24, 25)
_UNUSUAL_CURVES = ("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp224r1", "secp256k1")
_PATIENCE = 60.0


@cache
def suites() -> dict[int, str]:
    """Return all suites that this machine's OpenSSL knows: code and name."""
    run = subprocess.run(
        ["openssl", "ciphers", "-V", "ALL:eNULL:@SECLEVEL=0"],
        env={"OPENSSL_CONF": "/dev/null", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {}
    for line in run.stdout.splitlines():
        code, _, name = line.split()[:3]
        high, low = code.split(",")
        found[int(high, 16) << 8 | int(low, 16)] = name
    return found


@dataclass
class Scan:
    """The offer of a server."""

    protocols: list[str] = field(default_factory=list)
    ciphers: dict[str, list[str]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


def scan(connect: Callable[[], socket.socket]) -> Scan:
    """Scan a server; `connect` returns a socket on which TLS can begin."""
    found = Scan()
    try:
        connect().close()
    except NoTlsError:
        return found
    names = suites()
    every_group = tuple(GROUPS.values())
    curves = tuple(each for each in every_group if each < 256)
    for version, number in VERSIONS.items():
        codes = [code for code in names if (code >> 8 == 0x13) == (number == TLS13)]
        # A client that lists finite fields gets one of those from OpenSSL 4, or no DHE (RFC 7919).
        listed = every_group if number == TLS13 else curves
        hello = Hello(version=number, suites=codes, groups=listed, signatures=_SIGNATURES)
        order = suites_in_order(connect, hello)
        if order and _handshake(connect, version):
            found.protocols.append(version)
            found.ciphers[version] = [names[code] for code in order]
    last = next((each for each in ("TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1") if each in found.protocols), "")
    if last:
        elliptic = [
            code
            for code, name in names.items()
            if name in found.ciphers[last] and name.startswith(("TLS", "ECDHE", "AECDH"))
        ]
        ordered = every_group if last == "TLSv1.3" else curves
        hello = Hello(version=VERSIONS[last], suites=elliptic, groups=(), signatures=_SIGNATURES)
        by_number = {number: name for name, number in GROUPS.items()}
        if elliptic:
            chosen = groups_in_order(connect, hello, ordered)
            if last != "TLSv1.3":  # a client that lists no curve of a certificate can't get that certificate
                rest = [each for each in ordered if each not in chosen]
                chosen += tuple(each for each in rest if _is_chosen(connect, hello, each))
            found.groups = [by_number[each] for each in chosen]
    return found


def _is_chosen(connect: Callable[[], socket.socket], hello: Hello, group: int) -> bool:
    return ask(connect, replace(hello, groups=(group, *_CERTIFICATE_CURVES))).group == group


def _handshake(connect: Callable[[], socket.socket], version: str) -> bool:
    if any(_succeeds(connect, version, curve) for curve in ("", *_UNUSUAL_CURVES)):
        return True
    return version == "TLSv1.3" and _succeeds_with_hybrid_groups(connect)


def _succeeds_with_hybrid_groups(connect: Callable[[], socket.socket]) -> bool:
    """Return True if the OpenSSL of pyOpenSSL succeeds, which has groups that Python's may lack."""
    plain = connect()
    plain.settimeout(None)
    tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain)
    tls.set_connect_state()
    with plain, suppress(SSL.Error):
        tls.do_handshake()
        return True
    return False


def _succeeds(connect: Callable[[], socket.socket], version: str, curve: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:eNULL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = _PYTHON[version]
    if curve:
        context.set_ecdh_curve(curve)
    with connect() as plain, suppress(OSError), context.wrap_socket(plain) as tls:
        tls.sendall(b"QUIT\r\n")
        with suppress(TimeoutError):
            tls.recv(100)  # an alert after the handshake would come now
        return True
    return False


class NoTlsError(OSError):
    """The server does not begin TLS."""


def smtp_connector(port: int, *, wrapped: bool = False) -> Callable[[], socket.socket]:
    """Return a function that connects to an SMTP server on this machine, as far as TLS can begin."""

    def connect() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        if not wrapped:
            _starttls(connection)
        return connection

    return connect


def _starttls(connection: socket.socket) -> None:
    with connection.makefile("rwb") as stream:
        _reply(stream)
        for command in (b"EHLO scan.test\r\n", b"STARTTLS\r\n"):
            stream.write(command)
            stream.flush()
            answer = _reply(stream)
    if not answer.startswith(b"220"):
        connection.close()
        raise NoTlsError(answer.decode("ascii", "replace"))


def _reply(stream: io.BufferedIOBase) -> bytes:
    while True:
        line = stream.readline()
        if line[3:4] != b"-":
            return line
