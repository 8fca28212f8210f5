"""Certificates by server name (tls_server_sni_maps): the choice, and its log lines."""

from __future__ import annotations

import contextlib
import ssl
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.daemon.proxy import client_context
from peers.daemon.roles import Lines, MakeServerRole, connector, serving
from peers.fakes.hello import GROUPS, Hello, ask
from peers.tools.certificates import Certificates

from maps import Access, Flags, Table, TableList, TemporaryLookupError
from maps.folding import WrappedTable
from tlsproxy.tls.server.role import ServerRole
from tlsproxy.tls.server.sni import ServerNames


class Entries(Table):
    """A table in memory, of which tests can say that it fails."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        super().__init__("static", "entries", Flags.FIXED | Flags.FOLD_FIX)
        self.entries_ = entries
        self.fails = False
        self.asked: list[bytes] = []

    def lookup(self, key: bytes) -> bytes | None:
        self.asked.append(key)
        if self.fails:
            raise TemporaryLookupError("the table is away")
        value = self.entries_.get(key)
        return None if value is None else b64encode(value)


@pytest.fixture
def table(certificates: Certificates) -> Entries:
    sni, domain = certificates.servers["sni"], certificates.servers["domain"]
    other = certificates.servers["ec384"]
    return Entries(
        {
            b"sni.private.test": sni.key_pem + sni.chain_pem,
            b".example.test": domain.key_pem + domain.chain_pem,
            b"two.example.test": b"".join(each.key_pem + each.chain_pem for each in (sni, domain)),
            b"bad.example.test": sni.chain_pem + sni.key_pem,
            b"mismatch.example.test": other.key_pem + sni.chain_pem,
        }
    )


def names(log: Lines, *tables: Table) -> ServerNames:
    access = Access(warn=log.warning)
    return ServerNames(TableList("tls_server_sni_maps", [WrappedTable(each, access) for each in tables], access))


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch, table: Entries) -> None:
    monkeypatch.setattr("tlsproxy.tls.server.role.open_names", lambda _view, log: names(log, table))


@pytest.fixture
def role(make_server_role: MakeServerRole, certificates: Certificates) -> ServerRole:
    settings = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem", "smtpd_tls_loglevel": "1"}
    return make_server_role(settings)


CHOICES = {
    "sni.private.test": ("sni", True, ""),
    "SNI.Private.Test": ("sni", True, ""),
    "a.example.test": ("domain", True, ""),
    "a.b.example.test": ("domain", True, ""),
    "example.test": ("rsa2048", False, "TLS SNI example.test from {} not matched, using default chain"),
    "mail.private.test": ("rsa2048", False, "TLS SNI mail.private.test from {} not matched, using default chain"),
    "-x.example.test": ("rsa2048", False, "warning: TLS SNI from {} is invalid: -x.example.test"),
    ".example.test": ("rsa2048", False, "warning: TLS SNI from {} is invalid: .example.test"),
    "a..example.test": ("rsa2048", False, "warning: TLS SNI from {} is invalid: a..example.test"),
    "a_b.example.test": ("domain", True, ""),
    "1.2.3": ("rsa2048", False, "warning: TLS SNI from {} is invalid: 1.2.3"),
    f"{'x' * 64}.a.test": ("rsa2048", False, f"warning: TLS SNI from {{}} is invalid: {'x' * 64}.a.test"),
}


@pytest.mark.parametrize("name", CHOICES)
def test_certificate_is_chosen_by_name(role: ServerRole, certificates: Certificates, log: Lines, name: str) -> None:
    kind, matched, line = CHOICES[name]
    with contextlib.ExitStack() as stack:
        answer = ask(connector(role, stack), Hello(suites=(0xC02B, 0xC02F), name=name))
    assert answer.certificates[0] == certificates.servers[kind].fingerprint
    assert answer.name_acknowledged is matched
    assert [each for each in log.lines if "SNI" in each] == ([line.format("[192.0.2.7]:4711")] if line else [])


@pytest.mark.parametrize("name", ["sni.private.test", "a.b.example.test", "mail.private.test"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_name_that_has_a_certificate_is_part_of_the_summary(
    role: ServerRole, certificates: Certificates, log: Lines, name: str, version: ssl.TLSVersion
) -> None:
    kind, matched, _ = CHOICES[name]
    context = client_context()
    context.maximum_version = version
    with serving(role) as (stream, _), context.wrap_socket(stream, server_hostname=name) as tls:
        assert tls.recv(3) == b"220"
        assert tls.getpeercert(binary_form=True) == certificates.servers[kind].der
    assert f"established from [192.0.2.7]:4711{f' to {name}' if matched else ''}: TLSv1." in log.lines[-1]


@pytest.mark.parametrize(
    ("name", "complaints"),
    [
        (
            "bad.example.test",
            ["error loading chain from SNI data for bad.example.test: key not first"],
        ),
        (
            "mismatch.example.test",
            ["key at index 1 in SNI data for mismatch.example.test does not match next certificate"],
        ),
    ],
)
def test_chain_that_cannot_be_used_ends_the_handshake(
    role: ServerRole, log: Lines, name: str, complaints: list[str]
) -> None:
    with contextlib.ExitStack() as stack:
        assert ask(connector(role, stack), Hello(name=name)).alert == 80
    end = f"error loading private keys and certificates from: SNI data for {name}: aborting TLS handshake"
    assert [line for line in log.lines if "library" not in line] == [f"warning: {each}" for each in [*complaints, end]]
    assert any("TLS library problem: " in line and "callback failed" in line for line in log.lines)


def test_table_that_fails_ends_the_handshake_and_no_other(
    role: ServerRole, table: Entries, certificates: Certificates, log: Lines
) -> None:
    table.fails = True
    with contextlib.ExitStack() as stack:
        connect = connector(role, stack)
        assert ask(connect, Hello(name="sni.private.test")).alert == 80
        table.fails = False
        answer = ask(connect, Hello(suites=(0xC02B,), name="sni.private.test"))
    assert answer.certificates[0] == certificates.servers["sni"].fingerprint
    assert log.lines[:2] == [
        'warning: static:entries lookup error for "sni.private.test"',
        "warning: tls_server_sni_maps: sni.private.test map lookup problem",
    ]


def test_names_are_looked_for_from_the_longest_to_the_shortest(role: ServerRole, table: Entries) -> None:
    with contextlib.ExitStack() as stack:
        ask(connector(role, stack), Hello(name="a.b.c.example.net"))
    keys = [b"a.b.c.example.net", b".b.c.example.net", b".c.example.net", b".example.net", b".net"]
    assert table.asked == keys


def test_without_a_name_no_table_is_asked(role: ServerRole, table: Entries, log: Lines) -> None:
    with contextlib.ExitStack() as stack:
        assert ask(connector(role, stack), Hello()).certificates
    assert not table.asked
    assert not [line for line in log.lines if "SNI" in line]


def test_several_keys_of_one_name_are_chosen_by_the_client(role: ServerRole, certificates: Certificates) -> None:
    with contextlib.ExitStack() as stack:
        connect = connector(role, stack)
        for suite, kind in ((0xC02B, "sni"), (0xC02F, "domain")):
            answer = ask(connect, Hello(suites=(suite,), name="two.example.test"))
            assert answer.certificates[0] == certificates.servers[kind].fingerprint


def test_contexts_are_made_once_for_each_version_of_a_chain(
    role: ServerRole, table: Entries, certificates: Certificates
) -> None:
    with contextlib.ExitStack() as stack:
        connect = connector(role, stack)
        made = role._own.context._chains
        for name in ("a.example.test", "b.example.test", "A.example.test"):
            ask(connect, Hello(name=name))
        assert len(made) == 1
        new = certificates.servers["ec384"]
        table.entries_[b".example.test"] = new.key_pem + new.chain_pem
        answer = ask(connect, Hello(suites=(0xC02C,), name="a.example.test"))
    assert answer.certificates[0] == new.fingerprint
    assert len(made) == 2


def test_hello_after_a_retry_asks_no_table_again(
    make_server_role: MakeServerRole, certificates: Certificates, table: Entries, log: Lines
) -> None:
    chain = {"smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem", "tls_eecdh_auto_curves": "secp521r1"}
    role = make_server_role(chain | {"smtpd_tls_loglevel": "1"})
    context = client_context()  # which shows a share of another group
    with serving(role) as (stream, _), context.wrap_socket(stream, server_hostname="sni.private.test") as tls:
        assert tls.recv(3) == b"220"
        assert tls.getpeercert(binary_form=True) == certificates.servers["sni"].der
    assert table.asked == [b"sni.private.test"]
    assert "to sni.private.test: TLSv1.3" in log.lines[-1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_with_a_name_are_resumed(role: ServerRole, version: ssl.TLSVersion) -> None:
    name = "sni.private.test"
    context, session = client_context(), None
    context.maximum_version = version
    for resumed in (False, True):
        with serving(role) as (stream, _), context.wrap_socket(stream, server_hostname=name, session=session) as tls:
            assert tls.recv(3) == b"220"
            assert bool(tls.session_reused) is resumed
            session = tls.session


def test_unknown_name_without_a_default_gets_no_certificate(
    make_server_role: MakeServerRole, certificates: Certificates, table: Entries, log: Lines
) -> None:
    role = make_server_role({"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "none"})
    with contextlib.ExitStack() as stack:
        connect = connector(role, stack)
        answer = ask(connect, Hello(suites=(0xC02B,), name="sni.private.test"))
        assert answer.certificates[0] == certificates.servers["sni"].fingerprint
        assert ask(connect, Hello(suites=(0xC02B,), name="mail.private.test")).alert == 40
        assert ask(connect, Hello(suites=(0xC018, 0xC02B))).suite == 0xC018  # anonymous


def test_client_certificates_are_asked_for_under_any_name(
    make_server_role: MakeServerRole, certificates: Certificates, table: Entries, log: Lines
) -> None:
    settings = {
        "smtpd_tls_chain_files": f"{certificates.directory}/rsa2048.pem",
        "smtpd_tls_CAfile": f"{certificates.directory}/ca.pem",
        "smtpd_tls_ask_ccert": "yes",
    }
    role = make_server_role(settings)
    with contextlib.ExitStack() as stack:
        answer = ask(connector(role, stack), Hello(groups=(GROUPS["secp256r1"],), name="sni.private.test"))
    assert answer.asks
    assert len(answer.authorities) == 1
    context = client_context()
    context.load_cert_chain(certificates.client_files["good"])
    with serving(role) as (stream, contexts), context.wrap_socket(stream, server_hostname="sni.private.test") as tls:
        assert tls.recv(3) == b"220"
    assert contexts[0] is not None
    assert contexts[0].peer_status == 5
    assert contexts[0].peer_CN == "client.private.test"


labels = st.text("abc019-_", min_size=1, max_size=5)


@given(st.lists(labels, min_size=1, max_size=6))
def test_every_key_that_is_asked_for_is_an_end_of_the_name(parts: list[str]) -> None:
    table = Entries({})
    name = ".".join(parts).encode()
    assert names(Lines(), table).find(name) is None
    assert table.asked[0] == name
    assert len(table.asked) == len(parts)
    for key in table.asked[1:]:
        assert key.startswith(b".") and name.endswith(key)


def test_first_table_that_knows_a_name_is_right() -> None:
    first, second = Entries({b".example.test": b"first"}), Entries({b"a.example.test": b"second"})
    assert names(Lines(), first, second).find(b"a.example.test") == b"second"
    assert names(Lines(), second, first).find(b"b.example.test") == b"first"
