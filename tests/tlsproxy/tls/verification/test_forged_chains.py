"""Attacks on the client role's verdict: chains that no authority has signed, or that are too weak to count.

Each was `secured` once, or is a close relative of one that was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from peers.daemon.proxy import running, write_config
from peers.fakes.smtp_client import Asked, Record, SmtpClient, server_context
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.forging import (
    CERT_SIGN,
    CLIENT,
    DIGITAL_SIGNATURE,
    Template,
    authority,
    basic,
    chain_pem,
    constraints,
    dns,
    key,
    key_usage,
    purposes,
    server,
    unknown,
)

HOST = "mx.example.test"
SETTINGS = {"smtp_tls_security_level": "may", "smtpd_tls_security_level": "none"}
SECURED, PRESENT = 29, 1

ROOT = authority("Root")
INTERMEDIATE = authority("Intermediate", ROOT)
REAL = server(HOST, INTERMEDIATE)
FORGED = REAL.but(key=key("attacker"), signer=key("attacker"))
"""It names the real intermediate as its issuer, which did not sign it."""

MASTER_CF = """\
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
tlsproxy  unix  -  -  n  -  0  tlsproxy
postlog   unix-dgram n - n  -  1  postlogd
"""
TLSA = ("half-dane", "dane", "dane-only")
ANCHOR_FILE = ("verify", "secure")


@pytest.fixture(scope="module", params=["ours", pytest.param("postfix", marks=pytest.mark.postfix)])
def client(request: pytest.FixtureRequest) -> Iterator[SmtpClient]:
    """The daemon, and the C program, whose verdict is the measure."""
    with public_directory() as directory:
        if request.param == "ours":
            write_config(directory, SETTINGS, certificate=False)
            with running(directory, "--workers", "1") as proxy:
                yield SmtpClient(proxy.socket, directory)
        else:
            with PrivatePostfix(directory / "postfix", SETTINGS, MASTER_CF) as postfix:
                yield SmtpClient(postfix.queue / "private" / "tlsproxy", postfix.conf)


Verdict = Callable[..., int]


@pytest.fixture
def verdict(client: SmtpClient, public_path: Path) -> Verdict:
    """Play a session with a server that sends a chain; return the peer status that smtp(8) would get."""

    def play(level: str, chain: Sequence[Template], *records: Record, trusted: Template | None = None) -> int:
        (public_path / "chain.pem").write_bytes(chain_pem(*chain))
        init = {}
        if trusted is not None:
            (public_path / "ca.pem").write_bytes(trusted.pem)
            init["CAfile"] = str(public_path / "ca.pem")
        asked = Asked(level, ["hostname"], records or None, init=init)
        session = client.session(server_context(public_path / "chain.pem"), asked)
        assert session.context is not None
        return int(session.context["peer_status"])

    return play


def bare_key(holder: Template) -> Record:
    """A PUBLIC KEY in a trust anchor file, as in TLSA 2 1 0."""
    return 2, 1, 0, holder.key.info


def whole(holder: Template) -> Record:
    return 2, 0, 0, holder.der


def digest(holder: Template) -> Record:
    return 2, 0, 1, sha256(holder.der).digest()


def secured(level: str) -> int:
    return 13 if level == "half-dane" else SECURED


@pytest.mark.parametrize("level", TLSA + ANCHOR_FILE)
def test_forged_leaf_below_the_bare_key_of_a_root_is_refused(verdict: Verdict, level: str) -> None:
    assert verdict(level, (REAL, INTERMEDIATE), bare_key(ROOT)) == secured(level)
    assert verdict(level, (FORGED, INTERMEDIATE), bare_key(ROOT)) == PRESENT


FALSE_AUTHORITY = INTERMEDIATE.extended(basic=basic(False))
BROKEN_BELOW = {
    "signed-by-another": (FORGED, INTERMEDIATE),
    "signature-of-nothing": (REAL.but(signature=b"0\6\2\1\1\2\1\1"), INTERMEDIATE),
    "signature-empty": (REAL.but(signature=b""), INTERMEDIATE),
    "issuer-no-authority": (REAL, FALSE_AUTHORITY),
    "issuer-may-not-sign": (REAL, INTERMEDIATE.extended(usage=key_usage(DIGITAL_SIGNATURE))),
    "issuer-for-clients": (REAL, INTERMEDIATE.extended(purposes=purposes(CLIENT))),
    "issuer-without-constraints": (REAL, INTERMEDIATE.extended(basic=None, usage=None)),
    "issuer-critical-unknown": (REAL, INTERMEDIATE.extended(unknown=unknown())),
    "name-excluded": (REAL, INTERMEDIATE.extended(constraints=constraints(excluded=(dns("example.test"),)))),
    "name-not-permitted": (REAL, INTERMEDIATE.extended(constraints=constraints(permitted=(dns("other.test"),)))),
    "leaf-for-clients": (REAL.extended(purposes=purposes(CLIENT)), INTERMEDIATE),
    "leaf-critical-unknown": (REAL.extended(unknown=unknown()), INTERMEDIATE),
    "leaf-weak-digest": (REAL.but(digest="sha1"), INTERMEDIATE),
    "issuer-weak-key": (server(HOST, authority("Weak", ROOT, kind="rsa768")), authority("Weak", ROOT, kind="rsa768")),
}


@pytest.mark.parametrize("level", ["dane", "secure"])
@pytest.mark.parametrize("flaw", BROKEN_BELOW)
def test_chain_with_a_flaw_below_a_bare_key_is_refused(verdict: Verdict, flaw: str, level: str) -> None:
    assert verdict(level, BROKEN_BELOW[flaw], bare_key(ROOT)) == PRESENT


def test_path_too_long_below_a_bare_key_is_refused(verdict: Verdict) -> None:
    short = authority("Short", ROOT).extended(basic=basic(True, 0))
    lower = authority("Lower", short)
    assert verdict("dane", (server(HOST, lower), lower, short), bare_key(ROOT)) == PRESENT


DIRECT = server(HOST, ROOT)
BROKEN_LEAVES = {
    "for-clients": DIRECT.extended(purposes=purposes(CLIENT)),
    "for-signing-only": DIRECT.extended(purposes=None, usage=key_usage(CERT_SIGN)),
    "critical-unknown": DIRECT.extended(unknown=unknown()),
    "weak-key": server(HOST, ROOT, kind="rsa768"),
}


@pytest.mark.parametrize("level", ["dane", "secure"])
@pytest.mark.parametrize("flaw", BROKEN_LEAVES)
def test_flawed_leaf_that_a_bare_key_signed_is_refused(verdict: Verdict, flaw: str, level: str) -> None:
    assert verdict(level, (DIRECT,), bare_key(ROOT)) == SECURED
    assert verdict(level, (BROKEN_LEAVES[flaw],), bare_key(ROOT)) == PRESENT


SHA1_LEAF = REAL.but(digest="sha1")
SHA1_INTERMEDIATE = authority("Intermediate", ROOT, digest="sha1")
WEAK_ROOT = authority("Weak Root", kind="rsa768")
WEAK_ISSUER = authority("Weak Issuer", ROOT, kind="rsa512")


@pytest.mark.parametrize("record", [digest(INTERMEDIATE), (2, 1, 1, sha256(INTERMEDIATE.key.info).digest())])
@pytest.mark.parametrize("level", ["dane", "secure"])
def test_weak_digest_that_is_the_first_report_is_refused(verdict: Verdict, level: str, record: Record) -> None:
    """A chain that is also trusted locally has no earlier error."""
    assert verdict(level, (REAL, INTERMEDIATE), record, trusted=ROOT) == SECURED
    assert verdict(level, (SHA1_LEAF, INTERMEDIATE), record, trusted=ROOT) == PRESENT
    assert verdict(level, (SHA1_LEAF, INTERMEDIATE), record) == PRESENT


@pytest.mark.parametrize("level", ["dane", "secure"])
def test_weak_digest_below_an_anchor_not_sent_is_refused(verdict: Verdict, level: str) -> None:
    assert verdict(level, (REAL, SHA1_INTERMEDIATE), whole(ROOT)) == PRESENT
    assert verdict(level, (SHA1_LEAF, INTERMEDIATE), whole(ROOT)) == PRESENT
    assert verdict(level, (DIRECT.but(digest="sha1"),), whole(ROOT)) == PRESENT


@pytest.mark.parametrize("level", ["dane", "secure"])
def test_weak_key_of_an_anchor_is_refused(verdict: Verdict, level: str) -> None:
    assert verdict(level, (server(HOST, WEAK_ROOT), WEAK_ROOT), digest(WEAK_ROOT)) == PRESENT
    assert verdict(level, (server(HOST, WEAK_ROOT),), whole(WEAK_ROOT)) == PRESENT
    assert verdict(level, (server(HOST, WEAK_ISSUER), WEAK_ISSUER), digest(WEAK_ISSUER)) == PRESENT
    assert verdict(level, (server(HOST, WEAK_ISSUER),), whole(WEAK_ISSUER)) == PRESENT


@pytest.mark.parametrize("level", ["dane", "secure"])
def test_weak_key_between_leaf_and_anchor_is_refused(verdict: Verdict, level: str) -> None:
    chain = server(HOST, WEAK_ISSUER), WEAK_ISSUER
    for record in (whole(ROOT), bare_key(ROOT)):
        assert verdict(level, chain, record) == PRESENT
    assert verdict(level, (*chain, ROOT), digest(ROOT)) == PRESENT


def test_digest_of_the_anchor_itself_does_not_count(verdict: Verdict) -> None:
    """It is no anchor because of its signature."""
    assert verdict("dane", (REAL, SHA1_INTERMEDIATE), digest(SHA1_INTERMEDIATE)) == SECURED
