"""No command shows a traceback: closed streams, full disks and files of any kind end in one clear line."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from peers.daemon.proxy import script

COMMANDS = ("tlsproxy", "tlsproxy-check", "tlsproxy-postconf", "tlsproxy-postmap", "tlsproxy-trace")
PATIENCE = 60


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nsmtpd_tls_protocolz = x\n")
    (tmp_path / "master.cf").write_text("smtp inet n - y - - smtpd\ntlsproxy unix - - y - 0 tlsproxy\n")
    (tmp_path / "table").write_text("key value\n")
    return tmp_path


def runs(directory: Path) -> list[list[str]]:
    """Command lines that print something, and read files."""
    return [
        *([name, "--help"] for name in COMMANDS),
        ["tlsproxy", "--version"],
        ["tlsproxy-postconf", "--version"],
        ["tlsproxy-check", "--completion", "bash"],
        ["tlsproxy-postmap", "--completion", "zsh"],
        ["tlsproxy", "--print-config", "-c", str(directory)],
        ["tlsproxy", "--status", "-c", str(directory)],
        ["tlsproxy-check", "-c", str(directory)],
        ["tlsproxy-check", "--format", "json", "-c", str(directory)],
        ["tlsproxy-postconf", "-c", str(directory)],
        ["tlsproxy-postconf", "-c", str(directory), "--json"],
        ["tlsproxy-postconf", "-c", str(directory), "nosuch"],
        ["tlsproxy-postmap", "-c", str(directory), "-q", "key", f"texthash:{directory}/table"],
        ["tlsproxy-postmap", "-c", str(directory), "-s", f"texthash:{directory}/table"],
        ["tlsproxy-postmap", "-c", str(directory), "nosuch:"],
    ]


def run(arguments: Sequence[str], **streams: object) -> subprocess.CompletedProcess[bytes]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [script(arguments[0]), *arguments[1:]]
    return subprocess.run(command, timeout=PATIENCE, **streams)  # type: ignore[call-overload, no-any-return]


def is_clean(diagnostics: bytes) -> bool:
    return not any(word in diagnostics for word in (b"Traceback", b"panic:", b"Exception ignored", b"Errno", b"b'"))


def broken_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("number", range(18))
def test_closed_pipe_ends_command_as_sigpipe_does(directory: Path, number: int) -> None:
    arguments = runs(directory)[number]
    usual = run(arguments)
    pipe = broken_pipe()
    try:
        ended = run(arguments, stdout=pipe)
        assert is_clean(ended.stderr)
        assert ended.returncode == (-signal.SIGPIPE if usual.stdout else usual.returncode)
        ended = run(arguments, stderr=pipe)
        assert ended.returncode == (-signal.SIGPIPE if usual.stderr else usual.returncode)
    finally:
        os.close(pipe)
    assert is_clean(usual.stderr)


@pytest.mark.parametrize("number", range(18))
def test_full_disk_is_reported_and_fails_the_command(directory: Path, number: int) -> None:
    arguments = runs(directory)[number]
    usual = run(arguments)
    with Path("/dev/full").open("wb") as full:
        ended = run(arguments, stdout=full)
        assert is_clean(ended.stderr)
        if usual.stdout:
            assert ended.returncode not in (0, 70)
            assert b"No space left on device" in ended.stderr
        assert run(arguments, stderr=full).returncode == usual.returncode


@pytest.mark.parametrize("number", range(18))
def test_closed_descriptors_are_as_dev_null(directory: Path, number: int) -> None:
    arguments = runs(directory)[number]
    usual = run(arguments)
    command = [script(arguments[0]), *arguments[1:]]
    for redirection in (">&-", "<&- >&- 2>&-"):
        closed = subprocess.run(
            ["sh", "-c", f'"$@" {redirection}', "sh", *command], capture_output=True, timeout=PATIENCE
        )
        assert is_clean(closed.stderr)
        assert closed.returncode == usual.returncode


def test_edited_file_never_becomes_standard_error(directory: Path) -> None:
    command = [script("tlsproxy-postconf"), "-c", str(directory), "-e", "a = 1", "a = 2"]
    subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command], timeout=PATIENCE)
    assert (directory / "main.cf").read_text().splitlines()[2:] == ["a = 2"]


def odd_files(path: Path) -> dict[str, Callable[[], object]]:
    """Yield the kinds of file that can be where a text file is expected."""
    return {
        "fifo": lambda: os.mkfifo(path),
        "directory": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
        "missing": lambda: None,
        "empty": lambda: path.write_bytes(b""),
        "binary": lambda: path.write_bytes(bytes(range(256)) * 64),
        "huge line": lambda: path.write_bytes(b"x" * 1_000_000 + b" = " + b"y" * 1_000_000),
        "nul": lambda: path.write_bytes(b"smtpd_tls_loglevel\0 = 1\0\n\0\n"),
        "no utf-8": lambda: path.write_bytes(b"smtpd_tls_\xff = \xc3\x28\nmail_name = \xff\n"),
    }


ENDLESS = {("table", "fifo"), ("table", "device")}
"""Tables that are read on and on, as by postmap(1)."""


@pytest.mark.parametrize(
    ("name", "kind"),
    sorted({(name, kind) for name in ("main.cf", "master.cf", "table") for kind in odd_files(Path())} - ENDLESS),
)
def test_odd_file_is_one_clear_line(directory: Path, name: str, kind: str) -> None:
    path = directory / name
    path.unlink()
    odd_files(path)[kind]()
    config = str(directory)
    calls = [
        ["tlsproxy", "--print-config", "-c", config],
        ["tlsproxy-trace", "--client", "192.0.2.1", "--sender", "a@a.test", "--recipient", "b@b.test", "-c", config],
        ["tlsproxy-check", "--fix", "-c", config],
        ["tlsproxy-postconf", "-c", config, "-n"],
        ["tlsproxy-postconf", "-c", config, "-M"],
        ["tlsproxy-postmap", "-c", config, "-s", f"texthash:{directory}/table"],
    ]
    if name == "table":
        calls = [*calls[-1:], ["tlsproxy-check", str(path)]]
    for call in calls:
        ended = run(call)
        assert is_clean(ended.stderr), ended.stderr.decode()
        assert ended.returncode in (0, 1, 2, 3)


def test_interrupt_ends_command_without_a_word(directory: Path) -> None:
    (directory / "pipe").unlink(missing_ok=True)
    os.mkfifo(directory / "pipe")
    process = subprocess.Popen(
        [script("tlsproxy-check"), str(directory / "pipe")], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with (directory / "pipe").open("wb"):  # which waits for the reader
        process.send_signal(signal.SIGINT)
        _, diagnostics = process.communicate(timeout=PATIENCE)
    assert (process.returncode, diagnostics) == (-signal.SIGINT, b"")


def test_defect_is_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def main():\n    raise ValueError('\\33[31mred')\n")
    program = tmp_path / "program"
    program.write_text("from postconf.program.running import run\nrun('broken')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [str(Path(script("python"))), str(program)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 70
    assert ended.stderr.startswith("program: panic: ValueError: ?[31mred (")
    assert "broken.py:2): the command ends;" in ended.stderr
    assert ended.stderr.count("\n") == 1
    environment["TLSPROXY_TRACEBACK"] = "1"
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert "Traceback" in ended.stderr
