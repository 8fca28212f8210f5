"""Root changes nothing by its own rights in a directory of another account, which could put a link in the way."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.daemon.proxy import script, write_config
from peers.real.postfix import public_directory
from peers.tools.children import PATIENCE, accepts, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

OWNER = "nobody"
WATCHED = """
import os, runpy, sys
watched = sys.argv[1]
changes = {"os.chmod", "os.chown", "os.rename", "os.remove", "os.link", "os.symlink", "os.mkdir", "os.truncate",
           "os.setxattr", "socket.bind"}

def note(event, details):
    if event == "open":
        path, _, flags = details
        if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        names = [path]
    elif event in changes:
        names = details
    else:
        return
    for name in names:
        if isinstance(name, bytes):
            name = os.fsdecode(name)
        if isinstance(name, str) and os.path.abspath(name).startswith(watched):
            os.write(2, f"AUDIT {os.geteuid()} {event} {name}\\n".encode())

sys.addaudithook(note)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A directory that belongs to another account, as queue/private does."""
    with public_directory() as path:
        directory = path / "theirs"
        write_config(directory, {"queue_directory": str(path), "mail_owner": OWNER})
        (directory / "table").write_text("key value\n")
        account = pwd.getpwnam(OWNER)
        for each in (directory, *directory.iterdir()):
            os.chown(each, account.pw_uid, account.pw_gid)
        yield directory


def watched(theirs: Path, *arguments: str) -> list[str]:
    """A command that writes each change below a directory to standard error."""
    program, *rest = arguments
    return [sys.executable, "-c", WATCHED, str(theirs), script(program), *rest]


def changes(diagnostics: str) -> dict[str, set[int]]:
    """The user ids that have changed something, by the kind of change."""
    found: dict[str, set[int]] = {}
    for line in diagnostics.splitlines():
        if line.startswith("AUDIT "):
            _, user, event, _ = line.split(" ", 3)
            found.setdefault(event, set()).add(int(user))
    return found


def test_daemon_makes_sockets_as_owner_of_directory(theirs: Path, tmp_path: Path) -> None:
    owner = pwd.getpwnam(OWNER).pw_uid
    socket = theirs / "socket"
    command = watched(theirs, "tlsproxy", "--standalone", "-c", str(theirs), "--socket", str(socket))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: accepts(socket) and accepts(theirs / "socket.control"))
        assert (socket.stat().st_uid, socket.stat().st_mode & 0o777) == (owner, 0o666)
        assert (theirs / "socket.control").stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in (tmp_path / "log").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    found = changes((tmp_path / "log").read_text())
    assert found.keys() >= {"socket.bind", "os.rename", "os.remove"}
    assert set().union(*found.values()) == {owner}
    assert not list(theirs.glob("socket*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["tlsproxy-postconf", "-c", "DIR", "-e", "mail_name=x"],
        ["tlsproxy-postconf", "-c", "DIR", "-Me", "a/unix=a unix - - n - 0 tlsproxy"],
        ["tlsproxy-check", "-c", "DIR", "--fix"],
        ["tlsproxy-check", "-c", "DIR", "--format", "json:DIR/report"],
        ["tlsproxy-postmap", "-c", "DIR", "hash:DIR/table"],
        ["tlsproxy-postmap", "-c", "DIR", "lmdb:DIR/table"],
        ["tlsproxy-postmap", "-c", "DIR", "cdb:DIR/table"],
        ["tlsproxy-postmap", "-c", "DIR", "-d", "key", "hash:DIR/made"],
        ["tlsproxy-postmap", "-c", "DIR", "-i", "lmdb:DIR/made"],
    ],
    ids=" ".join,
)
def test_command_changes_files_as_owner_of_directory(theirs: Path, arguments: list[str]) -> None:
    owner = pwd.getpwnam(OWNER)
    (theirs / "main.cf").open("a").write("smtpd_use_tls = yes\nsmtpd_use_tls = yes\n")
    (theirs / "made").write_text("key value\n")
    os.chown(theirs / "made", owner.pw_uid, owner.pw_gid)
    for kind in ("hash", "lmdb"):
        subprocess.run([script("tlsproxy-postmap"), "-c", theirs, f"{kind}:{theirs}/made"], check=True)
    command = watched(theirs, *(each.replace("DIR", str(theirs)) for each in arguments))
    ended = subprocess.run(command, input=b"new value\n", capture_output=True, timeout=PATIENCE)
    assert ended.returncode in (0, 1)
    assert b"fatal" not in ended.stderr
    assert set().union(*changes(ended.stderr.decode()).values()) == {owner.pw_uid}


def test_link_in_place_of_temporary_file_destroys_nothing(theirs: Path, tmp_path: Path) -> None:
    precious = theirs.parent / "precious"
    precious.write_text("precious")
    precious.chmod(0o600)
    for name in ("main.cf.tmp", "table.db.tmp", "table.cdb.tmp"):
        os.link(precious, theirs / name)
    for command in (
        ["tlsproxy-postconf", "-c", str(theirs), "-e", "mail_name=x"],
        ["tlsproxy-postmap", "-c", str(theirs), f"hash:{theirs}/table"],
        ["tlsproxy-postmap", "-c", str(theirs), f"cdb:{theirs}/table"],
    ):
        subprocess.run([script(command[0]), *command[1:]], timeout=PATIENCE)
    assert precious.read_text() == "precious"
    assert precious.stat().st_mode & 0o777 == 0o600
