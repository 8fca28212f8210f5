"""The server role beside the C tlsproxy(8): the same configurations, the same clients, the same answers and log lines.

Where the two differ on purpose, or because OpenSSL has changed, `accepted` says so; nothing else may differ.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from peers.cases.bad_hellos import BAD_HELLOS, outline
from peers.cases.server_cases import COMMON, MANAGERS
from peers.cases.server_differences import DIFFERENCES
from peers.cases.server_oddities import CASES, RAW
from peers.daemon.side_by_side import WITHOUT_DESCRIPTOR, Client, Side, both, normal, problems, see
from peers.fakes import hello
from peers.fakes.hello import GROUPS, SSL3, TLS10, TLS11, TLS12, TLS13, TLS13_SUITES, Hello
from peers.tools.certificates import Certificates, Identity

pytestmark = [
    pytest.mark.postfix,
    pytest.mark.xdist_group("server matrix"),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),  # old versions are meant
]

V12 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
V10 = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)


@pytest.fixture(scope="module")
def certificates(public_root: Path) -> Certificates:
    # Postfix has given up its privileges when it looks into a CApath.
    made = Certificates(public_root)
    rsa, ec = made.servers["rsa2048"], made.servers["ec256"]
    other = made.servers["rsa1024"]
    made.write("all-in-one.pem", b"".join(each.key_pem + each.chain_pem for each in (ec, rsa)))
    made.write("key-last.pem", rsa.chain_pem + rsa.key_pem)
    made.write("two-keys.pem", rsa.key_pem + rsa.chain_pem + ec.key_pem)
    made.write("keys-in-a-row.pem", ec.key_pem + rsa.key_pem + rsa.chain_pem)
    made.write("key-at-the-end.pem", rsa.key_pem + rsa.chain_pem + ec.key_pem)
    made.write("mismatch.pem", other.key_pem + rsa.chain_pem)
    made.write("mismatch-of-kinds.pem", ec.key_pem + rsa.chain_pem)
    made.write("mismatch-before-another.pem", other.key_pem + rsa.chain_pem + ec.key_pem + ec.chain_pem)
    made.write("empty.pem", b"")
    made.write("text.pem", b"nothing to see here\n")
    made.write("encrypted.pem", rsa.encrypted_key_pem + rsa.chain_pem)
    made.write("bad-certificate.pem", rsa.key_pem + _damaged(rsa.pem))
    made.write("bad-key.pem", _damaged(rsa.key_pem) + rsa.chain_pem)
    for bits in (512, 3072):
        made.write(f"dh{bits}.pem", dh_parameters(bits))
    made.write("with-parameters.pem", dh_parameters(3072) + rsa.key_pem + rsa.chain_pem)
    make_name_tables(made)
    make_odd_files(made)
    (made.directory / "hashed").mkdir()
    (made.directory / "hashed" / "ca.pem").write_bytes(made.root.pem)
    subprocess.run(["openssl", "rehash", made.directory / "hashed"], check=True)
    return made


def make_odd_files(made: Certificates) -> None:
    rsa, ec = made.servers["rsa2048"], made.servers["ec256"]
    whole = rsa.key_pem + rsa.chain_pem
    expired = Identity(rsa.subject, made.root, days=(-30, -1))
    trusted = openssl("x509", "-trustout", data=rsa.pem)
    tiny = openssl("genrsa", "-traditional", "512")
    odd = {
        "expired": expired.key_pem + expired.chain_pem,
        "traditional-rsa": openssl("rsa", "-traditional", data=rsa.key_pem) + rsa.chain_pem,
        "traditional-ec": openssl("ec", data=ec.key_pem) + ec.chain_pem,
        "ec-parameters": openssl("ecparam", "-name", "prime256v1") + openssl("ec", data=ec.key_pem) + ec.chain_pem,
        "carriage-returns": whole.replace(b"\n", b"\r\n"),
        "with-text": b"subject=/CN=mail\n" + whole.replace(b"-----BEGIN CERT", b"\nissuer=x\n-----BEGIN CERT"),
        "with-root": whole + made.root.pem,
        "with-strangers": whole + made.other_root.pem + ec.pem,
        "no-newline": whole.rstrip(b"\n"),
        "blank-lines": whole.replace(b"-----\n", b"-----\n\n"),
        "rsa512": tiny + openssl("req", "-x509", "-key", "/dev/stdin", "-subj", "/CN=tiny", data=tiny),
        "trusted-first": trusted + whole,
        "trusted-within": rsa.key_pem + trusted + rsa.chain_pem,
        "trusted-before-bad": trusted + rsa.key_pem + _damaged(rsa.pem),
        "trusted-before-mismatch": trusted + ec.key_pem + rsa.chain_pem,
        "twice": made.root.pem * 2,
        "ca-with-text": b"An authority:\n" + made.root.pem + b"\n# the end\n",
        "ca-half": made.root.pem[:200],
    }
    for kind, data in odd.items():
        made.write(f"odd-{kind}.pem", data)
    made.write("nothing.pem", b"")
    many = f"a.test {made.directory}/sni.pem\nb.test {made.directory}/ec384.pem\n"
    many += f"c.test {made.directory}/sni.pem,{made.directory}/rsa2048.pem {made.directory}/ed25519.pem\n"
    many += f".d.test {made.directory}/odd-expired.pem\n_a.test {made.directory}/odd-with-text.pem\n"
    made.write("many-names", many.encode())


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def make_name_tables(certificates: Certificates) -> None:
    directory = certificates.directory
    sni, ec = certificates.servers["sni"], certificates.servers["ec384"]
    certificates.write("sni-mismatch.pem", ec.key_pem + sni.chain_pem)
    entries = (
        f"sni.private.test {directory}/sni.pem\n"
        f".example.test {directory}/domain.pem\n"
        f"two.example.test {directory}/sni.pem {directory}/domain.pem\n"
        f"bad.example.test {directory}/key-last.pem\n"
        f"mismatch.example.test {directory}/sni-mismatch.pem\n"
    )
    for kind in ("hash", "btree", "cdb", "lmdb"):
        source = certificates.write(f"{kind}-names", entries.encode())
        subprocess.run(["postmap", "-F", f"{kind}:{source}"], check=True)
    certificates.write("texthash-names", entries.encode())
    rules = f"/^sni\\.private/ {directory}/sni.pem\n/^(two|.*)\\.EXAMPLE\\.test$/ {directory}/domain.pem\n"
    certificates.write("regexp-names", rules.encode())
    certificates.write("pcre-names", rules.encode())
    certificates.write("cidr-names", f"0.0.0.0/0 {directory}/sni.pem\n".encode())
    certificates.write("empty-names", b"c.test " + bytes(directory / "ec256.pem") + b"\n")
    subprocess.run(["postmap", "-F", f"hash:{directory}/empty-names"], check=True)
    certificates.write("plain-names", b".example.test not/base64!\n")
    subprocess.run(["postmap", f"hash:{directory}/plain-names"], check=True)


def _damaged(pem: bytes) -> bytes:
    lines = pem.splitlines(keepends=True)
    return lines[0] + b"AAAA" + lines[1][4:] + b"".join(lines[2:])


def dh_parameters(bits: int) -> bytes:
    group = ["-pkeyopt", "group:ffdhe3072"] if bits == 3072 else ["-pkeyopt", f"dh_paramgen_prime_len:{bits}"]
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", *group]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def sides(public_root: Path, certificates: Certificates) -> Iterator[tuple[Side, Side]]:
    def filled(settings: dict[str, str]) -> dict[str, str]:
        return {name: value.format(pki=certificates.directory) for name, value in settings.items()}

    services = {name: filled(case.settings) for name, case in (CASES | DIFFERENCES).items()}
    with both(public_root, filled(COMMON), services, MANAGERS) as pair:
        yield pair


class Prober:
    """The attempts of clients, by name; each session has an endpoint of its own, which shows in the log."""

    def __init__(self, side: Side, service: str, certificates: Certificates) -> None:
        self.side = side
        self.service = service
        self.certificates = certificates
        self.sessions = 0
        self._kept: list[socket.socket] = []

    def endpoint(self) -> str:
        self.sessions += 1
        return f"[192.0.2.7]:{10000 + self.sessions}"

    def probe(self, name: str) -> Any:
        try:
            if name.startswith("client-"):
                return self.client_certificate(name.removeprefix("client-"))
            if name.startswith("name:"):
                return self.name(name.removeprefix("name:"))
            if name.startswith("hello:"):
                return outline(self.all_of_answer(*BAD_HELLOS[name.removeprefix("hello:")]))
            if name.startswith("raw:"):
                return self.raw(RAW[name.removeprefix("raw:")])
            return getattr(self, "probe_" + name.replace("-", "_"))()
        finally:
            for each in self._kept:  # not before the daemon has seen how the remote end has left
                with each, suppress(OSError):
                    while each.recv(4096):
                        pass
            self._kept.clear()

    def connect(self, timeouts: tuple[int, int] = (30, 30)) -> socket.socket:
        local, remote = self.side.connect(self.service, self.endpoint(), timeouts=timeouts)
        self._kept.append(local)
        return remote

    def see(self, **options: Any) -> dict[str, Any]:
        client = Client(**options)
        self.sessions += client.resume
        return asdict(see(self.side, self.service, self.endpoint(), client))

    def ask(self, offer: Hello) -> dict[str, Any]:
        answer = asdict(hello.ask(self.connect, offer))
        if answer["alert"] is None:
            answer["asked_signatures"] = len(answer["asked_signatures"]) > 0
        return answer

    def client_certificate(self, kind: str) -> Any:
        versions = V12 if kind.endswith("-tls12") else Client.versions
        kind = kind.removesuffix("-tls12")
        file = self.certificates.client_files[kind.removesuffix("-resumed")]
        return self.see(certificate=file, versions=versions, resume=kind.endswith("-resumed"))

    def probe_status(self) -> int:
        self.sessions += 1
        return self.side.status(self.service, f"[192.0.2.7]:{WITHOUT_DESCRIPTOR + self.sessions}")

    def probe_tls13(self) -> Any:
        return self.see(name="mail.private.test")

    def probe_tls12(self) -> Any:
        return self.see(versions=V12)

    def probe_tls10(self) -> Any:
        return self.see(versions=V10)

    def name(self, name: str) -> Any:
        return self.ask(Hello(suites=(0xC02B, 0xC02F, 0xC018), name=name))

    def probe_tls13_name(self) -> Any:
        return self.see(name="sni.private.test")

    def probe_resume13_name(self) -> Any:
        return self.see(name="sni.private.test", resume=True)

    def probe_ssl3(self) -> Any:
        return self.ask(Hello(version=SSL3, suites=COMMON_SUITES))

    def probe_ccm8(self) -> Any:
        return self.ask(Hello(suites=(0xC0A1,)))

    def probe_old(self) -> Any:
        return self.ask(Hello(version=TLS10))

    def probe_resume13(self) -> Any:
        return self.see(resume=True)

    def probe_resume12(self) -> Any:
        return self.see(resume=True, versions=V12)

    def probe_resume12_id(self) -> Any:
        return self.see(resume=True, versions=V12, tickets=False)

    def probe_hello12(self) -> Any:
        return self.ask(Hello(suites=COMMON_SUITES))

    def probe_hello13(self) -> Any:
        return self.ask(Hello(version=TLS13, suites=TLS13_SUITES))

    def probe_versions(self) -> Any:
        if not self.probe_status():
            return None
        answers = {}
        for version in (TLS10, TLS11, TLS12, TLS13):
            suites = TLS13_SUITES if version == TLS13 else COMMON_SUITES
            answer = hello.ask(self.connect, Hello(version=version, suites=suites))
            answers[version] = answer.version, answer.alert
        return answers

    def probe_suites12(self) -> Any:
        return hello.suites_in_order(self.connect, Hello())

    def probe_suites10(self) -> Any:
        return hello.suites_in_order(self.connect, Hello(version=TLS10))

    def probe_suites13(self) -> Any:
        return hello.suites_in_order(self.connect, Hello(version=TLS13, suites=TLS13_SUITES))

    def probe_groups13(self) -> Any:
        return hello.groups_in_order(self.connect, Hello(version=TLS13, suites=TLS13_SUITES), OLD_GROUPS)

    def probe_groups13_any_order(self) -> Any:
        return sorted(self.probe_groups13())

    def probe_ecdhe12(self) -> Any:
        return self.ask(Hello(suites=(0xC030, 0xC02F)))

    def probe_dhe12(self) -> Any:
        return self.ask(Hello(suites=(0x9F, 0x9E, 0x39, 0x33)))

    def probe_dhe10(self) -> Any:
        return self.ask(Hello(version=TLS10, suites=(0x39, 0x33)))

    def probe_only_rsa(self) -> Any:
        return self.ask(Hello(suites=(0xC030, 0xC02C, 0x9F), signatures=(0x0804, 0x0401)))

    def probe_only_ecdsa(self) -> Any:
        return self.ask(Hello(suites=(0xC030, 0xC02C, 0x9F), signatures=(0x0403, 0x0503)))

    def probe_only_eddsa(self) -> Any:
        return self.ask(Hello(suites=(0xC030, 0xC02C, 0x9F), signatures=(0x0807, 0x0808)))

    def distrust(self, version: ssl.TLSVersion) -> Any:
        context = Client(versions=(version, version)).context()
        context.verify_mode = ssl.CERT_REQUIRED
        with self.connect() as remote:
            with pytest.raises(ssl.SSLCertVerificationError):
                context.wrap_socket(remote)
            return self._kept[-1].recv(100)

    def probe_distrust13(self) -> Any:
        return self.distrust(ssl.TLSVersion.TLSv1_3)

    def probe_distrust12(self) -> Any:
        return self.distrust(ssl.TLSVersion.TLSv1_2)

    def in_session(self, version: ssl.TLSVersion, data: bytes) -> bool:
        """Send bytes that are not this session's TLS, later; return True if the local peer has seen an end."""
        with Client(versions=(version, version)).context().wrap_socket(self.connect()) as remote:
            local = self._kept[-1]
            remote.sendall(b"EHLO\r\n")
            assert local.recv(100) == b"EHLO\r\n"
            os.write(remote.fileno(), data)
            return local.recv(100) == b""

    def probe_broken13(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_3, b"\x17\x03\x03\x00\x20" + bytes(32))

    def probe_broken12(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_2, b"\x17\x03\x03\x00\x20" + bytes(32))

    def probe_alert_in_session(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_2, b"\x15\x03\x03\x00\x28" + bytes(40))

    def probe_short12(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_2, b"\x15\x03\x03\x00\x02\x02\x28")

    def probe_plaintext13(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_3, b"QUIT\r\n")

    def probe_renegotiation(self) -> Any:
        return self.in_session(ssl.TLSVersion.TLSv1_2, Hello().encode())

    def probe_half_hello(self) -> Any:
        with self.connect() as remote:
            remote.sendall(Hello().encode()[:40])
            remote.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                return remote.recv(100)

    def probe_reset(self) -> Any:
        with self.connect() as remote:
            remote.sendall(Hello().encode()[:40])
            time.sleep(0.1)
            remote.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return self._kept[-1].recv(100)

    def probe_silent(self) -> Any:
        with self.connect(timeouts=(1, 1)):
            return self._kept[-1].recv(100)

    def raw(self, *pieces: bytes) -> bytes:
        """Send pieces of any bytes, then an end; return the bytes that come back."""
        answer = self.all_of_answer(*pieces)
        return answer if len(answer) < 20 else answer[:6]  # an alert, or the beginning of a hello

    def all_of_answer(self, *pieces: bytes) -> bytes:
        answer = b""
        with self.connect() as remote:
            with suppress(OSError):  # the pieces may be too many already
                for piece in pieces:
                    remote.sendall(piece)
                remote.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while chunk := remote.recv(4096):
                    answer += chunk
        return answer

    def probe_in_pieces(self) -> Any:
        hello = Hello().encode()
        return self.raw(hello[:3], hello[3:7], hello[7:50], hello[50:])

    def probe_by_the_byte(self) -> Any:
        return self.raw(*(bytes([each]) for each in Hello().encode()))

    def probe_two_at_once(self) -> Any:
        self.raw(Hello().encode() * 2)  # whether the answer outruns the reset is chance

    def probe_trailing_plaintext(self) -> Any:
        self.raw(Hello().encode() + b"EHLO client.private.test\r\n")

    def probe_fallback(self) -> Any:
        return self.ask(Hello(suites=(*COMMON_SUITES, 0x5600), version=TLS11))

    def half_closed(self, version: ssl.TLSVersion) -> Any:
        """End the stream without a word of TLS; bytes of the local peer may still come, or not."""
        with Client(versions=(version, version)).context().wrap_socket(self.connect()) as remote:
            local = self._kept[-1]
            remote.sendall(b"QUIT\r\n")
            assert local.recv(100) == b"QUIT\r\n"
            raw = socket.socket(fileno=os.dup(remote.fileno()))
            with raw:
                raw.shutdown(socket.SHUT_WR)
            return local.recv(100)

    def probe_half_closed13(self) -> Any:
        return self.half_closed(ssl.TLSVersion.TLSv1_3)

    def probe_half_closed12(self) -> Any:
        return self.half_closed(ssl.TLSVersion.TLSv1_2)

    def half_closed_locally(self, version: ssl.TLSVersion, early: bytes = b"") -> Any:
        """Have nothing (more) to say before the handshake has begun; that ends the session in order, after it."""
        remote = self.connect()
        local = self._kept[-1]
        local.sendall(early)
        local.shutdown(socket.SHUT_WR)
        with Client(versions=(version, version)).context().wrap_socket(remote, suppress_ragged_eofs=False) as tls:
            return tls.recv(100), early and tls.recv(100), local.recv(100)

    def probe_half_closed_locally13(self) -> Any:
        return self.half_closed_locally(ssl.TLSVersion.TLSv1_3)

    def probe_half_closed_locally12(self) -> Any:
        return self.half_closed_locally(ssl.TLSVersion.TLSv1_2, b"421 busy\r\n")

    def probe_garbage(self) -> Any:
        with self.connect() as remote:
            remote.sendall(b"EHLO client.private.test\r\n")
            with suppress(ConnectionResetError):  # there was more to read
                while remote.recv(100):
                    pass


