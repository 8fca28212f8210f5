"""postconf(1) and tlsproxy-postconf, side by side."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from postconf.command.cli import PostconfCommand
from postconf.syntax.lines import decode, encode


class Answer(NamedTuple):
    """Output and exit status of a command."""

    status: int
    stdout: bytes
    stderr: list[bytes]


def write_configuration(directory: Path, main_cf: str, master_cf: str) -> None:
    """Write both files, as if long ago: postconf(1) reads a file that has just changed again and again."""
    for name, text in (("main.cf", main_cf), ("master.cf", master_cf)):
        (directory / name).write_bytes(encode(text))
        os.utime(directory / name, (0, 1_000_000_000))


def real(arguments: list[str], environment: Mapping[str, str]) -> tuple[Answer, int]:
    """Run postconf(1), with its hash tables in their order; return its answer and its process id."""
    process = subprocess.Popen(
        ["postconf", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NORANDOMIZE": "1", "LC_ALL": "C", **environment},
    )
    stdout, stderr = process.communicate(timeout=60)
    return Answer(process.returncode, stdout, stderr.splitlines()), process.pid


def ours(arguments: list[str], environment: Mapping[str, str], process_id: int) -> Answer:
    """Run our command, in this process, as if it had that id (which is the value of a parameter)."""
    command = PostconfCommand("postconf", [decode(os.fsencode(argument)) for argument in arguments])
    said: list[bytes] = []
    command.diagnose = said.append  # type: ignore[method-assign, assignment]
    with mock.patch.dict(os.environ, environment), mock.patch.object(os, "getpid", lambda: process_id):
        status = command.run()
    stdout = encode("".join(f"{line}\n" for line in command.output))
    return Answer(status, stdout, b"".join(said).splitlines())


def agree(command_lines: Iterable[list[str]], environment: Mapping[str, str] | None = None) -> None:
    """Run both with each of the command lines, and compare; postconf(1) loses output when it dies."""
    lines = list(command_lines)
    environment = environment or {}
    # At once, since postconf(1) sleeps before it dies.
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda line: real(line, environment), lines))
    assert answers
    for line, (theirs, process_id) in zip(lines, answers, strict=True):
        own = ours(line, environment, process_id)
        assert own.stderr == theirs.stderr, line
        assert own.status == theirs.status, line
        assert theirs.status or own.stdout == theirs.stdout, line
