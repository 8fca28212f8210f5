"""A file under edit is the old one or the new one at any time, and no change of another process is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postconf.errors import ConfigError
from postconf.files.replacement import LockedFile

COUNT_FOR_EVER = """
import sys
from postconf.files.replacement import LockedFile
print("ready", flush=True)
while True:
    with LockedFile(sys.argv[1]) as file:
        number = int(file.read().split(maxsplit=1)[0])
        file.replace(f"{number + 1}\\n" * 50000)
"""

EDIT_SLOWLY = """
import os, sys, time
from postconf.files.replacement import LockedFile

def wait(_descriptor):
    print("writing", flush=True)
    time.sleep(60)

def main():
    os.fsync = wait
    with LockedFile(sys.argv[1]) as file:
        file.replace("new")
"""

COUNT = """
import sys
from postconf.files.replacement import LockedFile
for _ in range(int(sys.argv[2])):
    with LockedFile(sys.argv[1]) as file:
        file.replace(str(int(file.read()) + 1))
"""


def test_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_bytes(b"old \xff\0\n")
    with LockedFile(str(path)) as file:
        file.replace(file.read() + "new\n")
    assert path.read_bytes() == b"old \xff\0\nnew\n"
    assert list(tmp_path.iterdir()) == [path]


def test_exception_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    with pytest.raises(ZeroDivisionError), LockedFile(str(path)) as file:
        file.replace(file.read() + str(1 // 0))
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_mode_owner_and_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 5678)
    try:
        os.setxattr(path, "user.origin", b"us")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    before = path.stat()
    with LockedFile(str(path)) as file:
        file.replace("new\n")
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert os.getxattr(path, "user.origin") == b"us"


def test_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "main.cf").write_text("old\n")
    link = tmp_path / "main.cf"
    link.symlink_to("real/main.cf")
    with LockedFile(str(link)) as file:
        file.replace("new\n")
    assert link.is_symlink()
    assert (tmp_path / "real" / "main.cf").read_text() == "new\n"
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["main.cf"]


# Only root may write to a file of mode 0400.
@pytest.mark.parametrize("mode", [0o600, 0o644, *([0o400] if os.geteuid() == 0 else [])])
def test_leftovers_of_a_crash_do_no_harm(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    leftover = tmp_path / "main.cf.tmp"
    leftover.write_text("half a fi")
    leftover.chmod(mode)
    with LockedFile(str(path)) as file:
        file.replace("new\n")
    assert path.read_text() == "new\n"


def test_file_left_under_both_names_by_a_crash_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    os.link(path, tmp_path / "main.cf.tmp")
    with pytest.raises(ZeroDivisionError), LockedFile(str(path)) as file:
        file.replace(str(1 // 0))
    assert path.read_text() == "old\n"


def test_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    (tmp_path / "main.cf.tmp").symlink_to(victim)
    with pytest.raises(ConfigError, match=r"main\.cf\.tmp: "), LockedFile(str(path)):
        pass
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda directory: None, "open DIR/main.cf for reading: No such file or directory"),
        (lambda directory: (directory / "main.cf").mkdir(), "read DIR/main.cf: Is a directory"),
        (lambda directory: directory.rmdir(), "open DIR/main.cf.tmp: No such file or directory"),
    ],
)
def test_uneditable_files_have_the_messages_of_postconf(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    directory = tmp_path / "etc"
    directory.mkdir()
    make(directory)
    with pytest.raises(ConfigError) as caught, LockedFile(f"{directory}/main.cf") as file:
        file.replace(file.read() + "x")
    assert caught.value.message == message.replace("DIR", str(directory))
    assert not (directory / "main.cf.tmp").exists()


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("0\n" * 50000)
    path.chmod(0o640)
    chance = random.Random(7)
    last = 0
    for _ in range(15):
        with subprocess.Popen([sys.executable, "-c", COUNT_FOR_EVER, str(path)], stdout=subprocess.PIPE) as editor:
            assert editor.stdout is not None
            editor.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))
            editor.send_signal(signal.SIGKILL)
        numbers = path.read_text().splitlines()
        assert len(numbers) == 50000
        assert len(set(numbers)) == 1
        assert int(numbers[0]) >= last
        last = int(numbers[0])
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert last > 0


def test_concurrent_editors_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("0")
    editors = [subprocess.Popen([sys.executable, "-c", COUNT, str(path), "50"]) for _ in range(4)]
    assert [editor.wait(60) for editor in editors] == [0] * 4
    assert path.read_text() == "200"


@pytest.mark.postfix
def test_postconf_and_we_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    path.write_text("")
    script = f"for i in $(seq 40); do postconf -c {tmp_path} -e p$i=1 || exit 1; done"
    with subprocess.Popen(["bash", "-c", script]) as postconf:
        for number in range(40):
            with LockedFile(str(path)) as file:
                file.replace(file.read() + f"q{number} = 1\n")
    assert postconf.returncode == 0
    names = {line.split()[0] for line in path.read_text().splitlines()}
    assert names == {f"q{number}" for number in range(40)} | {f"p{number}" for number in range(1, 41)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_ends_an_edit_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    (tmp_path / "editing.py").write_text(EDIT_SLOWLY)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "from postconf.program.running import run; run('editing')", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as editor:
        assert editor.stdout is not None
        assert editor.stdout.readline() == b"writing\n"
        editor.send_signal(number)
    assert editor.returncode == -number
    assert path.read_text() == "old\n"
    assert not (tmp_path / "main.cf.tmp").exists()


def test_file_system_without_attributes_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> list[str]:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    path = tmp_path / "main.cf"
    path.write_text("old\n")
    monkeypatch.setattr(os, "listxattr", refuse)
    with LockedFile(str(path)) as file:
        file.replace("new\n")
    assert path.read_text() == "new\n"


def test_file_without_an_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "main.cf"
    with path.open("wb") as file:
        file.truncate(4 << 30)  # a hole
    with pytest.raises(ConfigError, match="File too large"), LockedFile(str(path)) as locked:
        locked.read()


def test_interrupt_while_the_lock_is_taken_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "main.cf"
    path.write_text("old\n")
    lock = fcntl.flock

    def interrupt(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        if not operation & fcntl.LOCK_NB:
            raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", interrupt)
    with pytest.raises(KeyboardInterrupt), LockedFile(str(path)):
        pass
    assert list(tmp_path.iterdir()) == [path]