COMMON_SUITES = (0xC030, 0xC02C, 0xC014, 0x9F, 0x39, 0x9D, 0x35, 0x2F, 0xA3, 0xC019, 0x3A)
OLD_GROUPS = (
    GROUPS["x448"],
    *(GROUPS[each] for each in ("secp521r1", "secp384r1", "secp256r1", "x25519", "brainpoolP256r1", "ffdhe2048")),
)


@pytest.mark.parametrize("name", CASES)
def test_both_answer_and_log_the_same(name: str, sides: tuple[Side, Side], certificates: Certificates) -> None:
    results, logs = [], []
    for side in sides:
        prober = Prober(side, name, certificates)
        results.append({probe: prober.probe(probe) for probe in CASES[name].probes})
        logs.append(side.wait_for_disconnects(name, prober.sessions))
    assert results[1] == results[0]
    assert normal(logs[1]) == normal(logs[0])


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_as_listed(name: str, sides: tuple[Side, Side], certificates: Certificates) -> None:
    difference = DIFFERENCES[name]
    seen = []
    for side in sides:
        prober = Prober(side, name, certificates)
        answer = prober.probe(difference.probe)
        if difference.attribute == "problems":
            answer = problems(normal(side.wait_for_disconnects(name, prober.sessions)))
        elif difference.attribute:
            answer = answer[difference.attribute]
        seen.append(answer[0] if difference.attribute == "cipher" else answer)
    there, here = seen
    assert here == difference.here, difference.reason
    assert there in (difference.there, difference.corrected or difference.there), difference.reason
