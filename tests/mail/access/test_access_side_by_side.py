"""A real smtpd(8) and ours, asked the same: replies must be equal, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from peers.cases.access_cases import NEIGHBOUR, World
from peers.real.postfix import PrivatePostfix, free_ports, public_directory
from peers.real.xclient import XclientSession

import postconf
from tlsproxy.mail.access.relaying import CLIENTS, HELO_NAME, RECIPIENT, SENDER, stranger_may_relay
from tlsproxy.mail.access.smtp.session import converse
from tlsproxy.mail.access.smtpd import service_of
from tlsproxy.mail.access.world import NOWHERE
from tlsproxy.mail.routing import Router
from tlsproxy.mail.trace.requests import make_session

pytestmark = pytest.mark.postfix

_SERVICES = 14
_SESSIONS = 25


@contextmanager
def _running(world: World) -> Iterator[tuple[PrivatePostfix, list[int]]]:
    """Run a Postfix with the services of a world; yield it and their ports."""
    ports = free_ports(len(world.services))
    with public_directory() as root:
        postfix = PrivatePostfix(root / "postfix", world.main)
        world.write_tables(postfix.conf)
        master = postfix.conf / "master.cf"
        entries = []
        for port, settings in zip(ports, world.services, strict=True):
            options = "".join(f"  -o {{ {name} = {value} }}\n" for name, value in settings.items())
            entries.append(f"127.0.0.1:{port} inet n - n - 1 smtpd\n{options}")
        master.write_text(master.read_text() + "".join(entries))
        with postfix:
            yield postfix, ports


def _differences(seed: int, services: int, sessions: int) -> tuple[int, list[str]]:
    """Hold all sessions of a world with both; return their number, and the differences."""
    world = World(seed, services, sessions)
    with _running(world) as (postfix, ports):
        return _compare(postfix, world, ports)


def _compare(postfix: PrivatePostfix, world: World, ports: list[int]) -> tuple[int, list[str]]:
    count, differences = 0, []
    with Router(postconf.load(postfix.conf, version="3.7.11")) as router:
        for port, sessions in zip(ports, world.sessions, strict=True):
            smtpd = service_of(router, f"127.0.0.1:{port}/inet")
            for record in sessions:
                facts: dict[str, Any] = {**record}
                theirs = XclientSession(port, NEIGHBOUR).hold(record)
                names = {name: facts[name] for name in ("client_name", "helo", "sasl_user")}
                session = make_session(facts["client"], facts["sender"], facts["recipients"], **names)
                exchanges = converse(smtpd, session, NOWHERE).exchanges
                ours = [(each.command, each.reply.code, each.reply.text) for each in exchanges]
                count += 1
                if ours != theirs:
                    differences.append(f"service {port}, {record}:\n  theirs {theirs}\n  ours   {ours}")
                assert not any(each.depends for each in exchanges)
    return count, differences


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_sessions_are_answered_as_by_postfix(seed: int) -> None:
    count, differences = _differences(seed, _SERVICES, _SESSIONS)
    assert not differences, "\n".join(differences[:3])
    assert count == _SERVICES * _SESSIONS


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 116))
def test_many_random_sessions_are_answered_as_by_postfix(seed: int) -> None:
    _, differences = _differences(seed, 30, 40)
    assert not differences, "\n".join(differences[:3])


_STRANGERS = [
    {"client": client.address, "client_name": client.name, "sender": sender}
    for client in CLIENTS
    for sender in ((SENDER, "") if client is CLIENTS[0] else (SENDER,))
]


def _may_relay(port: int) -> bool:
    """Try the sessions of `stranger_may_relay` with a real smtpd(8)."""
    for stranger in _STRANGERS:
        record = {**stranger, "helo": HELO_NAME, "sasl_user": "", "recipients": [RECIPIENT]}
        answers = XclientSession(port, NEIGHBOUR).hold(record)
        if any(command == "RCPT" and code == 250 for command, code, _ in answers):
            return True
    return False


@pytest.mark.parametrize("seed", [21, 22, 23, 24])
def test_strangers_may_relay_where_postfix_lets_them(seed: int) -> None:
    world = World(seed, 75, 0, closes_relays=False)
    found, expected = [], []
    with _running(world) as (postfix, ports), Router(postconf.load(postfix.conf, version="3.7.11")) as router:
        for port in ports:
            verdict = stranger_may_relay(service_of(router, f"127.0.0.1:{port}/inet"))
            assert not verdict.depends
            found.append(verdict.permits)
            expected.append(_may_relay(port))
    assert found == expected
    assert 5 < sum(found) < 70
