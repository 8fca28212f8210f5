"""The table of a session's states: complete, as documented, and kept to by real sessions."""

from __future__ import annotations

import inspect
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from itertools import pairwise
from threading import Thread

import pytest
from peers.daemon.proxy import client_context, request_list, tcp_pair
from peers.daemon.roles import Lines, make_role
from peers.tools.certificates import Certificates
from peers.tools.children import wait_until

from tlsproxy.log import Log
from tlsproxy.loop import Loop
from tlsproxy.session import states
from tlsproxy.session.session import Session
from tlsproxy.session.states import STATES, State
from tlsproxy.tls.client.role import ClientRole
from tlsproxy.tls.server.role import ServerRole
from tlsproxy.wire.messages import Generation, Request

_REQUEST = Request("[192.0.2.7]:4711", 1, 30, 40, "smtpd")


class Owner:
    """Have one session."""

    generation = Generation.V3_6
    client_role: ClientRole | None = None

    def __init__(self, role: ServerRole | None) -> None:
        self.loop = Loop()
        self.lines = Lines()
        self.log: Log = self.lines
        self.server_role: ServerRole | None = role

    def established(self, _session: Session, _agreed: object, *, reused: bool) -> None:
        assert not reused

    def ended(self, _session: Session) -> None:
        self.loop.stop()


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> ServerRole:
    certificates = Certificates(tmp_path_factory.mktemp("pki"))
    chain = f"{certificates.directory}/rsa2048.pem"
    return make_role(tmp_path_factory.mktemp("role"), {"smtpd_tls_chain_files": chain}, Lines())


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[State]]:
    """The states that sessions enter."""
    found: list[State] = []
    enter = Session._enter

    def watched(self: Session, state: State) -> None:
        found.append(state)
        enter(self, state)

    monkeypatch.setattr(Session, "_enter", watched)
    yield found
    for before, after in pairwise(found):
        assert after.name in before.leads_to


def run(role: ServerRole | None, peer: Callable[[socket.socket], None]) -> Owner:
    """Run one session, with a local peer in a thread, to its end."""
    owner = Owner(role)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.settimeout(20)
    failures: list[BaseException] = []

    def talk() -> None:
        try:
            peer(ours)
        except BaseException as error:
            failures.append(error)
        finally:
            ours.close()  # which ends the session

    thread = Thread(target=talk)
    thread.start()
    Session(owner, theirs).start()
    owner.loop.run()
    thread.join(20)
    assert not failures
    return owner


def names(found: list[State]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_state_names_methods_of_the_session(state: State) -> None:
    for name in (state.local, state.remote):
        if name is not None:
            parameters = list(inspect.signature(getattr(Session, name)).parameters)
            assert parameters in (["self", "events"], ["self", "_events"])
    assert list(inspect.signature(getattr(Session, state.at_limit)).parameters) == ["self"]
    assert set(state.leads_to) <= {each.name for each in STATES}


def test_table_of_the_docstring_has_each_state_and_limit() -> None:
    rows = re.findall(r"^(\S[a-z ]*?)  +\S.*?  +(\S.*?)  +", states.__doc__ or "", re.MULTILINE)
    documented = {name: limit for name, limit in rows if name != "state"}
    shown = {
        states.HANDSHAKE: "first of the request",
        states.SESSION: f"second, and {states.seconds(states.SESSION, _REQUEST) - _REQUEST.session_timeout:g} s more",
    }
    assert documented == {
        state.name: shown[state.limit] if isinstance(state.limit, str) else f"{state.limit:g} s" for state in STATES
    }


@pytest.mark.parametrize(("asked", "granted"), [(-1, 0), (0, 0), (30, 30), (10**9, 7 * 24 * 3600)])
def test_limit_of_a_request_is_bounded(asked: int, granted: int) -> None:
    request = _REQUEST._replace(handshake_timeout=asked, session_timeout=asked)
    assert states.seconds(states.HANDSHAKE, request) == granted
    assert states.seconds(states.SESSION, request) == granted + 10


def test_session_goes_through_its_states_in_order(role: ServerRole, entered: list[State]) -> None:
    def peer(local: socket.socket) -> None:
        remote, accepted = tcp_pair()
        local.recv(100)
        local.sendall(request_list(flags=1))
        local.recv(100)
        socket.send_fds(local, [b"\0"], [accepted.fileno()])
        accepted.close()
        with client_context().wrap_socket(remote) as tls:
            tls.sendall(b"EHLO")
            assert local.recv(4) == b"EHLO"
            local.shutdown(socket.SHUT_WR)
            assert tls.recv(1) == b""

    run(role, peer)
    assert names(entered) in (
        ["requesting", "awaiting", "greeted", "handshaking", "relaying"],
        ["requesting", "awaiting", "handshaking", "relaying"],
    )


def test_request_in_pieces_has_a_state_of_its_own(role: ServerRole, entered: list[State]) -> None:
    def peer(local: socket.socket) -> None:
        local.recv(100)
        request = request_list(flags=1)
        local.sendall(request[:20])
        wait_until(lambda: "reading settings" in names(entered))
        local.sendall(request[20:])
        assert b"status\x001" in local.recv(100)

    owner = run(role, peer)
    assert names(entered) == ["requesting", "reading settings", "awaiting"]
    assert "CONNECT from [192.0.2.7]:4711" in owner.lines.lines


def test_request_for_a_role_that_is_not_served_is_refused(entered: list[State]) -> None:
    def peer(local: socket.socket) -> None:
        local.recv(100)
        local.sendall(request_list(flags=1))
        assert b"status\x000" in local.recv(100)

    run(None, peer)
    assert names(entered) == ["requesting", "refused"]


def test_data_of_a_remote_peer_that_left_arrives(role: ServerRole, entered: list[State]) -> None:
    sent = b"x" * (1 << 20)
    received = bytearray()

    def peer(local: socket.socket) -> None:
        local.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        remote, accepted = tcp_pair()
        local.recv(100)
        local.sendall(request_list(flags=1))
        local.recv(100)
        socket.send_fds(local, [b"\0"], [accepted.fileno()])
        accepted.close()
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # no ticket is left unread, which would make the end a reset
        tls = context.wrap_socket(remote)
        sender = Thread(target=lambda: (tls.sendall(sent), tls.close()))  # type: ignore[func-returns-value]  # two calls in a row
        sender.start()
        while data := local.recv(1000):
            received.extend(data)
        sender.join(20)

    run(role, peer)
    assert bytes(received) == sent
    assert "relaying" in names(entered)
