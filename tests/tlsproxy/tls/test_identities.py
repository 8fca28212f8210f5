"""Keys and chains from PEM files: any content is grouped as in Postfix, or refused with a reason."""

from __future__ import annotations

import re
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.daemon.roles import Lines

from tlsproxy.tls.identities import PemObject, chains, pem_objects
from tlsproxy.tls.settings.errors import IdentityError

LABELS = {
    "K": ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"),
    "C": ("CERTIFICATE", "X509 CERTIFICATE"),
    "?": ("EC PARAMETERS", "DH PARAMETERS", "TRUSTED CERTIFICATE", "ENCRYPTED PRIVATE KEY"),
}
kinds = st.sampled_from([(kind, label) for kind, labels in LABELS.items() for label in labels])


def block(label: str) -> bytes:
    return f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n".encode()


@given(st.lists(kinds, max_size=12), st.sampled_from([b"", b"text\n", b"\r\n", b"subject=CN = x\n\n"]))
def test_objects_are_found_in_order_between_other_text(objects: list[tuple[str, str]], around: bytes) -> None:
    data = around + around.join(block(label) for _, label in objects) + around
    found = list(pem_objects(data, "file"))
    assert [(each.label, each.number) for each in found] == [(label, at) for at, (_, label) in enumerate(objects, 1)]


@given(st.lists(kinds, max_size=12))
def test_key_and_certificates_after_it_are_an_identity(objects: list[tuple[str, str]]) -> None:
    log = Lines()
    found = [PemObject(label, block(label), "file", at) for at, (_, label) in enumerate(objects, 1)]
    ignored = [label for kind, label in objects if kind == "?"]
    sequence = "".join(kind for kind, _ in objects if kind != "?")
    if re.fullmatch("(KC+)+", sequence):
        identities = chains(found, "file", log)
        lengths = [len(list(group)) for kind, group in groupby(sequence) if kind == "C"]
        assert [len(each.chain) for each in identities] == lengths
        assert log.lines == [f"warning: loading file: ignoring PEM type: {label}" for label in ignored]
    else:
        with pytest.raises(IdentityError) as caught:
            chains(found, "file", log)
        assert re.fullmatch(expected(sequence), str(caught.value))


def expected(sequence: str) -> str:
    """Return Postfix's error for a bad sequence."""
    if not sequence:
        return "No PEM data in file"
    if sequence.startswith("C"):
        return "error loading chain from file: key not first"
    if "KK" in sequence:
        return r"error loading certificate chain: key at index \d+ in file not followed by a certificate"
    return r"No certs for key at index \d+ in file"


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    try:
        objects = list(pem_objects(b"-----BEGIN " + data, "file"))
    except IdentityError:
        return
    assert all(each.text.startswith(b"-----BEGIN ") for each in objects)
