"""A line protocol of our own with STARTTLS: `NOTE text` stores a note, but only over TLS.

Server and client leave TLS to the proxy (`tlsproxy.starttls`); neither sees a key or a certificate. main.cf
configures the server's identity, a policy table the server that the client accepts.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import postconf
from tlsproxy.policy import Destination, DnsName, Policies, PolicyError
from tlsproxy.starttls import PeerNotVerifiedError, Proxy, detach, starttls

HERE = Path(__file__).parent
PATIENCE = 20


async def serve(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one session."""
    secure = False
    while line := await reader.readline():
        command, _, text = line.decode().strip().partition(" ")
        if command == "STARTTLS" and not secure:
            sock = await detach(reader, writer)  # before the answer: the bytes after it are for the proxy
            await asyncio.get_running_loop().sock_sendall(sock, b"OK go on\n")
            tls = await starttls(sock, role="server", proxy=proxy, timeout=PATIENCE)
            reader, writer, secure = tls.reader, tls.writer, True
            continue
        if command == "NOTE":
            writer.write(f"OK noted {text!r}\n".encode() if secure else b"NO say STARTTLS first\n")
        else:
            writer.write(b"NO such command\n")
        await writer.drain()
    writer.close()


async def note(proxy: Proxy, host: str, port: int, text: str) -> None:
    """Run a client: send a note to a server, or print the reason for a failure."""
    print(f"\n{host}:", flush=True)
    try:
        with Policies(proxy.view) as policies:
            policy = policies.decide(Destination(host, host, DnsName(host), port))
    except PolicyError as error:
        print(f"  no policy: {error}")
        return
    print(f"  policy: {policy.level.word}, match {', '.join(policy.match)}")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await ask(reader, writer, "NOTE hello")
    await ask(reader, writer, "STARTTLS")
    try:
        tls = await starttls(await detach(reader, writer), role="client", policy=policy, proxy=proxy, timeout=PATIENCE)
    except PeerNotVerifiedError as error:
        print(f"  {error}; nothing was sent")
        return
    print(f"  {tls.context.cipher_protocol}, certificate of {tls.context.peer_CN}")
    await ask(tls.reader, tls.writer, f"NOTE {text}")
    tls.writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> None:
    writer.write(f"{line}\n".encode())
    print(f"  > {line}\n  < {(await reader.readline()).decode().strip()}", flush=True)


async def play(proxy: Proxy) -> None:
    """Serve on a free port, and run three clients."""
    async with asyncio.TaskGroup() as sessions:
        server = await asyncio.start_server(
            lambda reader, writer: sessions.create_task(serve(proxy, reader, writer)), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        for host in ("notes.example.com", "impostor.example.com", "old.example.com"):
            await note(proxy, host, port, "the key is under the mat")
        server.close()


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tlsproxy-notes-") as name:
        directory = Path(name)
        for file in ("main.cf", "master.cf", "policy"):
            shutil.copy(HERE / file, directory)
        make_certificate(directory)
        command: list[str | Path] = [Path(sys.executable).with_name("tlsproxy"), "--standalone", "--config", name]
        with (directory / "log").open("w") as log:
            daemon = subprocess.Popen([*command, "--socket", directory / "socket"], stderr=log)
        try:
            wait_for(directory / "socket", daemon)
            asyncio.run(play(Proxy.of(postconf.load(name), directory / "socket")))
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE)
        print("\nThe proxy's log:\n" + (directory / "log").read_text(), end="")
    return 0


def make_certificate(directory: Path) -> None:
    """Make a key and a self-signed certificate."""
    name = "notes.example.com"
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files: list[str | Path] = ["-keyout", directory / "key.pem", "-out", directory / "cert.pem"]
    subprocess.run(["openssl", "req", *options, *names, *files], check=True, capture_output=True)
    chain = directory / "chain.pem"
    chain.touch(0o600)
    chain.write_bytes((directory / "key.pem").read_bytes() + (directory / "cert.pem").read_bytes())


def wait_for(socket: Path, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not socket.exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the daemon did not start:\n{(socket.parent / 'log').read_text()}")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
