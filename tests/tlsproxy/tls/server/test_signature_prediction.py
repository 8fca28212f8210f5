"""Signature digests in the log are those of the handshake, whether it was watched or predicted from the ClientHello."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib
from peers.daemon.proxy import Proxy, running, write_config
from peers.tools.certificates import Certificates
from peers.tools.children import PATIENCE

from tlsproxy.tls.contexts import bare_context
from tlsproxy.tls.openssl import binding, callbacks
from tlsproxy.tls.openssl.binding import Key
from tlsproxy.tls.server.client_hello import is_whole, peek, signature_schemes
from tlsproxy.tls.server.signature_prediction import predicted_scheme

SHA256_FIRST = "rsa_pss_rsae_sha256:rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256"
SHA512_FIRST = "rsa_pss_rsae_sha512:rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256"
SHA384_ONLY = "rsa_pss_rsae_sha384:ecdsa_secp256r1_sha256"


def offer_schemes(context: SSL.Context, schemes: str) -> None:
    """Choose the signature schemes of a client; pyOpenSSL has no function for that."""
    assert lib.SSL_CTX_set1_sigalgs_list(context._context, schemes.encode()) == 1


def client_hello(schemes: str | None = None) -> bytes:
    """The first flight of a real client."""
    context = SSL.Context(SSL.TLS_METHOD)
    if schemes:
        offer_schemes(context, schemes)
    client = SSL.Connection(context)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(65536)


def test_schemes_are_read_in_the_clients_order() -> None:
    assert signature_schemes(client_hello(SHA512_FIRST)) == [0x0806, 0x0804, 0x0403]


def test_hello_is_whole_when_all_of_it_is_there() -> None:
    hello = client_hello()
    assert is_whole(hello)
    assert not any(is_whole(hello[:size]) for size in range(len(hello)))


@pytest.mark.parametrize(
    ("schemes", "key", "scheme"),
    [
        (SHA512_FIRST, ("RSA-PSS", "", 2048), 0x0806),
        (SHA512_FIRST, ("RSA-PSS", "", 1024), 0x0804),
        (SHA384_ONLY, ("RSA-PSS", "", 2048), 0x0805),
        ("", ("ECDSA", "prime256v1", 0), 0x0403),
        ("", ("ED25519", "", 0), 0),
        (f"{SHA512_FIRST}:rsa_pss_pss_sha384", ("RSASSA-PSS", "", 0), 0x080A),
    ],
)
def test_scheme_is_the_first_one_that_suits_the_key(schemes: str, key: Key, scheme: int) -> None:
    assert predicted_scheme(client_hello(schemes), key) == scheme


SIGNING = [f"rsa_pss_{kind}_sha{size}" for kind in ("rsae", "pss") for size in (256, 384, 512)]


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, SSL.Context]:
    """Contexts with RSA keys, by their size."""
    contexts = {}
    for bits in (1024, 2048):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(bits))])
        begin = datetime(2020, 1, 1, tzinfo=UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=36500))
        contexts[bits] = bare_context()
        contexts[bits].use_certificate(builder.sign(key, SHA256()))
        contexts[bits].use_privatekey(key)
    return contexts


@given(st.permutations(SIGNING), st.integers(1, 6), st.sampled_from([1024, 2048]))
def test_prediction_is_the_choice_of_openssl(
    signers: dict[int, SSL.Context], order: list[str], count: int, bits: int
) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    offer_schemes(context, ":".join(order[:count]))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = SSL.Connection(context, ours)
        client.set_connect_state()
        for each in (ours, theirs):
            each.setblocking(False)
        with pytest.raises(SSL.WantReadError):
            client.do_handshake()
        hello = peek(theirs.fileno())
        assert is_whole(hello)
        hooks = callbacks.Hooks()
        server = callbacks.begin_watched(signers[bits], theirs.fileno(), server=True)
        callbacks.hook(server, hooks)
        binding.SSL_do_handshake(server)
        binding.clear_errors()
        callbacks.unhook(server)
    assert hooks.own_scheme == predicted_scheme(hello, ("RSA-PSS", "", bits))


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_can_be_asked(noise: bytes, position: int) -> None:
    hello = client_hello()
    for data in (noise, hello[:position] + noise, hello[:position] + noise + hello[position + len(noise) :]):
        is_whole(data)
        predicted_scheme(data, ("RSA-PSS", "", 2048))


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
def test_log_names_the_digest_that_the_client_has_seen(proxies: dict[str, Proxy], key: str, schemes: str) -> None:
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
    logged = re.search(r"server-digest (\S+)$", log.strip().splitlines()[-1])
    assert used is not None, seen
    assert (logged[1] if logged else "UNDEF") == used[1]
