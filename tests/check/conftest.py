"""Certificates that the examples of the rules name."""

from __future__ import annotations

import pytest
from peers.tools.certificates import Identity, name


@pytest.fixture(scope="session")
def certificate_files() -> dict[str, bytes]:
    good = Identity(name("mail.example.com"), hosts=["mail.example.com"])
    other = Identity(name("mail.example.com"), hosts=["mail.example.com"])
    old = Identity(name("mail.example.com"), hosts=["mail.example.com"], days=(-30, -2))
    soon = Identity(name("mail.example.com"), hosts=["mail.example.com"], days=(-30, 5))
    future = Identity(name("mail.example.com"), hosts=["mail.example.com"], days=(3, 50))
    root = Identity(name("Root"), authority=True)
    inner = Identity(name("Inner"), root, authority=True)
    leaf = Identity(name("mail.example.com"), inner, hosts=["mail.example.com"])
    elsewhere = Identity(name("www.example.net"), hosts=["www.example.net"])
    weak = Identity(name("mail.example.com"), hosts=["mail.example.com"], kind="rsa1024")
    return {
        "chain.pem": good.key_pem + good.pem,
        "open.pem": good.key_pem + good.pem,
        "cert.pem": good.pem,
        "key.pem": good.key_pem,
        "other-key.pem": other.key_pem,
        "mismatch.pem": other.key_pem + good.pem,
        "cert-first.pem": good.pem + good.key_pem,
        "two-keys.pem": good.key_pem + other.key_pem + good.pem,
        "expired.pem": old.key_pem + old.pem,
        "soon.pem": soon.key_pem + soon.pem,
        "future.pem": future.key_pem + future.pem,
        "leaf-only.pem": leaf.key_pem + leaf.pem,
        "full.pem": leaf.key_pem + leaf.pem + inner.pem,
        "root.pem": root.pem,
        "elsewhere.pem": elsewhere.key_pem + elsewhere.pem,
        "weak.pem": weak.key_pem + weak.pem,
        "encrypted.pem": good.encrypted_key_pem + good.pem,
        "ec-parameters.pem": b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        + good.key_pem
        + good.pem,
    }
