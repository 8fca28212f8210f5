"""The daemon and its server role: made for tests, and ended after them in any case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from peers.daemon.proxy import Proxy, StartDaemon, running, write_config
from peers.daemon.roles import Lines, MakeServerRole, make_role
from peers.tools.certificates import Certificates

from tlsproxy.tls.server.role import ServerRole


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Keys and certificates of all kinds, in a directory of this module's tests."""
    return Certificates(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def log() -> Lines:
    """The log of the server role."""
    return Lines()


@pytest.fixture
def make_server_role(tmp_path: Path, certificates: Certificates, log: Lines) -> MakeServerRole:
    """Make a server role, without a daemon: these settings over an ECDSA certificate and the level `may`."""
    chain = {"smtpd_tls_chain_files": f"{certificates.directory}/ec256.pem"}

    def make(settings: Mapping[str, str], version: str = "3.7.11") -> ServerRole:
        return make_role(tmp_path, chain | dict(settings), log, version=version)

    return make


@pytest.fixture
def server_role(make_server_role: MakeServerRole) -> ServerRole:
    """The server role with the settings of `make_server_role`."""
    return make_server_role({})


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A stand-alone daemon with the settings of `write_config`, which the tests of a module share."""
    directory = tmp_path_factory.mktemp("daemon")
    write_config(directory, {})
    with running(directory) as daemon:
        yield daemon


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[StartDaemon]:
    """Start a stand-alone daemon for one test: settings, arguments, and other parameters of `running`."""
    with ExitStack() as stack:

        def start(settings: Mapping[str, str] | None = None, *arguments: str, **options: object) -> Proxy:
            write_config(tmp_path, dict(settings or {}))
            return stack.enter_context(running(tmp_path, *arguments, **options))  # type: ignore[arg-type]  # as given

        yield start
