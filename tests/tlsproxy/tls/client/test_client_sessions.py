"""Sessions that are kept by tlsmgr(8): resumed where that is right, never where a verdict would be another's, and a
tlsmgr(8) that is bad or not there is no harm."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peers.cases.client_cases import Chains, record
from peers.daemon.proxy import Proxy, running, write_config
from peers.fakes.smtp_client import INIT, Asked, Session, SmtpClient, client_start, server_context
from peers.fakes.tlsmgr import Manager
from peers.real.postfix import PrivatePostfix, public_directory
from peers.tools.children import PATIENCE

from tlsproxy.tls.client.sessions import cache_id
from tlsproxy.tls.verification.policy import VerificationPolicy
from tlsproxy.wire.messages import ClientInit

SETTINGS = {"smtp_tls_security_level": "may", "smtpd_tls_security_level": "none"}


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    return Chains(tmp_path_factory.mktemp("chains"))


@contextmanager
def daemon(
    directory: Path, queue: Path | None = None, settings: dict[str, str] | None = None
) -> Iterator[tuple[Proxy, SmtpClient]]:
    config = directory / "config"
    own = {"queue_directory": str(queue or directory / "queue")} | (settings or {})
    write_config(config, SETTINGS | own, certificate=False)
    with running(config) as proxy:
        yield proxy, SmtpClient(proxy.socket, config)


def wait_for_sessions(manager: Manager, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(manager.sessions) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("manner", ["good", "forgetful"])
def test_session_is_resumed_with_its_verdict(
    tmp_path: Path, chains: Chains, version: ssl.TLSVersion, manner: str
) -> None:
    server = server_context(chains.file("direct"))
    server.maximum_version = version
    init = {"CAfile": str(chains.authorities), "log_level": "cache,summary,untrusted"}
    good = Asked("verify", ["hostname"], init=init)
    bad = Asked("verify", ["other.test"], init=init)
    with Manager(tmp_path / "queue/private/tlsmgr", manner) as manager, daemon(tmp_path) as (proxy, client):
        for count, asked in enumerate((good, bad), 1):
            first = client.session(server, asked)
            wait_for_sessions(manager, count)
            second = client.session(server, asked)
            assert (first.reused, second.reused) == (False, True)
            assert first.context is not None
            assert second.context is not None
            assert second.context["peer_status"] == first.context["peer_status"] == ("29" if asked is good else "1")
        log = proxy.wait_for_log("re-using session with untrusted certificate, look for details earlier in the log")
    for text in ("looking for session smtp&", "reloaded session smtp&", "save session smtp&", ": Reusing old session"):
        assert text in log


def test_session_is_not_resumed_under_another_policy(tmp_path: Path, chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    init = {"CAfile": str(chains.authorities)}
    leaf = chains.leaves["direct"]
    variants = [
        Asked("encrypt", init=init),
        Asked("verify", ["hostname"], init=init),
        Asked("secure", ["hostname"], init=init),
        Asked("secure", [".example.test"], init=init),
        Asked("secure", ["other.test"], init=init),
        Asked("secure", ["hostname"]),
        Asked("secure", ["hostname"], init=init | {"verifydepth": 0}),
        Asked("secure", ["hostname"], init=init, start={"sni": "hostname"}),
        Asked("secure", ["hostname"], init=init, start={"protocols": ">=TLSv1.2"}),
        Asked("secure", ["hostname"], init=init, start={"cipher_exclusions": "aNULL"}),
        Asked("dane", ["hostname"], [record(leaf, 3, 1, 1)], init=init),
        Asked("dane", ["hostname"], [record(leaf, 3, 1, 2)], init=init),
        Asked("dane", ["hostname"], [record(leaf, 3, 1, 1), record(leaf, 3, 1, 2)], init=init),
    ]
    with Manager(tmp_path / "queue/private/tlsmgr") as manager, daemon(tmp_path) as (_, client):
        for count, asked in enumerate(variants, 1):
            assert client.session(server, asked).reused is False, asked
            wait_for_sessions(manager, count)
        assert client.session(server, variants[0]).reused is True
    assert "policy" in manager.requests
    assert manager.requests.count("policy") == 1


def test_as_much_entropy_is_asked_for_as_the_configuration_says(tmp_path: Path, chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    settings = {"tls_daemon_random_bytes": "77"}
    with (
        Manager(tmp_path / "queue/private/tlsmgr") as manager,
        daemon(tmp_path, settings=settings) as (_, client),
    ):
        client.session(server, Asked())
        wait_for_sessions(manager, 1)
    assert manager.seeds == {77}


@pytest.mark.parametrize("manner", ["silent", "nonsense", "half", "absent"])
def test_bad_manager_costs_nothing_but_the_old_session(tmp_path: Path, chains: Chains, manner: str) -> None:
    server = server_context(chains.file("direct"))

    def three(client: SmtpClient) -> list[Session]:
        return [client.session(server, Asked()) for _ in range(3)]

    if manner == "absent":
        with daemon(tmp_path) as (proxy, client):
            sessions = three(client)
            log = proxy.wait_for_log("problem talking to tlsmgr: ")
    else:
        with Manager(tmp_path / "queue/private/tlsmgr", manner), daemon(tmp_path) as (proxy, client):
            sessions = three(client)
            log = proxy.wait_for_log("problem talking to tlsmgr: ")
    assert [each.status for each in sessions] == [1, 1, 1]
    assert all(each.context is not None for each in sessions)
    assert log.count("problem talking to tlsmgr") == 1


def test_many_tickets_of_a_server_do_not_keep_tlsmgr_busy(tmp_path: Path, chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    server.num_tickets = 200
    with Manager(tmp_path / "queue/private/tlsmgr") as manager, daemon(tmp_path) as (_, client):
        client.session(server, Asked())
        wait_for_sessions(manager, 1)
        assert client.session(server, Asked()).reused is True
        assert 1 <= manager.requests.count("update") <= 20


def test_old_session_that_leads_nowhere_is_forgotten(tmp_path: Path, chains: Chains) -> None:
    server = server_context(chains.file("direct"))
    with Manager(tmp_path / "queue/private/tlsmgr") as manager, daemon(tmp_path) as (_, client):
        client.session(server, Asked())
        wait_for_sessions(manager, 1)
        unfit = server_context(chains.file("direct"))
        unfit.minimum_version = unfit.maximum_version = ssl.TLSVersion.TLSv1_2
        unfit.set_ciphers("eNULL:@SECLEVEL=0")
        assert client.session(unfit, Asked()).context is None
        deadline = time.monotonic() + PATIENCE
        while manager.sessions:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.postfix
def test_real_manager_keeps_sessions(chains: Chains) -> None:
    master_cf = "tlsmgr unix - - n 1000? 1 tlsmgr\npostlog unix-dgram n - n - 1 postlogd\n"
    settings = {"smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache"}
    server = server_context(chains.file("direct"))
    with public_directory() as root:
        postfix = PrivatePostfix(root / "postfix", settings, master_cf)
        (root / "ours").mkdir()
        with postfix, daemon(root / "ours", postfix.queue) as (proxy, client):
            asked = Asked(init={"log_level": "cache"})
            assert client.session(server, asked).reused is False
            proxy.wait_for_log("save session smtp&")
            assert client.session(server, asked).reused is True
            assert "warning: problem" not in proxy.log()


def test_session_has_the_name_that_postfix_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlsproxy.tls.openssl.peers.VERSION", 805306720)
    start = client_start()._replace(helo="sink.private.test", serverid="s&")
    init = ClientInit(**INIT)  # type: ignore[arg-type]
    ciphers = "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"
    name = cache_id(init, start, VerificationPolicy(1), "", ciphers, raw_keys=False)  # type: ignore[arg-type]
    assert name == "s&&205E864008FBCD30CBF3DAE83BBD58C51AD5D0A4EB9FFE7F2FDAA427894A3B59"
