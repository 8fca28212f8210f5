"""Signature digests in the log are those of the handshake, whether it was watched or foretold from the ClientHello."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from peers.certificates import Certificates
from peers.children import PATIENCE
from peers.proxy import Proxy, running, write_config

from tlsproxy.tls import openssl
from tlsproxy.tls.hello import is_usual, signature_schemes

SHA256_FIRST = "rsa_pss_rsae_sha256:rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256"
SHA512_FIRST = "rsa_pss_rsae_sha512:rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"
SHA384_ONLY = "rsa_pss_rsae_sha384:ecdsa_secp256r1_sha256"


def client_hello(schemes: str | None = None) -> bytes:
    """The first flight of a real client."""
    context = SSL.Context(SSL.TLS_METHOD)
    if schemes:
        assert openssl.lib.SSL_CTX_set1_sigalgs_list(context._context, schemes.encode()) == 1
    client = SSL.Connection(context)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65536)


def test_schemes_are_read_in_the_clients_order() -> None:
    assert signature_schemes(client_hello(SHA512_FIRST)) == [0x0806, 0x0804, 0x0403]
    assert is_usual(client_hello(SHA256_FIRST))
    assert is_usual(client_hello())
    assert not is_usual(client_hello(SHA512_FIRST))


def test_a_hello_that_is_not_all_there_is_not_usual() -> None:
    hello = client_hello()
    assert not any(is_usual(hello[:size]) for size in range(len(hello)))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_can_be_asked(noise: bytes, position: int) -> None:
    hello = client_hello()
    for data in (noise, hello[:position] + noise, hello[:position] + noise + hello[position + len(noise) :]):
        signature_schemes(data)
        is_usual(data)


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    directory = tmp_path_factory.mktemp("hello")
    certificates = Certificates(directory / "pki")
    with ExitStack() as stack:
        proxies = {}
        for key in ("rsa2048", "ec256", "ec384", "ed25519"):
            chain = certificates.directory / f"{key}.pem"
            write_config(directory / key, {"smtpd_tls_chain_files": str(chain)})
            proxies[key] = stack.enter_context(running(directory / key))
        yield proxies


@pytest.mark.parametrize("schemes", [SHA256_FIRST, SHA512_FIRST, SHA384_ONLY, ""])
@pytest.mark.parametrize("key", ["rsa2048", "ec256", "ec384", "ed25519"])
def test_the_log_names_the_digest_that_the_client_has_seen(proxies: dict[str, Proxy], key: str, schemes: str) -> None:
    """`openssl s_client` says which digest the server has signed with; the daemon must say the same."""
    proxy = proxies[key]
    offered = ["-sigalgs", f"{schemes}:ecdsa_secp384r1_sha384:ed25519"] if schemes else []
    lines = proxy.log().count("TLS connection established")
    local, status = proxy.request()
    assert status == 1
    with local, socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = ["openssl", "s_client", "-connect", address, "-brief", "-tls1_3", *offered]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        accepted, _ = listener.accept()
        socket.send_fds(local, [b"\0"], [accepted.fileno()])
        accepted.close()
        log = proxy.wait_for_log("TLS connection established", lines + 1)
        local.close()
        _, seen = client.communicate(timeout=PATIENCE)
    used = re.search(r"Hash used: (\S+)", seen.decode())
    told = re.search(r"server-digest (\S+)$", log.strip().splitlines()[-1])
    assert used is not None, seen
    assert (told[1] if told else "UNDEF") == used[1]
