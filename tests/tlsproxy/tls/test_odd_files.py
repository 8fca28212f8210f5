"""Names of files that lead to no regular file, in main.cf and in requests: refused, and never waited for."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon.proxy import StartDaemon
from peers.daemon.roles import Lines, MakeServerRole
from peers.tools.children import PATIENCE

import postconf
from maps import Access, OpenError, TableError, open_table
from postconf.files.regular import is_refused, open_regular, read_regular
from postconf.models import load
from tlsproxy.tls.client.role import ClientRole
from tlsproxy.tls.roles import RoleUnavailableError
from tlsproxy.tls.settings.client import client_init
from tlsproxy.wire.messages import ClientSettings, ClientStart, Flag, Generation, Request

pytestmark = pytest.mark.timeout(60)
_REQUEST = Request("[192.0.2.7]:25", Flag.CLIENT | Flag.SEND_CONTEXT, 30, 30, "smtp")


@pytest.fixture(params=["fifo", "zero", "socket"])
def odd_file(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of something that can be opened, and that reading would wait for or never end."""
    if request.param == "zero":
        yield "/dev/zero"
        return
    path = tmp_path / request.param
    if request.param == "fifo":
        os.mkfifo(path)
        yield str(path)
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield str(path)


def test_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1000)
    assert read_regular(str(file), 1000) == b"x" * 1000
    with pytest.raises(OSError, match="File too large") as caught:
        read_regular(str(file), 999)
    assert caught.value.errno == errno.EFBIG


def test_odd_file_is_refused_at_once(odd_file: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Not a regular file|No such device or address"):
        open_regular(odd_file)
    assert is_refused(odd_file) or odd_file.endswith("socket")  # no process can open that one
    with pytest.raises(IsADirectoryError):
        open_regular(str(tmp_path))


@pytest.mark.parametrize(
    "names",
    [
        ("smtpd_tls_chain_files",),
        ("smtpd_tls_cert_file", "smtpd_tls_key_file"),
        ("smtpd_tls_eccert_file",),
        ("smtpd_tls_CAfile",),
        ("tls_config_file",),
    ],
)
def test_server_role_with_odd_file_is_not_served(
    odd_file: str, names: tuple[str, ...], make_server_role: MakeServerRole, log: Lines
) -> None:
    settings = dict.fromkeys(names, odd_file)
    if "cert_file" in names[0]:
        settings |= {"smtpd_tls_chain_files": ""}
    with pytest.raises(RoleUnavailableError):
        make_server_role(settings)
    assert any(odd_file in line for line in log.lines)


def test_server_role_with_odd_dh_file_uses_built_in_group(
    odd_file: str, make_server_role: MakeServerRole, log: Lines
) -> None:
    make_server_role({"smtpd_tls_dh1024_param_file": odd_file})
    assert any(f'error opening DH parameter file "{odd_file}"' in line for line in log.lines)


@pytest.mark.parametrize("member", ["chain_files", "cert_file", "dcert_file", "CAfile"])
def test_request_that_names_odd_file_is_refused(odd_file: str, member: str, tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("smtp_tls_security_level = may\n")
    (tmp_path / "master.cf").write_text("")
    log = Lines()
    settings = load(postconf.load(str(tmp_path), version="3.7.11"))
    role = ClientRole.load(settings, log)
    init = client_init(settings.view)._replace(**{member: odd_file})  # type: ignore[arg-type]  # the members that name files
    start = ClientStart(
        30, 1, "example.com", "mx.example.com", "mx", "", "id", "", "", "medium", "", (), "sha256", None
    )
    with pytest.raises(RoleUnavailableError):
        role.plan(_REQUEST, ClientSettings(Generation.V3_6, {}, init, start))
    assert any(odd_file in line for line in log.lines)


@pytest.mark.parametrize("kind", ["texthash", "regexp", "cidr", "ldap", "sqlite"])
def test_table_of_daemon_in_odd_file_is_not_opened(odd_file: str, kind: str) -> None:
    problems: list[str] = []
    with pytest.raises((OpenError, TableError)):
        open_table(f"{kind}:{odd_file}", Access(error=problems.append)).lookup(b"key")


@pytest.mark.parametrize("kind", ["hash", "btree", "cdb", "lmdb"])
def test_indexed_table_in_odd_file_is_not_opened(kind: str, tmp_path: Path) -> None:
    suffix = {"hash": "db", "btree": "db"}.get(kind, kind)
    os.mkfifo(tmp_path / f"t.{suffix}")
    with pytest.raises(OpenError):
        open_table(f"{kind}:{tmp_path}/t", Access())


def test_daemon_with_odd_key_of_client_role_serves_others(tmp_path: Path, start_daemon: StartDaemon) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start_daemon({"smtp_tls_security_level": "may", "smtp_tls_cert_file": str(tmp_path / "fifo")})
    local, remote = daemon.tls_session()
    with local, remote:
        local.settimeout(PATIENCE)
        remote.sendall(b"EHLO")
        assert local.recv(4) == b"EHLO"
