"""The report and the ClientHello of a real smtp(8) say the same of each level, odd settings among them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from check.tls_report.side_by_side import report
from peers.fakes.tls_scan import GROUPS, suites
from peers.real.postfix import MASTER_CF, PrivatePostfix
from peers.tools.children import PATIENCE

pytestmark = pytest.mark.postfix

CASES = {
    "may": {"smtp_tls_security_level": "may"},
    "encrypt": {"smtp_tls_security_level": "encrypt", "smtp_tls_mandatory_ciphers": "high"},
    "verify": {"smtp_tls_security_level": "verify"},
    "empty": {"smtp_tls_security_level": "encrypt", "smtp_tls_mandatory_ciphers": "null"},
    "hole": {"smtp_tls_security_level": "may", "smtp_tls_protocols": "TLSv1 TLSv1.3"},
    "level": {"smtp_tls_security_level": "may", "tls_medium_cipherlist": "ALL:@SECLEVEL=2"},
    "newest": {"smtp_tls_security_level": "encrypt", "smtp_tls_mandatory_protocols": ">=TLSv1.3"},
    "curves": {
        "smtp_tls_security_level": "may",
        "tls_eecdh_auto_curves": "P-384 X25519 bogus",
        "smtp_tls_exclude_ciphers": "kRSA, SHA1",
    },
    "groups": {"smtp_tls_security_level": "may", "tls_eecdh_auto_curves": "brainpoolP256r1"},
}


def test_hello_of_smtp_is_as_reported(public_path: Path) -> None:
    """A client without a report sends no hello, but an alert."""
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in CASES}
    hellos: dict[str, bytes] = {}
    for name, listener in listeners.items():
        threading.Thread(target=_take_hello, args=(listener, name, hellos), daemon=True).start()
    master_cf = MASTER_CF
    for name, settings in CASES.items():
        master_cf += f"{name} unix - - n - - smtp\n"
        master_cf += "".join(f"  -o {{{{ {parameter} = {value} }}}}\n" for parameter, value in settings.items())
    transports = "".join(
        f"{name}.test {name}:[127.0.0.1]:{each.getsockname()[1]}\n" for name, each in listeners.items()
    )
    (public_path / "transport").write_text(transports)
    postfix = PrivatePostfix(
        public_path / "postfix", {"transport_maps": f"texthash:{public_path}/transport"}, master_cf
    )
    said = {each.service: each for each in report(postfix.conf)}
    with postfix:
        recipients = [f"user@{name}.test" for name in CASES]
        environment = {"MAIL_CONFIG": str(postfix.conf), "PATH": "/usr/sbin:/usr/bin:/bin"}
        command: list[str | Path] = ["/usr/sbin/sendmail", "-C", postfix.conf, "-f", "sender@test", *recipients]
        subprocess.run(command, input=b"\n", check=True, timeout=PATIENCE, env=environment)
        deadline = time.monotonic() + PATIENCE
        while len(hellos) < len(CASES) and time.monotonic() < deadline:
            time.sleep(0.1)
    for each in listeners.values():
        each.close()
    for name in CASES:
        offer = said[f"{name}/unix"]
        expected = list(dict.fromkeys(cipher for each in reversed(offer.protocols) for cipher in offer.ciphers[each]))
        assert (name, *_read(hellos.get(name, b""))) == (name, expected, list(offer.groups))


def _take_hello(listener: socket.socket, name: str, hellos: dict[str, bytes]) -> None:
    """Be a server up to the first record of TLS."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(b"220 test\r\n")
                stream.flush()
                while line := stream.readline():
                    stream.write(b"250-test\r\n250 STARTTLS\r\n" if line.startswith(b"EHLO") else b"220 go on\r\n")
                    stream.flush()
                    if line.startswith(b"STARTTLS"):
                        header = stream.read(5)
                        hellos.setdefault(name, stream.read(int.from_bytes(header[3:], "big")))
                        break


def _read(hello: bytes) -> tuple[list[str], list[str]]:
    """Return the names of ciphers and groups of a ClientHello; none of an alert."""
    if len(hello) < 40:
        return [], []
    names, groups = suites(), {number: name for name, number in GROUPS.items()}
    rest = hello[38:]
    rest = rest[1 + rest[0] :]
    size = int.from_bytes(rest[:2], "big")
    ciphers = [names[code] for code in _numbers(rest[2 : 2 + size]) if code != 0xFF]
    rest = rest[2 + size :]
    rest = rest[1 + rest[0] :][2:]
    while rest:
        kind, size = int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:4], "big")
        if kind == 10:
            return ciphers, [groups[code] for code in _numbers(rest[6 : 4 + size])]
        rest = rest[4 + size :]
    return ciphers, []


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
