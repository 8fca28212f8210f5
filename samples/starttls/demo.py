"""One STARTTLS session through the daemon, with both peers in this program.

The daemon runs stand-alone on a copy of this directory's main.cf and master.cf, with a throw-away certificate. This
program is postscreen(8), which hands over the SMTP connection, and the remote SMTP client that sends STARTTLS.
"""

from __future__ import annotations

import datetime
import getpass
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tlsproxy.wire.attributes import AttributeReader, write_list
from tlsproxy.wire.messages import ANNOUNCEMENT, Flag

HERE = Path(__file__).parent
HOST = "mail.example.com"
PATIENCE = 20
NOT_OF_A_CA = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("encipher_only", "decipher_only"),
)
"""Other key usages, all off."""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tlsproxy-demo-") as name:
        directory = Path(name)
        for file in ("main.cf", "master.cf"):
            shutil.copy(HERE / file, directory)
        make_certificates(directory)
        log = directory / "log"
        with log.open("w") as output:
            daemon = start_daemon(directory, output)
            try:
                play(directory / "socket", directory / "ca.pem")
            finally:
                daemon.terminate()
                status = daemon.wait(PATIENCE)
        title("The daemon's log")
        print(log.read_text(), end="")
        print(f"\nThe daemon has ended with status {status}.")
        return status


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def make_certificates(directory: Path) -> None:
    """Make a CA (ca.pem), and a key with its certificate and the CA's (chain.pem)."""
    title("A throw-away CA and certificate")
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Demo CA")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])

    # Since Python 3.13 clients require all of RFC 5280, including key usage and key identifiers of a CA.
    of_a_ca = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **dict.fromkeys(NOT_OF_A_CA, False))
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())

    def certificate(
        subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(signer, critical=False)
        )
        for each in extensions:
            builder = builder.add_extension(each, critical=True)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca = certificate(ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0), of_a_ca)
    leaf = certificate(name, key.public_key(), x509.SubjectAlternativeName([x509.DNSName(HOST)]))
    (directory / "ca.pem").write_bytes(ca)
    chain = directory / "chain.pem"
    chain.touch(0o600)
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf
        + ca
    )
    print(f"{HOST}, issued by Demo CA, ECDSA, valid for a day")


def start_daemon(directory: Path, output: IO[str]) -> subprocess.Popen[bytes]:
    """Start the daemon and wait until it listens."""
    title("The daemon")
    command = [
        str(Path(sys.executable).with_name("tlsproxy")),
        *("--standalone", "--config", str(directory), "--socket", str(directory / "socket")),
        *("--user", getpass.getuser()),  # as root, the default would be Postfix's user
    ]
    print("$", " ".join(command))
    daemon = subprocess.Popen(command, stderr=output)
    deadline = time.monotonic() + PATIENCE
    while not (directory / "socket").exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the daemon did not start:\n{(directory / 'log').read_text()}")
        time.sleep(0.02)
    return daemon


def play(proxy: Path, ca: Path) -> None:
    """Run both peers: postscreen(8) in a thread, the SMTP client here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        postscreen = threading.Thread(target=play_postscreen, args=(listener, proxy))
        postscreen.start()
        title("The session, as the remote SMTP client sees it")
        play_client(listener.getsockname()[1], ca)
        postscreen.join(PATIENCE)


def play_client(port: int, ca: Path) -> None:
    context = ssl.create_default_context(cafile=str(ca))
    with smtplib.SMTP(timeout=PATIENCE) as client:
        client.connect("127.0.0.1", port)
        client._host = HOST  # type: ignore[attr-defined]  # it is private: the name that is asked for and verified
        say("S", "220", "mail.example.com ESMTP")
        say("C", "EHLO client.example.org")
        say("S", *client.ehlo("client.example.org"))
        say("C", "STARTTLS")
        say("S", *client.starttls(context=context))
        connection = client.sock
        assert isinstance(connection, ssl.SSLSocket)
        name, _, bits = connection.cipher() or ("", "", 0)
        print(f"   -- {connection.version()}, {name}, {bits} bits, certificate of {HOST} verified --")
        for command in ("EHLO client.example.org", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "QUIT"):
            say("C", command)
            say("S", *client.docmd(command))


def say(who: str, *words: object) -> None:
    text = " ".join(word.decode() if isinstance(word, bytes) else str(word) for word in words)
    for line in text.splitlines():
        print(f"{who}: {line}", flush=True)


def play_postscreen(listener: socket.socket, proxy: Path) -> None:
    """Serve an SMTP client up to STARTTLS, hand it over, and continue with the proxy's plaintext."""
    client, address = listener.accept()
    client.settimeout(PATIENCE)
    client.sendall(b"220 mail.example.com ESMTP\r\n")
    replies = {b"EHLO": b"250-mail.example.com\r\n250 STARTTLS\r\n"}
    while (command := read_line(client)) != b"STARTTLS":
        client.sendall(replies[command[:4].upper()])
    plaintext = hand_over(client, f"[{address[0]}]:{address[1]}", proxy)
    replies = {
        b"EHLO": b"250 mail.example.com\r\n",
        b"MAIL": b"250 2.1.0 Ok\r\n",
        b"RCPT": b"450 4.3.2 Service currently unavailable\r\n",
        b"QUIT": b"221 2.0.0 Bye\r\n",
    }
    while command := read_line(plaintext):
        plaintext.sendall(replies[command[:4].upper()])
        if command == b"QUIT":
            break
    plaintext.close()


def hand_over(client: socket.socket, endpoint: str, proxy: Path) -> socket.socket:
    """Ask the proxy to do TLS with a client, and pass it the connection; return the plaintext side."""
    plaintext = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plaintext.settimeout(PATIENCE)
    plaintext.connect(str(proxy))
    assert plaintext.recv(len(ANNOUNCEMENT), socket.MSG_WAITALL) == ANNOUNCEMENT
    plaintext.sendall(
        write_list(
            [
                ("remote_endpoint", endpoint),
                ("flags", int(Flag.SERVER)),
                ("timeout", 300),
                ("timeout", 300),
                ("serverid", "smtpd"),
            ]
        )
    )
    reader = AttributeReader("tlsproxy")
    reader.feed(plaintext.recv(100))
    try:
        next(reader.integer("status"))
    except StopIteration as finished:
        assert finished.value == 1, "the proxy does not serve this role"
    socket.send_fds(plaintext, [b"\0"], [client.fileno()])
    client.sendall(b"220 2.0.0 Ready to start TLS\r\n")
    client.close()
    return plaintext


def read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        line += byte
    return line.removesuffix(b"\r\n")


if __name__ == "__main__":
    sys.exit(main())
