"""Attribute protocol: written messages can be read, and errors have Postfix's text."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsproxy.wire.attributes import AttributeReader, ProtocolError, Reading, write_list
from tlsproxy.wire.dane import Dane, TlsaRecord, read_digests, write_digests
from tlsproxy.wire.messages import (
    ANNOUNCEMENT,
    PARAMS,
    ClientInit,
    ClientSettings,
    ClientStart,
    Flag,
    Generation,
    Request,
    ServerInit,
    ServerSettings,
    ServerStart,
    TlsContext,
    read_client_settings,
    read_request,
    read_server_settings,
    split_request,
)
from tlsproxy.wire.requests import (
    read_announcement,
    read_context,
    read_status,
    write_client_settings,
    write_request,
    write_server_settings,
)

T = TypeVar("T")
texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40)


def read(data: bytes, reading: Reading[T], reader: AttributeReader, size: int = 1 << 20) -> T:
    """Feed data in pieces of `size` bytes."""
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        try:
            next(reading)
        except StopIteration as finished:
            value: T = finished.value
            return value
    raise EOFError("incomplete")


def problem(data: bytes) -> str:
    reader = AttributeReader()
    with pytest.raises(ProtocolError) as caught:
        read(data, read_request(reader), reader)
    return str(caught.value)


def test_announcement_is_that_of_postfix() -> None:
    assert ANNOUNCEMENT == b"protocol\0tlsproxy_protocol\0\0"


@given(texts, st.integers(0, 15), st.integers(-(2**31), 2**31 - 1), texts, st.integers(1, 50))
def test_request_survives_the_wire_in_pieces_of_any_size(
    endpoint: str, flags: int, timeout: int, serverid: str, size: int
) -> None:
    data = write_list(
        [
            ("remote_endpoint", endpoint),
            ("flags", flags),
            ("timeout", timeout),
            ("timeout", 7),
            ("serverid", serverid),
        ]
    )
    reader = AttributeReader()
    assert read(data, read_request(reader), reader, size) == Request(endpoint, flags, timeout, 7, serverid)
    assert reader.pending == 0


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_protocol_error(data: bytes) -> None:
    for parse in (read_request, read_client_settings):
        reader = AttributeReader()
        reader.feed(data)
        with contextlib.suppress(ProtocolError, StopIteration):
            next(parse(reader))


START = b"remote_endpoint\0[::1]:25\0"


def test_diagnostics_are_those_of_postfix() -> None:
    assert problem(b"flags\x001\0") == "unexpected attribute flags from plaintext (expecting: remote_endpoint)"
    assert problem(START + b"\0") == "missing attribute flags in input from plaintext"
    assert problem(START + b"flags\x0030x\0") == "malformed numerical data from plaintext while reading flags: 30x"
    whole = START + b"flags\x001\0timeout\x001\0timeout\x001\0serverid\0smtpd\0"
    assert problem(whole + b"more\0") == "unexpected attribute more from plaintext (expecting: (list terminator))"


def test_early_end_is_reported_with_the_part_being_read() -> None:
    reader = AttributeReader()
    reading = read_request(reader)
    reader.feed(b"remote_endp")
    next(reading)
    assert str(reader.end_of_input()).endswith("reading input attribute name")
    reader.feed(b"oint\0[::")
    next(reading)
    assert str(reader.end_of_input()).endswith("reading input attribute value")


@pytest.mark.parametrize(
    ("text", "number"),
    [("4294967295", -1), ("-1", -1), ("+7", 7), (" 7", 7), ("99999999999", 1215752191), ("2147483648", -2147483648)],
)
def test_numbers_are_cut_to_32_bits_as_sscanf_does(text: str, number: int) -> None:
    reader = AttributeReader()
    assert read(f"n\0{text}\0".encode(), reader.integer("n"), reader) == number


def client_request(generation: Generation) -> bytes:
    """List 2 as smtp(8) of this generation sends it."""
    new = generation >= Generation.V3_9
    attributes: list[tuple[str, str | int | bytes]] = [("config_file", "default"), ("config_name", "")]
    attributes += [(f"tls_{grade}_cipherlist", grade) for grade in ("high", "medium")]
    attributes += [] if new else [("tls_low_cipherlist", "low"), ("tls_export_cipherlist", "export")]
    attributes += [("tls_null_cipherlist", "null"), ("tls_eecdh_auto_curves", "X25519")]
    attributes += [("tls_eecdh_strong_curve", "a"), ("tls_eecdh_ultra_curve", "b")]
    attributes += [("tls_ffdhe_auto_groups", "ffdhe2048")] if new else []
    attributes += [(name, "") for name in ("tls_disable_workarounds", "tls_ssl_options", "tls_dane_digests")]
    attributes += [("tlsmgr_service_name", "tlsmgr"), ("tls_session_ticket_cipher", "aes-256-cbc")]
    attributes += [("tls_daemon_random_bytes", 32), ("tls_append_default_CA", 0)]
    attributes += [("tls_preempt_cipherlist", 0), ("tls_wildcard_matches_multiple_labels", 1)]
    attributes += [("tls_fast_shutdown_enable", 1)] if generation is Generation.V3_12 else []
    attributes += [("log_param", "smtp_tls_loglevel"), ("log_level", "1"), ("verifydepth", 9), ("cache_type", "smtp")]
    files = [
        "chain_files",
        "cert_file",
        "key_file",
        "dcert_file",
        "dkey_file",
        "eccert_file",
        "eckey_file",
        "CAfile",
        "CApath",
    ]
    attributes += [(name, "") for name in files]
    attributes += [("mdalg", "sha256")]
    attributes += [("log_param", "x"), ("log_level", "2")] if generation is Generation.V3_12 else []
    attributes += [("timeout", 300)] + ([("enable_rpk", 1)] if new else []) + [("tls_level", 5)]
    names = ["nexthop", "host", "namaddr", "sni", "serverid", "helo", "protocols", "cipher_grade", "cipher_exclusions"]
    attributes += [(name, f"<{name}>") for name in names]
    attributes += [("argv_size", 2), ("argv_value", "nexthop"), ("argv_value", "hostname"), ("mdalg", "sha256")]
    if generation is Generation.V3_5:
        attributes += [("dane", 1), ("count", 0), ("count", 1), ("mdalg", "sha512"), ("argv_size", 0)]
        attributes += [("argv_size", 1), ("argv_value", "01:02:AF"), ("count", 0), ("count", 0)]
        attributes += [("domain", "mx.test"), ("flags", 0), ("exp", 1795770000)]
    else:
        attributes += [("dane", 1), ("domain", "mx.test"), ("count", 1)]
        attributes += [("usage", 3), ("selector", 1), ("mtype", 2), ("data", b"\1\2\xaf")]
    attributes += [("forced_failure_type", "")] if generation >= Generation.V3_10 else []
    attributes += [("trace_size_limit", 5), ("trace_peer", "p")] if generation is Generation.V3_12 else []
    return write_list(attributes)


@pytest.mark.parametrize("generation", Generation)
def test_request_shows_the_generation_of_its_client(generation: Generation) -> None:
    reader = AttributeReader()
    reading = read_client_settings(reader, announced=generation is not Generation.V3_5)
    settings = read(client_request(generation), reading, reader, 7)
    assert settings.generation is generation
    assert settings.start.match == ("nexthop", "hostname")
    assert settings.start.dane == Dane("mx.test", (TlsaRecord(3, 1, 2, b"\1\2\xaf"),))
    assert settings.start.enable_rpk is (generation >= Generation.V3_9)
    assert ("tls_low_cipherlist" in settings.params) is (generation <= Generation.V3_6)


@pytest.mark.parametrize(("generation", "count"), list(zip(Generation, (21, 22, 24, 25, 26), strict=True)))
def test_context_has_the_attributes_that_each_generation_reads(generation: Generation, count: int) -> None:
    assert TlsContext().encode(generation).count(b"\0") == 2 * count + 1


# The other end: a server reads the values that a client writes, and the other way round.

numbers = st.integers(-(2**31), 2**31 - 1)
params = st.fixed_dictionaries(
    {"tls_high_cipherlist": texts, "tls_medium_cipherlist": texts, "tls_null_cipherlist": texts},
    optional={
        "config_file": texts,
        "tls_daemon_random_bytes": numbers,
        "tls_wildcard_matches_multiple_labels": numbers,
    },
).map(lambda found: {name: found[name] for name in PARAMS if name in found})
records = st.builds(TlsaRecord, numbers, numbers, numbers, st.binary(max_size=20))
starts = st.builds(
    ClientStart,
    *(st.just(300), st.integers(0, 8), *(texts for _ in range(9))),
    match=st.lists(texts, max_size=3).map(tuple),
    mdalg=texts,
    dane=st.none() | st.builds(Dane, texts, st.lists(records, max_size=3).map(tuple)),
    **{name: st.just(value) for name, value in ClientStart._field_defaults.items()},  # not sent by all generations
)


def structures(kind: type[T]) -> st.SearchStrategy[T]:
    """A flat structure with any values."""
    return st.builds(kind, **{name: numbers if hint is int else texts for name, hint in get_type_hints(kind).items()})


@given(
    st.sampled_from(list(Generation)[1:]),
    params,
    structures(ClientInit),
    starts,
    st.integers(1, 50),
)
def test_client_settings_of_each_generation_survive_the_wire(
    generation: Generation, params: dict[str, str | int], init: ClientInit, start: ClientStart, size: int
) -> None:
    settings = ClientSettings(generation, params, init, start)
    reader = AttributeReader()
    assert read(write_client_settings(settings), read_client_settings(reader), reader, size) == settings
    assert not reader.pending


digests = st.builds(
    TlsaRecord, st.sampled_from([2, 3]), st.sampled_from([0, 1]), st.sampled_from([1, 2, 255]), st.binary(max_size=64)
)


@given(st.none() | st.builds(Dane, texts, st.lists(digests, min_size=1, max_size=6).map(tuple)))
def test_digests_of_postfix_3_5_are_the_records_of_their_origin(dane: Dane | None) -> None:
    reader = AttributeReader()
    found = read(write_list(write_digests(dane, "md5")), read_digests(reader, "md5"), reader)
    assert (found and found.domain) == (dane and dane.domain)
    if dane:
        assert found is not None
        assert sorted(found.records) == sorted(dane.records)


def test_postfix_3_5_gets_certificates_and_keys_with_digests() -> None:
    whole = (TlsaRecord(2, 0, 0, b"certificate"), TlsaRecord(2, 1, 0, b"key"), TlsaRecord(3, 1, 0, b"server"))
    reader = AttributeReader()
    found = read(write_list(write_digests(Dane("mx.test", whole), "md5")), read_digests(reader, "md5"), reader)
    digests = {TlsaRecord(each.usage, each.selector, 1, sha256(each.data).digest()) for each in whole}
    assert found is not None
    assert set(found.records) == {*whole[:2], *digests}


@pytest.mark.parametrize(("algorithm", "digest"), [("sha3", "AA:BB"), ("sha256", "no digest"), ("md5", "")])
def test_digest_that_cannot_be_used_is_a_record_that_cannot(algorithm: str, digest: str) -> None:
    data: list[tuple[str, str | int | bytes]]
    data = [("dane", 1), ("count", 0), ("count", 1), ("mdalg", algorithm), ("argv_size", 1), ("argv_value", digest)]
    data += [("argv_size", 0), ("count", 0), ("count", 0), ("domain", ""), ("flags", 0), ("exp", 0)]
    reader = AttributeReader()
    found = read(write_list(data), read_digests(reader, "md5"), reader)
    assert found is not None
    (record,) = found.records
    assert record.mtype == 254 or record.data == b""


@given(params, structures(ServerInit), structures(ServerStart), st.integers(1, 50))
def test_server_settings_survive_the_wire(
    params: dict[str, str | int], init: ServerInit, start: ServerStart, size: int
) -> None:
    settings = ServerSettings(params, init, start)
    reader = AttributeReader()
    assert read(write_server_settings(settings), read_server_settings(reader), reader, size) == settings


@given(structures(Request))
def test_written_request_can_be_read(request: Request) -> None:
    request = request._replace(flags=Flag.CLIENT, handshake_timeout=3, session_timeout=4)
    reader = AttributeReader()
    assert read(write_request(request), read_request(reader), reader) == request


LIST_1 = (
    b"remote_endpoint",
    b"[192.0.2.7]:4711",
    b"flags",
    b"2",
    b"timeout",
    b"30",
    b"timeout",
    b"31",
    b"serverid",
    b"",
)


@given(
    st.dictionaries(st.integers(0, 9), st.sampled_from([b"", b"-1", b"0007", b"99999999999", b"\xff\n", b"timeout"])),
    st.binary(max_size=20),
)
def test_request_that_is_split_off_is_the_one_that_is_read(changes: dict[int, bytes], rest: bytes) -> None:
    data = b"".join(changes.get(index, part) + b"\0" for index, part in enumerate(LIST_1)) + b"\0"
    request, left = split_request(data + rest)
    assert left == (data + rest if request is None else rest)
    assert (request is not None) or changes
    if request is not None:
        reader = AttributeReader()
        assert request == read(data, read_request(reader), reader)


@given(st.integers(0, 70))
def test_incomplete_request_is_not_split(size: int) -> None:
    data = b"\0".join(LIST_1)[:size]
    assert split_request(data) == (None, data)


@given(st.sampled_from(Generation), structures(TlsContext), st.integers(1, 50))
def test_context_of_each_generation_can_be_read(generation: Generation, context: TlsContext, size: int) -> None:
    reader = AttributeReader()
    found = read(context.encode(generation), read_context(reader), reader, size)
    for each in dataclasses.fields(context):
        since = each.metadata.get("since", Generation.V3_5)
        assert getattr(found, each.name) == (getattr(context, each.name) if since <= generation else 0)


@given(st.binary(max_size=100), st.sampled_from([read_announcement, read_status, read_context]))
def test_any_bytes_from_a_proxy_are_a_reply_or_a_protocol_error(
    data: bytes, reading: Callable[[AttributeReader], Reading[object]]
) -> None:
    reader = AttributeReader()
    with contextlib.suppress(ProtocolError, EOFError):
        read(data, reading(reader), reader)
