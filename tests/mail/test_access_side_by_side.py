"""A real smtpd(8) and ours, asked the same: replies must be equal, byte for byte."""

from __future__ import annotations

import pytest
from peers.access_cases import NEIGHBOUR, World
from peers.postfix import PrivatePostfix, free_ports, public_directory
from peers.xclient import XclientSession

import postconf
from tlsproxy.mail.access.session import converse
from tlsproxy.mail.access.smtpd import service_of
from tlsproxy.mail.access.world import NOWHERE
from tlsproxy.mail.routing import Router
from tlsproxy.mail.trace.requests import make_session

pytestmark = pytest.mark.postfix

_SERVICES = 14
_SESSIONS = 25


def _differences(seed: int, services: int, sessions: int) -> tuple[int, list[str]]:
    """Hold all sessions of a world with both; return how many, and where they differ."""
    world = World(seed, services, sessions)
    ports = free_ports(services)
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
            return _compare(postfix, world, ports)


def _compare(postfix: PrivatePostfix, world: World, ports: list[int]) -> tuple[int, list[str]]:
    count, differences = 0, []
    with Router(postconf.load(postfix.conf, version="3.7.11")) as router:
        for port, sessions in zip(ports, world.sessions, strict=True):
            smtpd = service_of(router, f"127.0.0.1:{port}/inet")
            for record in sessions:
                theirs = XclientSession(port, NEIGHBOUR).hold(record)
                names = {name: record[name] for name in ("client_name", "helo", "sasl_user")}
                session = make_session(record["client"], record["sender"], record["recipients"], **names)
                exchanges = converse(smtpd, session, NOWHERE).exchanges
                ours = [(each.command, each.reply.code, each.reply.text) for each in exchanges]
                count += 1
                if ours != theirs:
                    differences.append(f"service {port}, {record}:\n  theirs {theirs}\n  ours   {ours}")
                assert not any(each.depends for each in exchanges)
    return count, differences


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_sessions_are_answered_as_by_postfix(seed):
    count, differences = _differences(seed, _SERVICES, _SESSIONS)
    assert not differences, "\n".join(differences[:3])
    assert count == _SERVICES * _SESSIONS


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 116))
def test_many_random_sessions_are_answered_as_by_postfix(seed):
    _, differences = _differences(seed, 30, 40)
    assert not differences, "\n".join(differences[:3])
